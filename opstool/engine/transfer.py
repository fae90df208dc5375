"""Take messages out of a queue: the stages of one batch, in the only order in which nothing can be lost.

    lease     only messages whose hold on the queue will last are sent
    deliver   the journal holds the intent; the sink confirms each copy by name; the journal holds the new id
    delete    the original goes, now that its copy is confirmed
    settle    the journal notes that it is gone

Dying between two stages leaves the message in the queue, or in both places with a record that says so; the next run
on this journal then deletes it without sending it again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass, field

from opstool.engine.delivery import Delivery
from opstool.engine.endofqueue import EndOfQueue
from opstool.engine.lease import Lease
from opstool.engine.leases import Leases
from opstool.words.errors import OpstoolError
from opstool.words.message import Message
from opstool.words.plan import Plan
from opstool.words.report import Outcome, Tally
from opstool.words.times import CLOCKS_AGREE_MS

_DELETE_ROUNDS = 3
"""How often a message that was sent is received and deleted again before it is left to a later run."""
_LEASE_LOSSES = 3
"""How often a message's lease may be lost before its turn until it is given up: where none can last, a run must end."""


@dataclass(kw_only=True)
class Transfer:
    """The settling of batches for one plan; thread-safe.

    `owed` are messages that the run has begun with and still has to find again: to delete them, or because their lease
    was lost. With them it is not over. At its beginning they are what an earlier execution left. `admits` tells whether
    a message that the plan means may be sent.
    """

    plan: Plan
    leases: Leases
    delivery: Delivery
    tally: Tally
    end: EndOfQueue
    owed: set[str] = field(default_factory=set)
    admits: Callable[[str], bool] = lambda _: True
    _doubtful: set[str] = field(default_factory=set)
    _undeleted: dict[str, int] = field(default_factory=dict)
    _losses: dict[str, int] = field(default_factory=dict)
    _in_hand: set[str] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def decide(self, message: Message) -> Outcome | None:
        """Tell what to do with a received message: None to take it.

        Our own message that has died again is left alone, or the run would feed on its returns. Its SentTimestamp is
        that of our send, so one that is clearly older than the plan is no return, whatever its body.
        """
        if not self._predates_plan(message):
            self.delivery.puts.wait_for_those_now()  # a copy can come back to us before its sender has its answer
            if self.delivery.open_bodies.is_return(message):
                return Outcome.RETURNED
        message_id = message.message_id
        if message_id in self.delivery.sent_ids:
            return Outcome.RETURNED
        if self._losses.get(message_id, 0) >= _LEASE_LOSSES:
            self.owed.discard(message_id)
            self.delivery.fail(message, "lease_lost", f"its lease ended {_LEASE_LOSSES} times before its turn")
            return Outcome.FAILED
        wanted = self.plan.selects(message) and (message_id in self.owed or self.admits(message_id))
        return None if wanted else Outcome.SKIPPED

    def _predates_plan(self, message: Message) -> bool:
        if self.plan.ids is not None:
            return message.message_id in self.plan.ids
        return self.plan.sent_before_ms is not None and message.sent_at_ms < self.plan.sent_before_ms - CLOCKS_AGREE_MS

    def settle(self, batch: Sequence[Lease]) -> None:
        """Carry one batch of up to ten messages through all stages.

        A message that another worker has lost, but still has in its batch, is that worker's until it is through: it is
        left to reappear, so that one of them alone says what becomes of it.
        """
        with self._lock:
            mine = [lease for lease in batch if lease.message_id not in self._in_hand]
            ids = {lease.message_id for lease in mine}
            self._in_hand |= ids
        if len(mine) < len(batch):
            others = [lease for lease in batch if lease not in mine]
            self.leases.let_lapse(others)
            self._await({lease.message_id for lease in others})
        try:
            for piece in self.delivery.throttle.pieces(mine):
                self._carry(piece)
        finally:
            with self._lock:
                self._in_hand -= ids

    def _carry(self, batch: Sequence[Lease]) -> None:
        leases = {lease.message_id: lease for lease in batch}
        self.owed.difference_update(leases)
        lost: set[str] = set()

        def still_ours(messages: Sequence[Message]) -> Sequence[Message]:
            usable = self.leases.usable([leases[message.message_id] for message in messages])
            if len(usable) == len(messages):
                return messages
            kept = [lease.content for lease in usable]
            gone = {each.message_id for each in messages} - {each.message_id for each in kept}
            lost.update(gone)
            self._await(gone)
            return kept

        done = self.delivery.deliver(self.plan.origin, [lease.content for lease in batch], still_ours)
        for message_id in lost:
            self._losses[message_id] = self._losses.get(message_id, 0) + 1
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
            self.end.blind_for(self.leases.longest_s)
