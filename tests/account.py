"""The services beside SQS of a small account in memory, behind one seam: Lambda, CloudWatch Logs, and others."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from opstool.doors.ask import refuse
from opstool.doors.clock import Clock
from opstool.fake import FakeLambda, FakeLogs
from opstool.words.errors import OpstoolError
from opstool.words.reason import Reason

_STREAM = "2025/01/01/[$LATEST]0123456789abcdef"
Answer = Callable[[str, str, dict[str, Any]], dict[str, Any]]


@dataclass
class Account:
    """Answers as `ask`. `denied` has the error of an operation that this identity may not ask."""

    clock: Clock
    logs: FakeLogs = field(init=False)
    functions: FakeLambda = field(init=False)
    others: dict[str, Answer] = field(default_factory=dict)
    denied: dict[str, OpstoolError] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Open the two services."""
        self.logs = FakeLogs(self.clock)
        self.functions = FakeLambda(self.clock)

    def __call__(self, service: str, operation: str, request: dict[str, Any], /) -> dict[str, Any]:
        """Carry out one request."""
        if operation in self.denied:
            raise self.denied[operation]
        answers: dict[str, Answer] = {"logs": self.logs, "lambda": self.functions, **self.others}
        return answers.get(service, refuse)(service, operation, request)

    def log(self, log_group: str, text: str, *, at_ms: int | None = None, stream: str = _STREAM) -> None:
        """Write one event into a log."""
        self.logs.put(log_group, stream, round(self.clock.wall() * 1000) if at_ms is None else at_ms, text)

    def fail(self, log_group: str, message_id: str, reason: Reason, *, at_ms: int | None = None) -> None:
        """Write the failure lines that our consumer leaves of a message: one for each attempt of the reason."""
        for attempt in range(1, reason.attempts + 1):
            self.log(log_group, failure_line(message_id, reason, receive_count=attempt), at_ms=at_ms)


def failure_line(message_id: str, reason: Reason, *, receive_count: int = 1, **more: Any) -> str:
    """Return the line that our consumer writes for one failed attempt."""
    request_id = reason.request_id or "11111111-2222-3333-4444-555555555555"
    return json.dumps(
        {
            "level": "ERROR",
            "event": "record_failed",
            "schema": 1,
            "message_id": message_id,
            "receive_count": receive_count,
            "error_type": reason.type,
            "error": reason.message,
            "fingerprint": reason.fingerprint,
            "failed_in": "processing.process",
            "request_id": request_id if receive_count == reason.attempts else f"{request_id[:-1]}{receive_count}",
            "function_name": reason.function,
            "permanent": bool(reason.permanent),
            **more,
        }
    )
