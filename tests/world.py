"""A small account in memory for tests of the engine: a source queue, its dead-letter queue, and what lies in them."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from opstool.doors.journal import Journal
from opstool.doors.sqs import Sqs
from opstool.doors.stack import Stack
from opstool.doors.toolkit import Toolkit
from opstool.fake import Behaviour, FakeClock, FakeSqs, Faults
from opstool.fake.stored import StoredMessage
from opstool.words.queue import Queue

MOST_CALLS = 20_000
"""More than any test asks for, resumes and long waits included: whoever asks for more would ask for ever."""


class Died(BaseException):
    """The process is no more: nothing catches this, nothing is tidied up."""


@dataclass(kw_only=True)
class World:
    """Queues of one account, on virtual time. `dlq` is where the messages of `source` have died."""

    clock: FakeClock
    fake: FakeSqs
    state_dir: Path
    source: Queue
    dlq: Queue
    toolkits: list[Toolkit] = field(default_factory=list)
    calls: int = 0
    most_calls: int = MOST_CALLS

    @property
    def fifo(self) -> bool:
        """Tell whether the queues keep order."""
        return self.dlq.is_fifo

    def kit(self, *, workers: int = 1, lease_s: int = 30, state_dir: Path | None = None) -> Toolkit:
        """Return the toolkit of one new invocation."""
        kit = Toolkit(
            sqs=Sqs(self.call, self.clock),
            clock=self.clock,
            state_dir=state_dir or self.state_dir,
            stack=Stack(lambda *_: {}, None),
            workers=workers,
            lease_s=lease_s,
            stop=threading.Event(),
        )
        self.toolkits.append(kit)
        return kit

    def call(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        """Carry out one request of the code under test, which must not ask for ever."""
        self.calls += 1
        assert self.calls < self.most_calls, "this does not end"
        return self.fake(operation, request)

    def close(self) -> None:
        """Let go of every journal."""
        for kit in self.toolkits:
            kit.close()

    def ask(self, operation: str, queue: Queue, **fields: Any) -> dict[str, Any]:
        """Carry out one request on a queue, without the faults of the moment."""
        faults, self.fake.faults = self.fake.faults, Faults()
        try:
            return self.fake(operation, {"QueueUrl": queue.url, **fields})
        finally:
            self.fake.faults = faults

    def add_queue(self, name: str, *, dlq: Queue | None = None, **attributes: str) -> Queue:
        """Make a queue; with a `dlq`, messages die at their second receive."""
        if self.fifo:
            name, attributes = f"{name}.fifo", {**attributes, "FifoQueue": "true"}
        return make_queue(self.fake, name, dlq=dlq, **attributes)

    def send(self, queue: Queue, bodies: Iterable[str], **fields: Any) -> list[str]:
        """Send messages; return their ids. On a FIFO queue the group is what stands before a colon in the body."""
        ids = []
        for body in bodies:
            extra: dict[str, Any] = dict(fields)
            if queue.is_fifo:
                extra.setdefault("MessageGroupId", body.split(":")[0])
                extra.setdefault("MessageDeduplicationId", f"{len(ids)}-{self.clock.monotonic()}")
            ids.append(self.ask("SendMessage", queue, MessageBody=body, **extra)["MessageId"])
        return ids

    def die(self, bodies: Iterable[str], *, source: Queue | None = None, **fields: Any) -> list[str]:
        """Send messages to the source queue and let them die; return the ids, which the death does not change."""
        source = source or self.source
        ids = self.send(source, bodies, **fields)
        self.reject_all(source)
        return ids

    def reject_all(self, source: Queue) -> None:
        """Be a consumer that fails on everything it gets, until nothing is left."""
        while any(message.state.value == "visible" for message in self.stored(source)):
            self.ask("ReceiveMessage", source, MaxNumberOfMessages=10, VisibilityTimeout=0)

    def stored(self, queue: Queue) -> list[StoredMessage]:
        """Return every message of a queue, visible or not, in the order in which they came."""
        return list(self.fake._registry.find(queue.url)._messages.values())

    def bodies(self, queue: Queue) -> list[str]:
        """Return the bodies of a queue in the order in which they came."""
        return [message.body for message in self.stored(queue)]

    def visible(self, queue: Queue) -> int:
        """Return how many messages of a queue can be received."""
        values = self.ask("GetQueueAttributes", queue, AttributeNames=["All"])["Attributes"]
        return int(values["ApproximateNumberOfMessages"])


def make_queue(fake: FakeSqs, name: str, *, dlq: Queue | None = None, **attributes: str) -> Queue:
    """Make a queue."""
    policy = {"RedrivePolicy": json.dumps({"deadLetterTargetArn": dlq.arn, "maxReceiveCount": 1})} if dlq else {}
    url = fake("CreateQueue", {"QueueName": name, "Attributes": {**attributes, **policy}})["QueueUrl"]
    arn = fake("GetQueueAttributes", {"QueueUrl": url, "AttributeNames": ["QueueArn"]})["Attributes"]["QueueArn"]
    return Queue(url=url, arn=arn)


def make_world(state_dir: Path, *, fifo: bool = False, behaviour: Behaviour | None = None, seed: int = 0) -> World:
    """Make `orders` and `orders-dlq`, empty."""
    clock = FakeClock()
    fake = FakeSqs(clock, seed=seed, behaviour=behaviour)
    ending, attributes = (".fifo", {"FifoQueue": "true"}) if fifo else ("", {})
    dlq = make_queue(fake, f"orders-dlq{ending}", MessageRetentionPeriod="1209600", **attributes)
    source = make_queue(fake, f"orders{ending}", dlq=dlq, **attributes)
    return World(clock=clock, fake=fake, state_dir=state_dir, source=source, dlq=dlq)


class Accepted(Faults):
    """Counts the copies that a queue has really taken, by body; `inner` makes the faults.

    A FIFO queue that knows the deduplication id answers with the id it gave before: that is no second copy.
    """

    def __init__(self, inner: Faults | None = None) -> None:
        self.inner = inner or Faults()
        self.ids_by_body: dict[str, set[str]] = {}
        self.order: list[str] = []
        self._stop = threading.Event()
        self._calls_left: int | None = None

    def stop_after(self, calls: int | None, stop: threading.Event) -> None:
        """Press Ctrl-C at the call after so many."""
        self._calls_left, self._stop = calls, stop

    @property
    def copies(self) -> Counter[str]:
        """Return how many copies of each body were taken."""
        return Counter({body: len(ids) for body, ids in self.ids_by_body.items()})

    @property
    def doubled(self) -> int:
        """Return how many bodies were taken more than once."""
        return sum(count > 1 for count in self.copies.values())

    def before(self, operation: str, request: Mapping[str, Any]) -> dict[str, Any] | None:
        """Ask the inner faults."""
        if self._calls_left is not None:
            self._calls_left -= 1
            if self._calls_left < 0:
                self._stop.set()
        return self.inner.before(operation, request)

    def entry(self, operation: str, entry: Mapping[str, Any]) -> Any:
        """Ask the inner faults."""
        return self.inner.entry(operation, entry)

    def after(self, operation: str, request: Mapping[str, Any], response: dict[str, Any]) -> dict[str, Any]:
        """Count what was accepted, whether or not its answer arrives."""
        if operation == "SendMessageBatch":
            bodies = {entry["Id"]: entry["MessageBody"] for entry in request["Entries"]}
            for each in response.get("Successful", []):
                ids = self.ids_by_body.setdefault(bodies[each["Id"]], set())
                if not ids:
                    self.order.append(bodies[each["Id"]])
                ids.add(each["MessageId"])
        return self.inner.after(operation, request, response)


def forget_as_dead(journal: Journal) -> None:
    """Close a journal as the end of its process does: what was not committed is gone."""
    journal._database._pending.clear()
    journal._database._connection.close()
