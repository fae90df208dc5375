"""One standard queue of the fake: what is visible, in flight and delayed, and how time changes that.

A message is in `_messages` as long as it exists. What time will do to it stands in two heaps, `_waking` (it becomes
visible) and `_expiring` (its retention ends); their entries are never searched for, only found outdated when they
come up. So every operation costs O(log n), however deep the queue is.
"""

from __future__ import annotations

import heapq
import threading
from collections import deque
from collections.abc import Callable, Iterator
from random import Random

from opstool.fake.behaviour import Behaviour
from opstool.fake.refusal import RefusalError, invalid_value
from opstool.fake.settings import MAX_VISIBILITY_S, Settings
from opstool.fake.stored import State, StoredMessage, read_handle
from opstool.words.queue import Queue

Bury = Callable[["StandardQueue", StoredMessage, int], bool]
"""Move a message to the dead-letter queue of this queue; False when there is none that takes it."""


class StandardQueue:
    """A queue without order, delivered at least once; the caller holds the service's lock."""

    def __init__(
        self, *, address: Queue, settings: Settings, behaviour: Behaviour, rng: Random, bury: Bury, now_ms: int
    ) -> None:
        self.address = address
        self.settings = settings
        self.created_at_ms = self.modified_at_ms = now_ms
        self.purged_at_ms: int | None = None
        self.counts = dict.fromkeys(State, 0)
        self.waiters: set[threading.Event] = set()
        self._behaviour = behaviour
        self._rng = rng
        self._bury = bury
        self._order = 0
        self._messages: dict[str, StoredMessage] = {}
        self._visible: deque[StoredMessage] = deque()
        self._waking: list[tuple[int, int, StoredMessage]] = []
        self._expiring: list[tuple[int, int, StoredMessage]] = []

    # -- what callers do

    def put(self, message: StoredMessage, now_ms: int, delay_s: int) -> StoredMessage:
        """Take a message in; it becomes visible after the delay."""
        self._messages[message.message_id] = message
        heapq.heappush(self._expiring, (message.sent_at_ms, self._next_order(), message))
        if delay_s:
            self._hide(message, State.DELAYED, now_ms + 1_000 * delay_s)
        else:
            self._show(message)
        return message

    def receive(self, limit: int, visibility_timeout_s: int, now_ms: int) -> list[StoredMessage]:
        """Hand out up to `limit` messages; those received too often are moved to the dead-letter queue instead."""
        self.settle(now_ms)
        limit = self._room_in_flight(limit)
        taken: list[StoredMessage] = []
        if limit:
            for message in self._candidates():
                if self._is_exhausted(message) and self._bury(self, message, now_ms):
                    self._drop(message)
                    continue
                taken.append(message)
                if len(taken) == limit:
                    break
        for message in taken:
            self._hand_out(message, visibility_timeout_s, now_ms)
        return taken

    def change_visibility(self, handle: str, visibility_timeout_s: int, now_ms: int) -> None:
        """Hide a message in flight for so long from now_ms, or show it at once (0)."""
        self.settle(now_ms)
        message, is_current = self._find(handle)
        if message is None or not is_current:
            raise invalid_value(
                handle, "ReceiptHandle", "Message does not exist or is not available for visibility timeout change."
            )
        if message.state is not State.IN_FLIGHT:
            raise RefusalError("MessageNotInflight", "The specified message isn't in flight.")
        if now_ms + 1_000 * visibility_timeout_s > message.received_at_ms + 1_000 * MAX_VISIBILITY_S:
            raise invalid_value(
                visibility_timeout_s,
                "VisibilityTimeout",
                f"Total VisibilityTimeout for the message is beyond the limit [{MAX_VISIBILITY_S} seconds]",
            )
        if visibility_timeout_s:
            self._hide(message, State.IN_FLIGHT, now_ms + 1_000 * visibility_timeout_s)
        else:
            self._show(message)

    def delete(self, handle: str, now_ms: int) -> None:
        """Delete a message; the handle of an earlier receive succeeds and does nothing."""
        self.settle(now_ms)
        message, is_current = self._find(handle)
        if message is not None and is_current:
            self._drop(message)

    def purge(self, now_ms: int) -> None:
        """Delete every message, those in flight too."""
        for message in list(self._messages.values()):
            self._drop(message)
        self.purged_at_ms = now_ms

    def settle(self, now_ms: int) -> None:
        """Let everything happen that time has brought: messages become visible, and expire."""
        while self._waking and self._waking[0][0] <= now_ms:
            at_ms, _, message = heapq.heappop(self._waking)
            if message.visible_at_ms == at_ms and message.state in {State.IN_FLIGHT, State.DELAYED}:
                self._show(message)
        while self._expiring and self._expiring[0][0] + 1_000 * self.settings.retention_s <= now_ms:
            self._drop(heapq.heappop(self._expiring)[2])
        if len(self._expiring) > 2 * len(self._messages) + 1_000:
            self._forget_the_gone()

    def next_change_at_ms(self, now_ms: int) -> int | None:
        """Return when a hidden message may become visible, None when there is none."""
        self.settle(now_ms)
        return self._waking[0][0] if self._waking else None

    # -- what a FIFO queue does otherwise

    def _candidates(self) -> Iterator[StoredMessage]:
        """Yield visible messages and take them out of `_visible`."""
        while self._visible:
            if self._behaviour.shuffled:
                self._bring_forward_any()
            message = self._visible.popleft()
            if message.state is State.VISIBLE:
                yield message

    def _room_in_flight(self, limit: int) -> int:
        room = self._behaviour.in_flight_limit - self.counts[State.IN_FLIGHT]
        if room <= 0:
            raise RefusalError("OverLimit", "Too many messages are in flight.")
        return min(room, limit)

    def _hand_out(self, message: StoredMessage, visibility_timeout_s: int, now_ms: int) -> None:
        """Record the receive and hide the message."""
        message.receipts += 1
        message.receive_count += 1
        message.received_at_ms = now_ms
        if message.first_received_at_ms is None:
            message.first_received_at_ms = now_ms
        if not visibility_timeout_s or self._is_duplicated():
            self._show(message)
        else:
            self._hide(message, State.IN_FLIGHT, now_ms + 1_000 * visibility_timeout_s)

    def _is_duplicated(self) -> bool:
        return self._behaviour.duplicates > 0 and self._rng.random() < self._behaviour.duplicates

    def _show(self, message: StoredMessage) -> None:
        self._set_state(message, State.VISIBLE)
        self._visible.append(message)
        self._wake()

    def _hide(self, message: StoredMessage, state: State, until_ms: int) -> None:
        self._set_state(message, state)
        message.visible_at_ms = until_ms
        heapq.heappush(self._waking, (until_ms, self._next_order(), message))

    def _drop(self, message: StoredMessage) -> None:
        """Forget a message; what refers to it finds it gone."""
        if message.state is not State.GONE:
            self._set_state(message, State.GONE)
            del self._messages[message.message_id]

    # -- parts of the above

    def _bring_forward_any(self) -> None:
        """Exchange the first visible message with one that the seed names, near either end: a deque's cheap places."""
        last = len(self._visible) - 1
        near = self._rng.randrange(min(len(self._visible), 64))
        place = near if self._rng.random() < 0.5 else last - near  # noqa: PLR2004 - even odds
        self._visible[0], self._visible[place] = self._visible[place], self._visible[0]

    def _is_exhausted(self, message: StoredMessage) -> bool:
        policy = self.settings.redrive_policy
        return policy is not None and message.receive_count >= policy.max_receive_count

    def _find(self, handle: str) -> tuple[StoredMessage | None, bool]:
        """Return the message of a handle, and whether the handle is that of its last receive."""
        message_id, receipts = read_handle(handle, self.address.name)
        message = self._messages.get(message_id)
        return message, message is not None and message.receipts == receipts

    def _set_state(self, message: StoredMessage, state: State) -> None:
        if message.state is not State.GONE:
            self.counts[message.state] -= 1
        message.state = state
        if state is not State.GONE:
            self.counts[state] += 1

    def _wake(self) -> None:
        for waiter in self.waiters:
            waiter.set()

    def _next_order(self) -> int:
        self._order += 1
        return self._order

    def _forget_the_gone(self) -> None:
        """Free what the heaps still hold of deleted messages; twice the live ones is the most they keep."""
        for heap in (self._waking, self._expiring):
            heap[:] = [entry for entry in heap if entry[2].state is not State.GONE]
            heapq.heapify(heap)
