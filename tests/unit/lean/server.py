"""A loopback server that says what it is told to, byte for byte, and keeps what it was asked."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from collections.abc import Callable
from typing import Self

from opstool.doors.session import Connection, Session

URL = "http://127.0.0.1/1/orders"
SEND = ("SendMessageBatch", {"QueueUrl": URL, "Entries": [{"Id": "0", "MessageBody": "secret"}]})
RECEIVE = ("ReceiveMessage", {"QueueUrl": URL})
DELETE = ("DeleteMessageBatch", {"QueueUrl": URL, "Entries": [{"Id": "0", "ReceiptHandle": "h"}]})

Answers = Callable[[int], bytes | None]
"""The bytes for the n-th request; None hangs up without a word. Bytes that say `Connection: close` are the last."""


class Server:
    """Serves one connection after the other, each in a thread of its own."""

    def __init__(
        self, answers: Answers | bytes, context: ssl.SSLContext | None = None, *, host: str = "127.0.0.1"
    ) -> None:
        self.requests: list[bytes] = []
        self.connections = 0
        self._answers: Answers = answers if callable(answers) else lambda _: answers
        self._context = context
        self._lock = threading.Lock()
        self._is_over = False
        self._open: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._socket = socket.create_server((host, 0), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
        name = f"[{host}]" if ":" in host else host
        self.url = f"http{'s' if context else ''}://{name}:{self._socket.getsockname()[1]}"
        self._accepting = threading.Thread(target=self._accept)
        self._accepting.start()

    def _accept(self) -> None:
        while True:
            connection, _ = self._socket.accept()
            if self._is_over:
                connection.close()
                return
            self.connections += 1
            self._open.append(connection)
            self._threads.append(threading.Thread(target=self._serve, args=(connection,)))
            self._threads[-1].start()

    def _serve(self, connection: socket.socket) -> None:
        if self._context:
            try:
                connection = self._context.wrap_socket(connection, server_side=True)
                self._open.append(connection)  # the plain one is empty now
            except OSError:  # the client does not trust it
                connection.close()
                return
        with connection:
            while request := read_request(connection):
                with self._lock:
                    number = len(self.requests)
                    self.requests.append(request)
                answer = self.says_to(request, number)
                if answer is None:
                    return
                try:
                    connection.sendall(answer)
                except OSError:  # it did not wait
                    return
                if b"connection: close" in answer.lower():
                    return

    def says_to(self, request: bytes, number: int) -> bytes | None:
        """Return the answer to a request, None to hang up; called in several threads at once."""
        return self._answers(number)

    def says(self, said: bytes | None) -> None:
        """Answer this from now on."""
        self._answers = lambda _: said

    def hang_up(self) -> None:
        """End every open connection, as a server does with idle ones."""
        for each in self._open:
            try:
                each.shutdown(socket.SHUT_RDWR)
            except OSError:  # closed already
                continue
        for each in self._threads:
            each.join()
        self._open.clear()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self._is_over = True
        with socket.create_connection(self._socket.getsockname()[:2]):
            pass
        self._accepting.join()
        self._socket.close()
        self.hang_up()


def read_request(connection: socket.socket) -> bytes:
    """Return the next request, empty when there is none."""
    data = b""
    try:
        while b"\r\n\r\n" not in data:
            more = connection.recv(65_536)
            if not more:
                return b""
            data += more
        head, _, body = data.partition(b"\r\n\r\n")
        lengths = [line.split(b":")[1] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")]
        while lengths and len(body) < int(lengths[0]):
            body += connection.recv(65_536)
    except OSError:
        return b""
    return head + b"\r\n\r\n" + body


def answer(status: int = 200, body: bytes = b"{}", *headers: str) -> bytes:
    """Return an answer of SQS's JSON protocol."""
    lines = [
        f"HTTP/1.1 {status} X",
        "Content-Type: application/x-amz-json-1.0",
        f"Content-Length: {len(body)}",
        *headers,
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def refusal(code: str, *headers: str, status: int = 400) -> bytes:
    """Return a refusal with this code."""
    return answer(status, json.dumps({"__type": f"com.amazonaws.sqs#{code}", "message": "no"}).encode(), *headers)


def session_at(url: str, *, timeout_s: float = 1.0) -> Session:
    """Return a session with made-up credentials."""
    return Session(
        Connection(
            endpoint_url=url, region="us-east-1", access_key_id="made", secret_access_key="up", timeout_s=timeout_s
        )
    )
