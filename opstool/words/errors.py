"""What can go wrong, named for what the caller can do about it.

One base class; `code` is stable and snake case (scripts match on it), `message` says what happened, `hint` is a
command or a step that can be taken next. No message body ever goes into an error. The exit status of each class is
the face's business: opstool/cli/errors.py.
"""

from __future__ import annotations


class OpstoolError(Exception):
    """The base of every expected error: a stable code, a sentence, and perhaps a hint."""

    default_code = "failed"

    def __init__(self, message: str, *, code: str | None = None, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.default_code
        self.hint = hint


class UsageError(OpstoolError):
    """The request itself is wrong: change the words of the call."""

    default_code = "usage"


class RefusedError(OpstoolError):
    """A guard said no before anything was touched: read the reason, then insist or leave it."""

    default_code = "refused"


class NotFoundError(OpstoolError):
    """A queue, stack, run or file that was named does not exist."""

    default_code = "not_found"


class AccessError(OpstoolError):
    """Credentials, region or permission are missing: fix the identity, then run again."""

    default_code = "access"


class ServiceError(OpstoolError):
    """AWS or the network said no for another reason.

    `outcome_unknown`: the request may have been carried out (no answer came, or a 5xx).
    `retryable`: the same request may succeed later (throttling, 5xx, the network); not before `wait_s` seconds, where
    the service has asked for that.
    """

    default_code = "service"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        hint: str | None = None,
        outcome_unknown: bool = False,
        retryable: bool = False,
    ) -> None:
        super().__init__(message, code=code, hint=hint)
        self.outcome_unknown = outcome_unknown
        self.retryable = retryable
        self.wait_s = 0.0


class StorageError(OpstoolError):
    """The disk said no (journal, archive or state directory); nothing was sent or deleted without its record."""

    default_code = "storage"


class InterruptedRunError(OpstoolError):
    """A person or a signal stopped the work before it began to change anything."""

    default_code = "interrupted"
