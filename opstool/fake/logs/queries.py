"""The Logs Insights of the fake: queries that are scheduled, run, answer in part, end, are stopped, and expire."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

from opstool.fake.logs.behaviour import LogsBehaviour
from opstool.fake.logs.store import Group, Store
from opstool.fake.refusal import RefusalError
from opstool.words.logqueries.insightsquery import MOST_ROWS, Evaluated, MalformedQueryError, Record, evaluate

_EVERYTHING = "fields @timestamp, @message, @logStream, @log"
MOST_GROUPS = 50
LONGEST_QUERY = 10_000
"""Log groups by name, and characters of a query; API_StartQuery.html."""
_RUNS_AT_MOST_MS = 3_600_000
_KEPT_MS = 7 * 86_400_000
"""How long a query may run, and how long its results are kept:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html"""


@dataclass(kw_only=True)
class _Running:
    """One query and how far it is."""

    answer: Evaluated
    end: str
    started_at_ms: int
    scheduled_polls: int
    running_polls: int
    status: str = "Scheduled"

    @property
    def is_under_way(self) -> bool:
        return self.status in {"Scheduled", "Running"}

    def step(self, now_ms: int) -> None:
        """Go on by one poll."""
        if self.is_under_way and now_ms - self.started_at_ms > _RUNS_AT_MOST_MS:
            self.status = "Timeout"
        elif self.is_under_way and self.scheduled_polls > 0:
            self.scheduled_polls -= 1
        elif self.is_under_way and self.running_polls > 0:
            self.status, self.running_polls = "Running", self.running_polls - 1
        elif self.is_under_way:
            self.status = self.end


class Queries:
    """The queries of one account in one region."""

    def __init__(self, store: Store, *, account: str, rng: Random) -> None:
        self._store = store
        self._account = account
        self._rng = rng
        self._queries: dict[str, _Running] = {}

    @property
    def under_way(self) -> int:
        """Count the queries that have not ended."""
        return sum(each.is_under_way for each in self._queries.values())

    def start(self, request: Mapping[str, Any], behaviour: LogsBehaviour, now_ms: int) -> dict[str, Any]:
        """Answer StartQuery. What a query finds is what is indexed at this moment."""
        groups = [self._store.group(name) for name in _names(request)]
        if any(group.log_class == "DELIVERY" for group in groups):
            raise RefusalError("InvalidParameterException", "queries are not supported for the log class DELIVERY")
        text = str(request["queryString"])
        if len(text) > LONGEST_QUERY:
            raise RefusalError("InvalidParameterException", f"a query has at most {LONGEST_QUERY} characters")
        if not 1 <= int(request.get("limit", MOST_ROWS)) <= MOST_ROWS:
            raise RefusalError("InvalidParameterException", f"the fake answers at most {MOST_ROWS} rows")
        if int(request["startTime"]) > int(request["endTime"]):
            raise RefusalError("InvalidParameterException", "the end is before the start")
        if self.under_way >= behaviour.most_queries:
            raise RefusalError("LimitExceededException", "Account maximum query concurrency limit of queries reached.")
        answer = self._evaluated(text, groups, request, behaviour, now_ms)
        query_id = str(uuid.UUID(int=self._rng.getrandbits(128), version=4))
        self._queries[query_id] = _Running(
            answer=answer,
            end=behaviour.query_end(request),
            started_at_ms=now_ms,
            scheduled_polls=behaviour.scheduled_polls,
            running_polls=behaviour.running_polls,
        )
        return {"queryId": query_id}

    def results(self, request: Mapping[str, Any], now_ms: int) -> dict[str, Any]:
        """Answer GetQueryResults; while it runs a query tells half of what it found."""
        query = self._find(request, now_ms)
        query.step(now_ms)
        share = {"Complete": 1.0, "Running": 0.5}.get(query.status, 0.0)
        answer = query.answer
        return {
            "status": query.status,
            "results": answer.rows[: round(len(answer.rows) * share)],
            "statistics": {
                "recordsMatched": float(round(answer.records_matched * share)),
                "recordsScanned": float(round(answer.records_scanned * share)),
                "bytesScanned": float(round(answer.bytes_scanned * share)),
            },
        }

    def stop(self, request: Mapping[str, Any], now_ms: int) -> dict[str, Any]:
        """Answer StopQuery; a query that has ended cannot be stopped."""
        query = self._find(request, now_ms)
        if not query.is_under_way:
            raise RefusalError("InvalidParameterException", "The specified query is not running")
        query.status = "Cancelled"
        return {"success": True}

    def _find(self, request: Mapping[str, Any], now_ms: int) -> _Running:
        query = self._queries.get(str(request["queryId"]))
        if query is None or now_ms - query.started_at_ms > _KEPT_MS:
            raise RefusalError("ResourceNotFoundException", "The specified query does not exist.")
        return query

    def _evaluated(
        self, text: str, groups: list[Group], request: Mapping[str, Any], behaviour: LogsBehaviour, now_ms: int
    ) -> Evaluated:
        since_ms = int(request["startTime"]) * 1_000
        until_ms = int(request["endTime"]) * 1_000 + (999 if behaviour.end_second_is_whole else 0)
        indexed_ms = now_ms - round(behaviour.indexing_delay_s * 1_000)
        records = self._records(groups, since_ms, until_ms, indexed_ms, now_ms)
        try:
            return evaluate(
                _EVERYTHING if behaviour.ignores_filters else text, records, limit=int(request.get("limit", MOST_ROWS))
            )
        except MalformedQueryError as error:
            raise RefusalError("MalformedQueryException", str(error)) from error

    def _records(
        self, groups: list[Group], since_ms: int, until_ms: int, indexed_ms: int, now_ms: int
    ) -> Iterator[Record]:
        for group in groups:
            for event in group.between(since_ms, until_ms, now_ms=now_ms):
                if event.ingested_at_ms <= indexed_ms:
                    yield Record(
                        at_ms=event.at_ms,
                        message=event.message,
                        log_stream=event.stream,
                        log=f"{self._account}:{group.name}",
                        ptr=f"{group.name}/{event.sequence}",
                        ingested_at_ms=event.ingested_at_ms,
                    )


def _names(request: Mapping[str, Any]) -> list[str]:
    """Return the log groups of a query; exactly one of the parameters that name them must be there."""
    given = [request[key] for key in ("logGroupName", "logGroupNames", "logGroupIdentifiers") if request.get(key)]
    if len(given) != 1:
        raise RefusalError("InvalidParameterException", "exactly one of the parameters that name log groups is wanted")
    names = [given[0]] if isinstance(given[0], str) else list(given[0])
    if len(names) > MOST_GROUPS:
        raise RefusalError("InvalidParameterException", f"a query takes at most {MOST_GROUPS} log groups")
    return [name.split(":log-group:")[-1].removesuffix(":*") for name in names]
