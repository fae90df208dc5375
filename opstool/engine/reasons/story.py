"""One message's story as the logs tell it: each failed attempt, and the lines around the last of them."""

from __future__ import annotations

from collections.abc import Sequence

from opstool.doors.toolkit import Toolkit
from opstool.engine.reasons.lookup import LookUp
from opstool.words.errors import OpstoolError
from opstool.words.lines.failureline import parse_failure_line
from opstool.words.lines.platformline import read_platform_line
from opstool.words.logevent import LogEvent
from opstool.words.reason import Reason
from opstool.words.story import Story

_BEFORE_MS, _AFTER_MS = (60_000, 5_000, 500, 0), 5_000
"""How far around a failure its stream is read: an invocation may have begun long before, and ends soon after. The next
is tried where so much was logged before the failure that the failure is not reached."""
_MOST_LINES = 1_000
_LINES_BEFORE, _LINES_AFTER = 30, 10


def story_of(kit: Toolkit, looked_up: LookUp, message_id: str) -> Story:
    """Return the attempts at a message and the lines around its last failure; what cannot be read is a note.

    It was looked up with every attempt.
    """
    functions = tuple(sorted(set(looked_up.trail.function_of.values())))
    reason = looked_up.reasons.get(message_id)
    if reason is None:
        return Story(functions=functions)
    attempts = looked_up.inquiry.join.attempts(message_id)
    try:
        lines = _around(kit, message_id, reason)
    except OpstoolError as error:
        note = f"the lines around the failure could not be read: {error.message}"
        return Story(attempts=attempts, functions=functions, notes=(note,))
    return Story(attempts=attempts, lines=tuple(lines), functions=functions)


def _around(kit: Toolkit, message_id: str, reason: Reason) -> Sequence[LogEvent]:
    """Return the lines of the invocation that failed, or of its stream where the invocation is not known."""
    if reason.log_group is None or reason.log_stream is None:
        return ()
    lines: Sequence[LogEvent] = ()
    for before_ms in _BEFORE_MS:
        lines = kit.logs.around(
            reason.log_group,
            reason.log_stream,
            since_ms=reason.at_ms - before_ms,
            until_ms=reason.at_ms + _AFTER_MS,
            limit=_MOST_LINES,
        )
        if len(lines) < _MOST_LINES or lines[-1].at_ms > reason.at_ms:
            break
    mine = [line for line in _of_invocation(lines, reason.request_id) if not _is_of_another(line, message_id)]
    return _near(mine, reason.at_ms)


def _of_invocation(lines: Sequence[LogEvent], request_id: str | None) -> Sequence[LogEvent]:
    """Return the lines between the invocation's START and its last line of Lambda's own."""
    places = [place for place, line in enumerate(lines) if _is_of(line, request_id)]
    return lines[places[0] : places[-1] + 1] if request_id and places else lines


def _is_of_another(line: LogEvent, message_id: str) -> bool:
    """Tell whether it is our consumer's word on another message of the batch."""
    failure = parse_failure_line(line.text)
    return failure is not None and failure.message_id != message_id


def _is_of(line: LogEvent, request_id: str | None) -> bool:
    platform = read_platform_line(line.text)
    return platform is not None and platform.request_id == request_id


def _near(lines: Sequence[LogEvent], at_ms: int) -> Sequence[LogEvent]:
    """Return the lines around the moment, more of those before it."""
    place = sum(1 for line in lines if line.at_ms <= at_ms)
    return lines[max(0, place - _LINES_BEFORE) : place + _LINES_AFTER]
