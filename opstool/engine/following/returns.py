"""Recognise our own messages among those of a dead-letter queue."""

from __future__ import annotations

import threading
from collections.abc import Iterable

from opstool.words.fate import Copy, Returned
from opstool.words.logevent import Sought
from opstool.words.message import Message
from opstool.words.times import CLOCKS_AGREE_MS


class Returns:
    """What was sent, and what of it came back; thread-safe.

    SQS keeps a message's id when it moves it, so the id that our send was answered with is the proof. Some servers give
    a new one: there the body tells, together with the SentTimestamp, which is that of our send, and only probably.
    """

    def __init__(self, copies: Iterable[Copy] = ()) -> None:
        self._lock = threading.Lock()
        self._by_id: dict[str, Copy] = {}
        self._by_body: dict[str, list[Copy]] = {}
        self._since_ms: float = float("inf")
        self.found: dict[str, Returned] = {}
        """By the id that it had before; the same message is found once."""
        self.sought: dict[str, Sought] = {}
        """What the logs can be asked about it, by the id that it has now."""
        self.expect(copies)

    def expect(self, copies: Iterable[Copy]) -> None:
        """Reckon with these too."""
        with self._lock:
            for copy in copies:
                if copy.new_id is None:
                    continue
                self._by_id[copy.new_id] = copy
                self._by_body.setdefault(copy.body_sha256, []).append(copy)
                self._since_ms = min(self._since_ms, copy.sent_from_ms)

    def is_return(self, message: Message, *, keeps_sent_at: bool) -> bool:
        """Tell whether this is one of them, and remember it. `keeps_sent_at`: not on FIFO, whose clock starts anew."""
        with self._lock:
            copy = self._by_id.get(message.message_id)
            probable = copy is None
            if copy is None and keeps_sent_at:
                copy = self._by_its_body(message)
            if copy is None:
                return False
            self._note(copy, Sought.of(message), probable=probable)
            return True

    def note(self, sought: Sought) -> None:
        """Remember one that is known to be ours by the id that it has now."""
        with self._lock:
            copy = self._by_id.get(sought.message_id)
            if copy is not None:
                self._note(copy, sought, probable=False)

    def _note(self, copy: Copy, sought: Sought, *, probable: bool) -> None:
        self.found[copy.message_id] = Returned(message_id=copy.message_id, new_id=sought.message_id, probable=probable)
        self.sought[sought.message_id] = sought

    def _by_its_body(self, message: Message) -> Copy | None:
        """Return the copy with this body that was sent at this moment, and was not found yet; None without one."""
        if message.sent_at_ms < self._since_ms - CLOCKS_AGREE_MS:  # most were there before; their bodies are not hashed
            return None
        for copy in self._by_body.get(message.body_sha256, ()):
            in_time = copy.sent_from_ms - CLOCKS_AGREE_MS <= message.sent_at_ms <= copy.sent_to_ms + CLOCKS_AGREE_MS
            if in_time and copy.message_id not in self.found:
                return copy
        return None
