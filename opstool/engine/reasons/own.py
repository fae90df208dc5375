"""The failure lines of our own consumer: each is one attempt, exactly."""

from __future__ import annotations

import sys

from opstool.engine.reasons.attempted import AttemptedOnce
from opstool.engine.reasons.stream import Fault
from opstool.words.lines.failureline import FailureLine
from opstool.words.logevent import LogEvent
from opstool.words.reason import Evidence


class OwnLines:
    """The attempts by message; an invocation has one attempt at a message, however often its line is given."""

    def __init__(self) -> None:
        self._by_message: dict[str, dict[str, AttemptedOnce]] = {}
        self._faults: dict[Fault, Fault] = {}

    def take(self, line: FailureLine, event: LogEvent) -> None:
        """Take in a line; of two of one invocation the later counts."""
        fault = Fault(line.error_type, line.error, line.fingerprint)
        attempt = AttemptedOnce(
            at_ms=event.at_ms,
            fault=self._faults.setdefault(fault, fault),
            evidence=Evidence.LINE,
            where=(sys.intern(event.log_group), sys.intern(event.log_stream)),
            request_id=sys.intern(line.request_id) if line.request_id else None,
            trace_id=sys.intern(line.trace_id) if line.trace_id else None,
            receive_count=line.receive_count or None,
            permanent=line.permanent,
            function=sys.intern(line.function) if line.function else None,
        )
        attempts = self._by_message.setdefault(sys.intern(line.message_id), {})
        key = attempt.request_id or sys.intern(f"{event.at_ms} {event.log_stream}")
        attempts[key] = max(attempt, attempts.get(key, attempt), key=lambda one: one.order)

    def attempts(self) -> dict[str, list[AttemptedOnce]]:
        """Return the attempts at each message, oldest first."""
        return {
            message_id: sorted(attempts.values(), key=lambda one: one.order)
            for message_id, attempts in self._by_message.items()
        }
