"""A queue by SQS's rules where moto 5.2.5 has others; queue_backend.py has the rules between its messages."""

from __future__ import annotations

import copy
import itertools
import json
from typing import Any

from moto.sqs.exceptions import InvalidParameterValue
from moto.sqs.models import Message, Queue

from opstool.local.emulator_time import NOW

DEDUPLICATION_MS = 300_000
MAXIMUM_RECEIVE_COUNT = 1000

endpoint_url = ""
"""Where queue URLs point; set when a server starts."""


def is_ready(message: Any, now_ms: float) -> bool:
    """Tell whether a message is neither in flight nor delayed."""
    return bool(message.visible_at <= now_ms and message.delayed_until <= now_ms)


class CorrectQueue(Queue):
    """A queue that counts fast, knows its redrive allow policy, and deduplicates as FIFO queues do."""

    BASE_ATTRIBUTES = [*Queue.BASE_ATTRIBUTES, "RedriveAllowPolicy"]  # noqa: RUF012 moto's own shape
    redrive_allow_policy: Any = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._sent: dict[tuple[str, str], Message] = {}
        self._sequence = itertools.count(18_850_000_000_000_000_000, 256)
        super().__init__(*args, **kwargs)

    @property
    def approximate_number_of_messages_delayed(self) -> int:
        """Count the delayed messages, asking the time once."""
        now = NOW.millis()
        return sum(message.delayed_until > now for message in self._messages)

    @property
    def approximate_number_of_messages_not_visible(self) -> int:
        """Count the messages in flight, asking the time once."""
        now = NOW.millis()
        return sum(message.visible_at > now for message in self._messages)

    @property
    def messages(self) -> list[Message]:
        """Return what could be received now, asking the time once."""
        now = NOW.millis()
        return [message for message in self._messages if is_ready(message, now)]

    @property
    def stored(self) -> list[Message]:
        """Return all messages in the order of their arrival, those in flight too."""
        return self._messages

    @property
    def physical_resource_id(self) -> str:
        """Return a queue URL on loopback, so that a stack's outputs and a function's environment name this machine."""
        return f"{endpoint_url}/{self.account_id}/{self.name}"

    @property
    def attributes(self) -> dict[str, Any]:
        """Return moto's attributes with whole seconds, and the redrive allow policy as JSON."""
        found = super().attributes
        for name in ("CreatedTimestamp", "LastModifiedTimestamp"):
            found[name] = int(found[name])
        # CloudFormation gives a mapping where the API gives JSON.
        if isinstance(found.get("RedriveAllowPolicy"), dict):
            found["RedriveAllowPolicy"] = json.dumps(found["RedriveAllowPolicy"])
        return found

    def _setup_dlq(self, policy: Any) -> None:
        wanted = json.loads(policy) if isinstance(policy, str) and policy else policy
        count = wanted.get("maxReceiveCount", 1) if isinstance(wanted, dict) else 1
        if not 1 <= int(count) <= MAXIMUM_RECEIVE_COUNT:
            raise InvalidParameterValue(
                f"Value {policy} for parameter RedrivePolicy is invalid. Reason: Invalid value for maxReceiveCount: "
                f"{count}, valid values are from 1 to 1000 both inclusive."
            )
        super()._setup_dlq(policy)

    def add_message(self, message: Message) -> None:
        """Keep a message, unless it is a FIFO duplicate: that is answered like the first and not kept."""
        if self.fifo_queue:
            message.sequence_number = f"{next(self._sequence):020d}"
            if first := self._first_of(message):
                message.id, message.sequence_number = first.id, first.sequence_number
                return
        self._messages.append(message)

    def _first_of(self, message: Message) -> Message | None:
        """Return the message that this one repeats within five minutes, even when that one is already deleted."""
        horizon = NOW.millis() - DEDUPLICATION_MS
        while self._sent and next(iter(self._sent.values())).sent_timestamp < horizon:  # type: ignore[operator]
            del self._sent[next(iter(self._sent))]
        by_group = getattr(self, "deduplication_scope", "queue") == "messageGroup"
        key = (message.group_id or "" if by_group else "", message.deduplication_id or "")
        if key not in self._sent:
            self._sent[key] = copy.copy(message)
            return None
        return self._sent[key]

    def forget_expired(self, now_ms: float) -> None:
        """Drop what has outlived the retention period."""
        horizon = now_ms - int(self.message_retention_period) * 1000  # type: ignore[attr-defined]
        if any(message.sent_timestamp < horizon for message in self._messages):
            self._messages = [message for message in self._messages if message.sent_timestamp >= horizon]

    def having(self, receipt_handle: str) -> Message | None:
        """Return the message of a receipt handle, the newest handles first."""
        for message in self._messages:
            if message.receipt_handle == receipt_handle:
                return message
        return next((m for m in self._messages if m.had_receipt_handle(receipt_handle)), None)
