"""One kept-alive connection: a request's bytes go out, one answer of HTTP/1.1 comes back (RFC 9112).

It is written for one client of one service: no pipelining, no trailers, no encodings. Whatever it does not understand
is a lost answer, never a guess.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from dataclasses import dataclass, field

from opstool.doors.lean.boundedsocket import BoundedSocket

MAX_HEAD_BYTES = 65_536
"""Of status line and headers; those of SQS take some 300."""
MAX_BODY_BYTES = 128 * 1_048_576
"""Ten messages of 1,048,576 bytes (SQS's quota), each byte of which JSON may write as six, and as much again."""
_MAX_INTERIM = 8
"""Interim answers (1xx) before one that counts."""
_DIGITS = frozenset("0123456789abcdefABCDEF")
_NO_BODY = {204, 304}


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
        self._socket = BoundedSocket(connected)
        self._buffer = b""
        self.is_reusable = False

    def ask(self, request: bytes, timeout_s: float) -> Answer:
        """Send a request and return the answer; raise AnswerLostError.

        `timeout_s` bounds each wait for a byte, and ten times that the whole. Where the kernel waits for TLS, the whole
        is looked at between two of its records: OpenSSL does not come back before it has all of one, 16 KiB at most.
        """
        self.is_reusable = False
        try:
            self._socket.begin(timeout_s)
            self._socket.send(request)
            answer = self._answer()
        except (OSError, ValueError) as error:  # ValueError: a number that is none, a text that is not one
            raise AnswerLostError(type(error).__name__) from error
        self._socket.end()
        return answer

    def is_stale(self) -> bool:
        """Tell whether the server has closed, or said something unasked, while nothing was going on."""
        return self._socket.is_stale()

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
            part = self._socket.receive()
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
        received = self._socket.receive()
        if not received:
            raise ConnectionResetError
        return received


def _number(text: str, base: int) -> int:
    """Return a number of digits only: `int` also takes signs, spaces and underscores."""
    if not text or not _DIGITS.issuperset(text):
        raise ValueError
    return int(text, base)
