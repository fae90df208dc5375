"""The way to a server: its address, TLS, and the proxy that stands before it."""

from __future__ import annotations

import socket
from dataclasses import dataclass, field
from ssl import SSLContext, SSLError
from urllib.parse import urlsplit

from opstool.doors.lean.connection import AnswerLostError, Connection, NotConnectedError

_PORTS = {"http": 80, "https": 443}


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
        """Ask the proxy for a tunnel: RFC 9110, CONNECT. It says nothing more before we do."""
        name = f"[{host}]" if ":" in host else host
        connected.sendall(f"CONNECT {name}:{port} HTTP/1.1\r\nHost: {name}:{port}\r\n\r\n".encode("ascii"))
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            byte = connected.recv(1)  # no more: what follows is TLS's
            head += byte
            if not byte or len(head) > 65_536:  # noqa: PLR2004 - as a head of an answer
                raise AnswerLostError("the proxy hung up")
        status = head.split(b" ", 2)[1:2]
        if status != [b"200"]:
            raise AnswerLostError(f"the proxy says {status[0].decode('latin-1')[:3] if status else 'nothing'}")


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
