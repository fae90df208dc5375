"""Put messages into a sink, each at most once as far as can be known: claim, put, confirm.

    claim     the journal holds the intent (a worker that cannot write it does not send)
    put       the sink tries each message once; only what was certainly not accepted, or what the policy on
              uncertainty allows, is tried again
    confirm   the journal holds the new id, before anybody deletes the original

On a FIFO target a group stops at its first message that is not confirmed: nothing overtakes it in this run.

The engine's transfer and an import both deliver; where the originals are, and what happens to them afterwards, is
not this module's business.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from opstool.doors.clock import Clock
from opstool.doors.journal import Journal
from opstool.engine.adaptive import Gate, Turn
from opstool.engine.puts import PutsUnderWay
from opstool.engine.sinks import Confirmed, Put, Rejected, Sink, StillOurs
from opstool.engine.throttle import Throttle, backoff_s
from opstool.words.errors import OpstoolError
from opstool.words.message import Message
from opstool.words.record import Claim
from opstool.words.report import Outcome, Tally

Uncertain = Literal["resend", "leave"]
PUT_ATTEMPTS = 6
"""With the backoff of throttle.py: up to about six seconds of patience with a throttled target."""


class Delivered(NamedTuple):
    """The ids whose copies are confirmed: by this run, or by an earlier one."""

    now: set[str]
    before: set[str]


class OpenBodies:
    """Bodies that were sent and never answered for: a stranger with such a body may be our own message come back."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ids_by_body: dict[str, set[str]] = {}

    def add(self, message_id: str, body_sha256: str) -> None:
        """Remember that the answer for this message was lost."""
        with self._lock:
            self._ids_by_body.setdefault(body_sha256, set()).add(message_id)

    def is_return(self, message: Message) -> bool:
        """Tell whether this message has the body of a lost one, and is not that one itself."""
        if not self._ids_by_body:  # hashing every body is only worth it when an answer was lost
            return False
        with self._lock:
            originals = self._ids_by_body.get(message.body_sha256)
            return originals is not None and message.message_id not in originals


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """How one run delivers; thread-safe, because everything it shares is.

    `sent_ids` are the ids under which messages of this run may come back.
    """

    run_id: str
    journal: Journal
    sink: Sink
    tally: Tally
    throttle: Throttle
    clock: Clock
    stop: threading.Event
    uncertain: Uncertain = "resend"
    chance: Callable[[], float] = random.random
    open_bodies: OpenBodies = field(default_factory=OpenBodies)
    sent_ids: set[str] = field(default_factory=set)
    puts: PutsUnderWay = field(default_factory=PutsUnderWay)
    stopped_groups: set[str] = field(default_factory=set)
    gate: Gate = field(default_factory=Gate)

    def deliver(self, origin: str, messages: Sequence[Message], still_ours: StillOurs) -> Delivered:
        """Deliver messages; return the ids of those whose copies are confirmed.

        `still_ours` is asked before each attempt, and what it leaves out is not sent. Every other message has got its
        outcome in the tally. Raises StorageError when the journal or an archive cannot be written, and the error that
        refused a whole request when the next request would meet it again.
        """
        if not self.throttle.acquire(len(messages), self.stop):
            return Delivered(set(), set())
        ours = self.in_order(messages, still_ours(messages))
        claims = self.journal.claim(self.run_id, origin, ours, suffices=self.sink.suffices)
        batch = _Batch(self, origin, claims)
        waiting = batch.to_send(ours)
        for attempt in range(1, PUT_ATTEMPTS + 1):
            if not waiting:
                break
            with self.gate.turn() as turn:
                waiting = batch.put(waiting, still_ours, turn, last=attempt == PUT_ATTEMPTS)
                if waiting:
                    self.clock.sleep(max(batch.wait_s, backoff_s(attempt, self.chance())), self.stop)
            if waiting:
                may_go_on = self.throttle.acquire(len(waiting), self.stop) and not self.stop.is_set()
                left = still_ours(waiting) if may_go_on else []
                waiting = batch.keep(waiting, self.in_order(waiting, left))
        return Delivered(batch.confirmed, batch.sent_before)

    def in_order(self, messages: Sequence[Message], ours: Sequence[Message]) -> list[Message]:
        """Return `ours` without what would overtake a message of its group that is no longer ours, or was stopped."""
        if not self.stopped_groups and len(ours) == len(messages):
            return list(messages)
        ids = {message.message_id for message in ours}
        kept = []
        for message in messages:
            group = self.sink.group_of(message)
            if group is not None and (group in self.stopped_groups or message.message_id not in ids):
                self.stopped_groups.add(group)
            elif message.message_id in ids:
                kept.append(message)
        return kept

    def fail(self, message: Message, code: str, text: str) -> None:
        """Give a message up: it stays where it is, and nothing of its group overtakes it."""
        self.tally.fail(message.message_id, code, text)
        group = self.sink.group_of(message)
        if group is not None:
            self.stopped_groups.add(group)


