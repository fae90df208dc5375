"""The way to a server: its address, TLS, and the proxy that stands before it."""

from __future__ import annotations

import re
import socket
import time
from dataclasses import dataclass, field
from ssl import SSLContext, SSLError
from urllib.parse import urlsplit

from opstool.doors.lean.connection import MAX_HEAD_BYTES, AnswerLostError, Connection, NotConnectedError

_PORTS = {"http": 80, "https": 443}
_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})[ \r]")


@dataclass(frozen=True, kw_only=True)
class Route:
    """Where to connect. `proxy_url` is a plain one without a password; `context` is needed for https alone."""

    url: str
    timeout_s: float
    context: SSLContext | None = field(default=None, repr=False)
    proxy_url: str | None = None
    keeps_alive: bool = False

    @property
    def is_absolute(self) -> bool:
        """Tell whether requests name the whole URL: what a proxy forwards without a tunnel."""
        return self.proxy_url is not None and urlsplit(self.url).scheme == "http"

    def open(self) -> Connection:
        """Return a new connection; raise NotConnectedError."""
        host, port = _address(self.url)
        try:
            connected = socket.create_connection(_address(self.proxy_url or self.url), self.timeout_s)
        except (OSError, UnicodeError) as error:  # a name that is none is a UnicodeError
            raise NotConnectedError(f"`{host}:{port}` does not answer ({_reason(error)})") from error
        try:
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.keeps_alive:
                connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            if self.context:
                if self.proxy_url:
                    self._tunnel(connected, host, port)
                connected = self.context.wrap_socket(connected, server_hostname=host)
        except (OSError, ValueError, AnswerLostError) as error:
            connected.close()
            raise NotConnectedError(f"no secure connection to `{host}:{port}` ({_reason(error)})") from error
        except BaseException:
            connected.close()
            raise
        return Connection(connected)

    def _tunnel(self, connected: socket.socket, host: str, port: int) -> None:
        """Ask the proxy for a tunnel: RFC 9110, CONNECT. It says nothing more before we do.

        `timeout_s` bounds all of it, so that a proxy which says a byte now and then holds nobody.
        """
        name = f"[{host}]" if ":" in host else host
        connected.sendall(f"CONNECT {name}:{port} HTTP/1.1\r\nHost: {name}:{port}\r\n\r\n".encode("ascii"))
        gives_up_at_s = time.monotonic() + self.timeout_s
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            left_s = gives_up_at_s - time.monotonic()
            if left_s <= 0:
                raise TimeoutError
            connected.settimeout(left_s)
            byte = connected.recv(1)  # no more: what follows is TLS's
            head += byte
            if not byte:
                raise AnswerLostError("the proxy hung up")
            if len(head) > MAX_HEAD_BYTES:
                raise AnswerLostError("the proxy does not come to an end")
        status = _STATUS.match(head)
        if status is None:
            raise AnswerLostError("the proxy does not speak HTTP")
        if status[1] != b"200":
            raise AnswerLostError(f"the proxy says {status[1].decode('ascii')}")
        connected.settimeout(self.timeout_s)


def _address(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or _PORTS[parts.scheme]


def _reason(error: Exception) -> str:
    """Return why, in a few words of the system."""
    if isinstance(error, SSLError):
        return getattr(error, "verify_message", "") or error.reason or "TLS"
    if isinstance(error, TimeoutError):
        return "timed out"
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    return str(error) or type(error).__name__
