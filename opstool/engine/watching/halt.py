"""The event that ends a run: the person's own, or ours when what is watched says so."""

from __future__ import annotations

import threading
import time

_SLICE_S = 0.1
"""How long either of two events may go unnoticed: one waits for one event only."""


class Halt(threading.Event):
    """Set when it was set itself, or when the person's event is."""

    def __init__(self, person: threading.Event) -> None:
        super().__init__()
        self._person = person

    def is_set(self) -> bool:
        """Tell whether either is."""
        return super().is_set() or self._person.is_set()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for either, `timeout` seconds at most; return whether it came."""
        ends_at = float("inf") if timeout is None else time.monotonic() + timeout
        while not self.is_set() and (left_s := ends_at - time.monotonic()) > 0:
            super().wait(min(left_s, _SLICE_S))
        return self.is_set()
