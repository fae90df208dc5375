"""A pace for sends: a token bucket over an injected clock."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator, Sequence
from typing import TypeVar

from opstool.doors.clock import Clock
from opstool.doors.sqs import MAX_BATCH_ENTRIES
from opstool.words.errors import UsageError

_T = TypeVar("_T")


_SLOWEST_RATE = 1e-6
"""A message in eleven days, of the fourteen that SQS keeps one; and no clock of a machine can wait for ever."""


def check_rate(rate: float | None) -> None:
    """Raise UsageError when nothing could be sent at this rate; None is no bound."""
    if rate is not None and not (rate > 0 and math.isfinite(rate)):
        raise UsageError("the rate must be a number of messages a second above 0", code="invalid_rate")
    if rate is not None and rate < _SLOWEST_RATE:
        raise UsageError(f"the rate must be at least {_SLOWEST_RATE:f} messages a second", code="invalid_rate")


class Throttle:
    """Let `rate` messages a second pass, shared by all workers; None: no bound. Thread-safe.

    `batch` is how many may pass at once: what a second brings, one at least and ten (a batch of SQS) at most. Over any
    stretch of T seconds at most rate * T + batch messages pass, and one batch more at most when a wait has ended late:
    what comes late by less than a batch's time is made up for, so the average does not drift. Every attempt counts,
    whether it is taken or not.
    """

    def __init__(self, rate: float | None, clock: Clock) -> None:
        self._rate = rate
        self._clock = clock
        self._turn = threading.Lock()
        self._free_at = clock.monotonic()
        self.batch = MAX_BATCH_ENTRIES if rate is None else max(1, min(MAX_BATCH_ENTRIES, math.floor(rate)))

    def pieces(self, batch: Sequence[_T]) -> Iterator[Sequence[_T]]:
        """Cut a batch so that each piece may pass at once, order kept; without a rate it stays whole."""
        size = self.batch if self._rate is not None else max(1, len(batch))
        return (batch[begin : begin + size] for begin in range(0, max(1, len(batch)), size))

    def acquire(self, messages: int, stop: threading.Event) -> bool:
        """Wait until `messages` (one of `pieces`) may pass; return False when `stop` was set before they might.

        The bucket is kept as the moment at which it is full again: every message moves that moment by 1 / rate. It is
        counted from when these might have passed, not from when their wait really ended. An idle bucket saves nothing
        up, so a pause is never followed by a burst.
        """
        if self._rate is None:
            return True
        asked_at = self._clock.monotonic()
        with self._turn:  # one waits for the clock, the others for it; a stop ends its wait, and so theirs
            wait_s = self._free_at - self._clock.monotonic()
            if wait_s > 0:
                self._clock.sleep(wait_s, stop)
                if stop.is_set():
                    return False
            latest = self._clock.monotonic() - self.batch / self._rate
            begin = max(self._free_at, asked_at, latest)
            self._free_at = begin + messages / self._rate
        return True


_BACKOFF_BASE_S = 0.2
_BACKOFF_CAP_S = 5.0


def backoff_s(attempt: int, chance: float) -> float:
    """Return how long to wait before try number `attempt` (from 1); `chance` in [0, 1) spreads the callers.

    Full jitter: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
    """
    return chance * min(_BACKOFF_CAP_S, _BACKOFF_BASE_S * 2.0**attempt)
