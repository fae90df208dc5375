"""The account of the stateful tests: two source queues on one dead-letter queue, and a queue elsewhere."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from opstool.doors.clock import Clock, SystemClock
from opstool.doors.sqs import Call
from opstool.doors.stack import Stack
from opstool.doors.toolkit import Toolkit
from opstool.doors.wire import message_of
from opstool.fake import FakeClock, FakeSqs
from opstool.fake.stored import StoredMessage
from opstool.words.queue import Queue
from tests.properties.ledger import NAME, Content, Ledger, WatchedSqs
from tests.properties.line import Line
from tests.servers.server import Server, redrive_policy
from tests.world import make_queue

Census = dict[str, dict[str, StoredMessage]]
"""By queue name and message id, everything that lies in a queue, in the order in which it came."""


@dataclass(kw_only=True)
class Account:
    """Queues on one server, the books about them, and the line through which opstool reaches them."""

    server: Call
    clock: Clock
    advance: Callable[[float], None]
    state_dir: Path
    queues: dict[str, Queue]
    lease_s: int = 30
    fake: FakeSqs | None = None
    ledger: Ledger = field(init=False)
    line: Line = field(init=False)

    def __post_init__(self) -> None:
        self.ledger = Ledger(journal=self.state_dir / "journal.db")
        arns = {queue.url: queue.arn for queue in self.queues.values()}
        self.line = Line(server=self.server, ledger=self.ledger, arn_of=arns.__getitem__)

    def kit(self, *, workers: int = 1) -> Toolkit:
        """Return the toolkit of one new invocation."""
        sqs = WatchedSqs(self.line, self.clock)
        sqs.ledger = self.ledger
        return Toolkit(
            sqs=sqs,
            clock=self.clock,
            state_dir=self.state_dir,
            stack=Stack(lambda *_: {}, None),
            workers=workers,
            lease_s=self.lease_s,
            stop=threading.Event(),
        )

    @property
    def now_ms(self) -> int:
        """Return the time."""
        return round(self.clock.wall() * 1000)

    def ask(self, operation: str, queue: str, **fields: Any) -> dict[str, Any]:
        """Carry out one request of somebody else, past every fault."""
        return self.server(operation, {"QueueUrl": self.queues[queue].url, **fields})

    def send(self, queue: str, content: Content) -> None:
        """Be a producer."""
        attributes = {
            name: {"DataType": each.type, "BinaryValue" if each.is_binary else "StringValue": each.value}
            for name, each in content.attributes.items()
        }
        fields: dict[str, Any] = {"MessageBody": content.body, "MessageAttributes": attributes}
        if content.trace_header:
            header = {"DataType": "String", "StringValue": content.trace_header}
            fields["MessageSystemAttributes"] = {"AWSTraceHeader": header}
        if content.group_id:
            fields["MessageGroupId"] = content.group_id
        if self.queues[queue].is_fifo:
            fields["MessageDeduplicationId"] = content.name
        answer = self.ask("SendMessage", queue, **fields)
        self.ledger.produced(content, answer["MessageId"], self.queues[queue].url)

    def receive(self, queue: str, count: int, visibility_s: int) -> list[dict[str, Any]]:
        """Be a consumer, or a stranger who looks."""
        limits = {"MaxNumberOfMessages": count, "VisibilityTimeout": visibility_s}
        answer = self.ask("ReceiveMessage", queue, MessageAttributeNames=["All"], **limits)
        return list(answer.get("Messages", []))

    def reject_all(self, queue: str) -> None:
        """Be a consumer that fails on everything it gets, until the queue gives nothing more."""
        while self.receive(queue, 10, 0):
            pass

    def reject_sources(self) -> None:
        """Be the consumers of both source queues, and fail on everything."""
        self.reject_all("orders")
        self.reject_all("invoices")

    def census(self) -> Census:
        """Return what lies where; only the server in memory lets us see without a receive."""
        assert self.fake
        found = {}
        for name, queue in self.queues.items():
            kept = self.fake._registry.find(queue.url)
            kept.settle(self.now_ms)
            found[name] = {message.message_id: replace(message) for message in kept._messages.values()}
        return found

    def drain(self, queue: str) -> dict[str, str]:
        """Receive and delete everything; return by message id the name of each. For the end of a test."""
        found = {}
        while messages := self.receive(queue, 10, 60):
            for each in messages:
                found[each["MessageId"]] = message_of(each).attributes[NAME].value
                self.ask("DeleteMessage", queue, ReceiptHandle=each["ReceiptHandle"])
        return {key: str(name) for key, name in found.items()}

    def retention_s(self, queue: str) -> int:
        """Return how long a queue keeps its messages."""
        names = ["MessageRetentionPeriod"]
        return int(self.ask("GetQueueAttributes", queue, AttributeNames=names)["Attributes"]["MessageRetentionPeriod"])


def account_on(server: Server, folder: Path, *, fifo: bool) -> Account:
    """Make the queues on a server that we did not write, with leases of two seconds.

    It is one host, so an empty short poll proves there as much as a long one, and saves the second of the wait.
    """
    kind = {"fifo": fifo, "VisibilityTimeout": "0"}
    dlq = server.make_queue(**kind, MessageRetentionPeriod="1209600")
    policy = redrive_policy(dlq, 1)
    found = {
        "dlq": dlq,
        "orders": server.make_queue(**kind, RedrivePolicy=policy),
        "invoices": server.make_queue(**kind, RedrivePolicy=policy),
        "elsewhere": server.make_queue(**kind),
    }

    def without_waits(operation: str, request: dict[str, Any]) -> dict[str, Any]:
        if operation != "ReceiveMessage":
            return server.call(operation, request)
        answer = server.call(operation, {**request, "WaitTimeSeconds": 0})
        if not answer.get("Messages"):
            time.sleep(0.02)
        return answer

    return Account(
        server=without_waits,
        clock=SystemClock(),
        advance=time.sleep,
        state_dir=folder / "state",
        queues={name: Queue(url=each.url, arn=each.arn) for name, each in found.items()},
        lease_s=2,
    )


def account_in_memory(folder: Path, *, fifo: bool) -> Account:
    """Make the queues on the in-memory SQS and on virtual time."""
    clock = FakeClock()
    fake = FakeSqs(clock)
    ending, attributes = (".fifo", {"FifoQueue": "true"}) if fifo else ("", {})
    dlq = make_queue(fake, f"orders-dlq{ending}", MessageRetentionPeriod="1209600", **attributes)
    queues = {
        "dlq": dlq,
        "orders": make_queue(fake, f"orders{ending}", dlq=dlq, **attributes),
        "invoices": make_queue(fake, f"invoices{ending}", dlq=dlq, **attributes),
        "elsewhere": make_queue(fake, f"elsewhere{ending}", **attributes),
    }
    return Account(
        server=fake, clock=clock, advance=clock.advance, state_dir=folder / "state", queues=queues, fake=fake
    )
