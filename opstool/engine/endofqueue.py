"""When a queue has nothing more for us: SQS does not say so (docs/decisions/0004)."""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence

from opstool.doors.clock import Clock
from opstool.doors.sqs import MAX_BATCH_ENTRIES
from opstool.words.times import CLOCKS_AGREE_MS

EMPTY_RECEIVES_TO_END = 3
"""Long polls in a row, over all workers, that must come back empty: a single one proves nothing."""


class EndOfQueue:
    """Decides when there is nothing more: enough empty receives, and nothing that we know to be only hidden.

    Thread-safe. `began_ms` is SQS's time at the beginning; without it no message is too late to be waited for.
    """

    def __init__(self, clock: Clock, *, began_ms: int | None = None) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._empty = 0
        self._blind_until = clock.monotonic()
        self._late_after_ms = math.inf if began_ms is None else began_ms + CLOCKS_AGREE_MS

    def saw(self, messages: int) -> None:
        """Note what a receive brought that was new; an empty one proves nothing while something may be hidden."""
        with self._lock:
            blind = self._clock.monotonic() < self._blind_until
            self._empty = 0 if messages or blind else self._empty + 1

    def saw_sent_at(self, sent_at_ms: Sequence[int]) -> None:
        """Note when the new messages of a receive were sent.

        Where messages never cease to die a queue is never empty. What was sent after we began does not keep us, unless
        the receive was full of it: then there may be older ones behind it.
        """
        full = len(sent_at_ms) >= MAX_BATCH_ENTRIES
        self.saw(len(sent_at_ms) if full else sum(each <= self._late_after_ms for each in sent_at_ms))

    def blind_for(self, seconds: float) -> None:
        """Note that messages may be hidden for so long: a receive whose answer was lost, a dead process's leases."""
        if seconds > 0:
            with self._lock:
                self._blind_until = max(self._blind_until, self._clock.monotonic() + seconds)
                self._empty = 0

    def begin_anew(self) -> None:
        """Forget what was seen: messages have been released, and can be received again."""
        with self._lock:
            self._empty = 0

    @property
    def reached(self) -> bool:
        """Tell whether the queue has nothing more for us."""
        return self._empty >= EMPTY_RECEIVES_TO_END
