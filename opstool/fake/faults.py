"""What can go wrong between a caller and SQS, said by a test.

A fault has three places, and no others are needed to lose, delay or garble anything:
`before` raises, or answers in the service's stead: the request was never carried out. `after` raises: it was carried
out and its answer was lost; `after` may also return another answer. `entry` returns a fault: this entry of a batch was
refused, the others not.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from opstool.words.awserrors import error_for
from opstool.words.errors import OpstoolError, ServiceError


@dataclass(frozen=True, kw_only=True)
class EntryFault:
    """How one entry of a batch fails, as it stands in `Failed`."""

    code: str = "InternalError"
    message: str = "the service failed"
    sender_fault: bool = False


class Faults:
    """No faults; override what should go wrong. Called without any lock held, from the thread that asks."""

    def before(self, operation: str, request: Mapping[str, Any]) -> dict[str, Any] | None:
        """Raise to fail the request before anything is done, or return the answer that is given without doing it."""

    def entry(self, operation: str, entry: Mapping[str, Any]) -> EntryFault | None:
        """Return a fault to refuse this entry of a batch; asked after `before`."""

    def after(self, operation: str, request: Mapping[str, Any], response: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG002 - the hook
        """Raise to lose the answer of what has been done, or return the answer to give."""
        return response


class FailCalls(Faults):
    """Fail the named calls of one operation, counted from 1; without `calls`, all of them."""

    def __init__(
        self,
        operation: str,
        error: OpstoolError,
        *,
        phase: Literal["before", "after"] = "before",
        calls: Collection[int] | None = None,
    ) -> None:
        self._operation = operation
        self._error = error
        self._phase = phase
        self._calls = calls
        self._seen = 0
        self._lock = threading.Lock()
        self._hit = threading.local()

    def before(self, operation: str, request: Mapping[str, Any]) -> None:  # noqa: ARG002 - the hook
        """Count the call, and fail it when it is to fail before it is carried out."""
        self._hit.yes = operation == self._operation and self._is_to_fail()
        if self._hit.yes and self._phase == "before":
            raise self._error

    def after(self, operation: str, request: Mapping[str, Any], response: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG002 - the hook
        """Lose the answer when the call is to fail after it was carried out."""
        if self._hit.yes and self._phase == "after":
            raise self._error
        return response

    def _is_to_fail(self) -> bool:
        with self._lock:
            self._seen += 1
            return self._calls is None or self._seen in self._calls


def throttled(operation: str) -> OpstoolError:
    """Return the error of a throttled request."""
    return error_for(operation, "RequestThrottled", "Rate exceeded", 403)


def server_error(operation: str) -> OpstoolError:
    """Return the error of an answer with status 500."""
    return error_for(operation, "InternalFailure", "", 500)


def no_answer(operation: str) -> OpstoolError:
    """Return the error of a connection that was cut after the request had left."""
    return ServiceError(f"`{operation}`: no answer", code="no_answer", outcome_unknown=True, retryable=True)


def no_connection(operation: str) -> OpstoolError:
    """Return the error of a connection that could not be made: nothing was carried out."""
    return ServiceError(f"`{operation}` could not connect", code="no_connection", retryable=True)
