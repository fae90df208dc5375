"""Join the lines of logs with the messages that died: for each message its reason and its attempts.

Evidence, best first (opstool.words.reason.Evidence). LINE: our consumer's failure line, or one line that names the
message and the error. REQUEST: a line names the message, and the error is another's of the same invocation, found by
request id or by place: a sandbox handles one invocation at a time, so what stands in its stream between START and END
is that invocation's (https://docs.aws.amazon.com/lambda/latest/dg/lambda-concurrency.html). TIME: no line names the
message, but whatever failed when SQS had just handed it out failed in one way (opstool/engine/reasons/windows.py).

Nothing here asks anybody: lines are given, in any order, and any line may be given again. Only lines of one stream and
one millisecond should come in their order, since nothing else tells it. What is kept of a line is its error, the ids,
and a traceback: for lines that name a message the last of each message, for all others 8 million characters at most.
"""

from __future__ import annotations

import sys
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from types import MappingProxyType

from opstool.engine.reasons.course import ANOTHER
from opstool.engine.reasons.invocation import Invocation, platform_fault
from opstool.engine.reasons.naming import is_uuid, named_in, names_others, template_of
from opstool.engine.reasons.own import OwnLines
from opstool.engine.reasons.pieces import fault_of, is_end_of_pieces, is_piece
from opstool.engine.reasons.reading import Attempted, Reading
from opstool.engine.reasons.stream import Entry, Fault, Item, Stream
from opstool.engine.reasons.windows import Windows
from opstool.words.lines.failureline import EVENT, parse_failure_line
from opstool.words.lines.loggederror import LoggedLine, read_line
from opstool.words.lines.platformline import UNKNOWN, PlatformKind, PlatformLine, read_platform_line
from opstool.words.logevent import Attempt, LogEvent, Sought
from opstool.words.reason import Reason

# Lines that say nothing by themselves, but may beside others: pieces of tracebacks, and lines about other messages.
_MOST_ASIDES = 200_000
_MOST_TRACEBACK_CHARACTERS = 8_000_000
_NONE: Mapping[str, str] = MappingProxyType({})
_NO_TIMES: Mapping[str, int] = MappingProxyType({})
_NO_SOURCES: Mapping[str, Collection[str]] = MappingProxyType({})


