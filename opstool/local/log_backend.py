"""CloudWatch Logs by its own rules where moto 5.2.5 has others: what is asked for is evaluated, or refused.

moto answers a filter pattern that it does not understand with every event, and a query with rows that were not
filtered. A look-up that only works because of that would pass every test and find nothing in AWS. log_query.py has the
queries; the pages of FilterLogEvents are here.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import moto.logs.models as logs_models
from moto.logs.exceptions import InvalidParameterException
from moto.logs.models import LogGroup, LogsBackend
from moto.logs.responses import LogsResponse

from opstool.local import log_query
from opstool.local.emulator_time import NOW
from opstool.local.log_events import LOCK, events, group_named
from opstool.words.logqueries.filterpattern import MalformedPatternError, Matches, compile_pattern

MOST_EVENTS = 10_000
PAGE_BYTES = 1_048_576
"""What one FilterLogEvents answers at most: API_FilterLogEvents.html in the API reference of CloudWatch Logs."""

_LOCKED = (
    "create_log_group",
    "create_log_stream",
    "describe_log_groups",
    "describe_log_streams",
    "ensure_log_group",
    "get_log_events",
    "put_log_events",
)


def install() -> None:
    """Put these rules in moto's place."""
    for name in _LOCKED:
        setattr(LogsBackend, name, _locked(getattr(LogsBackend, name)))
    # The queues' time, moved forward or not: a log line and the receive it tells of are on one clock.
    setattr(logs_models, "utcnow", _utcnow)  # noqa: B010 moto imports the name and does not export it
    LogsResponse.filter_log_events = _filter_log_events  # type: ignore[method-assign]
    log_query.install()
    describe = LogGroup.to_describe_dict
    LogGroup.to_describe_dict = lambda self: _described(describe(self))  # type: ignore[method-assign]


def _utcnow() -> datetime:
    return datetime.fromtimestamp(NOW.seconds(), UTC).replace(tzinfo=None)


def _locked(method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def call(*args: Any, **kwargs: Any) -> Any:
        with LOCK:
            return method(*args, **kwargs)

    return call


def _described(group: dict[str, Any]) -> dict[str, Any]:
    """Return a log group whose retention is a number, though a parameter of CloudFormation is a text."""
    if "retentionInDays" in group:
        group["retentionInDays"] = int(group["retentionInDays"])
    return group


def _filter_log_events(self: LogsResponse) -> str:
    ask = self._get_param
    group = group_named(self.logs_backend, ask("logGroupName") or ask("logGroupIdentifier") or "")
    limit = int(ask("limit") or MOST_EVENTS)
    names, prefix = ask("logStreamNames") or [], ask("logStreamNamePrefix") or ""
    if not 1 <= limit <= MOST_EVENTS or (names and prefix):
        raise InvalidParameterException
    matches = _compiled(ask("filterPattern") or "")
    with LOCK:
        streams = {name for name in group.streams if (not names or name in names) and name.startswith(prefix)}
        found = [
            event
            for event in events(group, streams, since_ms=ask("startTime"), until_ms=ask("endTime"))
            if matches(event["message"])
        ]
    start = _position(ask("nextToken"))
    end = _end_of_page(found, start, limit)
    searched = [{"logStreamName": name, "searchedCompletely": True} for name in sorted(streams)]
    answer: dict[str, Any] = {"events": found[start:end], "searchedLogStreams": searched}
    if end < len(found):
        answer["nextToken"] = f"after-{end}"
    return json.dumps(answer)


def _compiled(pattern: str) -> Matches:
    try:
        return compile_pattern(pattern)
    except MalformedPatternError as malformed:
        raise InvalidParameterException(f"Invalid filter pattern: {malformed}") from malformed


def _position(token: str | None) -> int:
    if not token:
        return 0
    number = token.removeprefix("after-")
    if not number.isdigit():
        raise InvalidParameterException("The specified nextToken is invalid.")
    return int(number)


def _end_of_page(found: list[dict[str, Any]], start: int, limit: int) -> int:
    """Return where a page ends: at its limit, or before the event that is too much for it."""
    size = 0
    for place in range(start, min(start + limit, len(found))):
        size += len(found[place]["message"].encode())
        if size > PAGE_BYTES and place > start:
            return place
    return min(start + limit, len(found))