class _Batch:
    """One batch on its way: judges each answer, and writes what must be written before the next put."""

    def __init__(self, delivery: Delivery, origin: str, claims: dict[str, tuple[Claim, int]]) -> None:
        self._delivery = delivery
        self._origin = origin
        self._unsure_since_ms = {key: since for key, (claim, since) in claims.items() if claim is Claim.UNCERTAIN}
        self.sent_before = {key for key, (claim, _) in claims.items() if claim is Claim.ALREADY_SENT}
        self.confirmed: set[str] = set()
        self.wait_s = 0.0

    def to_send(self, messages: Sequence[Message]) -> list[Message]:
        """Return what has to be sent: not what was sent before, nor, if so chosen, what may have been."""
        delivery = self._delivery
        if not (self.sent_before or self._unsure_since_ms or delivery.stopped_groups):
            return list(messages)
        waiting = [each for each in messages if each.message_id not in self.sent_before]
        for message in [each for each in waiting if each.message_id in self._unsure_since_ms]:
            delivery.open_bodies.add(message.message_id, delivery.sink.sent_as(message).body_sha256)
            if delivery.uncertain == "leave":
                delivery.fail(message, "uncertain", "it may have been sent before, so it was left in place")
                waiting.remove(message)
        return self.keep(waiting, delivery.in_order(waiting, waiting))

    def keep(self, messages: Sequence[Message], left: list[Message]) -> list[Message]:
        """Return `left`, and take back the intents of the rest: they stay where they are, undecided."""
        if len(left) == len(messages):
            return left
        ids = {message.message_id for message in left}
        gone = [message for message in messages if message.message_id not in ids]
        self._delivery.journal.withdraw(self._origin, [each.message_id for each in gone])
        for message in gone:
            if message.message_id in self._unsure_since_ms:
                self._delivery.fail(message, "no_answer", "the answer to its send was lost, so it was left in place")
            else:
                self._delivery.tally.decide([message.message_id], Outcome.RELEASED)
        return left

    def put(self, messages: Sequence[Message], still_ours: StillOurs, turn: Turn, *, last: bool) -> list[Message]:
        """Put each message once; return those to try again, and tell the gate when it was too much."""
        delivery = self._delivery
        delivery.journal.note_resent(self._origin, self._outside_the_window(messages))
        with delivery.puts.one_more():
            results = self._results(messages, still_ours)
        rest = [each for each in messages if each.message_id not in self.confirmed]
        if not rest:
            return []
        rejected = [put for put in results.values() if isinstance(put, Rejected)]
        turn.heard(*(put.code for put in rejected))
        self.wait_s = max((put.wait_s for put in rejected), default=0.0)
        again = self._judge(rest, results, last=last)
        fatal = next((put.error for put in rejected if put.error), None)
        # What is confirmed is deleted first; the next batch meets the same error.
        if fatal and not self.confirmed and not self.sent_before:
            raise fatal
        return again

    def _results(self, messages: Sequence[Message], still_ours: StillOurs) -> dict[str, Put]:
        """Put each message once; return what became of each, with everything noted by which its return is known."""
        delivery, began_ms = self._delivery, int(self._delivery.clock.wall() * 1000)
        try:
            results = delivery.sink.put(messages, still_ours)
        except OpstoolError:
            delivery.journal.withdraw(self._origin, [message.message_id for message in messages])
            raise
        confirmed = [(key, put) for key, put in results.items() if isinstance(put, Confirmed)]
        delivery.sent_ids.update(put.new_id for _, put in confirmed if put.new_id)
        delivery.journal.confirm(self._origin, [(key, put.new_id, put.target) for key, put in confirmed])
        self.confirmed.update(key for key, _ in confirmed)
        for _, put in confirmed:
            if put.unconfirmed:
                delivery.tally.remark(f"copies whose {put.unconfirmed} the server did not confirm")
        if len(confirmed) < len(messages):
            self._note_lost([each for each in messages if each.message_id not in self.confirmed], results, began_ms)
        return results

    def _outside_the_window(self, messages: Iterable[Message]) -> list[str]:
        """Return the ids of those whose earlier send may have been accepted, and whose next would be a second."""
        if not self._unsure_since_ms:
            return []
        now_ms = self._delivery.clock.wall() * 1000
        unsure = [each for each in messages if each.message_id in self._unsure_since_ms]
        safe_ms = {each.message_id: self._delivery.sink.repeat_is_safe_for_s(each) * 1000 for each in unsure}
        # A time before the first send means that the clock was set: then nothing is known to be within the window.
        return [key for key, safe in safe_ms.items() if not 0 <= now_ms - self._unsure_since_ms[key] < safe]

    def _judge(self, messages: Sequence[Message], results: dict[str, Put], *, last: bool) -> list[Message]:
        """Give up what is final, and return what may be tried again."""
        delivery = self._delivery
        rejected = [(each, put) for each in messages if isinstance(put := results[each.message_id], Rejected)]
        leave = delivery.uncertain == "leave"
        final = [(each, put) for each, put in rejected if last or not put.retryable or (put.may_be_there and leave)]
        for message, put in final:
            if message.message_id in self._unsure_since_ms and not put.may_be_there:
                delivery.fail(message, "no_answer", f"the answer to an earlier send was lost; then: {put.message}")
            else:
                delivery.fail(message, put.code, put.message)
        delivery.journal.withdraw(self._origin, [each.message_id for each, _ in final])
        finished = {each.message_id for each, _ in final}
        waiting = [each for each in messages if each.message_id not in finished]
        return self.keep(waiting, [] if last else delivery.in_order(waiting, waiting))

    def _note_lost(self, messages: Sequence[Message], results: dict[str, Put], began_ms: int) -> None:
        """Write down what may be there although nobody said so, before anything else is done with it."""
        lost = [each for each in messages if isinstance(put := results[each.message_id], Rejected) and put.may_be_there]
        self._delivery.journal.note_unknown(self._origin, [each.message_id for each in lost])
        for message in lost:
            sent = self._delivery.sink.sent_as(message)
            self._delivery.open_bodies.add(message.message_id, sent.body_sha256)
            self._unsure_since_ms.setdefault(message.message_id, began_ms)
