"""A loopback SQS endpoint for benchmarks: `python -m bench.endpoint --messages 100000 --match 0.3 --delay-ms 10 --tls`.

It prints one line of JSON with its URL and the certificate to trust, then serves AWS JSON 1.0 until it is told to stop.
It is cheap, so that it is not what is measured, and answers each call after a delay, as a network would. It verifies no
signature, enforces no quota and never throttles: it measures clients, it does not stand in for SQS.
GET /stats tells the calls by operation, and whether each message was moved exactly once.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import signal
import ssl
import sys
import tempfile
import time
from collections import Counter, deque
from email.utils import formatdate
from pathlib import Path

from bench import certificate
from bench.pool import Pool
from bench.service import Service

_TARGET = b"\r\nx-amz-target: amazonsqs."
_LENGTH = b"\r\ncontent-length:"
_AGENT = b"\r\nuser-agent:"
_SWEEP_S = 0.5
_OPERATIONS: dict[bytes, str] = {}


class Endpoint:
    """The service, its delay, and the receives that wait for a message."""

    def __init__(self, pool: Pool, delay_s: float) -> None:
        self.loop = asyncio.get_running_loop()
        self.service = Service(pool, "")
        self.delay_s = delay_s
        self.connections = 0
        self.agents: Counter[str] = Counter()
        self._polls: deque[tuple[Connection, dict[str, object], asyncio.TimerHandle]] = deque()

    def ask(self, connection: Connection, operation: str, body: bytes) -> None:
        """Answer one request of SQS after the delay."""
        service = self.service
        service.calls[operation] += 1
        request = json.loads(body)
        if operation != "ReceiveMessage":
            status, answer = service.answer(operation, request)
            self.later(connection, status, answer)
            if operation.startswith("ChangeMessageVisibility"):
                self.wake()
            return
        found = service.receive(request)
        wait_s = int(request.get("WaitTimeSeconds", 0))
        if found is not None or not wait_s:
            self.later(connection, 200, found or b"{}")
            return
        timer = self.loop.call_later(wait_s, connection.write, 200, b"{}")
        self._polls.append((connection, request, timer))

    def later(self, connection: Connection, status: int, answer: bytes) -> None:
        """Write the answer after the delay."""
        self.loop.call_later(self.delay_s, connection.write, status, answer)

    def wake(self) -> None:
        """Give messages that wait again to receives that wait for one."""
        while self._polls and self.service.pool.waiting:
            connection, request, timer = self._polls.popleft()
            if timer.cancelled() or timer.when() <= self.loop.time() or connection.is_closed:
                continue
            timer.cancel()
            self.later(connection, 200, self.service.receive(request) or b"{}")

    async def sweep(self) -> None:
        """Let messages wait again whose visibility timeout has lapsed, for as long as the endpoint runs."""
        while True:
            await asyncio.sleep(_SWEEP_S)
            if self.service.pool.lapse(self.service.clock()):
                self.wake()

    def stats(self) -> bytes:
        """Return the numbers of the service and the processor time of the endpoint itself."""
        usage = resource.getrusage(resource.RUSAGE_SELF)
        own = {
            "endpoint_cpu_s": usage.ru_utime + usage.ru_stime,
            "connections": self.connections,
            "agents": self.agents,
        }
        return json.dumps({**self.service.stats(), **own}).encode()


class Connection(asyncio.Protocol):
    """One kept-alive connection of HTTP/1.1 without pipelining, as every client of SQS uses it."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.buffer = b""
        self.is_closed = False
        self.is_last = False
        self.is_new = True
        endpoint.connections += 1

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - tells the type checker what asyncio promises
        self.transport = transport

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """Remember that nothing can be written any more."""
        self.is_closed = True

    def data_received(self, data: bytes) -> None:
        """Take every request that is whole."""
        self.buffer = self.buffer + data if self.buffer else data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            head = self.buffer[:end].lower() + b"\r\n"
            at = head.find(_LENGTH)
            length = int(head[at + len(_LENGTH) : head.index(b"\r\n", at + 2)]) if at >= 0 else 0
            if len(self.buffer) < end + 4 + length:
                return
            body = self.buffer[end + 4 : end + 4 + length]
            self.buffer = self.buffer[end + 4 + length :]
            self._take(head, body)

    def _take(self, head: bytes, body: bytes) -> None:
        if self.is_new:
            self.is_new = False
            self.endpoint.agents[_agent_of(head)] += 1
        self.is_last = b"\r\nconnection: close\r\n" in head
        at = head.find(_TARGET)
        if at >= 0:
            name = head[at + len(_TARGET) : head.index(b"\r\n", at + 2)]
            self.endpoint.ask(self, _OPERATIONS.get(name) or name.decode(), body)
        elif head.startswith(b"get /stats "):
            self.write(200, self.endpoint.stats())
        else:
            self.endpoint.later(self, *self.endpoint.service.answer_other(body))

    def write(self, status: int, body: bytes) -> None:
        """Write an answer, unless the client has gone."""
        if self.is_closed:
            return
        kind = b"text/xml" if body.startswith(b"<") else b"application/x-amz-json-1.0"
        self.transport.write(
            b"HTTP/1.1 %d X\r\nx-amzn-RequestId: 6d5a1b2e-6f0c-5c6b-9f0a-0a4d1b1c2d3e\r\nDate: %s\r\n"
            b"Content-Type: %s\r\nContent-Length: %d\r\nconnection: %s\r\n\r\n%s"
            % (status, _date(), kind, len(body), b"close" if self.is_last else b"keep-alive", body)
        )
        if self.is_last:
            self.transport.close()


