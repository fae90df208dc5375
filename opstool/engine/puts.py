"""The puts that are under way: what they send can come back before their answer does."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class PutsUnderWay:
    """Knows which puts have begun and not ended; thread-safe."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._running: set[int] = set()
        self._number = 0

    @contextmanager
    def one_more(self) -> Iterator[None]:
        """Be under way for as long as the block lasts; in it everything must be noted by which a return is known."""
        with self._changed:
            self._number += 1
            number = self._number
            self._running.add(number)
        try:
            yield
        finally:
            with self._changed:
                self._running.discard(number)
                self._changed.notify_all()

    def wait_for_those_now(self) -> None:
        """Wait until every put that is under way now has ended; later ones do not matter."""
        with self._changed:
            now = set(self._running)
            self._changed.wait_for(lambda: not now & self._running)
