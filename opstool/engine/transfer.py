"""Take messages out of a queue: the stages of one batch, in the only order in which nothing can be lost.

    lease     only messages whose hold on the queue will last are sent
    deliver   the journal holds the intent; the sink confirms each copy by name; the journal holds the new id
    delete    the original goes, now that its copy is confirmed
    settle    the journal notes that it is gone

Dying between two stages leaves the message in the queue, or in both places with a record that says so; the next run
on this journal then deletes it without sending it again.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass, field

from opstool.doors.sqs import CLOCKS_AGREE_MS
from opstool.engine.delivery import Delivery
from opstool.engine.lease import Lease, Leases
from opstool.engine.scan import EndOfQueue
from opstool.words.errors import OpstoolError
from opstool.words.message import Message
from opstool.words.plan import Plan
from opstool.words.report import Outcome, Tally

_DELETE_ROUNDS = 3
"""How often a message that was sent is received and deleted again before it is left to a later run."""


@dataclass(kw_only=True)
class Transfer:
    """The settling of batches for one plan; thread-safe.

    `owed` are messages that the run has begun with and still has to find again: to delete them, or because their lease
    was lost. With them it is not over. At its beginning they are what an earlier execution left.
    """

    plan: Plan
    leases: Leases
    delivery: Delivery
    tally: Tally
    end: EndOfQueue
    owed: set[str] = field(default_factory=set)
    _doubtful: set[str] = field(default_factory=set)
    _undeleted: dict[str, int] = field(default_factory=dict)

    def decide(self, message: Message) -> Outcome | None:
        """Tell what to do with a received message: None to take it.

        Our own message that has died again is left alone, or the run would feed on its returns. Its SentTimestamp is
        that of our send, so one that is clearly older than the plan is no return, whatever its body.
        """
        if message.message_id in self.delivery.sent_ids:
            return Outcome.RETURNED
        if not self._predates_plan(message) and self.delivery.open_bodies.is_return(message):
            return Outcome.RETURNED
        return None if self.plan.selects(message) else Outcome.SKIPPED

    def _predates_plan(self, message: Message) -> bool:
        if self.plan.ids is not None:
            return message.message_id in self.plan.ids
        return self.plan.sent_before_ms is not None and message.sent_at_ms < self.plan.sent_before_ms - CLOCKS_AGREE_MS

    def settle(self, batch: Sequence[Lease]) -> None:
        """Carry one batch of up to ten messages through all stages."""
        leases = {lease.message_id: lease for lease in batch}
        self.owed.difference_update(leases)

        def still_ours(messages: Sequence[Message]) -> Sequence[Message]:
            usable = self.leases.usable([leases[message.message_id] for message in messages])
            kept = [lease.content for lease in usable]
            self._await({each.message_id for each in messages} - {each.message_id for each in kept})
            return kept

        done = self.delivery.deliver(self.plan.origin, [lease.content for lease in batch], still_ours)
        self._delete([leases[message_id] for message_id in done.now | done.before])
        for lease in batch:
            if self.tally.outcome(lease.message_id) is Outcome.SUCCEEDED:
                lease.forget_body()

    def _delete(self, leases: Sequence[Lease]) -> None:
        if not leases:
            return
        try:
            failed, doubtful = self.leases.delete(leases)
        except OpstoolError as error:
            for lease in leases:
                self._not_deleted(lease.message_id, error.code)
            raise
        left = {**dict.fromkeys(doubtful, "its lease had lapsed"), **{key: each.code for key, each in failed.items()}}
        self._gone([lease.message_id for lease in leases if lease.message_id not in left])
        self._doubtful |= doubtful
        for message_id, why in left.items():
            self._not_deleted(message_id, why)
            self._undeleted[message_id] = self._undeleted.get(message_id, 0) + 1
        self._await({each for each in left if self._undeleted[each] < _DELETE_ROUNDS})

    def believe_deletes(self) -> None:
        """Take for gone what was doubtful and did not reappear; only the end of the queue, once reached, tells it."""
        self._gone(sorted(self._doubtful & self.owed))

    def _gone(self, message_ids: Sequence[str]) -> None:
        self.delivery.journal.settle(self.plan.origin, message_ids)
        self.tally.decide(message_ids, Outcome.SUCCEEDED)

    def _not_deleted(self, message_id: str, why: str) -> None:
        self.tally.fail(message_id, "not_deleted", f"its copy is confirmed, and it could not be deleted ({why})")

    def _await(self, message_ids: Set[str]) -> None:
        """Wait for messages to reappear, for as long as they may be hidden."""
        if message_ids:
            self.owed |= message_ids
            self.end.blind_for(self.leases.lease_s)
