"""What can be asked of the messages of the fake's queues, but for receiving: send, delete, hide, purge."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import Any

from opstool.fake.admission import admit_attributes, admit_body, admit_id, admit_trace_header, size_bytes
from opstool.fake.batches import check_entries, each_entry
from opstool.fake.faults import EntryFault
from opstool.fake.fifo import FifoQueue
from opstool.fake.queue import StandardQueue
from opstool.fake.refusal import RefusalError, in_range, invalid_value
from opstool.fake.registry import Registry
from opstool.fake.settings import MAX_BYTES, MAX_DELAY_S, MAX_VISIBILITY_S
from opstool.fake.stored import StoredMessage
from opstool.words.message import Attribute, md5_of_attributes, md5_of_body

_PURGE_INTERVAL_MS = 60_000
_NOT_FOR_THIS_TYPE = "The request include parameter that is not valid for this queue type"

Request = Mapping[str, Any]
Refused = Mapping[str, EntryFault]


class Messages:
    """Carries out requests about messages; the caller holds the service's lock. `now_ms` is the service's time."""

    def __init__(self, registry: Registry, rng: Random, sender_id: str) -> None:
        self._registry = registry
        self._rng = rng
        self._sender_id = sender_id

    def send(self, request: Request, now_ms: int) -> dict[str, Any]:
        """Take one message in."""
        return self._send(self._registry.find(request["QueueUrl"]), request, now_ms)

    def send_batch(self, request: Request, refused: Refused, now_ms: int) -> dict[str, Any]:
        """Take up to ten messages in, each on its own."""
        queue = self._registry.find(request["QueueUrl"])
        entries = request["Entries"]
        check_entries("SendMessageBatch", entries)
        size = sum(_raw_size_bytes(entry) for entry in entries)
        if size > MAX_BYTES:
            raise RefusalError(
                "BatchRequestTooLong",
                f"Batch requests cannot be longer than {MAX_BYTES} bytes. You have sent {size} bytes.",
            )
        return each_entry(entries, refused, lambda entry: self._send(queue, entry, now_ms))

    def delete(self, request: Request, now_ms: int) -> dict[str, Any]:
        """Delete one message."""
        self._registry.find(request["QueueUrl"]).delete(request["ReceiptHandle"], now_ms)
        return {}

    def delete_batch(self, request: Request, refused: Refused, now_ms: int) -> dict[str, Any]:
        """Delete up to ten messages, each on its own."""
        queue = self._registry.find(request["QueueUrl"])
        check_entries("DeleteMessageBatch", request["Entries"])

        def act(entry: Request) -> dict[str, Any]:
            queue.delete(entry["ReceiptHandle"], now_ms)
            return {}

        return each_entry(request["Entries"], refused, act)

    def change_visibility(self, request: Request, now_ms: int) -> dict[str, Any]:
        """Hide one message for longer, or show it."""
        return _change_visibility(self._registry.find(request["QueueUrl"]), request, now_ms)

    def change_visibility_batch(self, request: Request, refused: Refused, now_ms: int) -> dict[str, Any]:
        """Hide up to ten messages for longer, or show them, each on its own."""
        queue = self._registry.find(request["QueueUrl"])
        check_entries("ChangeMessageVisibilityBatch", request["Entries"])
        return each_entry(request["Entries"], refused, lambda entry: _change_visibility(queue, entry, now_ms))

    def purge(self, request: Request, now_ms: int) -> dict[str, Any]:
        """Delete every message of a queue, at once (AWS may take a minute), and at most once a minute."""
        queue = self._registry.find(request["QueueUrl"])
        if queue.purged_at_ms is not None and now_ms < queue.purged_at_ms + _PURGE_INTERVAL_MS:
            raise RefusalError(
                "PurgeQueueInProgress",
                f"Only one PurgeQueue operation on {queue.address.name} is allowed every 60 seconds.",
            )
        queue.purge(now_ms)
        return {}

    def _send(self, queue: StandardQueue, fields: Request, now_ms: int) -> dict[str, Any]:
        message = self._admitted(queue, fields)
        message.sent_at_ms = now_ms
        stored = queue.put(message, now_ms, _delay_s(queue, fields))
        answer = {"MessageId": stored.message_id, "MD5OfMessageBody": message.md5_of_body}
        if message.md5_of_attributes:
            answer["MD5OfMessageAttributes"] = message.md5_of_attributes
        if message.trace_header:
            header = Attribute(type="String", value=message.trace_header)
            answer["MD5OfMessageSystemAttributes"] = md5_of_attributes({"AWSTraceHeader": header}) or ""
        if stored.sequence_number:
            answer["SequenceNumber"] = stored.sequence_number
        return answer

    def _admitted(self, queue: StandardQueue, fields: Request) -> StoredMessage:
        """Return the message that a request describes, or refuse it."""
        body: str = fields["MessageBody"]
        admit_body(body)
        attributes = admit_attributes(fields.get("MessageAttributes") or {})
        if size_bytes(body, attributes) > queue.settings.max_bytes:
            raise RefusalError(
                "InvalidParameterValue",
                "One or more parameters are invalid. Reason: Message must be shorter than "
                f"{queue.settings.max_bytes} bytes.",
            )
        group_id, deduplication_id = _fifo_ids(queue, fields)
        return StoredMessage(
            message_id=new_message_id(self._rng),
            body=body,
            md5_of_body=md5_of_body(body),
            attributes=attributes,
            md5_of_attributes=md5_of_attributes(attributes),
            sender_id=self._sender_id,
            trace_header=admit_trace_header(fields.get("MessageSystemAttributes") or {}),
            group_id=group_id,
            deduplication_id=deduplication_id,
        )


def new_message_id(rng: Random) -> str:
    """Return an id for a message that is new in its queue."""
    digits = f"{rng.getrandbits(128):032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def _fifo_ids(queue: StandardQueue, fields: Request) -> tuple[str | None, str | None]:
    """Return the group id (standard queues take one too: fair queues) and the deduplication id."""
    group_id = fields.get("MessageGroupId")
    given = fields.get("MessageDeduplicationId")
    if group_id is not None:
        admit_id(group_id, "MessageGroupId")
    if given is not None:
        admit_id(given, "MessageDeduplicationId")
    if isinstance(queue, FifoQueue):
        if group_id is None:
            raise RefusalError("MissingParameter", "The request must contain the parameter MessageGroupId.")
        return group_id, queue.deduplication_id(fields["MessageBody"], given)
    if given is not None:
        raise invalid_value(given, "MessageDeduplicationId", _NOT_FOR_THIS_TYPE)
    return group_id, None


def _delay_s(queue: StandardQueue, fields: Request) -> int:
    delay: int | None = fields.get("DelaySeconds")
    if delay is None:
        return queue.settings.delay_s
    if delay and queue.address.is_fifo:
        raise invalid_value(delay, "DelaySeconds", _NOT_FOR_THIS_TYPE)
    return queue.settings.delay_s if queue.address.is_fifo else in_range(delay, 0, MAX_DELAY_S, "DelaySeconds")


def _change_visibility(queue: StandardQueue, fields: Request, now_ms: int) -> dict[str, Any]:
    if fields.get("VisibilityTimeout") is None:
        raise RefusalError("MissingParameter", "The request must contain the parameter VisibilityTimeout.")
    seconds = in_range(fields["VisibilityTimeout"], 0, MAX_VISIBILITY_S, "VisibilityTimeout")
    queue.change_visibility(fields["ReceiptHandle"], seconds, now_ms)
    return {}


def _raw_size_bytes(entry: Request) -> int:
    """Return the size of an entry before it is known whether it is valid."""
    attributes = {
        name: Attribute(type=raw.get("DataType") or "", value=raw.get("BinaryValue") or raw.get("StringValue") or "")
        for name, raw in (entry.get("MessageAttributes") or {}).items()
    }
    return size_bytes(entry["MessageBody"], attributes)
