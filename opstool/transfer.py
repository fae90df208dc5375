"""Take messages out of a queue: the stages of one batch, in the only order in which nothing can be lost.

    lease     only messages whose hold on the queue will last are sent
    deliver   the journal holds the intent; the sink confirms each copy by name; the journal holds the new id
    delete    the original goes, now that its copy is confirmed
    settle    the journal notes that it is gone

Dying between two stages leaves the message in the queue, or in both places with a record that says so; the next run
on this journal then deletes it without sending it again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from opstool.delivery import Delivery
from opstool.errors import OpstoolError
from opstool.lease import Lease, Leases
from opstool.message import Message
from opstool.plan import Plan
from opstool.report import Outcome, Tally
from opstool.scan import EndOfQueue

_CLOCKS_AGREE_MS = 2_000
"""How far our idea of SQS's time may be wrong: see Sqs.now_ms."""
_DELETE_ROUNDS = 3
"""How often a message that was sent is received and deleted again before it is left to a later run."""


@dataclass(kw_only=True)
class Transfer:
    """The settling of batches for one plan; thread-safe.

    `to_delete` are messages that were sent, or may have been, and are still in the queue: with them the run is not
    over. At its beginning they are what an earlier execution left.
    """

    plan: Plan
    leases: Leases
    delivery: Delivery
    tally: Tally
    end: EndOfQueue
    to_delete: set[str] = field(default_factory=set)
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
        return self.plan.sent_before_ms is not None and message.sent_at_ms < self.plan.sent_before_ms - _CLOCKS_AGREE_MS

    def finished(self) -> bool:
        """Tell whether every message that the plan names has its outcome, and none is still to be deleted."""
        if self.plan.ids is None:
            return False
        counts = self.tally.counts()
        return counts.succeeded + counts.failed - len(self.to_delete) >= len(self.plan.ids)

    def settle(self, batch: Sequence[Lease]) -> None:
        """Carry one batch of up to ten messages through all stages."""
        leases = {lease.message_id: lease for lease in batch}
        self.to_delete.difference_update(leases)

        def still_ours(messages: Sequence[Message]) -> Sequence[Message]:
            usable = self.leases.usable([leases[message.message_id] for message in messages])
            if len(usable) < len(messages):
                self.end.blind_for(self.leases.lease_s)  # they will be received afresh
            return [lease.content for lease in usable]

        done = self.delivery.deliver(self.plan.origin, [lease.content for lease in batch], still_ours)
        self._delete([leases[message_id] for message_id in done.now | done.before])

    def _delete(self, leases: Sequence[Lease]) -> None:
        if not leases:
            return
        try:
            failed, doubtful = self.leases.delete(leases)
        except OpstoolError as error:
            for lease in leases:
                self._not_deleted(lease.message_id, error.code)
            raise
        gone = [lease.message_id for lease in leases if lease.message_id not in failed]
        self.delivery.journal.settle(self.plan.origin, [key for key in gone if key not in doubtful])
        self.tally.decide(gone, Outcome.SUCCEEDED)
        if doubtful:
            self.to_delete |= doubtful
            self.end.blind_for(self.leases.lease_s)
        for message_id, failure in failed.items():
            self._not_deleted(message_id, failure.code)
            self._try_later(message_id)

    def _not_deleted(self, message_id: str, code: str) -> None:
        self.tally.fail(message_id, "not_deleted", f"its copy is confirmed, and it could not be deleted ({code})")

    def _try_later(self, message_id: str) -> None:
        """Wait for a message that was sent to reappear, so that it can be deleted; give up after some rounds."""
        self._undeleted[message_id] = self._undeleted.get(message_id, 0) + 1
        if self._undeleted[message_id] < _DELETE_ROUNDS:
            self.to_delete.add(message_id)
            self.end.blind_for(self.leases.lease_s)
