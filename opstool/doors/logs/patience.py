"""Requests to CloudWatch Logs that are repeated, within bounds, while the service says "later"."""

from __future__ import annotations

import threading
from typing import Any

from opstool.doors.ask import Ask
from opstool.doors.clock import Clock
from opstool.words.errors import NotFoundError, OpstoolError, ServiceError

_PAUSES_S = (0.5, 1.0, 2.0, 4.0, 8.0)
"""A quarter of a minute on top of boto3's own retries: all users of an account share five FilterLogEvents a second.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html"""


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
                if self._stop.is_set() or not (error.retryable or is_concurrency_limit(error)):
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


def no_group(name: str) -> NotFoundError:
    """Return the error for a log group that does not exist."""
    return NotFoundError(f"the log group `{name}` does not exist", code="log_group_not_found")


def is_concurrency_limit(error: OpstoolError) -> bool:
    """Tell whether too many queries of the account run at once; the table of error codes has no word for it."""
    return "LimitExceededException" in error.message
