"""Why messages died: what the logs of their consumers tell, asked in as few questions as will do.

What was looked up before is remembered (`doors/lookups.py`); `trail.py` finds where to look, `inquiry.py` reads,
`join.py` brings lines and messages together. What keeps a log from being read is a note, never an error: whether a
verb can go on without is the verb's to decide.
"""

from __future__ import annotations

from collections.abc import Sequence

from opstool.doors.toolkit import Toolkit
from opstool.engine.dlq import DeadLetterQueue
from opstool.engine.reasons.inquiry import Inquiry
from opstool.engine.reasons.trail import Trail, follow
from opstool.words.logevent import Sought
from opstool.words.reason import NOT_ASKED, Reasons
from opstool.words.report import Tally


def look_up(kit: Toolkit, dlq: DeadLetterQueue, sought: Sequence[Sought]) -> Reasons:
    """Return why these messages died, as far as the logs tell; nothing is asked when no reasons are wanted."""
    if not kit.log_reading.wanted:
        return NOT_ASKED
    if not sought:
        return Reasons()
    trail = follow(kit, dlq, {each.source_arn for each in sought if each.source_arn})
    remembered = kit.lookups.get([each.message_id for each in sought], log_groups=trail.log_groups)
    left = [each for each in sought if each.message_id not in remembered]
    inquiry = inquire(kit, dlq, trail, left)
    reasons = inquiry.reasons({each: reason for each, reason in remembered.items() if reason is not None})
    half_read = inquiry.half_read()
    _remember(kit, trail, [each.message_id for each in left if each.message_id not in half_read], reasons)
    return reasons


def inquire(kit: Toolkit, dlq: DeadLetterQueue, trail: Trail, sought: Sequence[Sought]) -> Inquiry:
    """Return what the logs were asked about these messages, and have answered."""
    inquiry = Inquiry(kit, dlq, trail, sought)
    with kit.watch("reading the logs", Tally(), None):
        inquiry.ask()
    return inquiry


def _remember(kit: Toolkit, trail: Trail, ids: Sequence[str], reasons: Reasons) -> None:
    """Write into the state directory what was learnt of messages whose log was read to its end."""
    found = {each: reasons.found[each] for each in ids if each in reasons.found}
    vain = [each for each in ids if each not in found]
    kit.lookups.put(found, vain, log_groups=trail.log_groups)
