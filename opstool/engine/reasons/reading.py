"""All lines read together: each given to its invocation, each invocation judged, and what is left joined by time.

One stream after the other, so that what is needed for the reading only is never there for all of them at once.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from opstool.engine.reasons.attempted import AttemptedOnce
from opstool.engine.reasons.course import ANOTHER, Course
from opstool.engine.reasons.invocation import Invocation
from opstool.engine.reasons.pieces import together
from opstool.engine.reasons.stream import Entry, Fault, Stream
from opstool.engine.reasons.timeline import Timeline
from opstool.engine.reasons.windows import Failed, Windows

Where = tuple[str, str]
"""A log group and a stream."""


@dataclass(frozen=True, slots=True)
class Attempted:
    """The attempts at each message, oldest first, and when messages were named without an error that explains it.

    `anybodys` are the errors that may be any message's, with how often each was logged.
    """

    attempts: Mapping[str, list[AttemptedOnce]]
    unexplained_ms: frozenset[int]
    anybodys: Counter[Fault]


class Reading:
    """The streams, and the invocations by log group and request id."""

    def __init__(self, streams: Mapping[Where, Stream], invocations: Mapping[str, Mapping[str, Invocation]]) -> None:
        self._streams = streams
        self._invocations = invocations
        self._attempts: dict[str, list[AttemptedOnce]] = defaultdict(list)
        self._mentions: list[tuple[str, int]] = []
        self._failed: list[Failed] = []
        self._named: set[str] = set()
        self._loose: Counter[Fault] = Counter()

    def attempted(self, own: Mapping[str, list[AttemptedOnce]], windows: Windows) -> Attempted:
        """Return what the lines tell; our own consumer's lines count for more than all others of their messages."""
        by_stream = self._invocations_by_stream()
        templates = self._templates()
        for where in sorted(by_stream.keys() | self._streams.keys()):
            for course in self._courses(where, by_stream.get(where, [])):
                course.judge(templates[where[0]])
                self._note(course)
        for several in self._attempts.values():
            several.sort(key=lambda one: one.order)
        by_time = windows.attempts(self._failed, named=self._named | own.keys())
        anybodys = Counter(one.finding.fault for one in self._failed)
        anybodys.update(self._loose)
        return Attempted({**by_time, **self._attempts, **own}, frozenset(self._unexplained(own)), anybodys)

    def _invocations_by_stream(self) -> dict[Where, list[Invocation]]:
        by_stream: dict[Where, list[Invocation]] = defaultdict(list)
        for members in self._invocations.values():
            for one in members.values():
                by_stream[one.where].append(one)
        return by_stream

    def _templates(self) -> dict[str, set[str]]:
        """Return by log group the forms of the lines that name a message."""
        templates: dict[str, set[str]] = defaultdict(lambda: {ANOTHER})
        for where, stream in self._streams.items():
            templates[where[0]].update(
                item.template
                for _, item in stream.ordered()
                if isinstance(item, Entry) and item.template is not None and len(item.ids) == 1
            )
        return templates

    def _courses(self, where: Where, invocations: list[Invocation]) -> Iterable[Course]:
        """Return the invocations of a stream with their lines; without lines those that Lambda says have failed."""
        timeline = Timeline(where, invocations)
        known = {one.request_id: one for one in invocations}
        courses: dict[int | str, Course] = {}
        stream = self._streams.get(where)
        for at_ms, entry in together(stream.ordered()) if stream is not None else ():
            one = self._invocation(where, timeline, known, at_ms, entry)
            if one is None:
                course = timeline.unknown(at_ms, entry)
                courses.setdefault(id(course), course)
            else:
                course = courses.setdefault(one.request_id or "", Course(one))
            course.lines.append((at_ms, entry))
        for one in invocations:
            if one.failed:
                courses.setdefault(one.request_id or "", Course(one))
        return courses.values()

    def _invocation(
        self,
        where: Where,
        timeline: Timeline,
        known: dict[str | None, Invocation],
        at_ms: int,
        entry: Entry,
    ) -> Invocation | None:
        if entry.request_id is not None:
            return known.setdefault(entry.request_id, Invocation(where, entry.request_id))
        found = timeline.at(at_ms)
        if found is None and entry.fault is not None and entry.fault.ends and not entry.ids:
            found = timeline.begun_after(at_ms)
        return found

    def _note(self, course: Course) -> None:
        """Keep what a judged invocation tells; the rest of it can go."""
        self._loose.update(finding.fault for finding in course.unclaimed)
        one = course.invocation
        self._named |= course.members
        for message_id, finding in course.found.items():
            attempt = AttemptedOnce(
                at_ms=finding.at_ms,
                fault=finding.fault,
                evidence=finding.evidence,
                where=one.where,
                request_id=one.request_id,
                trace_id=finding.trace_id or one.trace_id,
                traceback=finding.traceback,
            )
            self._attempts[message_id].append(attempt)
        for message_id in course.members - course.found.keys():
            first_ms = min(at_ms for at_ms, entry in course.lines if message_id in entry.ids)
            self._mentions.append((message_id, first_ms))
        if course.ending is not None and not course.names_in_passing:
            begin_ms = course.ending.at_ms if one.begin_ms is None else one.begin_ms
            self._failed.append(Failed(begin_ms, one, course.ending))

    def _unexplained(self, own: Mapping[str, list[AttemptedOnce]]) -> Iterator[int]:
        """Yield when invocations named a message without an error, after the last error that is known of it."""
        for message_id, at_ms in self._mentions:
            attempts = self._attempts.get(message_id)
            if message_id not in own and (not attempts or attempts[-1].at_ms < at_ms):
                yield at_ms
