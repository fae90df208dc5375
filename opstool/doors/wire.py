"""How messages look in the SQS API, and what they are in ours: the forms of requests and answers, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

from opstool.words.awserrors import HOPELESS_CODES, short_code
from opstool.words.errors import ServiceError
from opstool.words.message import Attribute, Message
from opstool.words.queue import RedrivePolicy


class Received(NamedTuple):
    """A message and the handle that this receive gave for it."""

    message: Message
    receipt_handle: str


class Outgoing(NamedTuple):
    """What one entry of a send says; group and deduplication id are the target's business, not the message's."""

    message: Message
    group_id: str | None = None
    deduplication_id: str | None = None


class Sent(NamedTuple):
    """The confirmation of one entry: its new id, and the MD5s of what SQS stored; None where it names none.

    The trace header is the only system attribute that can be sent, so MD5OfMessageSystemAttributes is its MD5.
    """

    new_id: str
    md5_of_body: str
    md5_of_attributes: str | None
    md5_of_trace_header: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class EntryFailure:
    """One entry that was not carried out; `retryable` when the service, not the entry, is at fault."""

    code: str
    message: str
    retryable: bool


@contextmanager
def reading(operation: str) -> Iterator[None]:
    """Turn an answer that is not in SQS's form, as of some emulators, into a ServiceError; it quotes no value."""
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        wrong = f"has no `{error.args[0]}`" if isinstance(error, KeyError) else "is not in the form of SQS"
        raise ServiceError(f"`{operation}`: the answer {wrong}", code="bad_answer", outcome_unknown=True) from error


def redrive_policy_of(text: str | None) -> RedrivePolicy | None:
    """Return the redrive policy in a queue's attributes; None when it has none, or one that SQS would not take.

    Some emulators keep such a policy; one queue's must not spoil the overview of all.
    """
    if not text:
        return None
    try:
        policy = json.loads(text)
        return RedrivePolicy(dlq_arn=policy["deadLetterTargetArn"], max_receive_count=int(policy["maxReceiveCount"]))
    except (KeyError, TypeError, ValueError):
        return None


_SILENT = EntryFailure(code="no_answer", message="SQS named no outcome", retryable=True)
_PLACES = {str(place): place for place in range(10)}
"""Of the ids that we give to the entries of a batch."""


def outcomes_of(response: dict[str, Any], entries: int) -> list[Sent | EntryFailure | None]:
    """Return what a send's answer says of each entry: None where it names no outcome, or no new id."""
    outcomes: list[Sent | EntryFailure | None] = [None] * entries
    for place, each in _by_place(response.get("Successful"), entries):
        if each.get("MessageId"):
            outcomes[place] = _sent(each)
    for place, each in _by_place(response.get("Failed"), entries):
        outcomes[place] = _entry_failure(each)
    return outcomes


def unconfirmed_of(response: dict[str, Any], entries: int) -> dict[int, EntryFailure]:
    """Return what was not confirmed by name of a batch of so many: the failed, and what the answer is silent about."""
    failed = {place: _entry_failure(each) for place, each in _by_place(response.get("Failed"), entries)}
    named = {place for place, _ in _by_place(response.get("Successful"), entries)}
    silent = [place for place in range(entries) if place not in named]
    return dict.fromkeys(silent, _SILENT) | failed


def _by_place(answers: Iterable[dict[str, Any] | None] | None, entries: int) -> list[tuple[int, dict[str, Any]]]:
    """Return each answer with the place of its entry; what names none of ours, or is null, answers nothing."""
    named = [(_PLACES.get(each.get("Id", ""), entries), each) for each in answers or () if each]
    return [placed for placed in named if placed[0] < entries]


def _sent(raw: dict[str, Any]) -> Sent:
    return Sent(
        raw["MessageId"],
        raw.get("MD5OfMessageBody", ""),
        raw.get("MD5OfMessageAttributes") or None,
        raw.get("MD5OfMessageSystemAttributes") or None,
    )


def _entry_failure(raw: dict[str, Any]) -> EntryFailure:
    code = short_code(raw.get("Code", "Unknown"))
    throttled = "hrottl" in code or code == "OverLimit"
    # Some emulators call nothing the sender's fault; what is wrong with the entry is so at every repetition.
    senders = raw.get("SenderFault", False) or code in HOPELESS_CODES
    return EntryFailure(code=code, message=raw.get("Message", ""), retryable=throttled or not senders)


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
