"""Logs Insights: questions asked a few at once, followed to their end, within bounds of time, rows and bytes.

Each question is started when its estimate fits into the bound, polled with growing pauses, and stopped when it takes
too long, scans too much, or nobody waits any more. One that has more rows than an answer holds is halved in time and
asked again. What Insights cannot answer is `left_over`, for FilterLogEvents.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from opstool.doors.clock import Clock
from opstool.doors.logs.patience import Patient, readable
from opstool.doors.logs.phrasing import MOST_ROWS
from opstool.doors.logs.question import Question
from opstool.doors.logs.scan import Scan
from opstool.words.awserrors import LIMIT_EXCEEDED
from opstool.words.errors import AccessError, OpstoolError
from opstool.words.logevent import LogEvent

MOST_AT_ONCE = 4
"""Of the 100 queries that an account may run at once (API_StartQuery.html), dashboards included: we leave the rest."""
LONGEST_RUN_S = 120.0
"""The service's own bound is an hour; a person waits."""
_FIRST_PAUSE_S = 0.25
_LONGEST_PAUSE_S = 4.0
_MOST_CUTS = 6
"""So often a question is halved to fit into the bound of bytes: a sixty-fourth tells how dense the log is."""
_NOT_THERE = {"unknown_operation", "no_service"}
_ENDED = {"Failed", "Cancelled", "Timeout"}


@dataclass(kw_only=True)
class _Running:
    """One query under way; `reserved_bytes` is what it is expected to scan, `scanned_bytes` what it says so far."""

    question: Question
    query_id: str
    started_s: float
    reserved_bytes: int
    scanned_bytes: int = 0


