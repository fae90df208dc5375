"""SQS's JSON protocol over HTTP, as a proxy needs it: requests, answers, refusals, and the connection to the server."""

from __future__ import annotations

import http.client
import json
import select
import threading
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

from opstool.fake import EntryFault

CONTENT_TYPE = "application/x-amz-json-1.0"
_OF_ONE_CONNECTION = {"connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"}
_REWRITTEN = {"content-length", "date", "server"}
"""Headers that whoever passes the message on writes anew."""
_IDLE_S = 1.0
"""After so long a kept connection is not used again: Node's servers close theirs after five seconds."""
_SLOWEST_ANSWER_S = 60.0

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A request as it came; `operation` is None when it does not speak SQS's JSON protocol."""

    path: str
    headers: Headers
    body: bytes
    operation: str | None

    @property
    def document(self) -> dict[str, Any]:
        """Return the parameters; binary values are in Base64."""
        document: dict[str, Any] = json.loads(self.body)
        return document

    def with_entries(self, entries: list[Any]) -> Asked:
        """Return the same request for other entries of the batch."""
        return replace(self, body=_encoded({**self.document, "Entries": entries}))


@dataclass(frozen=True, kw_only=True)
class Answer:
    """An answer on its way back."""

    status: int
    headers: Headers
    body: bytes

    @property
    def document(self) -> dict[str, Any]:
        """Return what it says; nothing at all is an empty document."""
        document: dict[str, Any] = json.loads(self.body or b"{}")
        return document

    def saying(self, document: Mapping[str, Any]) -> Answer:
        """Return the same answer with another document; without a change, the very same bytes."""
        return self if document == self.document else replace(self, body=_encoded(document))


def yes(document: Mapping[str, Any]) -> Answer:
    """Return the answer that says this."""
    return Answer(status=200, headers=(("Content-Type", CONTENT_TYPE),), body=_encoded(document))


def no(status: int, code: str, message: str) -> Answer:
    """Return an answer that says no, as SQS does."""
    fault = "Sender" if status < 500 else "Receiver"
    headers = (("Content-Type", CONTENT_TYPE), ("x-amzn-query-error", f"{code};{fault}"))
    return Answer(
        status=status, headers=headers, body=_encoded({"__type": f"com.amazonaws.sqs#{code}", "message": message})
    )


def failed_entry(entry: Mapping[str, Any], fault: EntryFault) -> dict[str, Any]:
    """Return how a refused entry stands in `Failed`."""
    return {"Id": entry["Id"], "Code": fault.code, "Message": fault.message, "SenderFault": fault.sender_fault}


def passed_on(headers: Iterable[tuple[str, str]]) -> Headers:
    """Return the headers that are meant for the other end."""
    return tuple((name, value) for name, value in headers if name.lower() not in _OF_ONE_CONNECTION | _REWRITTEN)


class Upstream:
    """The server behind: one kept connection a thread that asks."""

    def __init__(self, url: str) -> None:
        self._address = urlsplit(url)
        self._mine = threading.local()

    def ask(self, asked: Asked) -> Answer:
        """Carry out one request, once: nothing is repeated here; raise OSError or HTTPException."""
        connection = self._connection()
        try:
            connection.putrequest("POST", asked.path, skip_host=True, skip_accept_encoding=True)
            for name, value in (*asked.headers, ("Content-Length", str(len(asked.body)))):
                connection.putheader(name, value)
            connection.endheaders(asked.body)
            response = connection.getresponse()
            answer = Answer(status=response.status, headers=passed_on(response.getheaders()), body=response.read())
        except BaseException:
            self.leave()
            raise
        self._mine.used_at = time.monotonic()
        return answer

    def leave(self) -> None:
        """Close this thread's connection."""
        connection = getattr(self._mine, "connection", None)
        if connection:
            connection.close()
            self._mine.connection = None

    def _connection(self) -> http.client.HTTPConnection:
        """Return this thread's connection: the kept one only while the server cannot have closed it."""
        connection: http.client.HTTPConnection | None = getattr(self._mine, "connection", None)
        if connection and connection.sock:
            is_over = time.monotonic() - self._mine.used_at > _IDLE_S
            with suppress(OSError, ValueError):
                is_over = is_over or bool(select.select([connection.sock], [], [], 0)[0])
            if not is_over:
                return connection
        self.leave()
        assert self._address.hostname
        connection = http.client.HTTPConnection(self._address.hostname, self._address.port, timeout=_SLOWEST_ANSWER_S)
        self._mine.connection, self._mine.used_at = connection, time.monotonic()
        return connection


def _encoded(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document).encode()
