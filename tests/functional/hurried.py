"""A clock that runs ahead of the machine's: an embedded AWS and the command line that share it wait less, together."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from opstool.doors.clock import SystemClock


class HurriedClock:
    """Real time, so many times faster; what is waited for is shorter by as much.

    Moving only the queues' time forward would let leases lapse of which the command line believes that they last.
    """

    def __init__(self, speed: float) -> None:
        self._speed = speed
        self._wall, self._monotonic = time.time(), time.monotonic()
        self._clock = SystemClock()

    def wall(self) -> float:
        """Return seconds since the epoch; it starts at the real time."""
        return self._wall + self._passed()

    def monotonic(self) -> float:
        """Return seconds that never run backwards."""
        return self._monotonic + self._passed()

    def sleep(self, seconds: float, stop: threading.Event | None = None) -> None:
        """Wait for a part of the time; a set `stop` ends the wait."""
        self._clock.sleep(seconds / self._speed, stop)

    def every(self, seconds: float, action: Callable[[], None]) -> Callable[[], None]:
        """Repeat the action that much more often."""
        return self._clock.every(seconds / self._speed, action)

    def _passed(self) -> float:
        return (time.monotonic() - self._monotonic) * self._speed
