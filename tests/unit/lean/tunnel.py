"""A loopback proxy for CONNECT: it opens the tunnel that is asked for, or says what it is told to instead."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Self
from urllib.parse import urlsplit

from tests.unit.lean.server import read_request

OPENED = b"HTTP/1.1 200 Connection established\r\n\r\n"
Says = Callable[[socket.socket, threading.Event], None]
"""Writes what it will, until it is done or the event is set."""


class Proxy:
    """Answers CONNECT with `says`; where `to` is the URL of a server, it then carries bytes between both sides."""

    def __init__(self, says: bytes | Says = OPENED, *, to: str | None = None) -> None:
        self.asked: list[bytes] = []
        self._says = says
        self._to = urlsplit(to) if to else None
        self._over = threading.Event()
        self._open: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._start(self._accept)

    def _start(self, act: Callable[..., None], *arguments: socket.socket) -> None:
        self._threads.append(threading.Thread(target=act, args=arguments))
        self._threads[-1].start()

    def _accept(self) -> None:
        while True:
            client, _ = self._socket.accept()
            if self._over.is_set():
                client.close()
                return
            self._open.append(client)
            self._start(self._serve, client)

    def _serve(self, client: socket.socket) -> None:
        self.asked.append(read_request(client))
        try:
            if callable(self._says):
                self._says(client, self._over)
            else:
                client.sendall(self._says)
        except OSError:  # the client has had enough
            pass
        if self._to:
            server = socket.create_connection((self._to.hostname, self._to.port))
            self._open.append(server)
            self._start(_carry, client, server)
            _carry(server, client)
        elif not callable(self._says):
            _end(client)

    def await_ends(self) -> None:
        """Wait until every tunnel that a server has closed is closed to its client, too."""
        for thread in self._threads[1:]:
            thread.join()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self._over.set()
        with socket.create_connection(self._socket.getsockname()):
            pass
        for each in self._open:
            _end(each)
        for thread in self._threads:
            thread.join()
        for each in (*self._open, self._socket):
            each.close()


def _carry(source: socket.socket, sink: socket.socket) -> None:
    try:
        while data := source.recv(65_536):
            sink.sendall(data)
    except OSError:  # either has hung up
        pass
    _end(sink)


def _end(connection: socket.socket) -> None:
    with suppress(OSError):  # closed already
        connection.shutdown(socket.SHUT_RDWR)
