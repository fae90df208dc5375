"""Receive until the queue has nothing more for us: the loop that every verb runs.

Each of N workers does the same: receive, let `decide` judge each message, gather what is to be taken until a batch is
full (or has waited long enough, or nothing comes any more), and hand it to `settle`. A worker carries its batch end to
end, so nothing queues up between stages and a slow sink simply receives less. What was not taken stays held, without
its body, until the scan's owner closes the leases: released earlier it would be received again, for ever.

A scan may touch nothing but visibility; what `settle` does is its owner's promise.
"""

from __future__ import annotations

import math
import random
import threading
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

from opstool.doors.clock import Clock
from opstool.doors.sqs import MAX_BATCH_ENTRIES
from opstool.engine.adaptive import Gate
from opstool.engine.collector import patient_collector
from opstool.engine.endofqueue import EndOfQueue
from opstool.engine.lease import Lease
from opstool.engine.leases import IN_FLIGHT_LIMIT, Leases, Poll
from opstool.engine.throttle import backoff_s
from opstool.words.awserrors import OVER_LIMIT
from opstool.words.errors import OpstoolError, ServiceError
from opstool.words.message import Message
from opstool.words.report import Outcome, Tally

_WAIT_S = 1
"""Any wait makes a long poll, which asks all of SQS's hosts; a longer one only delays the end."""
_BATCH_WAITS_S = 5.0
"""How long the first message of a batch waits for the batch to fill: well under a lease."""
_RECEIVE_ERRORS = 10
"""Failed receives in a row for each worker that end a scan: one outage fails every worker at once."""
_FULL_RECEIVES_TO_END = 2
"""Receives in a row for each worker that SQS refuses because too much is in flight, and after which we believe it."""
_BLIND_LEASES = 10
"""For so many leases without a new message a scan goes on after receives whose answers were lost."""


def most(ids: Collection[str] | None, limit: int | None) -> int | None:
    """Return how many messages can be taken: the limit, or as many as are named; None when there is no bound."""
    bounds = [bound for bound in (limit, None if ids is None else len(ids)) if bound is not None]
    return min(bounds, default=None)


