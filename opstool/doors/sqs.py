"""The one module that speaks SQS: it takes and returns our own words, over a single seam `call(operation, request)`.

The seam is a function, so that boto3 (session.py), the in-memory fake (fake/) and any faster transport are
interchangeable. Every answer that said no arrives as an OpstoolError; every failed entry of a batch that said yes
arrives as an EntryFailure, never silently.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, Protocol

from opstool.doors.answers import time_of
from opstool.doors.clock import Clock
from opstool.doors.movetasks import MoveTasks
from opstool.doors.queueattributes import attributes_of
from opstool.doors.wire import (
    EntryFailure,
    Outgoing,
    Received,
    Sent,
    entry_of,
    message_of,
    outcomes_of,
    reading,
    unconfirmed_of,
)
from opstool.words.awserrors import UNKNOWN_OPERATION
from opstool.words.errors import NotFoundError, ServiceError, UsageError
from opstool.words.message import Message
from opstool.words.queue import Queue, QueueAttributes, Source
from opstool.words.times import CLOCKS_AGREE_MS

MAX_BATCH_ENTRIES = 10
"""Entries in a batch and messages in a receive: SQS quotas."""
MAX_BATCH_BYTES = 1_048_576
"""Bodies and attributes of one message, and of one batch together: SQS quotas."""
_BILLED_CHUNK_BYTES = 65_536
"""Each 64 KB of payload is billed as one request: SQS pricing."""

_OTHER_PLACE = "choose its account and region with --profile and --region"


class Call(Protocol):
    """One request to SQS, in the API's own names and boto3's types; raises OpstoolError."""

    def __call__(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        """Carry out `operation`, such as ReceiveMessage."""


class Sqs:
    """SQS in our words; thread-safe. `requests` and `billed_requests` count what was asked since it was made."""

    def __init__(self, call: Call, clock: Clock) -> None:
        self._call = call
        self._clock = clock
        self._skew_s = 0.0
        self._lock = threading.Lock()
        self.requests = 0
        self.billed_requests = 0
        self.move_tasks = MoveTasks(self._ask)

    # -- addresses and attributes

    def resolve(self, name: str) -> Queue:
        """Return the queue with this name, URL or ARN; raise NotFoundError or UsageError."""
        is_address = name.startswith(("http://", "https://", "arn:"))
        try:
            url = self._url_of(name)
            response = self._ask("GetQueueAttributes", QueueUrl=url, AttributeNames=["QueueArn"])
        except NotFoundError as error:
            raise NotFoundError(
                f'queue "{name}" does not exist' + (" here" if is_address else ""),
                code=error.code,
                hint=_OTHER_PLACE if is_address else "opstool dlq queues lists the dead-letter queues",
            ) from error
        with reading("GetQueueAttributes"):
            queue = Queue(url=url, arn=response["Attributes"]["QueueArn"])
        if name.startswith("arn:") and queue.arn != name:  # a queue of the same name, and not the one that is meant
            raise UsageError(
                f"`{name}` is not here; the queue of that name here is `{queue.arn}`",
                code="invalid_queue",
                hint=_OTHER_PLACE,
            )
        return queue

    def _url_of(self, name: str) -> str:
        """Return the URL of the queue with this name, URL or ARN, of this account and region or another account."""
        if name.startswith(("http://", "https://")):
            return name
        owner = {}
        if name.startswith("arn:"):
            parts = name.split(":")
            if len(parts) != 6 or parts[2] != "sqs" or not all(parts[3:]):  # noqa: PLR2004 - an ARN has six parts
                raise UsageError(f"`{name}` is not the ARN of an SQS queue", code="invalid_queue")
            name, owner = parts[5], {"QueueOwnerAWSAccountId": parts[4]}
        response = self._ask("GetQueueUrl", QueueName=name, **owner)
        with reading("GetQueueUrl"):
            return str(response["QueueUrl"])

    def attributes(self, queue: Queue) -> QueueAttributes:
        """Return what SQS says of the queue; the counts are approximate."""
        return self.describe(queue.url)[1]

    def describe(self, url: str) -> tuple[Queue, QueueAttributes]:
        """Return the address and the attributes of the queue with this URL, in one request."""
        response = self._ask("GetQueueAttributes", QueueUrl=url, AttributeNames=["All"])
        self._learn_skew(response)
        with reading("GetQueueAttributes"):
            values: Mapping[str, str] = response["Attributes"]
            return Queue(url=url, arn=values["QueueArn"]), attributes_of(values)

    def queue_urls(self, prefix: str | None = None) -> Iterator[str]:
        """Yield the URL of every queue of the account and region whose name begins so, any number of them."""
        named = {"QueueNamePrefix": prefix} if prefix else {}
        for page in self._pages("ListQueues", {"MaxResults": 1000, **named}):
            yield from page.get("QueueUrls", [])

    def set_retention(self, queue: Queue, seconds: int) -> None:
        """Let the queue keep messages for so long; a lower value than now can delete messages at once."""
        self._ask("SetQueueAttributes", QueueUrl=queue.url, Attributes={"MessageRetentionPeriod": str(seconds)})

    def sources(self, dlq: Queue) -> list[Source]:
        """Return the queues whose redrive policy points to `dlq`."""
        try:
            pages = self._pages("ListDeadLetterSourceQueues", {"QueueUrl": dlq.url, "MaxResults": 1000})
            described = self._described(url for page in pages for url in page.get("queueUrls", []))
        except ServiceError as error:
            if error.code != UNKNOWN_OPERATION:
                raise
            described = self._described(self.queue_urls())  # an emulator: ask every queue instead
        return [
            Source(queue=queue, max_receive_count=attributes.redrive_policy.max_receive_count)
            for queue, attributes in described
            if attributes.redrive_policy and attributes.redrive_policy.dlq_arn == dlq.arn
        ]

    def _described(self, urls: Iterable[str]) -> list[tuple[Queue, QueueAttributes]]:
        """Return these queues without those that are gone: SQS goes on listing a queue for a minute."""
        found = []
        for url in urls:
            with suppress(NotFoundError):
                found.append(self.describe(url))
        return found

    def _pages(self, operation: str, request: dict[str, Any]) -> Iterator[dict[str, Any]]:
        while True:
            page = self._ask(operation, **request)
            yield page
            if not page.get("NextToken"):
                return
            request = {**request, "NextToken": page["NextToken"]}

    # -- messages

    def receive(self, queue: Queue, *, visibility_timeout_s: int, wait_s: int) -> list[Received]:
        """Receive up to ten messages with everything that is known of them, hidden for `visibility_timeout_s`."""
        response = self._ask(
            "ReceiveMessage",
            QueueUrl=queue.url,
            MaxNumberOfMessages=MAX_BATCH_ENTRIES,
            VisibilityTimeout=visibility_timeout_s,
            WaitTimeSeconds=wait_s,
            MessageAttributeNames=["All"],
            MessageSystemAttributeNames=["All"],
            AttributeNames=["All"],  # the older name of the same: some emulators know only this one
        )
        with reading("ReceiveMessage"):
            received = [Received(message_of(raw), raw["ReceiptHandle"]) for raw in response.get("Messages", [])]
        self._bill(sum([each.message.size_bytes for each in received]))
        return received

    def send_batch(self, queue: Queue, entries: Sequence[Outgoing]) -> list[Sent | EntryFailure | None]:
        """Send up to ten messages; the answers stand in the order of the entries, None where SQS named no outcome."""
        response = self._ask(
            "SendMessageBatch",
            QueueUrl=queue.url,
            Entries=[{"Id": str(index), **entry_of(entry)} for index, entry in enumerate(entries)],
        )
        self._bill(sum([entry.message.size_bytes for entry in entries]))
        return outcomes_of(response, len(entries))

    def delete_batch(self, queue: Queue, receipt_handles: Sequence[str]) -> dict[int, EntryFailure]:
        """Delete up to ten messages; return those not confirmed by their place in `receipt_handles`."""
        entries = [{"Id": str(index), "ReceiptHandle": handle} for index, handle in enumerate(receipt_handles)]
        return unconfirmed_of(self._ask("DeleteMessageBatch", QueueUrl=queue.url, Entries=entries), len(entries))

    def change_visibility_batch(
        self, queue: Queue, receipt_handles: Sequence[str], *, visibility_timeout_s: int
    ) -> dict[int, EntryFailure]:
        """Hide up to ten messages for so long from now (0: show them); return those not confirmed by their place."""
        entries = [
            {"Id": str(index), "ReceiptHandle": handle, "VisibilityTimeout": visibility_timeout_s}
            for index, handle in enumerate(receipt_handles)
        ]
        response = self._ask("ChangeMessageVisibilityBatch", QueueUrl=queue.url, Entries=entries)
        return unconfirmed_of(response, len(entries))

    # -- time and counting

    def now_ms(self) -> int:
        """Return the service's time, as far as its last answer tells: what SentTimestamps are compared with."""
        return int((self._clock.wall() + self._skew_s) * 1000)

    def _learn_skew(self, response: dict[str, Any]) -> None:
        date = response.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
        if not date:
            return
        with suppress(ValueError):  # a date that cannot be read is as good as none
            skew = time_of(date) - self._clock.wall()
            self._skew_s = skew if abs(skew) * 1000 > CLOCKS_AGREE_MS else 0.0

    def _ask(self, operation: str, **request: Any) -> dict[str, Any]:
        with self._lock:
            self.requests += 1
            self.billed_requests += 1
        return self._call(operation, request)

    def _bill(self, payload_bytes: int) -> None:
        """Count the requests that a payload costs beyond the first."""
        with self._lock:
            self.billed_requests += max(0, -(-payload_bytes // _BILLED_CHUNK_BYTES) - 1)


def split(messages: Iterable[Message]) -> Iterator[list[Message]]:
    """Cut messages into batches that SQS accepts: ten entries and 1,048,576 bytes at most, order kept."""
    batch: list[Message] = []
    size = 0
    for message in messages:
        its_size = message.size_bytes
        if batch and (len(batch) == MAX_BATCH_ENTRIES or size + its_size > MAX_BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(message)
        size += its_size
    if batch:
        yield batch
