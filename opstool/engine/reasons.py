"""Why messages died: the reasons that the consumer's log holds for them, or a note why the log could not be read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from opstool.words.errors import OpstoolError
from opstool.words.message import Message
from opstool.words.reason import FailureLog, Reason

# The clocks of SQS and of CloudWatch Logs need not agree to the second.
_CLOCK_SKEW_MS = 60_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Reasons:
    """The reason of each message id that has one; `note` says, when there is one, why others may be missing."""

    found: Mapping[str, Reason] = field(default_factory=dict)
    note: str | None = None


def reasons_for(messages: Iterable[Message], *, logs: FailureLog | None, log_group: str | None, now_ms: int) -> Reasons:
    """Return why these messages died; what keeps the log from being read is a note, never an error.

    The log is read from the earliest send among the messages until now.
    """
    sent = {message.message_id: message.sent_at_ms for message in messages}
    if not sent:
        return Reasons()
    if logs is None or log_group is None:
        return Reasons(note="no log group is known for this queue, so no reasons can be shown")
    since_ms = max(0, min(sent.values()) - _CLOCK_SKEW_MS)
    try:
        failures = logs.failures(
            log_group, since_ms=since_ms, until_ms=now_ms + _CLOCK_SKEW_MS, message_ids=frozenset(sent)
        )
    except OpstoolError as error:
        return Reasons(note=f"the reasons could not be read from the log group `{log_group}`: {error.message}")
    if failures.complete:
        return Reasons(found=failures.reasons)
    return Reasons(
        found=failures.reasons, note=f"only the first part of `{log_group}` was read; reasons may be missing"
    )
