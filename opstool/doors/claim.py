"""What the journal answers to a worker that wants to send a message: the one decision by which nothing goes twice."""

from __future__ import annotations

from collections.abc import Callable

from opstool.doors.changes import Entry
from opstool.words.record import Claim, State


def decide(
    known: Entry | None, sha256: str, record_id: str, run_id: str, suffices: Callable[[str, str], bool]
) -> tuple[Claim, int | None]:
    """Judge one message by what the journal knows of it, as Journal.claim says; the time is None for now.

    `sha256` is that of its body now.
    """
    if known is None:
        return Claim.FRESH, None
    # What was only archived, or thrown away, was not sent: a redrive must not delete it for that.
    elsewhere = known.target is not None and not suffices(record_id, known.target)
    if known.body_sha256 != sha256 or elsewhere:
        return Claim.FRESH, None
    if known.state != State.INTENT:
        return Claim.ALREADY_SENT, known.intent_at_ms
    taken_over = known.taken_over or known.run_id != run_id
    return Claim.UNCERTAIN, 0 if taken_over else known.intent_at_ms
