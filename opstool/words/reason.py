"""Why a message died, as its consumer's log tells it: found, not found, or unknown because the log was not read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Evidence(StrEnum):
    """How a log tells of a failure."""

    LINE = "line"
    """One line names the message and the error."""
    REQUEST = "request"
    """A line names the message, and the error is that of the same invocation."""
    TIME = "time"
    """No line names the message; the invocation that was given messages at that time failed so. Probable only."""
    ATTRIBUTE = "attribute"
    """No log: the service that put the message here, and that is not SQS, wrote it into the message."""


class ReasonState(StrEnum):
    """What is known of a message's reason."""

    FOUND = "found"
    NOT_FOUND = "not_found"
    """The log was read, and no line tells: the function was throttled, crashed before it could log, or logs no ids."""
    UNKNOWN = "unknown"
    """The log could not be read, or not to its end."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Reason:
    """The last failure of one message: `fingerprint` is the same for failures that are the same; `at_ms` epoch ms.

    `permanent` is what the consumer says of it: True when trying again cannot help, None when it does not say.
    """

    type: str
    message: str
    fingerprint: str
    at_ms: int
    attempts: int
    function: str | None = None
    log_group: str | None = None
    log_stream: str | None = None
    request_id: str | None = None
    trace_id: str | None = None
    permanent: bool | None = None
    evidence: Evidence = Evidence.LINE


@dataclass(frozen=True, kw_only=True, slots=True)
class Reasons:
    """What the logs tell of some messages. `notes` are sentences for people: what kept a log from being read.

    `unread` are the ids whose log could not be read; whoever is neither found nor unread was looked for in vain.
    `asked` is false when reasons were not wanted, so that nothing is known of any.
    """

    found: Mapping[str, Reason] = field(default_factory=dict)
    unread: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()
    asked: bool = True

    def get(self, message_id: str) -> Reason | None:
        """Return the reason of a message, None when there is none or none is known."""
        return self.found.get(message_id)

    def state_of(self, message_id: str) -> ReasonState | None:
        """Return what is known of a message's reason; None when reasons were not asked for."""
        if not self.asked:
            return None
        if message_id in self.found:
            return ReasonState.FOUND
        return ReasonState.UNKNOWN if message_id in self.unread else ReasonState.NOT_FOUND


NOT_ASKED = Reasons(asked=False)
"""The reasons of whoever does not want any."""
