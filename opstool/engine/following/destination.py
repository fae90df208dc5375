"""Where messages were sent to, and what lies behind it: how long one that fails again needs to come back, and where."""

from __future__ import annotations

from dataclasses import dataclass

from opstool.doors.sqs import Sqs
from opstool.words.queue import Queue, QueueAttributes

COUNTS_SETTLE_S = 60
"""SQS: its approximate counts settle about a minute after traffic stops."""


@dataclass(frozen=True, kw_only=True)
class Destination:
    """A queue that was sent to, on the SQS where it lies; `max_receive_count` and `dlq_arn` are None without a DLQ."""

    sqs: Sqs
    queue: Queue
    visibility_timeout_s: int
    max_receive_count: int | None = None
    dlq_arn: str | None = None
    delay_s: int = 0

    @property
    def tries_s(self) -> float:
        """Return how long a message is tried: visibility timeout x maxReceiveCount, after the queue's own delay."""
        return float(self.delay_s + self.visibility_timeout_s * (self.max_receive_count or 1))

    @property
    def bound_s(self) -> float:
        """Return after how long it is known what became of a message whose consumer takes it without delay.

        SQS moves a message at the receive after the last one that is allowed, and its counts lag by a minute:
        https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-dead-letter-queues.html
        """
        return self.tries_s + COUNTS_SETTLE_S


def destination_of(sqs: Sqs, queue: Queue) -> Destination:
    """Return what SQS says of a queue that messages are sent to; raise what reading its attributes raises."""
    return described(sqs, queue, sqs.attributes(queue))


def described(sqs: Sqs, queue: Queue, attributes: QueueAttributes) -> Destination:
    """Return the destination that a queue with these attributes is."""
    policy = attributes.redrive_policy
    return Destination(
        sqs=sqs,
        queue=queue,
        visibility_timeout_s=attributes.visibility_timeout_s,
        max_receive_count=policy.max_receive_count if policy else None,
        dlq_arn=policy.dlq_arn if policy else None,
        delay_s=attributes.delay_s,
    )
