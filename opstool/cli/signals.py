"""Ctrl-C and SIGTERM: the first finishes what is in hand and releases the rest, the second leaves now.

Around an engine's work the first sets the toolkit's `stop`; elsewhere (a prompt, a look-up) it is an ordinary
KeyboardInterrupt. The journal is on disk before every act, so leaving now loses no more than a crash does.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any, Self

from opstool.cli.notices import Notices
from opstool.words.errors import InterruptedRunError

if TYPE_CHECKING:
    from opstool.doors.toolkit import Toolkit

_FLUSH_S = 0.5
_SAME_S = 0.05
"""Two signals this close are one request: `timeout` and others signal the process and then its whole group."""
_INTERRUPTED = 130


class Interrupts:
    """The signals of one invocation; a context manager that gives them back. Does nothing outside the main thread."""

    def __init__(
        self, leave: Callable[[int], None] = os._exit, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._leave = leave
        self._monotonic = monotonic
        self._before: dict[int, Any] = {}
        self._kit: Toolkit | None = None
        self._stop: threading.Event | None = None
        self._notices: Notices | None = None
        self._seen = 0
        self._seen_at = 0.0

    def __enter__(self) -> Self:
        """Take the signals over."""
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give the signals back."""
        for number, handler in self._before.items():
            signal.signal(number, handler)

    @contextmanager
    def graceful(self, kit: Toolkit, notices: Notices) -> Iterator[None]:
        """Let the first signal end the work of this toolkit in good order."""
        self._kit, self._stop, self._notices = kit, kit.stop, notices
        try:
            yield
        finally:
            self._stop = None

    def _handle(self, _number: int, _frame: FrameType | None) -> None:
        now = self._monotonic()
        if self._seen and now - self._seen_at < _SAME_S:
            return
        self._seen, self._seen_at = self._seen + 1, now
        if self._seen > 1:
            self._leave_now()
        elif self._stop is None:
            raise KeyboardInterrupt
        else:
            # In a thread of its own: the interrupted one may hold the lock of the event or of stderr.
            threading.Thread(target=self._stop_gently, args=(self._stop,), daemon=True).start()

    def _stop_gently(self, stop: threading.Event) -> None:
        stop.set()
        if self._notices and self._kit:
            self._notices.line(f"interrupted: {self._kit.at_stop} (again: leave now)")

    def _leave_now(self) -> None:
        flush = threading.Thread(target=_flush, daemon=True)
        flush.start()
        flush.join(_FLUSH_S)
        self._leave(_INTERRUPTED)


def check_not_stopped(kit: Toolkit) -> None:
    """Raise InterruptedRunError when the person has asked to stop before anything was begun."""
    if kit.stop.is_set():
        raise InterruptedRunError("interrupted; nothing was changed")


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, RuntimeError):
            stream.flush()