def _agent_of(head: bytes) -> str:
    """Return the first word of the user agent: who opened the connection."""
    at = head.find(_AGENT)
    return head[at + len(_AGENT) :].split(None, 1)[0].decode() if at >= 0 else "none"


_dated: tuple[int, bytes] = (0, b"")


def _date() -> bytes:
    """Return the date of the answer, made once a second."""
    global _dated  # noqa: PLW0603 - one thread
    now = int(time.time())
    if _dated[0] != now:
        _dated = now, formatdate(now, usegmt=True).encode()
    return _dated[1]


async def serve(options: argparse.Namespace, folder: Path) -> None:
    """Serve until SIGTERM or SIGINT; the first line of stdout says where."""
    loop = asyncio.get_running_loop()
    pool = Pool(options.messages, options.match, int(time.time() * 1000) - 3_600_000)
    endpoint = Endpoint(pool, options.delay_ms / 1000)
    _OPERATIONS.update({name.lower().encode(): name for name in ("ReceiveMessage", *endpoint.service.names())})
    context, said = None, {}
    if options.tls:
        certificate_path, key_path = certificate.make(folder)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate_path, key_path)
        said["ca_bundle"] = str(certificate_path)
    server = await loop.create_server(
        lambda: Connection(endpoint), certificate.HOST, 0, ssl=context, backlog=512, start_serving=True
    )
    port = server.sockets[0].getsockname()[1]
    endpoint.service.base_url = f"{'https' if options.tls else 'http'}://{certificate.HOST}:{port}"
    stop = asyncio.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(each, stop.set)
    sweeping = asyncio.create_task(endpoint.sweep())
    said = {"url": endpoint.service.base_url, **said, "matching": str(pool.matching)}
    sys.stdout.write(json.dumps(said) + "\n")
    sys.stdout.flush()
    await stop.wait()
    sweeping.cancel()
    server.close()


def parse(arguments: list[str]) -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=10_000, help="in the dead-letter queue (10000)")
    parser.add_argument("--match", type=float, default=1.0, help="share whose body says type=match (1.0)")
    parser.add_argument("--delay-ms", type=float, default=10.0, help="before each answer (10)")
    parser.add_argument("--tls", action="store_true", help="with a certificate made for this run")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made:
        asyncio.run(serve(parse(sys.argv[1:]), Path(made)))
