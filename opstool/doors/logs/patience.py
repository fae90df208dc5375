"""Requests to CloudWatch Logs that are repeated, within bounds, while the service says "later"; and odd answers."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from opstool.doors.ask import Ask
from opstool.doors.clock import Clock
from opstool.words.awserrors import LIMIT_EXCEEDED
from opstool.words.errors import NotFoundError, ServiceError

_PAUSES_S = (0.5, 1.0, 2.0, 4.0, 8.0)
"""A quarter of a minute on top of boto3's own retries: all users of an account share five FilterLogEvents a second.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html"""
_NO_ANSWER = "no_answer"
"""boto3 has waited for its time-out several times by then; a service that hangs is not asked so often again."""


class Patient:
    """CloudWatch Logs, asked again when it is too busy; raises OpstoolError."""

    def __init__(self, ask: Ask, clock: Clock, stop: threading.Event) -> None:
        self._ask = ask
        self._clock = clock
        self._stop = stop

    def __call__(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        """Carry out one request; a log group that is not there is `log_group_not_found`."""
        for pause_s in _PAUSES_S:
            try:
                return self.once(operation, request)
            except ServiceError as error:
                is_later = (error.retryable and error.code != _NO_ANSWER) or error.code == LIMIT_EXCEEDED
                if self._stop.is_set() or not is_later:
                    raise
            self._clock.sleep(pause_s, self._stop)
        return self.once(operation, request)

    def once(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        """Carry out one request without waiting for a better moment."""
        try:
            return self._ask("logs", operation, request)
        except NotFoundError as error:
            name = request.get("logGroupName")
            if name is None:
                raise
            raise no_group(name) from error


@contextmanager
def readable(operation: str) -> Iterator[None]:
    """Raise ServiceError where an answer has not the form that AWS documents: an emulator's, or a proxy's."""
    try:
        yield
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError) as error:
        raise ServiceError(f"the answer to `{operation}` cannot be read", code="odd_answer") from error


def no_group(name: str) -> NotFoundError:
    """Return the error for a log group that does not exist."""
    return NotFoundError(f"the log group `{name}` does not exist", code="log_group_not_found")
