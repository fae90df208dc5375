"""Look at one message of a dead-letter queue in full: how it died each time, and where it came from."""

from __future__ import annotations

from dataclasses import dataclass

from opstool.doors.toolkit import Toolkit
from opstool.engine.lineage import lineage_of
from opstool.engine.reasons.story import story_of
from opstool.verbs.browse import Listing, list_messages
from opstool.words.errors import InterruptedRunError, NotFoundError, OpstoolError
from opstool.words.filters import Selection
from opstool.words.lineage import Lineage
from opstool.words.message import Message
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
    listing = list_messages(kit, name, Selection(ids=frozenset([message_id])), limit=1)
    if not listing.messages:
        raise NotFoundError(
            f'no message `{message_id}` was seen in "{listing.dlq.queue.name}"',
            code="message_not_found",
            hint=f"opstool dlq list {listing.dlq.queue.name} shows what is visible; it may be in flight elsewhere",
        )
    return Shown(
        listing=listing,
        story=_story(kit, listing),
        lineage=lineage_of(kit, message_id, queue_arn=listing.dlq.queue.arn),
    )


def _story(kit: Toolkit, listing: Listing) -> Story:
    if not listing.reasons.asked:
        return Story()
    try:
        story: Story = story_of(kit, listing.dlq, listing.messages[0], listing.reasons)
    except InterruptedRunError:
        raise
    except OpstoolError as error:
        return Story(notes=(f"the log lines of this message could not be read: {error.message}",))
    return story
