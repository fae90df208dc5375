"""Look at one message of a dead-letter queue in full: how it died each time, and where it came from."""

from __future__ import annotations

from dataclasses import dataclass, replace

from opstool.doors.toolkit import Toolkit
from opstool.engine.lineage import lineage_of
from opstool.engine.reasons.lookup import LookUp, look_into
from opstool.engine.reasons.story import story_of
from opstool.engine.survey import unless_stopped
from opstool.verbs.browse import Listing, list_messages
from opstool.words.errors import InterruptedRunError, NotFoundError, OpstoolError
from opstool.words.filters import Selection
from opstool.words.lineage import Lineage
from opstool.words.logevent import Sought
from opstool.words.message import Message
from opstool.words.provenance import Provenance, provenance_of
from opstool.words.reason import Reason, ReasonState
from opstool.words.story import Story
from opstool.words.xray import trace_id_in


@dataclass(frozen=True, kw_only=True)
class Shown:
    """One message with everything that is known of it. `notes` are sentences for people, each of them once."""

    listing: Listing
    story: Story
    lineage: Lineage

    @property
    def message(self) -> Message:
        """Return the message itself."""
        [message] = self.listing.messages
        return message

    @property
    def provenance(self) -> Provenance | None:
        """Return which service put it here; None when it died in SQS, as SQS or the journal says, or does not say."""
        return None if self.message.message_id in self.listing.origins else provenance_of(self.message)

    @property
    def notes(self) -> tuple[str, ...]:
        """Return what could not be seen or read, and what looking disturbed."""
        of_journal = (self.lineage.note,) if self.lineage.note else ()
        return tuple(dict.fromkeys((*self.listing.notes, *self.story.notes, *of_journal)))

    @property
    def reason(self) -> Reason | None:
        """Return why it died, None when that is not known."""
        return self.listing.reasons.get(self.message.message_id)

    @property
    def reason_state(self) -> ReasonState | None:
        """Return what is known of its reason."""
        return self.listing.reasons.state_of(self.message.message_id)

    @property
    def trace_ids(self) -> tuple[str, ...]:
        """Return the X-Ray traces: of the last failed attempt that has one, and the one it was sent with."""
        of_reason = self.reason.trace_id if self.reason else None
        of_attempts = [trace_id_in(each) for each in (of_reason, *(a.trace_id for a in reversed(self.story.attempts)))]
        died_in = next(filter(None, of_attempts), None)
        return tuple(dict.fromkeys(filter(None, (died_in, trace_id_in(self.message.trace_header)))))


def show(kit: Toolkit, message_id: str, name: str | None = None) -> Shown:
    """Return one message with its reason, its attempts and its lineage; raise NotFoundError when it was not seen.

    A log or a journal that cannot be read is a note: the message itself is shown all the same.
    """
    listing = list_messages(kit, name, Selection(ids=frozenset([message_id])), limit=1, reasons=False)
    if not listing.messages:
        raise NotFoundError(
            f'no message `{message_id}` was seen in "{listing.dlq.queue.name}"',
            code="message_not_found",
            hint=f"opstool dlq list {listing.dlq.queue.name} shows what is visible; it may be in flight elsewhere",
        )
    lineage = lineage_of(kit, message_id, queue_arn=listing.dlq.queue.arn)
    if not kit.log_reading.wanted:
        return Shown(listing=listing, story=Story(), lineage=lineage)
    looked_up = _look_into(kit, listing)
    reasons = looked_up.reasons
    listing = replace(listing, reasons=reasons, notes=(*listing.notes, *reasons.notes))
    return Shown(listing=listing, story=_story(kit, looked_up, message_id), lineage=lineage)


def _look_into(kit: Toolkit, listing: Listing) -> LookUp:
    """Ask the logs about the one message, once for its reason and its story."""
    [message] = listing.messages
    sought = [Sought.of(message, looked_at_ms=listing.looked_at_ms)]
    looked_up = look_into(kit, listing.dlq, sought, every_attempt=True)
    unless_stopped(kit)
    return looked_up


def _story(kit: Toolkit, looked_up: LookUp, message_id: str) -> Story:
    try:
        story: Story = story_of(kit, looked_up, message_id)
    except InterruptedRunError:
        raise
    except OpstoolError as error:
        return Story(notes=(f"the log lines of this message could not be read: {error.message}",))
    return story
