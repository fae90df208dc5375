"""An HTTP server on 127.0.0.1 and a free port, which leaves neither a thread nor a socket behind when it is closed."""

from __future__ import annotations

import socket
import sys
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Loopback(ThreadingHTTPServer):
    """Serve with `handler`, a thread a connection, until closed; the threads are named after `name`.

    `failures` is what a handler did not expect.
    """

    daemon_threads = False  # so that closing waits for them
    request_queue_size = 128

    def __init__(self, handler: type[BaseHTTPRequestHandler], name: str) -> None:
        self._name = name
        self._connections: set[socket.socket] = set()
        self._lock = threading.Lock()
        self.failures: list[BaseException] = []
        super().__init__(("127.0.0.1", 0), handler)
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, name=name)
        self._thread.start()

    @property
    def url(self) -> str:
        """Return the address, http://127.0.0.1:PORT."""
        return f"http://127.0.0.1:{self.server_port}"

    def close(self) -> None:
        """Take no more connections, end those that are open, and wait for what is being answered."""
        self.shutdown()
        self._thread.join()
        with self._lock:
            for connection in self._connections:
                with suppress(OSError):  # its client was faster
                    connection.shutdown(socket.SHUT_RD)
        self.server_close()

    def get_request(self) -> tuple[socket.socket, Any]:
        """Accept a connection, and remember it."""
        connection, address = super().get_request()
        with self._lock:
            self._connections.add(connection)
        return connection, address

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answer what comes over one connection."""
        threading.current_thread().name = f"{self._name}-connection"
        super().process_request_thread(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Close a connection without a FIN of its own: a handler may have asked for a reset."""
        with self._lock:
            self._connections.discard(request)
        self.close_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Keep what a handler did not expect; a client that has gone away is none of it."""
        error = sys.exc_info()[1]
        if error and not isinstance(error, ConnectionError):
            self.failures.append(error)


class SqsHandler(BaseHTTPRequestHandler):
    """The parts of a handler that do not depend on what it answers; override `answer`."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1  # one packet an answer
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        """Answer one request."""
        self.answer()

    def answer(self) -> None:
        """Read the request, and write the answer."""
        raise NotImplementedError

    def read_body(self) -> bytes:
        """Return the body of the request, whole; a client that was killed in the middle of it has gone away."""
        length = int(self.headers.get("Content-Length", 0))
        body = self.rfile.read(length)
        if len(body) < length:
            raise ConnectionAbortedError
        return body

    def operation(self) -> str | None:
        """Return which operation of SQS is asked for; None when the request does not speak its JSON protocol."""
        service, _, operation = self.headers.get("X-Amz-Target", "").partition(".")
        return operation if service == "AmazonSQS" else None

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
        """Say nothing: a request carries message bodies."""
