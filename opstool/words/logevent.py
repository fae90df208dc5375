"""What passes between the logs and the join: one event of a log, and a message whose failures are sought in it."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Self

from opstool.words.message import Message
from opstool.words.reason import Reason
from opstool.words.toldreason import told_reason


@dataclass(frozen=True, kw_only=True, slots=True)
class LogEvent:
    """One event of a log stream, `at_ms` epoch milliseconds; `text` is untrusted."""

    log_group: str
    log_stream: str
    at_ms: int
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Sought:
    """A message as far as its failures can be known by: no body, so that ten thousand of them are small.

    `first_received_at_ms` is None where it is not known, or was set anew by our own look. `told` is the reason that the
    message itself tells, because another service than SQS put it there: no consumer's log knows of it.
    """

    message_id: str
    sent_at_ms: int
    first_received_at_ms: int | None = None
    receive_count: int = 0
    source_arn: str | None = None
    told: Reason | None = None

    @classmethod
    def of(cls, message: Message, *, looked_at_ms: int | None = None) -> Self:
        """Return what is sought for a message; `looked_at_ms`: when our own look began, in SQS's time."""
        first = message.first_received_at_ms
        if first is not None and looked_at_ms is not None and first >= looked_at_ms:
            first = None
        return cls(
            message_id=message.message_id,
            sent_at_ms=message.sent_at_ms,
            first_received_at_ms=first,
            receive_count=message.receive_count,
            source_arn=message.source_arn and sys.intern(message.source_arn),  # one of a few, in very many messages
            told=told_reason(message),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Attempt:
    """One failed attempt at one message, as far as the log tells; what it does not tell is None."""

    at_ms: int
    type: str
    message: str
    fingerprint: str
    log_group: str
    log_stream: str
    request_id: str | None = None
    receive_count: int | None = None
    traceback: str | None = None
    trace_id: str | None = None
    permanent: bool | None = None
