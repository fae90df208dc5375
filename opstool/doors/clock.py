"""Time, so that every wait and every age in the project can be driven by a test."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Protocol


class Clock(Protocol):
    """Wall time, monotonic time, waiting, and work that repeats; all in seconds."""

    def wall(self) -> float:
        """Return seconds since the epoch: what SQS's timestamps are compared with."""

    def monotonic(self) -> float:
        """Return seconds that never run backwards, but stand still while a laptop sleeps."""

    def sleep(self, seconds: float, stop: threading.Event | None = None) -> None:
        """Wait, or return early when `stop` is set."""

    def every(self, seconds: float, action: Callable[[], None]) -> Callable[[], None]:
        """Repeat `action` beside the caller's work; the returned function ends it and waits until it has ended."""


class SystemClock:
    """The machine's own clock; repeating work runs in a daemon thread."""

    def wall(self) -> float:
        """Return `time.time()`."""
        return time.time()

    def monotonic(self) -> float:
        """Return `time.monotonic()`."""
        return time.monotonic()

    def sleep(self, seconds: float, stop: threading.Event | None = None) -> None:
        """Wait for real; a set `stop` ends the wait."""
        (stop or threading.Event()).wait(max(0.0, seconds))

    def every(self, seconds: float, action: Callable[[], None]) -> Callable[[], None]:
        """Run `action` in a thread of its own until the returned function is called."""
        ended = threading.Event()

        def loop() -> None:
            while not ended.wait(seconds):
                action()

        thread = threading.Thread(target=loop, name="opstool-every", daemon=True)
        thread.start()

        def end() -> None:
            ended.set()
            if thread is not threading.current_thread():
                thread.join()

        return end
