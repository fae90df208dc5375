"""Which invocation a line of a stream belongs to, where the line does not say it itself."""

from __future__ import annotations

import bisect
from collections.abc import Iterable

from opstool.engine.reasons.course import Course
from opstool.engine.reasons.invocation import LONGEST_INVOCATION_MS, Invocation
from opstool.engine.reasons.stream import Entry

# Lambda's report of code that it could not load stands before START, after an init phase of 10 seconds at most, which
# is tried again once: https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html.
_INIT_MS = 30_000
# Lines about one message that stand so near belong to one attempt; the shortest visibility timeout above zero.
_SAME_ATTEMPT_MS = 1_000


class Timeline:
    """The invocations of one stream by time: a sandbox handles one at a time."""

    def __init__(self, where: tuple[str, str], invocations: Iterable[Invocation]) -> None:
        self._where = where
        spans = [(_begin(one), one.request_id or "", one) for one in invocations if _begin(one) is not None]
        self._spans = [one for _, _, one in sorted(spans, key=lambda span: (span[0] or 0, span[1]))]
        self._begins = [_begin(one) or 0 for one in self._spans]
        self._unknown: Course | None = None
        self._unknown_after = -1
        self._last_named: dict[str, int] = {}
        self._last_ms = 0

    def at(self, at_ms: int) -> Invocation | None:
        """Return the invocation that ran at a time; None between two, and where one ends as the next begins."""
        index = bisect.bisect_right(self._begins, at_ms) - 1
        if index < 0 or at_ms > self._until(index):
            return None
        return None if index > 0 and at_ms <= self._until(index - 1) else self._spans[index]

    def _until(self, index: int) -> int:
        """Return when an invocation was over at the latest: at its END, or before the next one's START."""
        one = self._spans[index]
        if one.end_ms is not None:
            return one.end_ms
        latest = self._begins[index] + LONGEST_INVOCATION_MS
        return min(latest, self._begins[index + 1] - 1) if index + 1 < len(self._begins) else latest

    def begun_after(self, at_ms: int) -> Invocation | None:
        """Return the invocation whose START follows what the init phase reported."""
        index = bisect.bisect_left(self._begins, at_ms)
        near = index < len(self._begins) and self._begins[index] <= at_ms + _INIT_MS
        return self._spans[index] if near else None

    def unknown(self, at_ms: int, entry: Entry) -> Course:
        """Return the invocation of a line of which nothing tells; those near it in the stream are in the same.

        A new one begins after another's lines, after an error that ended one, after 15 minutes, and when a message is
        named again that was named before: it has been handed out again.
        """
        after = bisect.bisect_right(self._begins, at_ms)
        again = any(at_ms - self._last_named.get(one, at_ms) > _SAME_ATTEMPT_MS for one in entry.ids)
        course = self._unknown
        ended = course is not None and any(line.fault is not None and line.fault.ends for _, line in course.lines[-1:])
        if (
            course is None or ended or again or after != self._unknown_after
            or at_ms - self._last_ms > LONGEST_INVOCATION_MS
        ):  # fmt: skip
            course = self._unknown = Course(Invocation(self._where, None))
            self._unknown_after = after
            self._last_named = {}
        self._last_ms = at_ms
        self._last_named.update(dict.fromkeys(entry.ids, at_ms))
        return course


def _begin(one: Invocation) -> int | None:
    """Return when an invocation began; one of which only the end is known began at some time before it."""
    return one.begin_ms if one.begin_ms is not None else one.end_ms
