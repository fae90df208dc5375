"""The in-memory SQS behind HTTP, in SQS's JSON protocol, for tests that need another process to speak to it."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opstool.fake import FakeSqs
from opstool.fake.refusal import RefusalError
from opstool.words.errors import OpstoolError


class FakeEndpoint:
    """Serve a FakeSqs on 127.0.0.1 and a free port until closed."""

    def __init__(self, fake: FakeSqs) -> None:
        self._server = _Server(("127.0.0.1", 0), _Answer)
        self._server.fake = fake
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    fake: FakeSqs

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a client that was killed."""


class _Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # one packet an answer
    server: _Server

    def do_POST(self) -> None:
        """Carry out one request."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        operation = self.headers["X-Amz-Target"].partition(".")[2]
        try:
            answer = self.server.fake(operation, _with_bytes(json.loads(body)))
        except OpstoolError as error:
            cause = error.__cause__
            code = cause.code if isinstance(cause, RefusalError) else "InternalFailure"
            self._send(400 if isinstance(cause, RefusalError) else 500, {"__type": code, "message": error.message})
        else:
            self._send(200, {key: value for key, value in answer.items() if key != "ResponseMetadata"})

    def _send(self, status: int, document: Mapping[str, Any]) -> None:
        data = json.dumps(document, default=lambda value: base64.b64encode(value).decode()).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/x-amz-json-1.0")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
        self.wfile.flush()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
        """Say nothing."""


def _with_bytes(value: Any) -> Any:
    """Return a request as boto3 has it: binary values are bytes."""
    if isinstance(value, list):
        return [_with_bytes(each) for each in value]
    if not isinstance(value, dict):
        return value
    return {key: base64.b64decode(each) if key == "BinaryValue" else _with_bytes(each) for key, each in value.items()}