class Join:
    """The messages that are sought, and what the lines that were given tell of them."""

    def __init__(
        self,
        sought: Iterable[Sought],
        *,
        function_of: Mapping[str, str] = _NONE,
        visibility_timeout_of: Mapping[str, int] = _NO_TIMES,
        sources_of: Mapping[str, Collection[str]] = _NO_SOURCES,
    ) -> None:
        """Take the messages, and by log group its function and the ARNs of the queues that feed it.

        `visibility_timeout_of` has the seconds of a source queue by its ARN. A log group without sources is joined by
        time with messages of every queue.
        """
        by_id = {message.message_id: message for message in sought}
        self._ids = tuple(by_id)
        self._sought = frozenset(by_id)
        self._function_of = function_of
        self._windows = Windows(by_id.values(), visibility_timeout_of, sources_of)
        self._wheres: dict[tuple[str, str], tuple[str, str]] = {}
        self._streams: dict[tuple[str, str], Stream] = {}
        self._invocations: dict[str, dict[str, Invocation]] = defaultdict(dict)
        self._own = OwnLines()
        self._faults: dict[Fault, Fault] = {}
        self._last_traceback: dict[str, tuple[int, str]] = {}
        self._tracebacks: dict[str, str] = {}
        self._room = _MOST_TRACEBACK_CHARACTERS
        self._asides = 0
        self._read: Attempted | None = None

    def add(self, event: LogEvent) -> None:
        """Take in one event; what says nothing of an error, an invocation or a message is not kept."""
        if (platform := read_platform_line(event.text)) is not None:
            self._take_platform(event, platform)
            return
        ids = named_in(event.text, self._sought)
        if EVENT in event.text and (line := parse_failure_line(event.text)) is not None:
            if line.message_id in self._sought:
                self._read = None
                self._own.take(line, event)
                self._note(line.message_id, event.at_ms, line.traceback)
            return
        if not ids and is_piece(event.text):
            self._put_aside(event, sys.intern(event.text.rstrip("\r\n")))
            return
        self._take(event, ids, read_line(event.text))

    def moments(self) -> frozenset[int]:
        """Return when messages were named that have no error yet, in epoch milliseconds."""
        return self._reading().unexplained_ms

    def unexplained(self) -> set[str]:
        """Return the ids that have no reason so far."""
        return set(self._sought) - self._reading().attempts.keys()

    def anybodys(self) -> Counter[tuple[str, str]]:
        """Return the errors, by type and text, that were logged at these times and may be any message's."""
        counts: Counter[tuple[str, str]] = Counter()
        for fault, count in self._reading().anybodys.items():
            counts[fault.type, fault.message] += count
        return counts

    def reasons(self) -> dict[str, Reason]:
        """Return the reason of each message that has one: the failure of its last attempt."""
        found = self._reading().attempts
        return {message_id: self._reason(message_id) for message_id in self._ids if message_id in found}

    def attempts(self, message_id: str) -> tuple[Attempt, ...]:
        """Return the failed attempts at a message, oldest first."""
        return tuple(
            attempt.told(self._last_traceback.get(message_id))
            for attempt in self._reading().attempts.get(message_id, ())
        )

    def _reason(self, message_id: str) -> Reason:
        attempts = self._reading().attempts[message_id]
        last = attempts[-1]
        return Reason(
            type=last.fault.type,
            message=last.fault.message,
            fingerprint=last.fault.fingerprint,
            at_ms=last.at_ms,
            attempts=len(attempts),
            function=last.function or self._function_of.get(last.where[0]),
            log_group=last.where[0],
            log_stream=last.where[1],
            request_id=last.request_id,
            trace_id=last.trace_id,
            permanent=last.permanent,
            evidence=last.evidence,
        )

    def _reading(self) -> Attempted:
        """Return what the lines say when they are read together; they are read again after each that is new."""
        if self._read is None:
            reading = Reading(self._streams, self._invocations)
            self._read = reading.attempted(self._own.attempts(), self._windows)
        return self._read

    def _take_platform(self, event: LogEvent, line: PlatformLine) -> None:
        where = self._where(event)
        if line.request_id is not None:
            self._read = None
            of_group = self._invocations[where[0]]
            invocation = of_group.get(line.request_id)
            if invocation is None:
                request_id = sys.intern(line.request_id)
                invocation = of_group[request_id] = Invocation(where, request_id)
            invocation.where = min(where, invocation.where)
            invocation.take(line, event.at_ms)
        elif line.kind is PlatformKind.INIT_FAILED:
            self._put(event, Entry(fault=self._kept(platform_fault(line.error_type or UNKNOWN, line.error or ""))))

    def _where(self, event: LogEvent) -> tuple[str, str]:
        where = (event.log_group, event.log_stream)
        return self._wheres.setdefault(where, where)

    def _take(self, event: LogEvent, ids: tuple[str, ...], line: LoggedLine) -> None:
        keyed = line.message_ids.intersection(ids)
        if ids and not keyed and any(is_uuid(message_id) for message_id in line.message_ids):
            self._put_aside(event, Entry(template=ANOTHER))  # it names another message, and quotes ours
            return
        if len(keyed) == 1:
            ids = tuple(keyed)
        request_id = None if line.request_id in self._sought else line.request_id
        request_id = sys.intern(request_id) if request_id else None
        only = ids[0] if len(ids) == 1 else None
        template = template_of(event.text, (request_id,), message_id=only) if only or not ids else None
        error = line.error
        if error is None and not ids:
            if is_end_of_pieces(event.text):
                self._put_aside(event, sys.intern(event.text.rstrip("\r\n")))
            elif template is not None:
                self._put_aside(event, Entry(template=template, request_id=request_id))
            return
        if only is not None and error is not None:
            self._note(only, event.at_ms, error.traceback)
        self._put(
            event,
            Entry(
                ids=ids,
                among_others=only is not None and error is None and names_others(event.text, (only, request_id)),
                fault=self._kept(fault_of(error)) if error else None,
                request_id=request_id,
                trace_id=error.trace_id if error else None,
                template=template,
                traceback=self._shared(error.traceback) if error and only is None else None,
            ),
        )

    def _put(self, event: LogEvent, item: Item) -> bool:
        where = self._where(event)
        stream = self._streams.get(where)
        if stream is None:
            stream = self._streams[where] = Stream()
        new = stream.put(event.at_ms, item)
        if new:
            self._read = None
        return new

    def _put_aside(self, event: LogEvent, item: Item) -> None:
        if self._asides < _MOST_ASIDES and self._put(event, item):
            self._asides += 1

    def _note(self, message_id: str, at_ms: int, traceback: str | None) -> None:
        """Keep the traceback of a message's last line that has one."""
        if traceback is not None:
            self._last_traceback[message_id] = max(
                (at_ms, sys.intern(traceback)), self._last_traceback.get(message_id, (at_ms, ""))
            )

    def _shared(self, traceback: str | None) -> str | None:
        if traceback is None:
            return None
        if (kept := self._tracebacks.get(traceback)) is None and len(traceback) <= self._room:
            self._room -= len(traceback)
            kept = self._tracebacks[traceback] = traceback
        return kept

    def _kept(self, fault: Fault) -> Fault:
        return self._faults.setdefault(fault, fault)
