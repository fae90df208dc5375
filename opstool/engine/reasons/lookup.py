"""Why messages died: what the logs of their consumers tell, asked in as few questions as will do.

What was looked up before is remembered (`doors/lookups.py`); `trail.py` finds where to look, `inquiry.py` reads,
`join.py` brings lines and messages together. What keeps a log from being read is a note, never an error: whether a
verb can go on without is the verb's to decide.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from opstool.doors.toolkit import Toolkit
from opstool.engine.dlq import DeadLetterQueue
from opstool.engine.reasons.inquiry import Inquiry
from opstool.engine.reasons.trail import Trail, follow
from opstool.words.logevent import Sought
from opstool.words.reason import NOT_ASKED, Reason, Reasons
from opstool.words.report import Tally


@dataclass(frozen=True, kw_only=True)
class LookUp:
    """Where it was looked, what the logs were asked there, and what is known now."""

    trail: Trail
    inquiry: Inquiry
    reasons: Reasons


def look_up(kit: Toolkit, dlq: DeadLetterQueue, sought: Sequence[Sought]) -> Reasons:
    """Return why these messages died, as far as the logs tell; nothing is asked when no reasons are wanted."""
    if not kit.log_reading.wanted:
        return NOT_ASKED
    told = _told(sought)
    if len(told) == len(sought):
        return Reasons(found=told)
    return look_into(kit, dlq, sought).reasons


def look_into(kit: Toolkit, dlq: DeadLetterQueue, sought: Sequence[Sought], *, every_attempt: bool = False) -> LookUp:
    """Return why these messages died, and what the logs have answered of them.

    `every_attempt`: the logs are also asked about messages whose reason is remembered, since only the reason is.
    """
    told = _told(sought)
    sought = [each for each in sought if each.message_id not in told]
    trail = follow(kit, dlq, {each.source_arn for each in sought if each.source_arn})
    remembered = kit.lookups.get([each.message_id for each in sought], log_groups=trail.log_groups)
    known = {each: reason for each, reason in remembered.items() if reason is not None}
    settled = remembered.keys() - known.keys() if every_attempt else remembered.keys()
    left = [each for each in sought if each.message_id not in settled]
    inquiry = Inquiry(kit, dlq, trail, left)
    with kit.watch("reading the logs", Tally(), None):
        inquiry.ask()
    reasons = inquiry.reasons(known)
    half_read = inquiry.half_read()
    _remember(kit, trail, [each.message_id for each in left if each.message_id not in half_read], reasons)
    return LookUp(trail=trail, inquiry=inquiry, reasons=replace(reasons, found={**reasons.found, **told}))


def _told(sought: Sequence[Sought]) -> dict[str, Reason]:
    """Return the reasons that messages tell themselves: no consumer of a queue ever had these, so no log is asked."""
    return {each.message_id: each.told for each in sought if each.told is not None}


def _remember(kit: Toolkit, trail: Trail, ids: Sequence[str], reasons: Reasons) -> None:
    """Write into the state directory what was learnt of messages whose log was read to its end."""
    found = {each: reasons.found[each] for each in ids if each in reasons.found}
    vain = [each for each in ids if each not in found]
    kit.lookups.put(found, vain, log_groups=trail.log_groups)
