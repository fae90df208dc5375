"""Why messages died: the reasons that the consumer's log holds for them, or a note why the log could not be read."""

from __future__ import annotations

from collections.abc import Iterable

from opstool.words.errors import OpstoolError
from opstool.words.message import Message
from opstool.words.reason import FailureLog, Reasons

# The clocks of SQS and of CloudWatch Logs need not agree to the second.
_CLOCK_SKEW_MS = 60_000


def reasons_for(messages: Iterable[Message], *, logs: FailureLog | None, log_group: str | None, now_ms: int) -> Reasons:
    """Return why these messages died; what keeps the log from being read is a note, never an error.

    The log is read from the earliest send among the messages until now.
    """
    sent = {message.message_id: message.sent_at_ms for message in messages}
    if not sent:
        return Reasons()
    if logs is None or log_group is None:
        return Reasons(
            unread=frozenset(sent), notes=("no log group is known for this queue, so no reasons can be shown",)
        )
    since_ms = max(0, min(sent.values()) - _CLOCK_SKEW_MS)
    try:
        failures = logs.failures(
            log_group, since_ms=since_ms, until_ms=now_ms + _CLOCK_SKEW_MS, message_ids=frozenset(sent)
        )
    except OpstoolError as error:
        note = f"the reasons could not be read from the log group `{log_group}`: {error.message}"
        return Reasons(unread=frozenset(sent), notes=(note,))
    if failures.complete:
        return Reasons(found=failures.reasons)
    unread = frozenset(sent) - failures.reasons.keys()
    note = f"only the first part of `{log_group}` was read; reasons may be missing"
    return Reasons(found=failures.reasons, unread=unread, notes=(note,))
