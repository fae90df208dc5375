"""What the logs tell of one message, for a person: the reason, the attempts, the lines around the failure.

All of it was written by others and may be hostile or long: it is shown safe and cut, and no more of it than a screen
holds. The whole is in the JSON document.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from opstool.cli import words
from opstool.cli.screen import safe, start_of
from opstool.verbs.show import Shown
from opstool.words.document import iso
from opstool.words.logevent import Attempt, LogEvent
from opstool.words.reason import Evidence, Reason, ReasonState

NO_LOG_LINE = "no log line: throttled, timed out, crashed, or logged without its id"
"""What is known of a message that the log was read for in vain; errors that name no message may well stand in it."""
MOST_ATTEMPTS = 10
"""Attempts on a screen; queues give up after three or five receives, and only a long fight has more."""
MOST_TRACEBACK_LINES = 40
_FIRST_TRACEBACK_LINES = 10
"""Node says the error first, Python last: of a long traceback both ends are shown."""
MOST_LOG_LINES = 20
_WIDEST = 400
"""Columns of a line where no terminal sets a width: a log event holds up to 1 MiB."""
_NARROWEST = 20
"""However narrow the terminal, something of a line is shown."""

_TOLD_BY = {
    Evidence.LINE: None,
    Evidence.REQUEST: "told by its request: one line names it, another of its invocation the error",
    Evidence.TIME: "told by time only: no line names it, but what ran at its receive failed so",
    Evidence.ATTRIBUTE: "told by the message itself: no log was asked",
}
# The metrics of a function, and what they count:
# https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
_HOW_TO_TELL = (
    "Throttles above 0: throttled, the function was never given it",
    "Errors above 0, and Duration (maximum) at the function's timeout: timed out",
    "Errors above 0, and Duration below it: crashed, or failed without naming it",
    "both at 0: reported as failed, and logged without its id",
)


def reason_lines(shown: Shown) -> Iterator[str]:
    """Yield why the message died, and how that is known."""
    if shown.reason:
        yield from _found_lines(shown.reason)
    elif shown.reason_state is ReasonState.NOT_FOUND:
        if shown.provenance:
            yield "reason: not told, and no consumer of these queues ever had it"
            return
        yield f"reason: {NO_LOG_LINE}"
        yield "  the log was read, and no line of it can be tied to this message"
        names = ", ".join(f"`{safe(each)}`" for each in shown.story.functions) or "its consumer"
        yield f"  the metrics of {names} tell which, at the times of its receives:"
        yield from (f"    {each}" for each in _HOW_TO_TELL)
    elif shown.reason_state is None:
        yield "reason: not looked for"
    else:
        yield "reason: unknown, for the log could not be read, or not to its end"
        yield from (f"  {safe(each)}" for each in shown.listing.reasons.notes)


def _found_lines(reason: Reason) -> Iterator[str]:
    probably = "probably " if reason.evidence is Evidence.TIME else ""
    yield f"reason: {probably}{safe(reason.type)}: {safe(reason.message)}"
    told_by = _TOLD_BY[reason.evidence]
    if told_by:
        yield f"  {told_by}"
    if reason.permanent:
        yield "  its consumer says that trying again cannot help"
    if reason.evidence is Evidence.ATTRIBUTE:
        yield f"  put here at {iso(reason.at_ms)}"
    else:
        yield f"  last of {words.count(reason.attempts, 'logged attempt')}, at {iso(reason.at_ms)}"
    yield f"  fingerprint {safe(reason.fingerprint)}"
    for name, value in (
        ("function", reason.function),
        ("log group", reason.log_group),
        ("log stream", reason.log_stream),
        ("request", reason.request_id),
    ):
        if value:
            yield f"  {name} {safe(value)}"


def attempt_lines(attempts: Sequence[Attempt], *, width: int | None) -> Iterator[str]:
    """Yield the last attempts, oldest first, and the traceback of the last that has one."""
    if not attempts:
        return
    left_out = max(0, len(attempts) - MOST_ATTEMPTS)
    yield "attempts" + (f" ({left_out:,} earlier ones are in --output json)" if left_out else "")
    for each in attempts[left_out:]:
        received = f"receive {each.receive_count}  " if each.receive_count else ""
        yield _cut(f"  {iso(each.at_ms)}  {received}", f"{each.type}: {each.message}", width)
        if each.request_id:
            yield _cut("    request ", each.request_id, width)
    traced = next((each for each in reversed(attempts) if each.traceback), None)
    if traced and traced.traceback:
        yield f"  traceback of the attempt at {iso(traced.at_ms)}"
        yield from _traceback_lines(traced.traceback, width)


def _traceback_lines(traceback: str, width: int | None) -> Iterator[str]:
    lines = [each.rstrip("\r") for each in traceback.rstrip("\n").split("\n")]
    left_out = len(lines) - MOST_TRACEBACK_LINES
    if left_out > 0:
        last = MOST_TRACEBACK_LINES - _FIRST_TRACEBACK_LINES
        yield from (_cut("    ", each, width) for each in lines[:_FIRST_TRACEBACK_LINES])
        yield f"    ({words.count(left_out, 'line')} left out; --output json has all)"
        lines = lines[-last:]
    yield from (_cut("    ", each, width) for each in lines)


def log_lines(shown: Shown, *, width: int | None) -> Iterator[str]:
    """Yield the lines of the log that are nearest to the failure, each with its time from it."""
    lines = shown.story.lines
    if not lines:
        return
    failed_ms = _failed_at_ms(shown)
    nearest = sorted(range(len(lines)), key=lambda place: abs(lines[place].at_ms - failed_ms))[:MOST_LOG_LINES]
    left_out = len(lines) - len(nearest)
    more = f"; {words.count(left_out, 'more line')} in --output json" if left_out else ""
    yield f"log around {iso(failed_ms)}{more}"
    stream: tuple[str, str] | None = None
    for each in (lines[place] for place in sorted(nearest)):
        if stream != (each.log_group, each.log_stream):
            stream = each.log_group, each.log_stream
            yield _cut("  ", " ".join(stream), width)
        yield _cut(f"  {_offset(each, failed_ms):>10}  ", each.text.rstrip("\r\n"), width)


def _failed_at_ms(shown: Shown) -> int:
    """Return when the last attempt failed, as far as the log tells."""
    if shown.story.attempts:
        return shown.story.attempts[-1].at_ms
    return shown.reason.at_ms if shown.reason else shown.story.lines[-1].at_ms


def _offset(event: LogEvent, failed_ms: int) -> str:
    return f"{(event.at_ms - failed_ms) / 1000:+.3f}s"


def _cut(start: str, text: str, width: int | None) -> str:
    """Return our own start of a line and as much of a stranger's text as fits behind it, safe."""
    return start + start_of(text, max((width or _WIDEST) - len(start), _NARROWEST))
