"""One SQS queue: its address, and the attributes that decide how it is read and redriven."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Queue:
    """The address of a queue: `url` for calls, `arn` (arn:PARTITION:sqs:REGION:ACCOUNT:NAME) for identity."""

    url: str
    arn: str

    @property
    def name(self) -> str:
        """Return the last part of the ARN."""
        return self.arn.rsplit(":", 1)[-1]

    @property
    def account(self) -> str:
        """Return the twelve digits of the owner's account."""
        return self.arn.split(":")[4]

    @property
    def region(self) -> str:
        """Return the region the queue lives in."""
        return self.arn.split(":")[3]

    @property
    def is_fifo(self) -> bool:
        """Tell whether order and deduplication apply; SQS demands this ending of every FIFO queue."""
        return self.arn.endswith(".fifo")


@dataclass(frozen=True, kw_only=True, slots=True)
class RedrivePolicy:
    """Where a source queue's messages go after `max_receive_count` receives."""

    dlq_arn: str
    max_receive_count: int


@dataclass(frozen=True, kw_only=True, slots=True)
class RedriveAllowPolicy:
    """Which queues may use a queue as their DLQ: `permission` is allowAll, denyAll or byQueue with `source_arns`."""

    permission: str
    source_arns: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class QueueAttributes:
    """What SQS says of a queue; the counts are approximate and settle about a minute after traffic stops.

    `policy` is the queue's access policy as JSON, `kms_key_id` the id, ARN or alias of its KMS key, `sse_managed`
    whether SQS encrypts with a key of its own, `delay_s` for how long each message is hidden after its send.
    """

    depth: int
    in_flight: int
    delayed: int
    retention_s: int
    visibility_timeout_s: int
    redrive_policy: RedrivePolicy | None = None
    redrive_allow_policy: RedriveAllowPolicy | None = None
    policy: str | None = None
    kms_key_id: str | None = None
    kms_data_key_reuse_s: int | None = None
    sse_managed: bool = False
    delay_s: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """A queue whose redrive policy points to a dead-letter queue."""

    queue: Queue
    max_receive_count: int
