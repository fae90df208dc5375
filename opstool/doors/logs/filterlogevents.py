"""FilterLogEvents: slower than Logs Insights, asked a log group at a time, and free of charge and of its delay."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from opstool.doors.clock import Clock
from opstool.doors.logs.patience import Patient, readable
from opstool.doors.logs.phrasing import Asked, patterns
from opstool.doors.logs.scan import Scan
from opstool.words.errors import OpstoolError
from opstool.words.logevent import LogEvent
from opstool.words.loggroup import LogGroup
from opstool.words.logqueries.needles import Needles

_OPERATION = "FilterLogEvents"
MOST_PAGES = 60
"""Pages of one look-up. One is at most 10,000 events or 1 MB, and is often empty where a log group is large and the
time long. Sixty are about ten seconds at the five requests a second that AWS allows:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html"""
MOST_PAGES_A_SCAN = 300
"""Pages of all the look-ups of one command: about a minute."""
_PAGE_BYTES = 1_048_576


class FilterLogEvents:
    """The events that hold given strings, page by page, within one bound of pages for all that is read."""

    def __init__(self, service: Patient, clock: Clock, stop: threading.Event, scan: Scan) -> None:
        self._service = service
        self._clock = clock
        self._stop = stop
        self._scan = scan
        self._pages_left = min(MOST_PAGES, MOST_PAGES_A_SCAN - scan.pages)

    def events(
        self, groups: Sequence[LogGroup], needles: Collection[str], *, since_ms: int, until_ms: int
    ) -> Iterator[LogEvent]:
        """Yield the events; what cannot be read is in the scan, and the next group is read all the same.

        A string that is only a part of a longer word may be missed: whether a pattern finds it is not documented.
        """
        for group in groups:
            if group.name in self._scan.unreadable:
                self._scan.unread.update(needles)
                continue
            for asked in self._asked(group, needles, since_ms, until_ms):
                try:
                    yield from self._matching(group, asked, since_ms, until_ms)
                except OpstoolError as error:
                    self._scan.leave(needles, f"the log group `{group.name}` could not be read: {error.message}")
                    self._scan.unreadable.add(group.name)
                    break

    def _asked(self, group: LogGroup, needles: Collection[str], since_ms: int, until_ms: int) -> list[Asked]:
        """Return the patterns to ask with; one that matches all where reading everything needs fewer pages."""
        named = patterns(needles)
        now_ms = round(self._clock.wall() * 1_000)
        pages_of_all = 1 + group.stored_between(since_ms, until_ms, now_ms=now_ms) // _PAGE_BYTES
        small = group.stored_bytes > 0 and len(named) > pages_of_all
        # Where so many may not be asked for, nor is it known how much there is, everything is the better try.
        return [("", tuple(needles))] if small or len(named) > self._pages_left else named

    def _matching(self, group: LogGroup, asked: Asked, since_ms: int, until_ms: int) -> Iterator[LogEvent]:
        pattern, needles = asked
        sought = Needles(needles)
        request = {"logGroupName": group.name, "startTime": max(0, since_ms), "endTime": max(0, until_ms)}
        for page in self._pages({**request, "filterPattern": pattern} if pattern else request, group, needles):
            with readable(_OPERATION):
                events = [_event(group, each) for each in page.get("events") or ()]
            for event in events:
                # Not every emulator applies the pattern, or the range.
                if since_ms <= event.at_ms <= until_ms and sought.are_in(event.text):
                    yield event

    def _pages(self, request: dict[str, Any], group: LogGroup, needles: Collection[str]) -> Iterator[dict[str, Any]]:
        """Yield the pages, as many as the bound allows; a repeated token is the end."""
        token: str | None = None
        while True:
            if self._stop.is_set():
                self._scan.leave(needles, "reading the logs was interrupted")
                return
            if self._pages_left <= 0:
                self._scan.leave(needles, f"only the first part of `{group.name}` was read: FilterLogEvents is slow")
                return
            self._pages_left -= 1
            self._scan.pages += 1
            page = self._service(_OPERATION, {**request, "nextToken": token} if token else request)
            yield page
            last, token = token, page.get("nextToken")
            if not token or token == last:
                return


def _event(group: LogGroup, each: Mapping[str, Any]) -> LogEvent:
    return LogEvent(
        log_group=group.name,
        log_stream=str(each.get("logStreamName", "")),
        at_ms=int(each.get("timestamp", 0)),
        text=str(each.get("message", "")),
    )
