"""The attributes of a queue: their bounds, their defaults, and the two policies that bind queues together.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from opstool.fake.refusal import RefusalError, invalid_value
from opstool.words.queue import RedrivePolicy

MAX_VISIBILITY_S = 43_200
MAX_DELAY_S = 900
MAX_WAIT_S = 20
MAX_BYTES = 1_048_576
_MAX_RECEIVES = 1_000
_MAX_NAMED_SOURCES = 10

_NUMBERS = {
    "DelaySeconds": (0, MAX_DELAY_S),
    "MaximumMessageSize": (1_024, MAX_BYTES),
    "MessageRetentionPeriod": (60, 1_209_600),
    "ReceiveMessageWaitTimeSeconds": (0, MAX_WAIT_S),
    "VisibilityTimeout": (0, MAX_VISIBILITY_S),
    "KmsDataKeyReusePeriodSeconds": (60, 86_400),
}
_FIFO_CHOICES = {
    "ContentBasedDeduplication": {"true", "false"},
    "DeduplicationScope": {"queue", "messageGroup"},
    "FifoThroughputLimit": {"perQueue", "perMessageGroupId"},
}
_TEXTS = {"Policy", "KmsMasterKeyId"}
_CHOICES = {"SqsManagedSseEnabled": {"true", "false"}, **_FIFO_CHOICES}
READ_ONLY = {
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesDelayed",
    "ApproximateNumberOfMessagesNotVisible",
    "CreatedTimestamp",
    "LastModifiedTimestamp",
    "QueueArn",
}
KNOWN = READ_ONLY | set(_NUMBERS) | set(_CHOICES) | _TEXTS | {"All", "FifoQueue", "RedrivePolicy", "RedriveAllowPolicy"}
_DEFAULTS = {
    "DelaySeconds": "0",
    "MaximumMessageSize": str(MAX_BYTES),
    "MessageRetentionPeriod": "345600",
    "ReceiveMessageWaitTimeSeconds": "0",
    "VisibilityTimeout": "30",
    "SqsManagedSseEnabled": "true",
}
_FIFO_DEFAULTS = {
    "FifoQueue": "true",
    "ContentBasedDeduplication": "false",
    "DeduplicationScope": "queue",
    "FifoThroughputLimit": "perQueue",
}


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The attributes of one queue as they were set, and read: the numbers in seconds and bytes."""

    values: Mapping[str, str]
    delay_s: int
    max_bytes: int
    retention_s: int
    wait_s: int
    visibility_timeout_s: int
    redrive_policy: RedrivePolicy | None

    def changed(self, values: Mapping[str, str]) -> Settings:
        """Return these settings with some set anew; an empty value takes an attribute away."""
        return read({**self.values, **values}, is_fifo="FifoQueue" in self.values)

    def allows_source(self, source_arn: str) -> bool:
        """Tell whether this queue's redrive allow policy lets `source_arn` use it as its dead-letter queue."""
        policy = json.loads(self.values.get("RedriveAllowPolicy") or "{}")
        permission = policy.get("redrivePermission", "allowAll")
        return permission == "allowAll" or (permission == "byQueue" and source_arn in policy.get("sourceQueueArns", []))


def read(values: Mapping[str, str], *, is_fifo: bool) -> Settings:
    """Return the settings that the attributes make, or refuse an attribute."""
    for name, value in values.items():
        _admit(name, value, is_fifo=is_fifo)
    given = {name: value for name, value in values.items() if value}
    full = {**_DEFAULTS, **(_FIFO_DEFAULTS if is_fifo else {}), **given}
    if is_fifo and full["FifoThroughputLimit"] == "perMessageGroupId" and full["DeduplicationScope"] == "queue":
        raise _invalid("FifoThroughputLimit", "perMessageGroupId needs the DeduplicationScope messageGroup.")
    return Settings(
        values=full,
        delay_s=int(full["DelaySeconds"]),
        max_bytes=int(full["MaximumMessageSize"]),
        retention_s=int(full["MessageRetentionPeriod"]),
        wait_s=int(full["ReceiveMessageWaitTimeSeconds"]),
        visibility_timeout_s=int(full["VisibilityTimeout"]),
        redrive_policy=_redrive_policy(full.get("RedrivePolicy")),
    )


def _admit(name: str, value: str, *, is_fifo: bool) -> None:
    if name not in KNOWN or name == "All" or name in READ_ONLY:
        raise RefusalError("InvalidAttributeName", f"Unknown Attribute {name}.")
    if name in _FIFO_CHOICES and not is_fifo:
        raise RefusalError("InvalidAttributeName", f"You can specify the {name} only when FifoQueue is set to true.")
    if not value:
        return
    if name in _NUMBERS:
        low, high = _NUMBERS[name]
        if not (value.isascii() and value.isdigit() and low <= int(value) <= high):
            raise _invalid(name)
    if name in _CHOICES and value not in _CHOICES[name]:
        raise _invalid(name)
    if name == "RedriveAllowPolicy":
        _admit_allow_policy(value)


def _admit_allow_policy(text: str) -> None:
    policy = _json_object("RedriveAllowPolicy", text)
    permission = policy.get("redrivePermission")
    arns = policy.get("sourceQueueArns")
    if permission not in {"allowAll", "denyAll", "byQueue"}:
        raise _invalid("RedriveAllowPolicy")
    if (permission == "byQueue") != bool(arns) or len(arns or ()) > _MAX_NAMED_SOURCES:
        raise _invalid("RedriveAllowPolicy")


def _redrive_policy(text: str | None) -> RedrivePolicy | None:
    if not text:
        return None
    policy = _json_object("RedrivePolicy", text)
    count = str(policy.get("maxReceiveCount", ""))
    if not policy.get("deadLetterTargetArn") or not count.isdigit() or not 1 <= int(count) <= _MAX_RECEIVES:
        raise invalid_value(
            text, "RedrivePolicy", f"deadLetterTargetArn and a maxReceiveCount from 1 to {_MAX_RECEIVES} are needed."
        )
    return RedrivePolicy(dlq_arn=str(policy["deadLetterTargetArn"]), max_receive_count=int(count))


def _json_object(name: str, text: str) -> dict[str, Any]:
    try:
        policy = json.loads(text)
    except ValueError:
        policy = None
    if not isinstance(policy, dict):
        raise _invalid(name, "It is not a JSON object.")
    return policy


def _invalid(name: str, reason: str = "") -> RefusalError:
    return RefusalError("InvalidAttributeValue", f"Invalid value for the parameter {name}. {reason}".rstrip())
