"""What became of the messages of a run, as people read it."""

from __future__ import annotations

from collections.abc import Iterator

from opstool.cli import words
from opstool.cli.screen import safe
from opstool.words.fate import Fate, Fates
from opstool.words.report import Report, Status
from opstool.words.watching import CANARY_UNKNOWN

_IDS_SHOWN = 5


def outcome_lines(report: Report) -> Iterator[str]:
    """Yield what became of what was sent, and why not everything was; nothing when nobody looked."""
    if report.outcome and report.outcome.by_id:
        yield from _fate_lines(report.outcome)
    if report.stopped:
        left = report.counts.released
        yield f"  stopped   {safe(report.stopped.message)}; {words.count(left, 'message')} not sent"


def outcome_hint(report: Report, program: str) -> str | None:
    """Return what one might do next; None when the outcome asks for nothing."""
    queue = report.queue
    if report.stopped and report.stopped.code == CANARY_UNKNOWN:
        if report.status is Status.DONE:  # all of it was the canary: nothing is left to go on with
            return None
        return f"{program} resume {report.run_id} looks again, and goes on if none has come back"
    if report.outcome and report.outcome.returned:
        first = safe(report.outcome.returned[0].new_id)
        return f"{program} dlq show {first} {queue} tells why; --transform and --set mend what is sent"
    return None


def _fate_lines(outcome: Fates) -> Iterator[str]:
    counts = {fate: outcome.count(fate) for fate in Fate}
    parts = [f"{number:,} {fate}" for fate, number in counts.items() if number]
    yield f"  outcome   {', '.join(parts)} (followed for {words.elapsed(outcome.waited_s)})"
    for reason, number in outcome.why():
        why = safe(_name(reason.type, reason.message)) if reason else "no reason known"
        yield f"            {number:,} came back: {why}"
    for each in outcome.returned[:_IDS_SHOWN]:
        probably = " (probably: its body is the same)" if each.probable else ""
        yield f"            {safe(each.message_id)} is {safe(each.new_id)} now{probably}"
    if len(outcome.returned) > _IDS_SHOWN:
        yield f"            and {len(outcome.returned) - _IDS_SHOWN:,} more"


def _name(kind: str, message: str) -> str:
    """Return a reason on one line, its text cut."""
    text = message if len(message) <= 80 else message[:79] + "…"  # noqa: PLR2004 - what a line holds
    return f"{kind}: {text}" if text else kind
