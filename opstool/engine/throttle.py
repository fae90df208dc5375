"""A pace for sends: a token bucket over an injected clock."""

from __future__ import annotations

import math
import threading

from opstool.doors.clock import Clock
from opstool.words.errors import UsageError


def check_rate(rate: float | None) -> None:
    """Raise UsageError when nothing could be sent at this rate; None is no bound."""
    if rate is not None and not (rate > 0 and math.isfinite(rate)):
        raise UsageError("the rate must be a number of messages a second above 0", code="invalid_rate")


class Throttle:
    """Let at most `rate` messages a second pass, and one batch more over any stretch of time; None: no bound."""

    def __init__(self, rate: float | None, clock: Clock) -> None:
        self._rate = rate
        self._clock = clock
        self._lock = threading.Lock()
        self._free_at = clock.monotonic()

    def acquire(self, messages: int, stop: threading.Event) -> bool:
        """Wait until `messages` may pass; return False when `stop` was set before they might.

        The bucket is kept as the moment at which it is full again: every message moves that moment by 1 / rate, and
        whoever comes before it waits. An idle bucket saves nothing up, so a pause is never followed by a burst.
        """
        if self._rate is None:
            return True
        with self._lock:
            now = self._clock.monotonic()
            begin = max(now, self._free_at)
            self._free_at = begin + messages / self._rate
        if begin <= now:
            return True
        self._clock.sleep(begin - now, stop)
        return not stop.is_set()


_BACKOFF_BASE_S = 0.2
_BACKOFF_CAP_S = 5.0


def backoff_s(attempt: int, chance: float) -> float:
    """Return how long to wait before try number `attempt` (from 1); `chance` in [0, 1) spreads the callers.

    Full jitter: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
    """
    return chance * min(_BACKOFF_CAP_S, _BACKOFF_BASE_S * 2.0**attempt)
