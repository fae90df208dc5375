"""The door to CloudWatch Logs: a log group, the events that hold given strings, and the events around a moment."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from opstool.doors.ask import Ask
from opstool.doors.clock import Clock
from opstool.doors.logs.filterlogevents import FilterLogEvents
from opstool.doors.logs.insights import Insights
from opstool.doors.logs.patience import Patient, no_group, readable
from opstool.doors.logs.phrasing import queries
from opstool.doors.logs.question import Question
from opstool.doors.logs.scan import Scan, Stretch
from opstool.words.logevent import LogEvent
from opstool.words.loggroup import LogGroup

INDEXING_DELAY_MS = 60_000
"""How long an event may be unknown to Logs Insights after it was written. AWS documents no bound; a minute is what we
allow for. FilterLogEvents (`recent`) knows it earlier, so "not found" wants both for the last moments."""
MOST_GROUPS = 50
"""Log groups of one query by name; API_StartQuery.html in the API reference of CloudWatch Logs."""
_WITHOUT_INSIGHTS = {"DELIVERY"}
"""https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CloudWatch_Logs_Log_Classes.html"""
_MOST_NAME_PAGES = 5
"""Pages of 50 names that begin with the one that is meant. They come sorted, so it stands on the first."""
_MOST_AROUND_PAGES = 20
_MOST_AROUND = 1_000
_MOST_EVENTS_A_PAGE = 10_000


class Logs:
    """The log groups that one identity reaches in one region. Set `stop` to end every reading early."""

    def __init__(self, ask: Ask, clock: Clock, stop: threading.Event | None = None) -> None:
        self._clock = clock
        self._stop = stop or threading.Event()
        self._service = Patient(ask, clock, self._stop)

    def describe(self, name: str) -> LogGroup:
        """Return a log group; raise NotFoundError, or another OpstoolError when it cannot be asked.

        Who may not describe can go on with `LogGroup(name=name)`: only its estimates are then nothing.
        """
        request: dict[str, Any] = {"logGroupNamePrefix": name}
        for _ in range(_MOST_NAME_PAGES):
            page = self._service("DescribeLogGroups", request)
            with readable("DescribeLogGroups"):
                for each in page.get("logGroups") or ():
                    if each.get("logGroupName") == name:
                        return _log_group(each)
            token = page.get("nextToken")
            if not token or token == request.get("nextToken"):
                break
            request = {**request, "nextToken": token}
        raise no_group(name)

    def find(
        self, groups: Sequence[LogGroup], needles: Collection[str], *, since_ms: int, until_ms: int, scan: Scan
    ) -> Iterator[LogEvent]:
        """Yield every event between two times, both included, that holds one of these strings, in no order.

        An event is yielded at least once: one that holds strings of several queries comes with each of them. No error
        is raised for what cannot be read: `scan` tells which strings were not sought to the end, and why. Where queries
        cannot be used the strings have to be whole words: message ids are.
        """
        if not needles or since_ms > until_ms:
            return
        insights = Insights(self._service, self._clock, self._stop, scan)
        questions = list(self._questions(groups, needles, since_ms, until_ms))
        scan.estimated_bytes += sum(scan.estimate(each.stretch, self._now_ms()) for each in questions)
        yield from insights.events(questions)
        reading = FilterLogEvents(self._service, self._clock, self._stop, scan)
        left_over = insights.left_over
        others = tuple(group for group in groups if group.log_class in _WITHOUT_INSIGHTS)
        if others:
            left_over.append(_whole(others, needles, since_ms, until_ms))
        for stretch, sought in _joined(left_over).items():
            yield from reading.events(stretch.groups, sought, since_ms=stretch.since_ms, until_ms=stretch.until_ms)

    def recent(
        self, groups: Sequence[LogGroup], needles: Collection[str], *, since_ms: int, until_ms: int, scan: Scan
    ) -> Iterator[LogEvent]:
        """Yield the same as `find`, by FilterLogEvents alone: for a short time that Insights may not yet know."""
        reading = FilterLogEvents(self._service, self._clock, self._stop, scan)
        if needles:
            yield from reading.events(groups, needles, since_ms=since_ms, until_ms=until_ms)

    def around(
        self, log_group: str, log_stream: str, *, since_ms: int, until_ms: int, limit: int = _MOST_AROUND
    ) -> list[LogEvent]:
        """Return the first events of a stream between two times, both included, in order; raise OpstoolError."""
        request: dict[str, Any] = {
            "logGroupName": log_group,
            "logStreamName": log_stream,
            "startTime": max(0, since_ms),
            "endTime": max(0, until_ms) + 1,  # its end is not included
            "startFromHead": True,
            "limit": min(limit, _MOST_EVENTS_A_PAGE),
        }
        events: list[LogEvent] = []
        for _ in range(_MOST_AROUND_PAGES):
            page = self._service("GetLogEvents", request)
            with readable("GetLogEvents"):
                for each in page.get("events") or ():
                    at_ms = int(each.get("timestamp", 0))
                    if since_ms <= at_ms <= until_ms:
                        text = str(each.get("message", ""))
                        events.append(LogEvent(log_group=log_group, log_stream=log_stream, at_ms=at_ms, text=text))
            token = page.get("nextForwardToken")
            if len(events) >= limit or not token or token == request.get("nextToken"):
                break
            request = {**request, "nextToken": token}
        return events[:limit]

    def _questions(
        self, groups: Sequence[LogGroup], needles: Collection[str], since_ms: int, until_ms: int
    ) -> Iterator[Question]:
        now_ms = self._now_ms()
        # AWS refuses a query that ends before a log group begins to have events, and nothing of it can be there.
        askable = [
            group
            for group in groups
            if group.log_class not in _WITHOUT_INSIGHTS and group.begins_at_ms(now_ms) <= until_ms
        ]
        for start in range(0, len(askable), MOST_GROUPS):
            lot = tuple(askable[start : start + MOST_GROUPS])
            stretch = Stretch(groups=lot, since_ms=max(0, since_ms), until_ms=max(0, until_ms))
            for query, sought in queries(needles):
                yield Question(query=query, needles=sought, stretch=stretch)

    def _now_ms(self) -> int:
        return round(self._clock.wall() * 1_000)


def _log_group(answer: Mapping[str, Any]) -> LogGroup:
    return LogGroup(
        name=str(answer["logGroupName"]),
        stored_bytes=int(answer.get("storedBytes") or 0),
        retention_days=None if (days := answer.get("retentionInDays")) is None else int(days),
        created_at_ms=int(answer.get("creationTime") or 0),
        log_class=str(answer.get("logGroupClass") or "STANDARD"),
    )


def _whole(groups: tuple[LogGroup, ...], needles: Collection[str], since_ms: int, until_ms: int) -> Question:
    stretch = Stretch(groups=groups, since_ms=since_ms, until_ms=until_ms)
    return Question(query="", needles=tuple(needles), stretch=stretch)


def _joined(questions: Sequence[Question]) -> dict[Stretch, tuple[str, ...]]:
    """Return what is sought in each stretch: pattern by pattern it is divided anew."""
    joined: dict[Stretch, tuple[str, ...]] = {}
    for question in questions:
        joined[question.stretch] = (*joined.get(question.stretch, ()), *question.needles)
    return joined
