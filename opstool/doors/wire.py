"""How messages look in the SQS API, and what they are in ours: the forms of requests and answers, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from opstool.words.awserrors import short_code
from opstool.words.message import Attribute, Message
from opstool.words.queue import RedrivePolicy


class Received(NamedTuple):
    """A message and the handle that this receive gave for it."""

    message: Message
    receipt_handle: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Outgoing:
    """What one entry of a send says; group and deduplication id are the target's business, not the message's."""

    message: Message
    group_id: str | None = None
    deduplication_id: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Sent:
    """The confirmation of one entry: its new id, and the MD5s of what SQS stored."""

    new_id: str
    md5_of_body: str
    md5_of_attributes: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class EntryFailure:
    """One entry that was not carried out; `retryable` when the service, not the entry, is at fault."""

    code: str
    message: str
    retryable: bool


def redrive_policy_of(text: str | None) -> RedrivePolicy | None:
    """Return the redrive policy in a queue's attributes; None when it has none."""
    if not text:
        return None
    policy = json.loads(text)
    return RedrivePolicy(dlq_arn=policy["deadLetterTargetArn"], max_receive_count=int(policy["maxReceiveCount"]))


def failures_of(response: dict[str, Any]) -> dict[int, EntryFailure]:
    """Return the failed entries of a batch by their number."""
    return {int(each["Id"]): _entry_failure(each) for each in response.get("Failed", [])}


def unconfirmed_of(response: dict[str, Any], entries: int) -> dict[int, EntryFailure]:
    """Return what was not confirmed by name of a batch of so many: the failed, and what the answer is silent about."""
    named = {int(each["Id"]) for each in response.get("Successful", [])}
    silent = EntryFailure(code="no_answer", message="SQS named no outcome", retryable=True)
    return {index: silent for index in range(entries) if index not in named} | failures_of(response)


def _entry_failure(raw: dict[str, Any]) -> EntryFailure:
    code = short_code(raw.get("Code", "Unknown"))
    throttled = "hrottl" in code or code == "OverLimit"
    return EntryFailure(
        code=code, message=raw.get("Message", ""), retryable=throttled or not raw.get("SenderFault", False)
    )


def message_of(raw: dict[str, Any]) -> Message:
    """Return the message in a receive's answer."""
    system: Mapping[str, str] = raw.get("Attributes", {})
    first_received = system.get("ApproximateFirstReceiveTimestamp")
    return Message(
        message_id=raw["MessageId"],
        body=raw.get("Body", ""),
        attributes={name: _attribute(value) for name, value in raw.get("MessageAttributes", {}).items()},
        sent_at_ms=int(system.get("SentTimestamp", 0)),
        first_received_at_ms=int(first_received) if first_received else None,
        receive_count=int(system.get("ApproximateReceiveCount", 0)),
        source_arn=system.get("DeadLetterQueueSourceArn"),
        group_id=system.get("MessageGroupId"),
        deduplication_id=system.get("MessageDeduplicationId"),
        trace_header=system.get("AWSTraceHeader"),
        md5_of_body=raw.get("MD5OfBody"),
        md5_of_attributes=raw.get("MD5OfMessageAttributes"),
    )


def _attribute(raw: dict[str, Any]) -> Attribute:
    kind = raw["DataType"]
    return Attribute(type=kind, value=raw["BinaryValue"] if kind.startswith("Binary") else raw["StringValue"])


def entry_of(entry: Outgoing) -> dict[str, Any]:
    """Return the entry of a batch that sends a message, all of it."""
    message = entry.message
    fields: dict[str, Any] = {"MessageBody": message.body}
    if message.attributes:
        fields["MessageAttributes"] = {
            name: {"DataType": each.type, "BinaryValue" if each.is_binary else "StringValue": each.value}
            for name, each in message.attributes.items()
        }
    if message.trace_header:
        fields["MessageSystemAttributes"] = {
            "AWSTraceHeader": {"DataType": "String", "StringValue": message.trace_header}
        }
    if entry.group_id:
        fields["MessageGroupId"] = entry.group_id
    if entry.deduplication_id:
        fields["MessageDeduplicationId"] = entry.deduplication_id
    return fields
