"""One kept-alive connection: a request's bytes go out, one answer of HTTP/1.1 comes back (RFC 9112).

It is written for one client of one service: no pipelining, no trailers, no encodings. Whatever it does not understand
is a lost answer, never a guess.
"""

from __future__ import annotations

import os
import select
import socket
import struct
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from ssl import SSLWantReadError, SSLWantWriteError
from typing import TypeVar

MAX_HEAD_BYTES = 65_536
"""Of status line and headers; those of SQS take some 300."""
MAX_BODY_BYTES = 128 * 1_048_576
"""Ten messages of 1,048,576 bytes (SQS's quota), each byte of which JSON may write as six, and as much again."""
PATIENCE = 10
"""Time-outs that the whole of an answer may take: at 30 s each, ten messages of the longest at 300 kbit/s."""
_MAX_INTERIM = 8
"""Interim answers (1xx) before one that counts."""
_RECV_BYTES = 65_536
_DIGITS = frozenset("0123456789abcdefABCDEF")
_NO_BODY = {204, 304}
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


class AnswerLostError(Exception):
    """The request may have been carried out, and its answer is not known."""


class NotConnectedError(Exception):
    """Nothing was sent; the text says why, for a person."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What a server said; the names of `headers` are lower-case."""

    status: int
    headers: Mapping[str, str]
    content: bytes = field(repr=False)


class Connection:
    """A connected socket, plain or TLS. One thread uses it at a time; after an error it is of no use any more."""

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected
        self._buffer = b""
        self._timeout_s = -1.0
        self._gives_up_at_s = 0.0
        self._used_at_s = 0.0
        self._poll = select.poll() if hasattr(select, "poll") else None
        if self._poll:
            self._poll.register(connected, select.POLLIN)
        self.is_reusable = False

    def ask(self, request: bytes, timeout_s: float) -> Answer:
        """Send a request and return the answer; raise AnswerLostError.

        `timeout_s` bounds each wait for a byte, and PATIENCE times that the whole: a server that says a byte now and
        then holds nobody for ever. Where the kernel waits for TLS, the whole is looked at between two of its records:
        OpenSSL does not come back before it has all of one, 16 KiB at most.
        """
        self.is_reusable = False
        try:
            if timeout_s != self._timeout_s:
                self._bound_waits(timeout_s)
            self._gives_up_at_s = time.monotonic() + timeout_s * PATIENCE
            unsent = memoryview(request)
            while unsent:
                unsent = unsent[self._patiently(self._socket.send, unsent) :]
            answer = self._answer()
        except (OSError, ValueError) as error:  # ValueError: a number that is none, a text that is not one
            raise AnswerLostError(type(error).__name__) from error
        self._used_at_s = time.monotonic()
        return answer

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

    def _bound_waits(self, timeout_s: float) -> None:
        """Let no wait of the socket take longer."""
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
        """Return what a call of the socket returns; raise TimeoutError when it waited too long, or all of them did.

        A signal ends a wait early, and then it goes on.
        """
        began_s = time.monotonic()
        if began_s > self._gives_up_at_s:
            raise TimeoutError
        while True:
            try:
                return act(*given)
            except _WOULD_WAIT:
                if time.monotonic() - began_s >= self._timeout_s * 0.99:  # clocks differ in their last digits
                    raise TimeoutError from None

    def close(self) -> None:
        """Hang up."""
        self._socket.close()

    def _answer(self) -> Answer:
        for _ in range(_MAX_INTERIM):
            version, status, headers = self._head()
            if status >= 200:  # noqa: PLR2004 - HTTP's own number
                break
        else:
            raise ValueError
        content, is_delimited = self._content(version, status, headers)
        said = headers.get("connection", "").lower()
        keeps = "close" not in said and (version == "HTTP/1.1" or "keep-alive" in said)
        self.is_reusable = keeps and is_delimited and not self._buffer
        return Answer(status=status, headers=headers, content=content)

    def _head(self) -> tuple[str, int, dict[str, str]]:
        while (end := self._buffer.find(b"\r\n\r\n")) < 0:
            if len(self._buffer) > MAX_HEAD_BYTES:
                raise ValueError
            self._more()
        if end > MAX_HEAD_BYTES:
            raise ValueError
        first, *lines = self._buffer[:end].decode("latin-1").split("\r\n")
        self._buffer = self._buffer[end + 4 :]
        version, status = first.split(" ", 2)[:2]
        if version not in {"HTTP/1.1", "HTTP/1.0"} or len(status) != 3 or not status.isdecimal():  # noqa: PLR2004
            raise ValueError
        headers: dict[str, str] = {}
        for line in lines:
            name, colon, value = line.partition(":")
            if not colon:
                raise ValueError
            name, value = name.lower(), value.strip()
            if name == "content-length" and headers.get(name, value) != value:
                raise ValueError
            headers[name] = value
        return version, int(status), headers

    def _content(self, version: str, status: int, headers: Mapping[str, str]) -> tuple[bytes, bool]:
        """Return the body, and whether everybody agrees on where it ended, without the end of the connection."""
        if status in _NO_BODY:
            return b"", True
        if "transfer-encoding" in headers:
            if headers["transfer-encoding"].lower() != "chunked":
                raise ValueError
            # RFC 9112, 6.1: with a length beside it, or from 1.0, somebody on the way may see another end.
            return self._chunks(), version == "HTTP/1.1" and "content-length" not in headers
        length = headers.get("content-length")
        if length is None:
            return self._rest(), False
        return self._exactly(_number(length, 10)), True

    def _exactly(self, length: int) -> bytes:
        """Return the next bytes, so many."""
        if length > MAX_BODY_BYTES:
            raise ValueError
        have = len(self._buffer)
        if have < length:
            parts = [self._buffer]
            while have < length:
                parts.append(self._received())
                have += len(parts[-1])
            self._buffer = b"".join(parts)
        content, self._buffer = self._buffer[:length], self._buffer[length:]
        return content

    def _chunks(self) -> bytes:
        parts: list[bytes] = []
        total = 0
        while size := _number(self._line().split(";", 1)[0].strip(), 16):
            total += size
            if total > MAX_BODY_BYTES:
                raise ValueError
            parts.append(self._exactly(size))
            if self._exactly(2) != b"\r\n":
                raise ValueError
        while trailer := self._line():
            total += len(trailer)
            if total > MAX_BODY_BYTES:
                raise ValueError
        return b"".join(parts)

    def _rest(self) -> bytes:
        parts: list[bytes] = []
        total, part = 0, self._buffer
        self._buffer = b""
        while part or not parts:
            parts.append(part)
            total += len(part)
            if total > MAX_BODY_BYTES:
                raise ValueError
            part = self._patiently(self._socket.recv, _RECV_BYTES)
        return b"".join(parts)

    def _line(self) -> str:
        while (end := self._buffer.find(b"\r\n")) < 0:
            if len(self._buffer) > MAX_HEAD_BYTES:
                raise ValueError
            self._more()
        line, self._buffer = self._buffer[:end], self._buffer[end + 2 :]
        return line.decode("latin-1")

    def _more(self) -> None:
        received = self._received()
        self._buffer = self._buffer + received if self._buffer else received

    def _received(self) -> bytes:
        received = self._patiently(self._socket.recv, _RECV_BYTES)
        if not received:
            raise ConnectionResetError
        return received


def _number(text: str, base: int) -> int:
    """Return a number of digits only: `int` also takes signs, spaces and underscores."""
    if not text or not _DIGITS.issuperset(text):
        raise ValueError
    return int(text, base)
