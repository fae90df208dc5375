"""A connected socket that waits no longer than it is told, each time and in all."""

from __future__ import annotations

import os
import select
import socket
import struct
import sys
import time
from collections.abc import Callable
from ssl import SSLWantReadError, SSLWantWriteError
from typing import TypeVar

PATIENCE = 10
"""Time-outs that the whole of an answer may take: at 30 s each, ten messages of the longest at 300 kbit/s."""
_RECV_BYTES = 65_536
_WOULD_WAIT = (BlockingIOError, SSLWantReadError, SSLWantWriteError)
_TIMEVAL = "ll"
_KERNEL_WAITS = sys.platform in {"linux", "darwin"} and struct.calcsize(_TIMEVAL) == 16  # noqa: PLR2004 - of 64 bits
"""Whether the kernel bounds a wait for us. Python would ask, wait for the socket, and ask again, and it lets go of the
interpreter each time: among a hundred busy threads that is most of what a request costs."""
_TCP_INFO = getattr(socket, "TCP_INFO", None)
_ESTABLISHED = 1
"""In the first byte of Linux's TCP_INFO; a connection that the server has closed is in another state."""
_JUST_USED_S = 1.0
"""For so long only the end of a connection is looked for: servers that speak unasked do so after a longer time."""

T = TypeVar("T")


class BoundedSocket:
    """A socket, plain or TLS, for one exchange after the other. Raises OSError, TimeoutError among it."""

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected
        self._timeout_s = -1.0
        self._gives_up_at_s = 0.0
        self._used_at_s = 0.0
        self._poll = select.poll() if hasattr(select, "poll") else None
        if self._poll:
            self._poll.register(connected, select.POLLIN)

    def begin(self, timeout_s: float) -> None:
        """Begin an exchange: each wait is bounded by `timeout_s`, and all of them by PATIENCE times that.

        So a server that says a byte now and then holds nobody for ever.
        """
        if timeout_s != self._timeout_s:
            self._bound_waits(timeout_s)
        self._gives_up_at_s = time.monotonic() + timeout_s * PATIENCE

    def send(self, content: bytes) -> None:
        """Send all of it."""
        unsent = memoryview(content)
        while unsent:
            unsent = unsent[self._patiently(self._socket.send, unsent) :]

    def receive(self) -> bytes:
        """Return what has come, or comes next; nothing when the server has closed."""
        return self._patiently(self._socket.recv, _RECV_BYTES)

    def end(self) -> None:
        """End an exchange, whose answer is whole."""
        self._used_at_s = time.monotonic()

    def is_stale(self) -> bool:
        """Tell whether the server has closed, or said something unasked, while nothing was going on."""
        if _TCP_INFO is not None and time.monotonic() - self._used_at_s < _JUST_USED_S:
            try:  # unlike a poll it does not let go of the interpreter
                return self._socket.getsockopt(socket.IPPROTO_TCP, _TCP_INFO, 1)[0] != _ESTABLISHED
            except OSError:  # no TCP
                pass
        if self._poll:
            return bool(self._poll.poll(0))
        return bool(select.select([self._socket], [], [], 0)[0])

    def close(self) -> None:
        """Hang up."""
        self._socket.close()

    def _bound_waits(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        if not _KERNEL_WAITS:
            self._socket.settimeout(timeout_s)
            return
        bound = struct.pack(_TIMEVAL, int(timeout_s), max(1, int(timeout_s % 1 * 1e6)))
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, bound)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, bound)
        self._socket.setblocking(False)  # to Python, which then asks once and never waits by itself
        os.set_blocking(self._socket.fileno(), True)

    def _patiently(self, act: Callable[..., T], *given: object) -> T:
        """Return what a call of the socket returns; a signal ends a wait early, and then it goes on."""
        began_s = time.monotonic()
        if began_s > self._gives_up_at_s:
            raise TimeoutError
        while True:
            try:
                return act(*given)
            except _WOULD_WAIT:
                if time.monotonic() - began_s >= self._timeout_s * 0.99:  # clocks differ in their last digits
                    raise TimeoutError from None
