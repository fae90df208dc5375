"""One question to Logs Insights: which events of a stretch of log hold one of these strings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from opstool.doors.logs.phrasing import MOST_ROWS
from opstool.doors.logs.scan import Stretch
from opstool.words.logevent import LogEvent
from opstool.words.logqueries.needles import Needles

_SECOND_MS = 1_000


@dataclass(frozen=True, kw_only=True)
class Question:
    """A query over a stretch. `given` are the @ptr of events that a larger question has answered already.

    `cuts` counts how often it was halved to fit into the bound of what may be scanned.
    """

    query: str
    needles: tuple[str, ...]
    stretch: Stretch
    given: frozenset[str] = frozenset()
    cuts: int = 0

    @cached_property
    def _sought(self) -> Needles:
        return Needles(self.needles)

    def request(self) -> dict[str, Any]:
        """Return what StartQuery is asked: its range is in seconds, both ends included."""
        return {
            "logGroupNames": [group.name for group in self.stretch.groups],
            "startTime": self.stretch.since_ms // _SECOND_MS,
            "endTime": -(-self.stretch.until_ms // _SECOND_MS),  # whether the last second counts whole is not said
            "queryString": self.query,
            "limit": MOST_ROWS,
        }

    def halves(self, now_ms: int) -> tuple[Question, Question] | None:
        """Return the older and the newer half; None when its range cannot be told from theirs in seconds."""
        middle_ms = self.stretch.middle_ms(now_ms) // _SECOND_MS * _SECOND_MS
        if self.stretch.until_ms - self.stretch.since_ms < 2 * _SECOND_MS or middle_ms <= self.stretch.since_ms:
            return None
        older = replace(self.stretch, until_ms=middle_ms - 1)
        newer = replace(self.stretch, since_ms=middle_ms)
        return replace(self, stretch=older), replace(self, stretch=newer)

    def events(self, rows: Iterable[Mapping[str, str]]) -> Iterator[LogEvent]:
        """Yield the events among the rows that were meant: not every emulator applies a filter, and seconds are coarse.

        A row without time or text is left out: it is no event, or `loses` tells that it may be one.
        """
        for row in rows:
            at_ms = _milliseconds(row.get("@timestamp", ""))
            text = row.get("@message")
            if at_ms is None or text is None or row.get("@ptr") in self.given:
                continue
            if self.stretch.since_ms <= at_ms <= self.stretch.until_ms and self._sought.are_in(text):
                yield LogEvent(
                    log_group=self._group(row.get("@log", "")),
                    log_stream=row.get("@logStream", ""),
                    at_ms=at_ms,
                    text=text,
                )

    def loses(self, rows: Iterable[Mapping[str, str]]) -> bool:
        """Tell whether a row that was meant does not say when it was, in a way that can be read."""
        return any(
            _milliseconds(row.get("@timestamp", "")) is None and self._sought.are_in(row.get("@message", ""))
            for row in rows
        )

    def _group(self, log: str) -> str:
        """Return the name in ACCOUNT:NAME; where an answer does not say, the only group that was asked."""
        name = log.rpartition(":")[2]
        return name or (self.stretch.groups[0].name if len(self.stretch.groups) == 1 else "")


def _milliseconds(text: str) -> int | None:
    """Return the time of `2025-01-01 00:00:00.000`, which is UTC; emulators answer epoch milliseconds."""
    try:
        if text.isdecimal():
            return int(text)
        moment = datetime.fromisoformat(text)
        return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * _SECOND_MS)
    except (ValueError, OverflowError):
        return None
