"""Our time-limited hold on messages: received with a short visibility timeout that is kept alive while we think.

A short timeout means that what a dead process held is visible to the next engineer within half a minute; the
heartbeat means that a slow operator, a slow target or a long scan loses nothing. A lease's age is the larger of
monotonic and wall time since the call that took or extended it began: wall time jumps when a laptop wakes, monotonic
time does not run while it sleeps.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

from opstool.doors.clock import Clock
from opstool.doors.sqs import MAX_BATCH_ENTRIES, Sqs
from opstool.doors.wire import EntryFailure, Received
from opstool.words.errors import OpstoolError
from opstool.words.message import Message
from opstool.words.queue import Queue

IN_FLIGHT_LIMIT = 120_000
"""SQS: in flight on one queue; beyond it a standard queue answers OverLimit and a FIFO queue answers nothing."""
_BEATS_PER_LEASE = 4
"""A lease is extended when a quarter of it is gone, or three eighths: two beats may fail before it is lost."""
_EXTENSIONS_PER_SECOND = 1_000
"""Messages a heartbeat is sure to extend in a second; many held messages get longer leases (held / this)."""
_DELETE_ATTEMPTS = 3
_RENEWED = EntryFailure(code="handle_renewed", message="it was received again meanwhile", retryable=True)
_REQUESTS_AT_ONCE = 8
"""Even at 80 ms a request they extend ten messages each often enough for _EXTENSIONS_PER_SECOND."""


@dataclass(slots=True, eq=False)
class Lease:
    """One message in our hands. `message` is None once its body is of no more use."""

    message_id: str
    receipt_handle: str
    message: Message | None
    held_since_wall: float
    held_since_monotonic: float
    lost: bool = False

    @property
    def content(self) -> Message:
        """Return the message, which must not have been let go of."""
        if self.message is None:
            raise AssertionError("the body of this message was let go of")
        return self.message

    def forget_body(self) -> None:
        """Let go of the body: the message will only be released."""
        self.message = None


class Deletion(NamedTuple):
    """What became of a delete, by message id.

    `doubtful`: SQS said yes, but the hold may have lapsed before. Whoever received the message meanwhile still has it,
    because a standard queue says yes to a stale handle and does nothing.
    """

    failed: dict[str, EntryFailure]
    doubtful: set[str]


class Leases:
    """Everything we hold of one queue; thread-safe. Close it, and whatever is still held is released."""

    def __init__(self, *, sqs: Sqs, queue: Queue, clock: Clock, lease_s: int) -> None:
        self._sqs = sqs
        self._queue = queue
        self._clock = clock
        self._lease_s = lease_s
        self._held: dict[str, Lease] = {}
        self._lock = threading.Lock()
        self._unreleased = 0
        self._end_heartbeat: Callable[[], None] = clock.every(lease_s / _BEATS_PER_LEASE, self.keep_alive)

    @property
    def held(self) -> int:
        """Return how many messages we hold."""
        return len(self._held)

    @property
    def lease_s(self) -> int:
        """Return the visibility timeout in force: longer than asked for only when very many messages are held."""
        return max(self._lease_s, len(self._held) // _EXTENSIONS_PER_SECOND)

    def receive(self, *, wait_s: int) -> list[Lease]:
        """Receive up to ten messages and return those we do not hold yet; raise what the receive raises.

        A message that SQS delivers twice while we hold it only renews its handle: one worker has it already.
        """
        wall, monotonic = self._clock.wall(), self._clock.monotonic()
        received = self._sqs.receive(self._queue, visibility_timeout_s=self.lease_s, wait_s=wait_s)
        with self._lock:
            return [lease for each in received if (lease := self._take(each, wall, monotonic))]

    def _take(self, received: Received, wall: float, monotonic: float) -> Lease | None:
        message, handle = received
        known = self._held.get(message.message_id)
        if known:
            known.receipt_handle = handle
            known.held_since_wall, known.held_since_monotonic, known.lost = wall, monotonic, False
            return None
        lease = Lease(message.message_id, handle, message, wall, monotonic)
        self._held[message.message_id] = lease
        return lease

    def keep_alive(self) -> None:
        """Extend every lease that was not just taken; a failure is tried again at the next beat."""
        due_after = self._lease_s / _BEATS_PER_LEASE / 2
        with self._lock:
            due = [lease for lease in self._held.values() if not lease.lost and self._age(lease) >= due_after]
        _each_batch(self._extend, due)

    def usable(self, leases: Sequence[Lease]) -> list[Lease]:
        """Return those leases that will last for a send; drop the lost ones, so that they can be received afresh."""
        short = [lease for lease in leases if self._age(lease) > self._lease_s / 2]
        for batch in _batches(short):
            self._extend(batch)
        kept = [lease for lease in leases if not lease.lost and self._age(lease) < self._lease_s]
        self._drop(lease for lease in leases if lease not in kept)
        return kept

    def delete(self, leases: Sequence[Lease]) -> Deletion:
        """Delete up to ten messages.

        Every lease is over afterwards: what was not deleted reappears when its visibility timeout ends.
        """
        left, final = list(leases), dict[str, EntryFailure]()
        for attempt in range(_DELETE_ATTEMPTS):
            if attempt:
                self._clock.sleep(0.1 * 4**attempt)
            failed = self._delete_once(left)
            last = attempt + 1 == _DELETE_ATTEMPTS
            final |= {key: failure for key, failure in failed.items() if last or not failure.retryable}
            left = [lease for lease in left if lease.message_id in failed.keys() - final.keys()]
            if not left:
                break
        self._drop(leases)
        doubtful = {each.message_id for each in leases if self._age(each) >= self._lease_s} - final.keys()
        return Deletion(final, doubtful)

    def _delete_once(self, leases: Sequence[Lease]) -> dict[str, EntryFailure]:
        handles = [lease.receipt_handle for lease in leases]
        try:
            answers = self._sqs.delete_batch(self._queue, handles)
        except OpstoolError as error:
            if not getattr(error, "retryable", False):
                raise
            failure = EntryFailure(code=error.code, message=error.message, retryable=True)
            return {lease.message_id: failure for lease in leases}
        with self._lock:  # from here on a delivery is a new lease, and no renewal of one that is over
            for index, lease in enumerate(leases):
                if index not in answers and lease.receipt_handle == handles[index]:
                    self._held.pop(lease.message_id, None)
                else:  # SQS says yes to a stale handle too
                    answers.setdefault(index, _RENEWED)
        return {leases[index].message_id: failure for index, failure in answers.items()}

    def release(self, leases: Sequence[Lease]) -> None:
        """Make messages visible again at once; where that fails, their visibility timeout does it later."""
        self._drop(leases)
        _each_batch(self._release_batch, leases)

    def _release_batch(self, batch: Sequence[Lease]) -> None:
        try:
            hidden = len(
                self._sqs.change_visibility_batch(
                    self._queue, [lease.receipt_handle for lease in batch], visibility_timeout_s=0
                )
            )
        except OpstoolError:
            hidden = len(batch)  # nothing is lost: the timeout ends by itself, and a report must still be made
        with self._lock:
            self._unreleased += hidden

    @property
    def notes(self) -> tuple[str, ...]:
        """Return what could not be left as it was, as sentences for people."""
        if not self._unreleased:
            return ()
        hidden_for = f"hidden for up to {self.lease_s} s more"
        return (f"{self._unreleased} messages could not be released: they stay {hidden_for}",)

    def close(self) -> None:
        """Stop the heartbeat, then release everything that is held: in this order no beat hides a message again."""
        self._end_heartbeat()
        with self._lock:
            leases = list(self._held.values())
        self.release(leases)

    def _extend(self, batch: Sequence[Lease]) -> None:
        wall, monotonic = self._clock.wall(), self._clock.monotonic()
        try:
            failed = self._sqs.change_visibility_batch(
                self._queue, [lease.receipt_handle for lease in batch], visibility_timeout_s=self.lease_s
            )
        except OpstoolError:
            return  # the age goes on growing, and `usable` looks at the age
        for index, lease in enumerate(batch):
            failure = failed.get(index)
            if failure is None:
                lease.held_since_wall, lease.held_since_monotonic = wall, monotonic
            elif not failure.retryable:  # SQS has several codes for a handle that is over; none of them gets better
                lease.lost = True

    def _age(self, lease: Lease) -> float:
        return max(self._clock.monotonic() - lease.held_since_monotonic, self._clock.wall() - lease.held_since_wall)

    def _drop(self, leases: Iterable[Lease]) -> None:
        with self._lock:
            for lease in leases:
                if self._held.get(lease.message_id) is lease:
                    del self._held[lease.message_id]


def _batches(leases: Iterable[Lease]) -> Iterator[list[Lease]]:
    iterator = iter(leases)
    while batch := list(islice(iterator, MAX_BATCH_ENTRIES)):
        yield batch


def _each_batch(action: Callable[[list[Lease]], None], leases: Iterable[Lease]) -> None:
    """Carry out `action` on every batch, several at once."""
    batches = list(_batches(leases))
    if len(batches) == 1:
        action(batches[0])
    elif batches:
        with ThreadPoolExecutor(_REQUESTS_AT_ONCE, thread_name_prefix="opstool-leases") as pool:
            list(pool.map(action, batches))
