"""What the loopback endpoint answers: the operations of SQS that a redrive needs, over the pool."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from bench.pool import DLQ_ARN, SOURCE_ARN, Pool, attributes_md5, md5

Answer = tuple[int, bytes]
"""Status and body."""

_ARNS = {"orders": SOURCE_ARN, "orders-dlq": DLQ_ARN}
_POLICY = json.dumps({"deadLetterTargetArn": DLQ_ARN, "maxReceiveCount": 3})
_IDENTITY = (
    b'<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>'
    b"<Arn>arn:aws:iam::123456789012:user/bench</Arn><UserId>AIDAIENQZJOLO23YVJ4VO</UserId>"
    b"<Account>123456789012</Account></GetCallerIdentityResult><ResponseMetadata><RequestId>bench</RequestId>"
    b"</ResponseMetadata></GetCallerIdentityResponse>"
)
_NOT_HERE: Answer = 501, b'{"__type":"NotImplemented","message":"the endpoint of the benchmark does not have it"}'


class Service:
    """SQS over the pool of one dead-letter queue; verifies no signature, enforces no quota and no permission."""

    def __init__(self, pool: Pool, base_url: str, clock: Callable[[], float] = time.monotonic) -> None:
        self.pool = pool
        self.base_url = base_url
        self.clock = clock
        self.calls: Counter[str] = Counter()
        self.first_receive_s: float | None = None
        self.last_delete_s: float | None = None
        self._ids = 0
        self._operations: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "GetQueueUrl": self._queue_url,
            "GetQueueAttributes": self._queue_attributes,
            "SetQueueAttributes": lambda _request: {},
            "ListQueues": lambda _request: {"QueueUrls": [self._url(name) for name in _ARNS]},
            "ListDeadLetterSourceQueues": self._sources,
            "ListMessageMoveTasks": lambda _request: {"Results": []},
            "ListQueueTags": lambda _request: {},
            "SendMessage": self._send,
            "SendMessageBatch": self._send_batch,
            "DeleteMessage": self._delete,
            "DeleteMessageBatch": self._delete_batch,
            "ChangeMessageVisibility": self._change_visibility,
            "ChangeMessageVisibilityBatch": self._change_visibility_batch,
            "PurgeQueue": self._purge,
        }

    def receive(self, request: dict[str, Any]) -> bytes | None:
        """Answer a receive at once, or return None when there is nothing and the caller may wait."""
        if self.first_receive_s is None:
            self.first_receive_s = self.clock()
        if _name_of(request.get("QueueUrl", "")) != "orders-dlq":
            return b"{}"
        if not self.pool.waiting:
            return None
        wants_all = "All" in (request.get("MessageSystemAttributeNames") or request.get("AttributeNames") or ())
        until = self.clock() + int(request.get("VisibilityTimeout", 30))
        return self.pool.receive(int(request.get("MaxNumberOfMessages", 1)), wants_all=wants_all, until=until)

    def answer(self, operation: str, request: dict[str, Any]) -> Answer:
        """Answer every operation but ReceiveMessage."""
        known = self._operations.get(operation)
        if known is None:
            return _NOT_HERE
        name = _name_of(request.get("QueueUrl", "")) or request.get("QueueName", "orders")
        if name not in _ARNS:
            return 400, b'{"__type":"com.amazonaws.sqs#QueueDoesNotExist","message":"no such queue"}'
        return 200, json.dumps(known(request), separators=(",", ":")).encode()

    def answer_other(self, body: bytes) -> Answer:
        """Answer what is not SQS: STS says who asks, everything else is refused at once."""
        return (200, _IDENTITY) if b"Action=GetCallerIdentity" in body else _NOT_HERE

    def names(self) -> list[str]:
        """Return the operations that it answers, but for ReceiveMessage."""
        return list(self._operations)

    def stats(self) -> dict[str, Any]:
        """Return what was asked, when, and what became of the messages; times are seconds of the monotonic clock."""
        return {
            "calls": dict(self.calls),
            "first_receive_s": self.first_receive_s,
            "last_delete_s": self.last_delete_s,
            "book": self.pool.book(),
        }

    def _url(self, name: str) -> str:
        return f"{self.base_url}/123456789012/{name}"

    def _queue_url(self, request: dict[str, Any]) -> dict[str, Any]:
        return {"QueueUrl": self._url(request["QueueName"])}

    def _sources(self, request: dict[str, Any]) -> dict[str, Any]:
        return {"queueUrls": [self._url("orders")] if _name_of(request["QueueUrl"]) == "orders-dlq" else []}

    def _queue_attributes(self, request: dict[str, Any]) -> dict[str, Any]:
        name = _name_of(request["QueueUrl"])
        is_dlq = name == "orders-dlq"
        attributes = {
            "QueueArn": _ARNS[name],
            "ApproximateNumberOfMessages": str(len(self.pool.waiting) if is_dlq else self.pool.sent),
            "ApproximateNumberOfMessagesNotVisible": str(len(self.pool.in_flight) if is_dlq else 0),
            "ApproximateNumberOfMessagesDelayed": "0",
            "CreatedTimestamp": "1780000000",
            "LastModifiedTimestamp": "1780000000",
            "VisibilityTimeout": "30",
            "MaximumMessageSize": "1048576",
            "MessageRetentionPeriod": "1209600",
            "DelaySeconds": "0",
            "ReceiveMessageWaitTimeSeconds": "0",
            "SqsManagedSseEnabled": "true",
        }
        if not is_dlq:
            attributes["RedrivePolicy"] = _POLICY
        wanted = request.get("AttributeNames") or []
        return {"Attributes": {key: value for key, value in attributes.items() if "All" in wanted or key in wanted}}

    def _send(self, request: dict[str, Any]) -> dict[str, Any]:
        body = request["MessageBody"]
        if _name_of(request["QueueUrl"]) == "orders":
            self.pool.note_sent(body)
        self._ids += 1
        answer = {"MessageId": f"5b1e7a64-0000-4000-8000-{self._ids:012x}", "MD5OfMessageBody": md5(body)}
        for given, answered in (
            ("MessageAttributes", "MD5OfMessageAttributes"),
            ("MessageSystemAttributes", "MD5OfMessageSystemAttributes"),
        ):
            if request.get(given):
                answer[answered] = attributes_md5(request[given])
        return answer

    def _send_batch(self, request: dict[str, Any]) -> dict[str, Any]:
        url = request["QueueUrl"]
        return {
            "Successful": [
                {"Id": entry["Id"], **self._send({**entry, "QueueUrl": url})} for entry in request["Entries"]
            ]
        }

    def _delete(self, request: dict[str, Any]) -> dict[str, Any]:
        self.pool.delete(request["ReceiptHandle"])
        self.last_delete_s = self.clock()
        return {}

    def _delete_batch(self, request: dict[str, Any]) -> dict[str, Any]:
        done = [(entry["Id"], self.pool.delete(entry["ReceiptHandle"])) for entry in request["Entries"]]
        self.last_delete_s = self.clock()
        return _outcome(done)

    def _change_visibility(self, request: dict[str, Any]) -> dict[str, Any]:
        now = self.clock()
        self.pool.hide(request["ReceiptHandle"], now + int(request["VisibilityTimeout"]), now)
        return {}

    def _change_visibility_batch(self, request: dict[str, Any]) -> dict[str, Any]:
        now, hide = self.clock(), self.pool.hide
        return _outcome(
            [
                (entry["Id"], hide(entry["ReceiptHandle"], now + int(entry.get("VisibilityTimeout", 30)), now))
                for entry in request["Entries"]
            ]
        )

    def _purge(self, _request: dict[str, Any]) -> dict[str, Any]:
        self.pool.waiting.clear()
        return {}


def _outcome(done: list[tuple[str, bool]]) -> dict[str, Any]:
    """Return the answer of a batch whose entries carry an id and whether it went well."""
    answer: dict[str, Any] = {"Successful": [{"Id": each} for each, is_good in done if is_good]}
    failed = [
        {"Id": each, "SenderFault": True, "Code": "ReceiptHandleIsInvalid", "Message": "not in flight"}
        for each, is_good in done
        if not is_good
    ]
    return {**answer, "Failed": failed} if failed else answer


def _name_of(url: str) -> str:
    return url.rpartition("/")[2]
