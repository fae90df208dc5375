"""A proxy on loopback between opstool's boto3 client and a server that speaks SQS: it commits faults on the wire.

For each request of SQS's JSON protocol: `before` may answer in the server's stead, or fail it; entries that `entry`
refuses are taken out of the batch and put into `Failed`; the rest is passed on; `after` may change the answer or lose
it. What a kind raises (`StruckError`) carries how: the connection is cut, or an error is answered. Other services'
requests pass. The Host header passes too, so that the queue URLs of a server that builds them from it lead through
the proxy.
"""

from __future__ import annotations

import itertools
import socket
import struct
import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

from opstool.fake import Faults
from tests.faults.kinds import StruckError
from tests.faults.wire import CONTENT_TYPE, Answer, Asked, Upstream, failed_entry, no, passed_on, yes
from tests.servers.loopback import Loopback, SqsHandler

_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER of no time: closing sends a reset instead of a FIN."""


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What the client gets: an answer, or a cut connection, `before` or `after` the server has acted, or `in_body`."""

    answer: Answer | None
    cut: str = ""


class FaultProxy:
    """Stand between a client and `upstream_url` until closed. `faults` may be exchanged while it runs.

    `asked` counts the client's requests by operation, `forwarded` those that the server was given, the faults' own
    (`ask`) left out.
    """

    def __init__(self, upstream_url: str, faults: Faults | None = None, *, seed: int = 0) -> None:
        self.faults = faults or Faults()
        self.asked: Counter[str] = Counter()
        self.forwarded: Counter[str] = Counter()
        self._upstream = Upstream(upstream_url)
        self._random = Random(seed)
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._authorization = ""
        self._server = _Server(self)
        self.url = self._server.url

    def close(self) -> None:
        """Let go of everything; raise what went wrong in the proxy itself."""
        self._closing.set()
        self._server.close()
        if self._server.failures:
            raise self._server.failures[0]

    def sleep(self, seconds: float) -> None:
        """Wait, but not past the end of the proxy."""
        self._closing.wait(seconds)

    def ask(self, operation: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """Carry out a request of a fault's own on the server, past every fault."""
        headers = (
            ("Host", self.url.removeprefix("http://")),
            ("Content-Type", CONTENT_TYPE),
            ("X-Amz-Target", f"AmazonSQS.{operation}"),
            ("Authorization", self._authorization),  # servers read the region there; none checks the signature
        )
        answer = self._upstream.ask(Asked(path="/", headers=headers, body=yes(request).body, operation=operation))
        assert answer.status == 200, f"{operation}: {answer.status}"
        return answer.document

    def reply(self, asked: Asked) -> Reply:
        """Return what the client gets for a request, with the server asked or not."""
        faults = self.faults  # one request has the faults of one moment
        self._note(asked, self.asked)
        if asked.operation is None:
            return Reply(answer=self._upstream.ask(asked))
        answer = None
        try:
            answer = self._acted(faults, asked)
            if answer.status == 200:
                answer = answer.saying(faults.after(asked.operation, asked.document, answer.document))
        except StruckError as struck:
            wire = struck.wire
            self.sleep(wire.delay_s)
            if wire.cut:
                return Reply(answer=answer, cut=wire.cut)
            return Reply(answer=no(wire.status, wire.code, struck.message))
        return Reply(answer=answer)

    def _acted(self, faults: Faults, asked: Asked) -> Answer:
        """Return the answer of the server, or that of the faults in its stead."""
        assert asked.operation
        instead = faults.before(asked.operation, asked.document)
        if instead is not None:
            return yes(instead)
        entries = asked.document.get("Entries", [])
        refused = [failed_entry(each, fault) for each in entries if (fault := faults.entry(asked.operation, each))]
        if not refused:
            return self._forward(asked)
        ids = {each["Id"] for each in refused}
        left = [each for each in entries if each["Id"] not in ids]
        answer = self._forward(asked.with_entries(left)) if left else yes({"Successful": []})
        if answer.status != 200:
            return answer
        document = answer.document
        return answer.saying({**document, "Failed": [*document.get("Failed", []), *refused]})

    def _forward(self, asked: Asked) -> Answer:
        self._note(asked, self.forwarded)
        return self._upstream.ask(asked)

    def _note(self, asked: Asked, counter: Counter[str]) -> None:
        with self._lock:
            counter[asked.operation or "another service"] += 1
            self._authorization = dict(asked.headers).get("Authorization", self._authorization)

    def leave(self) -> None:
        """Let go of what this thread has open to the server."""
        self._upstream.leave()

    def is_abrupt(self) -> bool:
        """Roll the dice: whether a cut is a reset, or a plain end."""
        with self._lock:
            return self._random.random() < 0.5


class _Server(Loopback):
    def __init__(self, proxy: FaultProxy) -> None:
        self.proxy = proxy
        super().__init__(_Passage, "fault-proxy")


class _Passage(SqsHandler):
    server: _Server

    def answer(self) -> None:
        """Pass one request on, or not."""
        body = self.read_body()
        headers = passed_on(self.headers.items())
        reply = self.server.proxy.reply(Asked(path=self.path, headers=headers, body=body, operation=self.operation()))
        half = len(reply.answer.body) // 2 if reply.answer else 0
        if reply.answer and (not reply.cut or (reply.cut == "in_body" and half)):
            self._send(reply.answer, only=half if reply.cut else None)
        if reply.cut:
            self._cut()

    def _send(self, answer: Answer, *, only: int | None) -> None:
        """Write an answer, or the first bytes of its body under headers that promise all of it."""
        self.send_response_only(answer.status)
        for name, value in itertools.chain(answer.headers, self._written_anew(answer)):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer.body[:only])
        self.wfile.flush()

    def _written_anew(self, answer: Answer) -> tuple[tuple[str, str], ...]:
        return (("Date", self.date_time_string()), ("Content-Length", str(len(answer.body))))

    def _cut(self) -> None:
        if self.server.proxy.is_abrupt():
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.close_connection = True

    def finish(self) -> None:
        """Let go of the server too."""
        self.server.proxy.leave()
        super().finish()
