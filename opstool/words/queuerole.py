"""What a queue is to the others of its account and region."""

from __future__ import annotations

import re
from enum import StrEnum

from opstool.words.queue import Queue, QueueAttributes

_DLQ_NAME = re.compile(r"(?<![a-z])(?i:dlq)s?(?![a-z])|DLQ|Dlq(?![a-z])|dlq(?:\.fifo)?$|(?i:dead[-_]?letter)")
"""`dlq` as a word of the name (orders-dlq-prod, OrdersDLQ-1A2B3C) or at its end, or `dead-letter` anywhere."""


class Role(StrEnum):
    """How `queues` names it."""

    DLQ = "dlq"
    """Some redrive policy points to it."""
    ORPHAN = "orphan"
    """It looks like a dead-letter queue, by its name or by a redrive allow policy, and no redrive policy points to it.

    Lambda, SNS or EventBridge may fill it all the same: SQS does not tell.
    """
    NO_DLQ = "no_dlq"
    """It has no redrive policy, or one whose target does not exist."""
    SOURCE = "source"
    """It has a dead-letter queue, and is none."""


def role_of(queue: Queue, attributes: QueueAttributes, *, has_sources: bool, has_target: bool) -> Role:
    """Return the role of a queue; `has_target` unless its own redrive policy points to a queue that does not exist."""
    allowed = attributes.redrive_allow_policy
    if has_sources:
        return Role.DLQ
    if attributes.redrive_policy:
        return Role.SOURCE if has_target else Role.NO_DLQ
    looks_like_one = _DLQ_NAME.search(queue.name) or (allowed and allowed.permission != "denyAll")
    return Role.ORPHAN if looks_like_one else Role.NO_DLQ
