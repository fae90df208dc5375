"""A server that speaks SQS, and a queue on it, with the requests that every test makes."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import pytest
from botocore.exceptions import ClientError

from opstool.doors.clock import Clock, SystemClock
from opstool.doors.session import Connection
from opstool.doors.sqs import Call
from opstool.fake.refusal import RefusalError
from opstool.words.awserrors import short_code
from opstool.words.errors import OpstoolError
from tests.lanes import SaidError

_LONGEST_REAL_WAIT_S = 2.0
_SETTLES_AFTER_S = 0.01
_names = count(1)


@dataclass(frozen=True, kw_only=True)
class Server:
    """An SQS to hold to its promises: `advance` moves its time, or really waits when it `keeps_real_time`.

    `connection` is how opstool reaches it; None where nothing listens, as in memory. `clock` tells its time. Whoever
    opened it calls `close`; a server in a process of its own stays up for the next who opens it, until this process
    ends.
    """

    name: str
    call: Call
    connection: Connection | None
    advance: Callable[[float], None]
    close: Callable[[], None]
    clock: Clock = field(default_factory=SystemClock)
    keeps_real_time: bool = False
    has_move_tasks: bool = False

    def ask(self, operation: str, **request: Any) -> dict[str, Any]:
        """Carry out one request."""
        return self.call(operation, request)

    def refusal(self, operation: str, **request: Any) -> OpstoolError:
        """Return the error of a request that has to be refused; `aws_code` tells SQS's own name of it."""
        with pytest.raises(OpstoolError) as caught:
            self.call(operation, request)
        return caught.value

    def wait(self, seconds: float) -> None:
        """Let time pass on the server; skips the test where that would take long."""
        if self.keeps_real_time and seconds > _LONGEST_REAL_WAIT_S:
            pytest.skip(f"{self.name} keeps real time, and this takes {seconds} s")
        self.advance(seconds)

    def make_queue(self, *, fifo: bool = False, **attributes: str) -> QueueOnServer:
        """Make a queue with a name of its own, in every process that shares the server."""
        name = f"contract-{os.getpid()}-{next(_names)}{'.fifo' if fifo else ''}"
        values = {**attributes, **({"FifoQueue": "true"} if fifo else {})}
        url: str = self.ask("CreateQueue", QueueName=name, Attributes=values)["QueueUrl"]
        return QueueOnServer(server=self, name=name, url=url)

    def make_pair(self, *, max_receive_count: int, fifo: bool = False) -> tuple[QueueOnServer, QueueOnServer]:
        """Make a source queue and its dead-letter queue."""
        dlq = self.make_queue(fifo=fifo)
        return self.make_queue(fifo=fifo, RedrivePolicy=redrive_policy(dlq, max_receive_count)), dlq


@dataclass(frozen=True, kw_only=True)
class QueueOnServer:
    """One queue of a server, with the requests that every test makes."""

    server: Server
    name: str
    url: str

    @property
    def arn(self) -> str:
        """Return the queue's ARN as the server says it."""
        return self.attributes("QueueArn")["QueueArn"]

    def ask(self, operation: str, **request: Any) -> dict[str, Any]:
        """Carry out one request on this queue."""
        return self.server.ask(operation, QueueUrl=self.url, **request)

    def refusal(self, operation: str, **request: Any) -> OpstoolError:
        """Return the error of a request on this queue that has to be refused."""
        return self.server.refusal(operation, QueueUrl=self.url, **request)

    def attributes(self, *names: str) -> dict[str, str]:
        """Return the queue's attributes."""
        return dict(self.ask("GetQueueAttributes", AttributeNames=list(names or ("All",))).get("Attributes", {}))

    def counts(self) -> tuple[int, int, int]:
        """Return how many messages are visible, in flight and delayed."""
        self._settle()
        values = self.attributes()
        kinds = ("", "NotVisible", "Delayed")
        visible, in_flight, delayed = (int(values[f"ApproximateNumberOfMessages{kind}"]) for kind in kinds)
        return visible, in_flight, delayed

    def send(self, body: str, **fields: Any) -> dict[str, Any]:
        """Send one message."""
        return self.ask("SendMessage", MessageBody=body, **fields)

    def send_batch(self, *bodies: str, **fields: Any) -> dict[str, Any]:
        """Send messages in one batch; the entries are numbered from 0."""
        return self.ask("SendMessageBatch", Entries=entries(bodies, **fields))

    def receive(
        self, limit: int = 10, *, visibility_s: int = 30, wait_s: int = 0, **fields: Any
    ) -> list[dict[str, Any]]:
        """Receive with everything that can be asked for."""
        asked: dict[str, Any] = {
            "MessageSystemAttributeNames": ["All"],
            "AttributeNames": ["All"],
            "MessageAttributeNames": ["All"],
            **fields,
        }
        response = self.ask(
            "ReceiveMessage",
            MaxNumberOfMessages=limit,
            VisibilityTimeout=visibility_s,
            WaitTimeSeconds=wait_s,
            **asked,
        )
        return list(response.get("Messages", []))

    def receive_one(self, **fields: Any) -> dict[str, Any]:
        """Receive the one message there is."""
        [message] = self.receive(**fields)
        return message

    def release(self, message: dict[str, Any]) -> None:
        """Give a received message back at once."""
        self.ask("ChangeMessageVisibility", ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0)
        self._settle()

    def delete(self, message: dict[str, Any]) -> None:
        """Delete a received message."""
        self.ask("DeleteMessage", ReceiptHandle=message["ReceiptHandle"])

    def _settle(self) -> None:
        """Let what was done take hold: on local-aws-sqs it does in the next millisecond, or with the next request."""
        if self.server.keeps_real_time:
            time.sleep(_SETTLES_AFTER_S)
            self.attributes("QueueArn")


def aws_code(error: OpstoolError) -> str:
    """Return SQS's own code for a refusal, which our error has behind it."""
    cause = error.__cause__
    if isinstance(cause, (RefusalError, SaidError)):
        return short_code(cause.code)
    assert isinstance(cause, ClientError)
    return short_code(cause.response["Error"]["Code"])


def entries(bodies: Iterable[str], **fields: Any) -> list[dict[str, Any]]:
    """Return the entries of a batch send."""
    return [{"Id": str(index), "MessageBody": body, **fields} for index, body in enumerate(bodies)]


def bodies(messages: Iterable[dict[str, Any]]) -> list[str]:
    """Return the bodies of received messages."""
    return [message["Body"] for message in messages]


def redrive_policy(dlq: QueueOnServer, max_receive_count: int | str) -> str:
    """Return the redrive policy that points to a queue."""
    return json.dumps({"deadLetterTargetArn": dlq.arn, "maxReceiveCount": max_receive_count})
