"""The in-memory SQS behind HTTP, in SQS's JSON protocol: for boto3, and for other processes."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

from opstool.fake import FakeSqs
from opstool.fake.refusal import RefusalError
from opstool.words.errors import OpstoolError
from tests.servers.loopback import Loopback, SqsHandler

_NO_OTHER_SERVICE = (
    b"<ErrorResponse><Error><Code>InvalidAction</Code><Message>SQS only</Message></Error></ErrorResponse>"
)
"""What the older services, such as STS, would say: in XML."""


class FakeEndpoint:
    """Serve a FakeSqs on 127.0.0.1 and a free port until closed."""

    def __init__(self, fake: FakeSqs) -> None:
        self._server = _Server(fake)
        self.url = self._server.url

    def close(self) -> None:
        """Stop serving; raise what a handler did not expect."""
        self._server.close()
        if self._server.failures:
            raise self._server.failures[0]


class _Server(Loopback):
    def __init__(self, fake: FakeSqs) -> None:
        self.fake = fake
        super().__init__(_Answer, "fake-endpoint")


class _Answer(SqsHandler):
    server: _Server

    def answer(self) -> None:
        """Carry out one request."""
        body, operation = self.read_body(), self.operation()
        if operation is None:
            self._send(400, _NO_OTHER_SERVICE, "text/xml")
            return
        try:
            answer = self.server.fake(operation, _with_bytes(json.loads(body)))
        except OpstoolError as error:
            cause = error.__cause__
            if isinstance(cause, RefusalError):
                self._refuse(400, cause.code, error.message)
            else:
                self._refuse(500, "InternalFailure", error.message)
        else:
            self._say(200, {key: value for key, value in answer.items() if key != "ResponseMetadata"})

    def _refuse(self, status: int, code: str, message: str) -> None:
        self._say(status, {"__type": code, "message": message})

    def _say(self, status: int, document: Mapping[str, Any]) -> None:
        data = json.dumps(document, default=lambda value: base64.b64encode(value).decode()).encode()
        self._send(status, data, "application/x-amz-json-1.0")

    def _send(self, status: int, data: bytes, content_type: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
        self.wfile.flush()


def _with_bytes(value: Any) -> Any:
    """Return a request as boto3 has it: binary values are bytes."""
    if isinstance(value, list):
        return [_with_bytes(each) for each in value]
    if not isinstance(value, dict):
        return value
    return {key: base64.b64decode(each) if key == "BinaryValue" else _with_bytes(each) for key, each in value.items()}
