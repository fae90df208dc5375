"""Look at the messages of a dead-letter queue; everything is released again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from opstool.doors.toolkit import Toolkit
from opstool.engine.dlq import DeadLetterQueue, locate
from opstool.engine.hold import Hold
from opstool.engine.lineage import origins_of
from opstool.engine.messages import oldest_first
from opstool.engine.survey import survey
from opstool.words.document import expires_at_ms
from opstool.words.filters import Selection
from opstool.words.message import Message
from opstool.words.reason import Reasons
from opstool.words.report import Counts

DEFAULT_LIMIT = 50
"""Messages of a listing, unless asked otherwise."""


@dataclass(frozen=True, kw_only=True)
class Listing:
    """What a look found. `seen` counts distinct messages received, `partial` says that not all could be seen.

    `messages` are read as they are looked at, from the disk where they are many. `origins` are the source ARNs, by
    message id, that SQS does not tell and the journal knows. `looked_at_ms` is when the look began, in SQS's time.
    """

    dlq: DeadLetterQueue
    messages: Sequence[Message]
    reasons: Reasons
    counts: Counts
    missing_ids: tuple[str, ...] = ()
    partial: bool = False
    notes: tuple[str, ...] = field(default=())
    origins: Mapping[str, str] = field(default_factory=dict)
    looked_at_ms: int = 0

    @property
    def seen(self) -> int:
        """Return how many distinct messages were received."""
        return self.counts.received

    def expires_at_ms(self, message: Message) -> int:
        """Return when a message expires, in epoch milliseconds."""
        return expires_at_ms(message, self.dlq.attributes.retention_s)

    @property
    def soonest_expiry_ms(self) -> int | None:
        """Return when the first of these messages expires, None when there are none."""
        return self.expires_at_ms(self.messages[0]) if self.messages else None


def list_messages(
    kit: Toolkit,
    name: str | None = None,
    selection: Selection | None = None,
    *,
    limit: int | None = DEFAULT_LIMIT,
    reasons: bool = True,
) -> Listing:
    """Return the selected messages, oldest first, with the reasons that the stack's log holds for them."""
    selection = selection or Selection()
    dlq = locate(kit, name)
    looked_at_ms = kit.sqs.now_ms()
    with Hold(kit, dlq, exclusive=False) as hold:
        found = survey(kit, hold, dlq, selection, limit=limit, reasons=reasons)
        counts = hold.tally.counts()
        missing = tuple(each for failure in hold.tally.failures() for each in failure.message_ids)
    origins, shut = origins_of(kit, found.messages)
    notes = [f"looking added 1 to the receive count of {counts.received} messages"] if counts.received else []
    return Listing(
        dlq=dlq,
        messages=oldest_first(found.matched),
        reasons=found.reasons,
        counts=counts,
        missing_ids=missing,
        partial=found.partial,
        notes=(*notes, *found.notes, *([shut] if shut and shut not in found.notes else []), *hold.leases.notes),
        origins=origins,
        looked_at_ms=looked_at_ms,
    )