class Insights:
    """The queries of one look-up. `left_over` are the questions that have to be read another way, and why."""

    def __init__(self, service: Patient, clock: Clock, stop: threading.Event, scan: Scan) -> None:
        self._service = service
        self._clock = clock
        self._stop = stop
        self._scan = scan
        self._waiting: deque[Question] = deque()
        self._running: list[_Running] = []
        self._pause_s = _FIRST_PAUSE_S
        self._most_at_once = MOST_AT_ONCE
        self.left_over: list[Question] = []

    def events(self, questions: Iterable[Question]) -> Iterator[LogEvent]:
        """Yield every event that answers one of the questions; whoever closes the iterator stops the queries."""
        self._waiting.extend(questions)
        if self._scan.is_insights_closed:
            self._leave_over()
        try:
            while self._waiting or self._running:
                if self._stop.is_set():
                    self._leave_all("reading the logs was interrupted")
                    return
                self._start()
                if self._running:
                    self._clock.sleep(self._pause_s, self._stop)
                    self._pause_s = min(_LONGEST_PAUSE_S, self._pause_s * 1.5)
                for running in list(self._running):
                    yield from self._poll(running)
        finally:
            for running in list(self._running):
                self._halt(running)

    # -- starting

    def _start(self) -> None:
        """Start as many as may run at once and fit into what may still be scanned."""
        while self._waiting and len(self._running) < self._most_at_once:
            question = self._waiting.popleft()
            estimate = self._scan.estimate(question.stretch, self._now_ms())
            if estimate <= self._bytes_left() > 0:
                self._ask(question, estimate)
            elif self._running:  # what ends first may have scanned less than was reserved for it
                self._waiting.appendleft(question)
                return
            else:
                self._cut(question)

    def _bytes_left(self) -> int:
        under_way = sum(max(each.reserved_bytes, each.scanned_bytes) for each in self._running)
        return self._scan.limit_bytes - self._scan.scanned_bytes - under_way

    def _scanned_so_far(self) -> int:
        return self._scan.scanned_bytes + sum(each.scanned_bytes for each in self._running)

    def _cut(self, question: Question) -> None:
        """Ask for the newer half first; leave a question that has been cut often enough."""
        halves = question.halves(self._now_ms()) if question.cuts < _MOST_CUTS and self._bytes_left() > 0 else None
        if halves is None:
            self._leave(question, self._over_limit())
            return
        older, newer = (replace(half, cuts=question.cuts + 1) for half in halves)
        self._waiting.extendleft((older, newer))

    def _ask(self, question: Question, estimate: int) -> None:
        # With queries of our own under way there is something better to do than to wait in line.
        start = self._service.once if self._running else self._service
        try:
            answer = start("StartQuery", question.request())
            with readable("StartQuery"):
                query_id = str(answer["queryId"])
        except OpstoolError as error:
            if self._running and error.code == LIMIT_EXCEEDED:
                self._waiting.appendleft(question)
                self._most_at_once = len(self._running)
            else:
                self._give_up(question, error)
            return
        self._scan.queries += 1
        self._pause_s = _FIRST_PAUSE_S
        self._running.append(
            _Running(
                question=question,
                query_id=query_id,
                started_s=self._clock.monotonic(),
                reserved_bytes=estimate,
            )
        )

    # -- following

    def _poll(self, running: _Running) -> Iterator[LogEvent]:
        """Ask how far a query is; yield its events when it has ended."""
        try:
            answer = self._service("GetQueryResults", {"queryId": running.query_id})
            with readable("GetQueryResults"):
                running.scanned_bytes = int((answer.get("statistics") or {}).get("bytesScanned") or 0)
                status = str(answer.get("status", ""))
                rows = _rows(answer) if status == "Complete" else []
        except OpstoolError as error:
            self._halt(running)
            self._give_up(running.question, error)
            return
        if status == "Complete":
            self._end(running)
            self._scan.answered += 1
            self._scan.measure(running.question.stretch, running.scanned_bytes, self._now_ms())
            yield from self._answered(running.question, rows)
        elif status in _ENDED:
            self._end(running)
            self._scan.say(f"a query of Logs Insights ended as {status}; FilterLogEvents is used instead")
            self.left_over.append(running.question)
        elif self._scanned_so_far() > self._scan.limit_bytes:
            self._halt(running)
            self._leave(running.question, self._over_limit())
        elif self._clock.monotonic() - running.started_s > LONGEST_RUN_S:
            self._halt(running)
            self._give_up_waiting(running.question)

    def _give_up_waiting(self, question: Question) -> None:
        """Leave a question unread; where none was ever answered, none will be."""
        note = f"a query of the logs took longer than {LONGEST_RUN_S:.0f} seconds"
        if self._scan.answered:
            self._leave(question, note)
            return
        self._scan.say(f"{note}; FilterLogEvents is used instead")
        self.left_over.append(question)
        self._close()

    def _answered(self, question: Question, rows: list[dict[str, str]]) -> Iterator[LogEvent]:
        yield from question.events(rows)
        if question.loses(rows):
            self._scan.say("an answer of Logs Insights has events without their time; FilterLogEvents is used instead")
            self.left_over.append(question)
            return
        if len(rows) < MOST_ROWS:
            return
        halves = question.halves(self._now_ms())
        if halves is None:
            self._leave(question, f"more than {MOST_ROWS} lines of one second match; some were not read")
            return
        given = question.given | {row["@ptr"] for row in rows if "@ptr" in row}
        self._waiting.extend(replace(half, given=given) for half in halves)

    # -- ending

    def _end(self, running: _Running) -> None:
        self._running.remove(running)
        self._scan.scanned_bytes += running.scanned_bytes

    def _halt(self, running: _Running) -> None:
        """Stop a query that runs; what it has scanned is paid for."""
        self._end(running)
        with suppress(OpstoolError):  # it may have ended meanwhile; nothing more can be done
            self._service("StopQuery", {"queryId": running.query_id})

    def _give_up(self, question: Question, error: OpstoolError) -> None:
        """Leave a question to FilterLogEvents, and all of them when the answer will not change.

        It will not when none was answered before, however patiently it was asked.
        """
        self._scan.say(f"Logs Insights could not be used ({error.message}); FilterLogEvents is used instead")
        self.left_over.append(question)
        if isinstance(error, AccessError) or error.code in _NOT_THERE or not self._scan.answered:
            self._close()

    def _close(self) -> None:
        self._scan.is_insights_closed = True
        self._leave_over()

    def _leave_over(self) -> None:
        self.left_over += self._waiting
        self._waiting.clear()

    def _leave_all(self, note: str) -> None:
        for question in [*self._waiting, *(each.question for each in self._running), *self.left_over]:
            self._leave(question, note)
        self._waiting.clear()
        self.left_over.clear()

    def _leave(self, question: Question, note: str) -> None:
        self._scan.leave(question.needles, note)

    def _over_limit(self) -> str:
        gigabytes = self._scan.limit_bytes / 10**9
        return (
            f"the logs were not read to their end: it would scan more than {gigabytes:g} GB; --scan-limit allows more"
        )

    def _now_ms(self) -> int:
        return round(self._clock.wall() * 1_000)


def _rows(answer: dict[str, Any]) -> list[dict[str, str]]:
    """Return the rows of an answer by the names of their fields."""
    return [{each["field"]: str(each.get("value", "")) for each in row} for row in answer.get("results") or ()]