@dataclass(kw_only=True)
class Scan:
    """One scan of a queue. `decide` returns the outcome of a message that is not taken, None for one that is.

    `expected` is how many messages are thought to be there: once so many have come, or are asked for by other workers,
    no batch waits to be full. A long poll of a queue that is empty by now would keep it for a second.
    With `takes_all` nothing is judged away: what others are asking for counts towards the limit, nobody asks for more.
    `limit` bounds what is taken, `in_flight_limit` what may be held. `taken` are the ids of what was taken, by an
    earlier execution too: a message that comes again is not counted again, and while some of them are, or may be,
    `owed`, the limit does not end the scan. With `look_every_s` it receives so often even while it has enough in hand,
    and calls `on_look`: what comes back is to be seen while the rest goes. After `run`, `bounded` says that the scan
    ended at the bound of what may be held: not everything was seen.
    """

    leases: Leases
    tally: Tally
    decide: Callable[[Message], Outcome | None]
    settle: Callable[[list[Lease]], None]
    clock: Clock
    stop: threading.Event
    end: EndOfQueue
    workers: int = 1
    expected: int | None = None
    limit: int | None = None
    takes_all: bool = False
    owed: Callable[[], bool] = lambda: False
    in_flight_limit: int = IN_FLIGHT_LIMIT
    taken: set[str] = field(default_factory=set)
    look_every_s: float = math.inf
    on_look: Callable[[], None] = lambda: None
    gate: Gate = field(default_factory=Gate)
    bounded: bool = False
    _looked_at: float = 0.0
    _errors: int = 0
    _news_at: float = 0.0
    _again: int = 0
    _came: int = 0
    _asking: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _failure: BaseException | None = None

    def run(self, in_hand: Sequence[Lease] = ()) -> None:
        """Settle what is `in_hand` (taken by an earlier scan over the same leases), then receive until the end.

        Raises the first error of any worker, after all of them have finished the batch they were at.
        """
        hands = list(in_hand)
        self._news_at = self._looked_at = self.clock.monotonic()
        self.taken.update(lease.message_id for lease in hands)
        self._came = len(hands)
        share = -(-len(hands) // self.workers) if hands else 0
        shares = [hands[index * share : (index + 1) * share] for index in range(self.workers)]
        threads = [
            threading.Thread(target=self._guarded, args=(each,), name=f"opstool-worker-{index}")
            for index, each in enumerate(shares[1:], start=1)
        ]
        with patient_collector():
            for thread in threads:
                thread.start()
            self._guarded(shares[0])
            for thread in threads:
                thread.join()
        if self._failure:
            raise self._failure

    def settle_now(self, in_hand: Sequence[Lease]) -> None:
        """Settle these, in their order, and receive nothing; raises the first error."""
        self.taken.update(lease.message_id for lease in in_hand)
        for start in range(0, len(in_hand), MAX_BATCH_ENTRIES):
            if not self._stopping:
                self.settle(list(in_hand[start : start + MAX_BATCH_ENTRIES]))

    def look(self) -> list[Lease]:
        """Receive once and judge what comes; return what is to be taken."""
        self._looked_at = self.clock.monotonic()
        taken, _ = self._receive()
        self.on_look()
        return taken

    def _guarded(self, in_hand: list[Lease]) -> None:
        try:
            self._work(in_hand)
        except BaseException as error:  # noqa: BLE001 - raised again by `run`, once the other workers have finished
            self._failure = self._failure or error

    def _work(self, batch: list[Lease]) -> None:
        gathered_since = self.clock.monotonic()
        due = False
        while not self._stopping:
            if batch and self.clock.monotonic() - self._looked_at >= self.look_every_s:
                batch += self.look()
                continue
            if len(batch) >= MAX_BATCH_ENTRIES or (batch and (due or self._all_came or self._over)):
                self.settle(batch[:MAX_BATCH_ENTRIES])
                batch, due = batch[MAX_BATCH_ENTRIES:], False
                gathered_since = self.clock.monotonic()
                continue
            if self._over:  # asked after each settling, which may find that something is only hidden
                return
            taken, empty = self._receive()
            if not batch:
                gathered_since = self.clock.monotonic()
            batch += taken
            due = empty or self.clock.monotonic() - gathered_since >= _BATCH_WAITS_S

    @property
    def _stopping(self) -> bool:
        """Tell whether what is gathered is to be given back instead of settled."""
        return self.stop.is_set() or self._failure is not None

    @property
    def _all_came(self) -> bool:
        """Tell whether what has come, and what the others are asking for, is all that is expected.

        What is owed is not: it comes back one by one.
        """
        soon = self._came + self._asking * MAX_BATCH_ENTRIES
        return self.expected is not None and soon >= self.expected and not self.owed()

    @property
    def _over(self) -> bool:
        """Tell whether no more is to be received."""
        coming = self._asking * MAX_BATCH_ENTRIES if self.takes_all else 0
        full = self.limit is not None and len(self.taken) + coming >= self.limit and not self.owed()
        return full or self.bounded or self.end.reached

    def _receive(self) -> tuple[list[Lease], bool]:
        """Receive once; return what is taken, and whether nothing new came."""
        if self.leases.held >= self.in_flight_limit:
            self.bounded = True
            return [], True
        with self.gate.turn() as turn:
            if self._stopping:
                return [], True
            try:
                leases, again = self._poll()
            except ServiceError as error:
                turn.heard(error.code)
                self._survive(error)
                return [], True
        self._errors = 0
        if leases:
            self._news_at = self.clock.monotonic()
        self._again = self._again + 1 if again and not leases else 0
        # What brings only what we hold is not empty; but a server that shows it for ever must not keep us for ever.
        if not 0 < self._again <= self.leases.held:
            self.end.saw_sent_at([lease.content.sent_at_ms for lease in leases])
        self.tally.received(*[lease.message_id for lease in leases])
        return [lease for lease in leases if self._takes(lease)], not leases

    def _poll(self) -> Poll:
        """Receive once, and count what has come and who is at it."""
        came = 0
        with self._lock:
            self._asking += 1
        try:
            poll = self.leases.poll(wait_s=_WAIT_S)
            came = len(poll.fresh)
        finally:
            with self._lock:
                self._asking -= 1
                self._came += came
        return poll

    def _survive(self, error: OpstoolError) -> None:
        """Wait after a failed receive, or raise the error when it is not of the passing kind."""
        self._errors += 1
        if error.code == OVER_LIMIT:
            # What is gathered is settled first, and what another worker settles makes room too.
            self.bounded = self._errors > _FULL_RECEIVES_TO_END * self.workers
            return
        if not getattr(error, "retryable", False) or self._errors >= _RECEIVE_ERRORS * self.workers:
            raise error
        if getattr(error, "outcome_unknown", False):
            if self.clock.monotonic() - self._news_at > _BLIND_LEASES * self.leases.lease_s:
                raise error  # where answers are lost all the time, the moment to trust an empty one never comes
            self.end.blind_for(self.leases.longest_s)  # it may have hidden messages from us
        attempt = -(-self._errors // self.workers)
        pause_s = backoff_s(attempt, random.random())  # noqa: S311 - jitter, not a secret
        self.clock.sleep(max(pause_s, getattr(error, "wait_s", 0.0)), self.stop)

    def _takes(self, lease: Lease) -> bool:
        outcome = self.decide(lease.content)
        if outcome is not None:
            self.tally.decide([lease.message_id], outcome)
        elif self.limit is None or self._has_room(lease.message_id):
            return True
        lease.forget_body()
        return False

    def _has_room(self, message_id: str) -> bool:
        with self._lock:
            if message_id in self.taken:
                return True
            if self.limit is not None and len(self.taken) >= self.limit:
                return False
            self.taken.add(message_id)
            return True
