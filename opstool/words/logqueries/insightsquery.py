"""Logs Insights without the service: the part of its query language that opstool uses, evaluated over given events.

Supported are `fields`, `display`, `filter` (also as `where`), `sort` and `limit`; everything else is refused with
MalformedQueryError, so that nobody takes a filter that was not applied for an answer. Pure: the fake and the embedded
AWS both stand on it. https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_QuerySyntax.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from opstool.words.logqueries.insightscondition import Condition, parse_condition
from opstool.words.logqueries.insightslexer import Kind, MalformedQueryError, Token, tokens
from opstool.words.times import iso

__all__ = ["MOST_ROWS", "Evaluated", "MalformedQueryError", "Query", "Record", "evaluate", "parse_query"]

MOST_ROWS = 10_000
"""Rows of one answer; https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_GetQueryResults.html"""
_MOST_FIELDS = 200
"""Fields discovered in one event:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_AnalyzeLogData-discoverable-fields.html"""
_REQUEST_ID = re.compile(r"RequestId: ([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})")

Row = list[dict[str, str]]


class Record:
    """One event as a query sees it: its own fields, and those discovered in its first JSON fragment when asked for."""

    __slots__ = ("_found", "at_ms", "message", "own")

    def __init__(self, *, at_ms: int, message: str, log_stream: str, log: str, ptr: str, ingested_at_ms: int) -> None:
        """Take `log` as ACCOUNT:NAME and `ptr` as what names the event within its log group."""
        self.at_ms = at_ms
        self.message = message
        self.own = {
            "@timestamp": str(at_ms),
            "@message": message,
            "@logStream": log_stream,
            "@log": log,
            "@ptr": ptr,
            "@ingestionTime": str(ingested_at_ms),
        }
        self._found: dict[str, str] | None = None

    def get(self, name: str) -> str | None:
        """Return the value of a field as text, times in epoch milliseconds; None when there is none."""
        if name in self.own:
            return self.own[name]
        if self._found is None:
            self._found = _discovered(self.message)
        return self._found.get(name)

    def shown(self, name: str) -> str | None:
        """Return the value of a field as an answer has it: times as `2025-01-01 00:00:00.000`."""
        value = self.get(name)
        if value is not None and name in {"@timestamp", "@ingestionTime"}:
            return iso(int(value)).replace("T", " ").removesuffix("Z")
        return value


@dataclass(frozen=True, kw_only=True, slots=True)
class Query:
    """A query that was understood. `sort`: field and whether descending, the most important first."""

    fields: tuple[str, ...] = ("@timestamp", "@message")
    conditions: tuple[Condition, ...] = ()
    sort: tuple[tuple[str, bool], ...] = (("@timestamp", True),)
    limit: int = MOST_ROWS

    def matches(self, record: Record) -> bool:
        """Tell whether every filter lets the event through."""
        return all(condition(record) for condition in self.conditions)


@dataclass(frozen=True, kw_only=True, slots=True)
class Evaluated:
    """What a query answers, and its statistics."""

    rows: list[Row]
    records_matched: int
    records_scanned: int
    bytes_scanned: int


def evaluate(query: str, events: Iterable[Record], *, limit: int | None = None) -> Evaluated:
    """Return the rows of a query over these events; raise MalformedQueryError for what is not understood."""
    parsed = parse_query(query)
    matched: list[Record] = []
    scanned = bytes_scanned = 0
    for event in events:
        scanned += 1
        bytes_scanned += len(event.message.encode("utf-8", "replace"))
        if parsed.matches(event):
            matched.append(event)
    for name, descending in reversed(parsed.sort):
        matched.sort(key=_order(name), reverse=descending)
    most = min(parsed.limit, limit or MOST_ROWS)
    rows = [_row(event, parsed.fields) for event in matched[:most]]
    return Evaluated(rows=rows, records_matched=len(matched), records_scanned=scanned, bytes_scanned=bytes_scanned)


def parse_query(text: str) -> Query:
    """Return what a query says; raise MalformedQueryError."""
    said: dict[str, Any] = {}
    conditions: list[Condition] = []
    for stage in _stages(text):
        command, rest = stage[0], stage[1:]
        if command.is_word("fields") or command.is_word("display"):
            said["fields"] = tuple(_names(rest))
        elif command.is_word("filter") or command.is_word("where"):
            conditions.append(parse_condition(rest))
        elif command.is_word("sort"):
            said["sort"] = tuple(_sorting(each) for each in _split(rest))
        elif command.is_word("limit"):
            said["limit"] = _limit(rest)
        else:
            raise MalformedQueryError(f"the command `{command.text}` is not supported")
    return Query(conditions=tuple(conditions), **said)


def _stages(text: str) -> list[list[Token]]:
    """Return the tokens of each command; they are parted by pipes."""
    stages: list[list[Token]] = [[]]
    for token in tokens(text):
        if token.is_sign("|"):
            stages.append([])
        else:
            stages[-1].append(token)
    if not all(stages):
        raise MalformedQueryError("a command is empty")
    return stages


def _split(rest: Sequence[Token]) -> list[list[Token]]:
    parts: list[list[Token]] = [[]]
    for token in rest:
        if token.is_sign(","):
            parts.append([])
        else:
            parts[-1].append(token)
    return parts


def _names(rest: Sequence[Token]) -> list[str]:
    parts = _split(rest)
    if any(len(part) != 1 or part[0].kind not in {Kind.NAME, Kind.QUOTED_NAME} for part in parts):
        raise MalformedQueryError("only names of fields are supported, parted by commas")
    return [part[0].text for part in parts]


def _sorting(part: Sequence[Token]) -> tuple[str, bool]:
    name, order = _names(part[:1])[0], part[1:]
    if len(order) > 1 or (order and not (order[0].is_word("asc") or order[0].is_word("desc"))):
        raise MalformedQueryError("`sort` wants a field, and asc or desc")
    return name, bool(order) and order[0].is_word("desc")


def _limit(rest: Sequence[Token]) -> int:
    if len(rest) != 1 or not rest[0].text.isdigit() or not 0 < int(rest[0].text) <= MOST_ROWS:
        raise MalformedQueryError(f"`limit` wants a number from 1 to {MOST_ROWS}")
    return int(rest[0].text)


def _order(name: str) -> Callable[[Record], tuple[int, float, str]]:
    """Return the key to sort by: what is missing first, then numbers, then texts."""

    def key(record: Record) -> tuple[int, float, str]:
        value = record.get(name)
        if value is None:
            return 0, 0.0, ""
        try:
            return 1, float(value), ""
        except ValueError:
            return 2, 0.0, value

    return key


def _row(record: Record, names: Iterable[str]) -> Row:
    """Return the fields that were asked for and are there; @ptr is always among them."""
    shown = [{"field": name, "value": value} for name in names if (value := record.shown(name)) is not None]
    return [*shown, {"field": "@ptr", "value": record.own["@ptr"]}]


def _discovered(message: str) -> dict[str, str]:
    """Return the fields of the first JSON object in a message, flattened with dots, and Lambda's request id."""
    found: dict[str, str] = {}
    start = message.find("{")
    if start >= 0:
        try:
            fragment, _ = json.JSONDecoder().raw_decode(message, start)
        except (ValueError, RecursionError):
            fragment = None
        if isinstance(fragment, dict):
            _flatten("", fragment, found)
    request_id = _REQUEST_ID.search(message)
    if request_id:
        found["@requestId"] = request_id[1]
    return found


def _flatten(prefix: str, value: Any, found: dict[str, str]) -> None:
    if len(found) >= _MOST_FIELDS or value is None:
        return
    if isinstance(value, dict):
        for name, inside in value.items():
            escaped = f"@{name}" if not prefix and name.startswith("@") else name
            _flatten(f"{prefix}{escaped}.", inside, found)
    elif isinstance(value, list):
        for index, inside in enumerate(value):
            _flatten(f"{prefix}{index}.", inside, found)
    else:
        # A boolean is stored as 1 or 0: how the service shows it; not documented.
        found[prefix.removesuffix(".")] = str(int(value)) if isinstance(value, bool) else str(value)
