"""The time of the emulated queues and logs: the clock's, plus what was skipped."""

from __future__ import annotations

from opstool.doors.clock import Clock, SystemClock


class EmulatorTime:
    """A clock that can be moved forward, so that nobody waits for a visibility timeout or a retention period."""

    def __init__(self) -> None:
        self._clock: Clock = SystemClock()
        self._skipped_s = 0.0

    def follow(self, clock: Clock) -> None:
        """Take the time from `clock` from now on, with nothing skipped."""
        self._clock = clock
        self._skipped_s = 0.0

    def skip(self, seconds: float) -> None:
        """Move forward; never back, because messages already carry the later time."""
        if seconds < 0:
            raise ValueError("time moves forward only")
        self._skipped_s += seconds

    def seconds(self, _: object = None) -> float:
        """Return seconds since the epoch. The argument is moto's, which never gives one here."""
        return self._clock.wall() + self._skipped_s

    def millis(self, _: object = None) -> float:
        """Return milliseconds since the epoch."""
        return self.seconds() * 1000.0


NOW = EmulatorTime()
