"""The queries of CloudWatch Logs Insights over the emulated log groups: evaluated, or refused as the service refuses.

A query is complete when it is started: nothing is to be waited for, and nothing to be stopped. The last 100 are kept.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from typing import Any

from moto.core.utils import unix_time_millis
from moto.logs.exceptions import InvalidParameterException, LogsClientError, ResourceNotFoundException
from moto.logs.models import LogGroup
from moto.logs.responses import LogsResponse

from opstool.local.emulator_time import NOW
from opstool.local.log_events import LOCK, events, group_named
from opstool.words.logqueries.insightsquery import Evaluated, MalformedQueryError, Record, evaluate

MOST_GROUPS = 50
"""Log groups of one query: API_StartQuery.html in the API reference of CloudWatch Logs."""
MOST_QUERIES = 100


class MalformedQueryException(LogsClientError):  # noqa: N818 the service's own name
    """Say that a query cannot be run."""

    def __init__(self, message: str) -> None:
        self.code = 400
        super().__init__("MalformedQueryException", message)


class LogQuery:
    """One query with its answer, in the shape that moto keeps queries in."""

    status = "Complete"

    def __init__(self, query_id: str, query: str, groups: list[LogGroup], answer: Evaluated) -> None:
        """Take the answer as it was when the query was started."""
        self.query_id = query_id
        self.log_group_names = [group.name for group in groups]
        self._query = query
        self._answer = answer
        self._created_ms = int(NOW.millis())

    def to_json(self, log_group_name: str) -> dict[str, Any]:
        """Return it as DescribeQueries does."""
        named = {"queryId": self.query_id, "queryString": self._query, "logGroupName": log_group_name}
        return {**named, "status": self.status, "createTime": self._created_ms}

    def to_result_json(self) -> dict[str, Any]:
        """Return it as GetQueryResults does."""
        statistics = {
            "recordsMatched": float(self._answer.records_matched),
            "recordsScanned": float(self._answer.records_scanned),
            "bytesScanned": float(self._answer.bytes_scanned),
            "logGroupsScanned": float(len(self.log_group_names)),
        }
        return {
            "queryLanguage": "CWLI",
            "results": self._answer.rows,
            "statistics": statistics,
            "status": self.status,
        }


def install() -> None:
    """Put these queries in the place of moto's."""
    LogsResponse.start_query = _start_query  # type: ignore[method-assign]
    LogsResponse.get_query_results = _get_query_results  # type: ignore[method-assign]
    LogsResponse.stop_query = _stop_query  # type: ignore[attr-defined]


def _start_query(self: LogsResponse) -> str:
    ask = self._get_param
    ways = [[name] if (name := ask("logGroupName")) else [], ask("logGroupNames"), ask("logGroupIdentifiers")]
    given = [names for names in ways if names]
    if len(given) != 1 or len(given[0]) > MOST_GROUPS:
        raise InvalidParameterException
    backend = self.logs_backend
    groups = [group_named(backend, name) for name in given[0]]
    since_ms, until_ms = int(ask("startTime")) * 1000, int(ask("endTime")) * 1000
    if since_ms > until_ms or all(until_ms < unix_time_millis(group.creation_time) for group in groups):
        raise MalformedQueryException(
            "Query's end date and time is either before the log groups creation time or exceeds the log groups log "
            "retention settings"
        )
    with LOCK:
        records = [record for group in groups for record in _records(group, since_ms, until_ms)]
    try:
        answer = evaluate(ask("queryString"), records, limit=ask("limit"))
    except MalformedQueryError as malformed:
        raise MalformedQueryException(str(malformed)) from malformed
    query_id = str(uuid.uuid4())
    with LOCK:
        backend.queries[query_id] = LogQuery(query_id, ask("queryString"), groups, answer)  # type: ignore[assignment]
        for oldest in list(backend.queries)[:-MOST_QUERIES]:
            del backend.queries[oldest]
    return json.dumps({"queryId": query_id})


def _records(group: LogGroup, since_ms: int, until_ms: int) -> Iterator[Record]:
    for event in events(group, set(group.streams), since_ms=since_ms, until_ms=until_ms):
        yield Record(
            at_ms=event["timestamp"],
            message=event["message"],
            log_stream=event["logStreamName"],
            log=f"{group.account_id}:{group.name}",
            ptr=event["eventId"],
            ingested_at_ms=event["ingestionTime"],
        )


def _query(self: LogsResponse) -> LogQuery:
    query: Any = self.logs_backend.queries.get(self._get_param("queryId"))
    if not isinstance(query, LogQuery):
        raise ResourceNotFoundException("The specified query does not exist.")
    return query


def _get_query_results(self: LogsResponse) -> str:
    return json.dumps(_query(self).to_result_json())


def _stop_query(self: LogsResponse) -> str:
    _query(self)
    raise InvalidParameterException("The query is not running.")
