"""The queues of one region by SQS's rules where moto 5.2.5 has others.

All messages are behind one lock. A long poll gives it up while it waits. corrections.py lists what is corrected and
puts these classes in moto's place.
"""

from __future__ import annotations

import copy
import re
import threading
import time
from collections.abc import Iterable
from typing import Any

from moto.sqs.exceptions import (
    BatchEntryIdsNotDistinct,
    BatchRequestTooLong,
    InvalidBatchEntryId,
    InvalidParameterValue,
    ReceiptHandleIsInvalid,
    SQSException,
    TooManyEntriesInBatchRequest,
)
from moto.sqs.models import Message, Queue, SQSBackend, _filter_message_attributes

from opstool.local.emulated_queue import CorrectQueue, is_ready
from opstool.local.emulator_time import NOW
from opstool.local.send_rules import MAXIMUM_BATCH_BYTES, refusal, size_bytes

MAXIMUM_IN_FLIGHT_MS = 43_200_000


class CorrectBackend(SQSBackend):
    """The queues of one region behind one lock."""

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self.changed = threading.Condition(threading.RLock())
        self.source_arns: dict[str, str] = {}
        self.wake_ups = 0

    def _validate_message(self, queue: Queue, message_body: str, *args: Any, **kwargs: Any) -> None:  # noqa: ARG002
        # The body's own rules are in send_rules, where an entry fails alone. These here fail the request.
        super()._validate_message(queue, "", *args, **kwargs)

    def send_message(self, queue_name: str, message_body: str, *args: Any, **kwargs: Any) -> Message:
        """Send one message, or refuse it as SQS does."""
        with self.changed:
            attributes = kwargs.get("message_attributes") or {}
            limit = int(self.get_queue(queue_name).maximum_message_size)  # type: ignore[attr-defined]
            if no := refusal(message_body, attributes, maximum_bytes=limit):
                raise SQSException(no.code, no.message)
            message = super().send_message(queue_name, message_body, *args, **kwargs)
            self.changed.notify_all()
            return message

    def send_message_batch(
        self, queue_name: str, entries: dict[str, dict[str, Any]]
    ) -> tuple[list[Message], list[dict[str, Any]]]:
        """Send up to ten messages; a bad one fails alone, a bad request fails whole."""
        with self.changed:
            self._check_batch(self.get_queue(queue_name), list(entries.values()))
            sent: list[Message] = []
            failed: list[dict[str, Any]] = []
            for entry in entries.values():
                try:
                    sent.append(self._send_entry(queue_name, entry))
                except SQSException as refused:
                    failed.append(_failed(entry, refused))
            return sent, failed

    def _check_batch(self, queue: Queue, entries: list[dict[str, Any]]) -> None:
        if len(entries) > 10:  # noqa: PLR2004 SQS's own number
            raise TooManyEntriesInBatchRequest(len(entries))
        if any(not re.fullmatch(r"[\w-]{1,80}", entry["Id"], re.ASCII) for entry in entries):
            raise InvalidBatchEntryId
        if repeated := self._get_first_duplicate_id([entry["Id"] for entry in entries]):
            raise BatchEntryIdsNotDistinct(repeated)
        total = sum(size_bytes(entry["MessageBody"], entry["MessageAttributes"]) for entry in entries)
        if total > MAXIMUM_BATCH_BYTES:
            raise BatchRequestTooLong(total)
        for entry in entries:
            ids = entry.get("MessageDeduplicationId"), entry.get("MessageGroupId")
            self._validate_message(queue, "", int(entry.get("DelaySeconds") or 0), *ids)

    def _send_entry(self, queue_name: str, entry: dict[str, Any]) -> Message:
        message = self.send_message(
            queue_name,
            entry["MessageBody"],
            message_attributes=entry["MessageAttributes"],
            delay_seconds=entry["DelaySeconds"],
            group_id=entry.get("MessageGroupId"),
            deduplication_id=entry.get("MessageDeduplicationId"),
            system_attributes=entry.get("MessageSystemAttributes"),
        )
        message.user_id = entry["Id"]  # type: ignore[attr-defined]
        return message

    def receive_message(
        self,
        queue_name: str,
        count: int,
        wait_seconds_timeout: int,
        visibility_timeout: int,
        message_attribute_names: list[str] | None = None,
    ) -> list[Message]:
        """Take up to `count` messages; a long poll wakes when one is sent, released or visible again."""
        deadline = time.monotonic() + wait_seconds_timeout
        with self.changed:
            wake_ups = self.wake_ups
            while True:
                queue: Any = self.get_queue(queue_name)
                taken = self._take(queue, count, visibility_timeout)
                left = deadline - time.monotonic()
                if taken or left <= 0 or self.wake_ups != wake_ups:
                    break
                self.changed.wait(min(left, _seconds_to_next_change(queue)))
        for message in taken:
            _filter_message_attributes(message, message_attribute_names or [])
        return taken

    def _take(self, queue: CorrectQueue, count: int, visibility_timeout: int) -> list[Message]:
        now = NOW.millis()
        queue.forget_expired(now)
        # A group is locked while one of its messages is in flight. Within one receive its messages may follow another.
        waiting = (message for message in queue.stored if not is_ready(message, now))
        locked = {message.group_id for message in waiting} if queue.fifo_queue else set()
        taken: list[Message] = []
        dead: list[Message] = []
        for message in queue.stored:
            if not is_ready(message, now) or message.group_id in locked:
                continue
            if self._is_due_for_dlq(queue, message):
                dead.append(message)
                continue
            message.mark_received(visibility_timeout=visibility_timeout)
            message.received_at_ms = now  # type: ignore[attr-defined]
            queue.pending_messages.add(message)
            taken.append(copy.copy(message))
            if len(taken) == count:
                break
        self._dead_letter(queue, dead)
        return taken

    def _is_due_for_dlq(self, queue: Any, message: Message) -> bool:
        dlq = queue.dead_letter_queue
        # A DLQ that was deleted takes nothing: the message stays.
        if dlq is None or not queue.redrive_policy or self.queues.get(dlq.name) is not dlq:
            return False
        return bool(message.approximate_receive_count >= queue.redrive_policy["maxReceiveCount"])

    def _dead_letter(self, queue: CorrectQueue, dead: Iterable[Message]) -> None:
        for message in dead:
            dlq: Any = queue.dead_letter_queue
            queue.stored.remove(message)
            queue.pending_messages.discard(message)
            self.source_arns[message.id] = queue.queue_arn
            if dlq.fifo_queue:
                # The move is a new send there: the retention starts again, and the id deduplicates.
                message.sent_timestamp = int(NOW.millis())  # type: ignore[assignment]
                message.deduplication_id = message.id
            dlq.stored.append(message)
            self.changed.notify_all()

    def delete_message(self, queue_name: str, receipt_handle: str) -> None:
        """Forget a message; on a FIFO queue only while the handle's visibility timeout lasts."""
        with self.changed:
            queue: Any = self.get_queue(queue_name)
            if receipt_handle in queue.deleted_messages:
                return
            message = queue.having(receipt_handle)
            if message is None:
                raise ReceiptHandleIsInvalid
            if queue.fifo_queue and (message.visible_at <= NOW.millis() or message.receipt_handle != receipt_handle):
                raise InvalidParameterValue(
                    f"Value {receipt_handle} for parameter ReceiptHandle is invalid. "
                    "Reason: The receipt handle has expired."
                )
            queue.stored.remove(message)
            queue.pending_messages.discard(message)
            queue.deleted_messages.update(message.all_receipt_handles)
            self.changed.notify_all()

    def change_message_visibility(self, queue_name: str, receipt_handle: str, visibility_timeout: int) -> None:
        """Move the end of a message's time in flight; twelve hours from its receive are the most."""
        with self.changed:
            queue: Any = self.get_queue(queue_name)
            message = queue.having(receipt_handle)
            now = NOW.millis()
            if message is None:
                raise ReceiptHandleIsInvalid
            if message.visible_at <= now:
                raise SQSException(
                    "AWS.SimpleQueueService.MessageNotInflight",
                    f"Value {receipt_handle} for parameter ReceiptHandle is invalid. Reason: Message does not exist "
                    "or is not available for visibility timeout change.",
                )
            until = now + int(visibility_timeout) * 1000
            if until - message.received_at_ms > MAXIMUM_IN_FLIGHT_MS:
                raise InvalidParameterValue(
                    f"Value {visibility_timeout} for parameter VisibilityTimeout is invalid. Reason: Total "
                    "VisibilityTimeout for the message is beyond the limit [43200 seconds]"
                )
            message.visible_at = until if int(visibility_timeout) else 0.0
            self.changed.notify_all()

    def change_message_visibility_batch(
        self, queue_name: str, entries: list[dict[str, Any]]
    ) -> tuple[list[str], list[dict[str, Any]]]:
        """Change up to ten; each fails alone."""
        done: list[str] = []
        failed: list[dict[str, Any]] = []
        for entry in entries:
            try:
                timeout = int(entry.get("VisibilityTimeout", 0))
                if not 0 <= timeout <= MAXIMUM_IN_FLIGHT_MS // 1000:
                    raise InvalidParameterValue("Visibility timeout invalid")
                self.change_message_visibility(queue_name, entry["ReceiptHandle"], timeout)
                done.append(entry["Id"])
            except SQSException as refused:
                failed.append(_failed(entry, refused))
        return done, failed


def _failed(entry: dict[str, Any], refused: SQSException) -> dict[str, Any]:
    return {"Id": entry["Id"], "SenderFault": True, "Code": refused.code, "Message": refused.message}


def _seconds_to_next_change(queue: Any) -> float:
    """Return when the next message becomes visible by itself, at most a second from now."""
    now = NOW.millis()
    times = (max(message.visible_at, message.delayed_until) for message in queue.stored)
    soonest: float = min((at for at in times if at > now), default=now + 1000.0)
    return max(0.001, min(1.0, (soonest - now) / 1000 + 0.001))
