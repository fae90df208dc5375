"""One FIFO queue of the fake: groups in order, locked while one of their messages is in flight, and deduplication.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/FIFO-queues-understanding-logic.html
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from opstool.fake.queue import StandardQueue
from opstool.fake.refusal import RefusalError, invalid_value
from opstool.fake.stored import State, StoredMessage

DEDUPLICATION_INTERVAL_S = 300
_FIRST_SEQUENCE_NUMBER = 18_849_496_460_467_696_128
_MOST_AT_ONCE = 10


@dataclass(eq=False)
class _Group:
    """The messages of one group in their order; `is_open` says that the group stands in the list of open groups."""

    messages: OrderedDict[str, StoredMessage] = field(default_factory=OrderedDict)
    in_flight: int = 0
    is_open: bool = False


class FifoQueue(StandardQueue):
    """A queue with order in each group, and one delivery for each deduplication id within five minutes."""

    def __init__(self, **parts: Any) -> None:
        super().__init__(**parts)
        self._groups: dict[str, _Group] = {}
        self._open: deque[_Group] = deque()
        self._sequence_number = _FIRST_SEQUENCE_NUMBER
        self._accepted: OrderedDict[tuple[str, str], tuple[int, StoredMessage]] = OrderedDict()

    def deduplication_id(self, body: str, given: str | None) -> str:
        """Return the id that this message is known by for five minutes."""
        if given is not None:
            return given
        if self.settings.values["ContentBasedDeduplication"] != "true":
            raise RefusalError(
                "InvalidParameterValue",
                "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided "
                "explicitly",
            )
        return hashlib.sha256(body.encode()).hexdigest()

    def put(self, message: StoredMessage, now_ms: int, delay_s: int) -> StoredMessage:
        """Take a message in, or return the one that was accepted under the same deduplication id."""
        known = self._known(message, now_ms)
        if known is not None:
            return known
        self._sequence_number += 256
        message.sequence_number = str(self._sequence_number)
        self._accepted[self._key(message)] = (now_ms, message)
        self._group(message).messages[message.message_id] = message
        return super().put(message, now_ms, delay_s)

    def delete(self, handle: str, now_ms: int) -> None:
        """Delete a message in flight; refuse a handle whose time is over."""
        self.settle(now_ms)
        message, is_current = self._find(handle)
        if message is None:
            return
        if not is_current or message.state is not State.IN_FLIGHT:
            raise invalid_value(handle, "ReceiptHandle", "The receipt handle has expired.")
        self._drop(message)

    def _known(self, message: StoredMessage, now_ms: int) -> StoredMessage | None:
        """Return the message that a deduplication id stands for, and forget the ids whose interval is over."""
        while self._accepted:
            key, (at_ms, _) = next(iter(self._accepted.items()))
            if at_ms + 1_000 * DEDUPLICATION_INTERVAL_S > now_ms:
                break
            del self._accepted[key]
        return self._accepted.get(self._key(message), (0, None))[1]

    def _key(self, message: StoredMessage) -> tuple[str, str]:
        is_by_group = self.settings.values["DeduplicationScope"] == "messageGroup"
        return (message.group_id or "" if is_by_group else "", message.deduplication_id or "")

    def _group(self, message: StoredMessage) -> _Group:
        return self._groups.setdefault(message.group_id or "", _Group())

    def _candidates(self) -> Iterator[StoredMessage]:
        read: list[_Group] = []  # still marked as open, so that each group is read once in a receive
        try:
            while self._open:
                if self._behaviour.shuffled:
                    self._open.rotate(-self._rng.randrange(min(len(self._open), 8)))
                group = self._open.popleft()
                read.append(group)
                if not group.in_flight:
                    yield from self._heads(group)
        finally:
            for group in read:
                group.is_open = False
                self._open_if_free(group)

    def _heads(self, group: _Group) -> Iterator[StoredMessage]:
        """Yield the messages of a group from its head, up to the first that is not visible."""
        taken: set[str] = set()
        while True:
            front = islice(group.messages.values(), len(taken) + _MOST_AT_ONCE)
            fresh = [message for message in front if message.message_id not in taken]
            if not fresh:
                return
            for message in fresh:
                if message.state is not State.VISIBLE:
                    return
                yield message
                if message.state is State.VISIBLE:  # not dead-lettered by the one who asked
                    taken.add(message.message_id)

    def _room_in_flight(self, limit: int) -> int:
        return max(0, min(limit, self._behaviour.in_flight_limit - self.counts[State.IN_FLIGHT]))

    def _is_duplicated(self) -> bool:
        return False

    def _set_state(self, message: StoredMessage, state: State) -> None:
        """Count what is in flight in the group, and open the group when that was the last."""
        group = self._group(message)
        group.in_flight += (state is State.IN_FLIGHT) - (message.state is State.IN_FLIGHT)
        super()._set_state(message, state)
        self._open_if_free(group)

    def _open_if_free(self, group: _Group) -> None:
        """Let a group be read whose first message is visible and none in flight."""
        if group.is_open or group.in_flight or not group.messages:
            return
        if next(iter(group.messages.values())).state is State.VISIBLE:
            group.is_open = True
            self._open.append(group)
            self._wake()

    def _show(self, message: StoredMessage) -> None:
        self._set_state(message, State.VISIBLE)

    def _drop(self, message: StoredMessage) -> None:
        if message.state is State.GONE:
            return
        group = self._group(message)
        del group.messages[message.message_id]
        super()._drop(message)
        if not group.messages:
            del self._groups[message.group_id or ""]
