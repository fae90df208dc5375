"""One message as a queue of the fake keeps it, and as a receive shows it."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from opstool.fake.refusal import RefusalError
from opstool.words.message import Attribute, md5_of_attributes

SYSTEM_ATTRIBUTES = {
    "AWSTraceHeader",
    "ApproximateFirstReceiveTimestamp",
    "ApproximateReceiveCount",
    "DeadLetterQueueSourceArn",
    "MessageDeduplicationId",
    "MessageGroupId",
    "SenderId",
    "SentTimestamp",
    "SequenceNumber",
}
_OF_THE_SENDER = {
    "AWSTraceHeader": "trace_header",
    "DeadLetterQueueSourceArn": "source_arn",
    "MessageDeduplicationId": "deduplication_id",
    "MessageGroupId": "group_id",
    "SequenceNumber": "sequence_number",
}
_EVERYTHING = {"All", ".*"}


class State(Enum):
    """Where a message of a queue is; the three counts of a queue are the first three."""

    VISIBLE = "visible"
    IN_FLIGHT = "in flight"
    DELAYED = "delayed"
    GONE = "gone"


@dataclass(kw_only=True, slots=True, eq=False)
class StoredMessage:
    """A message in one queue; times in milliseconds of the service's clock.

    `receipts` counts the receives of this queue and names the handle of the last one; `receive_count` counts those of
    all queues the message has died through.
    """

    message_id: str
    body: str
    md5_of_body: str
    attributes: Mapping[str, Attribute]
    md5_of_attributes: str | None
    sender_id: str
    trace_header: str | None = None
    group_id: str | None = None
    deduplication_id: str | None = None
    sequence_number: str | None = None
    source_arn: str | None = None
    sent_at_ms: int = 0
    first_received_at_ms: int | None = None
    receive_count: int = 0
    receipts: int = 0
    received_at_ms: int = 0
    visible_at_ms: int = 0
    state: State = field(default=State.GONE)


def handle_of(message: StoredMessage, queue_name: str) -> str:
    """Return the receipt handle of the message's last receive."""
    return base64.b64encode(f"{queue_name} {message.message_id} {message.receipts}".encode()).decode()


def read_handle(handle: str, queue_name: str) -> tuple[str, int]:
    """Return the message id and the receive that a handle names; refuse what is not a handle of this queue."""
    try:
        name, message_id, receipts = base64.b64decode(handle, validate=True).decode().split(" ")
        if name == queue_name:
            return message_id, int(receipts)
    except (binascii.Error, ValueError):
        pass
    raise RefusalError("ReceiptHandleIsInvalid", "The input receipt handle is not a valid receipt handle.")


def shown(
    message: StoredMessage, queue_name: str, *, system_names: frozenset[str], attribute_names: frozenset[str]
) -> dict[str, Any]:
    """Return the message as ReceiveMessage answers it, with the attributes that were asked for."""
    answer: dict[str, Any] = {
        "MessageId": message.message_id,
        "ReceiptHandle": handle_of(message, queue_name),
        "MD5OfBody": message.md5_of_body,
        "Body": message.body,
    }
    if system_names and (system := _system_attributes(message, system_names)):
        answer["Attributes"] = system
    if attribute_names and (chosen := _chosen(message.attributes, attribute_names)):
        complete = len(chosen) == len(message.attributes)
        answer["MD5OfMessageAttributes"] = message.md5_of_attributes if complete else md5_of_attributes(chosen)
        answer["MessageAttributes"] = {name: _wire_form(attribute) for name, attribute in chosen.items()}
    return answer


def _system_attributes(message: StoredMessage, names: frozenset[str]) -> dict[str, str]:
    values = {
        "SenderId": message.sender_id,
        "ApproximateFirstReceiveTimestamp": str(message.first_received_at_ms or 0),
        "ApproximateReceiveCount": str(message.receive_count),
        "SentTimestamp": str(message.sent_at_ms),
    }
    for name, attribute in _OF_THE_SENDER.items():
        value = getattr(message, attribute)
        if value is not None:
            values[name] = value
    return values if "All" in names else {name: values[name] for name in values if name in names}


def _chosen(attributes: Mapping[str, Attribute], names: frozenset[str]) -> Mapping[str, Attribute]:
    """Return the attributes that the names ask for: all, exact, or by a prefix that ends in `.*`."""
    if names & _EVERYTHING:
        return attributes
    prefixes = tuple(name[:-2] for name in names if name.endswith(".*"))
    return {
        name: attribute
        for name, attribute in attributes.items()
        if name in names or (prefixes and name.startswith(prefixes))
    }


def _wire_form(attribute: Attribute) -> dict[str, Any]:
    return {"BinaryValue" if attribute.is_binary else "StringValue": attribute.value, "DataType": attribute.type}
