"""Our time-limited hold on messages: received with a short visibility timeout that is kept alive while we think.

A short timeout means that what a dead process held is visible to the next engineer within half a minute; the
heartbeat means that a slow operator, a slow target or a long scan loses nothing. A lease that has reached its age is
over, whatever a later extension would answer: somebody else may have had the message in between.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from opstool.doors.clock import Clock
from opstool.doors.sqs import Sqs
from opstool.doors.wire import EntryFailure, Received
from opstool.engine.batches import each_batch
from opstool.engine.deletion import Deletion
from opstool.engine.lease import Lease, Moment
from opstool.engine.leftovers import Leftovers
from opstool.words.errors import OpstoolError
from opstool.words.queue import Queue

IN_FLIGHT_LIMIT = 120_000
"""SQS: in flight on one queue; beyond it a standard queue answers OverLimit and a FIFO queue answers nothing."""
_BEATS_PER_LEASE = 8
_BEATS_UNTIL_DUE = 3
"""A lease is extended by the first beat after three eighths of it, and four more may fail before it is lost. Sooner
would cost requests: a run of ten seconds then needs none."""
_EXTENSIONS_PER_SECOND = 1_000
"""Messages a heartbeat is sure to extend in a second; many held messages get longer leases (held / this)."""
_DELETE_ATTEMPTS = 3
_RENEWED = EntryFailure(code="handle_renewed", message="it was received again meanwhile", retryable=True)


class Poll(NamedTuple):
    """What one receive has brought: leases that are new, and how many of the messages we held already."""

    fresh: list[Lease]
    again: int


class Leases:
    """Everything we hold of one queue; thread-safe. Close it, and whatever is still held is released.

    `at_once` is how many requests may extend or release at a time, where that is more than a few; `before_longer` is
    told, before it is asked for, of a visibility timeout longer than any before. `a_handle_may_be_stale` once an answer
    was lost that may have delivered again what we hold: to delete by the older handle is answered with yes, and does
    nothing (a standard queue delivers at least once; a FIFO queue never what is in flight).
    """

    def __init__(self, *, sqs: Sqs, queue: Queue, clock: Clock, lease_s: int, at_once: int = 0) -> None:
        self._sqs = sqs
        self._queue = queue
        self._clock = clock
        self._lease_s = lease_s
        self._at_once = at_once
        self._held: dict[str, Lease] = {}
        self._lock = threading.Lock()
        self._leftovers = Leftovers(clock)
        self.longest_s = lease_s
        self.a_handle_may_be_stale = False
        self.before_longer: Callable[[int], None] = lambda _: None
        self._end_heartbeat: Callable[[], None] = clock.every(lease_s / _BEATS_PER_LEASE, self.keep_alive)

    @property
    def held(self) -> int:
        """Return how many messages we hold."""
        return len(self._held)

    @property
    def lease_s(self) -> int:
        """Return the visibility timeout to ask for: longer than wanted only when very many messages are held.

        `longest_s` is the longest that was: for so long may a message be hidden that we do not hold any more.
        """
        return max(self._lease_s, len(self._held) // _EXTENSIONS_PER_SECOND)

    def _timeout_s(self) -> int:
        """Return the visibility timeout for the next request, once whoever wants to know has heard of it."""
        timeout_s = self.lease_s
        if timeout_s > self.longest_s:
            self.before_longer(timeout_s)
            self.longest_s = max(self.longest_s, timeout_s)
        return timeout_s

    def receive(self, *, wait_s: int) -> list[Lease]:
        """Receive up to ten messages and return those we do not hold yet; raise what the receive raises."""
        return self.poll(wait_s=wait_s).fresh

    def poll(self, *, wait_s: int) -> Poll:
        """Receive as `receive` does, and say how many came that we hold already.

        A message that SQS delivers twice while we hold it only renews its handle: one worker has it already.
        """
        now, timeout_s = self._now(), self._timeout_s()
        try:
            received = self._sqs.receive(self._queue, visibility_timeout_s=timeout_s, wait_s=wait_s)
        except OpstoolError as error:
            if getattr(error, "outcome_unknown", False):
                self._leftovers.may_be_hidden(self.longest_s)
                self.a_handle_may_be_stale = not self._queue.is_fifo
            raise
        with self._lock:
            fresh = [lease for each in received if (lease := self._take(each, now, timeout_s))]
        return Poll(fresh, len(received) - len(fresh))

    def _take(self, received: Received, now: Moment, timeout_s: int) -> Lease | None:
        message, handle = received
        known = self._held.get(message.message_id)
        if known:
            if message.receive_count >= known.receive_count:  # answers overtake each other; only the last handle counts
                known.receipt_handle, known.receive_count = handle, message.receive_count
                known.held_since(now, timeout_s)
                known.lost = False
            return None
        lease = Lease(
            message.message_id, handle, message, *now, timeout_s=timeout_s, receive_count=message.receive_count
        )
        self._held[message.message_id] = lease
        return lease

    def keep_alive(self) -> None:
        """Extend every lease that was not just taken; a failure is tried again at the next beat."""
        due_after = _BEATS_UNTIL_DUE / _BEATS_PER_LEASE
        with self._lock:
            now = self._now()
            due = [
                lease
                for lease in self._held.values()
                if lease.age_s(now) >= lease.timeout_s * due_after and self._is_ours(lease, now)
            ]
        each_batch(self._extend, due, at_once=self._at_once)

    def usable(self, leases: Sequence[Lease]) -> list[Lease]:
        """Return those leases that are still ours; drop the lost ones, so that they can be received afresh.

        What runs short is extended first. A lease that was once lost is not usable again, unless SQS delivers it anew.
        """
        with self._lock:
            now = self._now()
            if not any([lease.lost or lease.age_s(now) > lease.timeout_s / 2 for lease in leases]):  # noqa: C419 - quicker
                return list(leases)
            kept = [lease for lease in leases if self._is_ours(lease, now)]
            short = [lease for lease in kept if lease.age_s(now) > lease.timeout_s / 2]
        if short:
            each_batch(self._extend, short, at_once=self._at_once)
            with self._lock:
                now = self._now()
                kept = [lease for lease in kept if self._is_ours(lease, now)]
        if len(kept) < len(leases):
            self._leftovers.may_be_hidden(self.longest_s)
            self._drop([lease for lease in leases if lease not in kept], lapsed=True)
        return kept

    def delete(self, leases: Sequence[Lease]) -> Deletion:
        """Delete up to ten messages.

        Every lease is over afterwards: what was not deleted reappears when its visibility timeout ends.
        """
        left, final = list(leases), dict[str, EntryFailure]()
        for lease in leases:
            lease.is_being_deleted = True
        for attempt in range(_DELETE_ATTEMPTS):
            if attempt:
                self._clock.sleep(0.1 * 4**attempt)
            failed = self._delete_once(left)
            last = attempt + 1 == _DELETE_ATTEMPTS
            final |= {key: failure for key, failure in failed.items() if last or not failure.retryable}
            left = [lease for lease in left if lease.message_id in failed.keys() - final.keys()]
            if not left:
                break
        if final:
            self._leftovers.may_be_hidden(self.longest_s)
        self._drop(leases)
        now = self._now()
        doubtful = {each.message_id for each in leases if not self._is_ours(each, now)} - final.keys()
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

    def let_lapse(self, leases: Sequence[Lease]) -> None:
        """Let go of messages without showing them: they reappear when their visibility timeout ends."""
        self._drop(leases)

    def release(self, leases: Sequence[Lease]) -> None:
        """Make messages visible again at once; where that fails, their visibility timeout does it later.

        A lease that is over is left alone: its message is visible already, or somebody else's by now.
        """
        self._drop(leases)
        with self._lock:
            now = self._now()
            ours = [lease for lease in leases if self._is_ours(lease, now)]
        if len(ours) < len(leases):  # by our count over; but the answer by which we count may have been late, or lost
            self._leftovers.may_be_hidden(self.longest_s)
        each_batch(self._release_batch, ours, at_once=self._at_once)

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
            self._leftovers.not_released(hidden)

    @property
    def notes(self) -> tuple[str, ...]:
        """Return what could not be left as it was, as sentences for people."""
        return self._leftovers.notes(self.longest_s)

    def close(self) -> None:
        """Stop the heartbeat, then release everything that is held: in this order no beat hides a message again."""
        self._end_heartbeat()
        with self._lock:
            leases = list(self._held.values())
        self.release(leases)

    def _extend(self, batch: Sequence[Lease]) -> None:
        handles = [lease.receipt_handle for lease in batch]
        now, timeout_s = self._now(), self._timeout_s()
        try:
            failed = self._sqs.change_visibility_batch(self._queue, handles, visibility_timeout_s=timeout_s)
        except OpstoolError as error:
            self._leftovers.not_extended(error)
            return  # the age goes on growing, and `usable` looks at the age
        with self._lock:
            for index, lease in enumerate(batch):
                if lease.receipt_handle != handles[index]:
                    continue  # delivered again meanwhile: this answer is about a handle that is over
                failure = failed.get(index)
                if failure is None:
                    lease.held_since(now, timeout_s)
                elif not failure.retryable and not lease.is_being_deleted:
                    # SQS has several codes for a handle that is over; none gets better. What is gone is over too.
                    lease.lost = True

    def _now(self) -> Moment:
        return Moment(self._clock.wall(), self._clock.monotonic())

    def _is_ours(self, lease: Lease, now: Moment) -> bool:
        """Tell whether nobody else can have the message; a lease that is found too old is lost for good."""
        lease.lost = lease.lost or lease.age_s(now) >= lease.timeout_s
        return not lease.lost

    def _drop(self, leases: Iterable[Lease], *, lapsed: bool = False) -> None:
        with self._lock:
            for lease in leases:
                if self._held.get(lease.message_id) is lease:
                    del self._held[lease.message_id]
                    self._leftovers.lapsed({lease.message_id} if lapsed else ())
