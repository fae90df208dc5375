"""A small AWS for the command line: a source queue with its DLQ on the in-memory SQS, and a log that knows reasons."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from opstool.cli.main import main
from opstool.doors.lookups import FILE_NAME, SETTLED_MS, Lookups
from opstool.doors.session import Connection
from opstool.doors.sqs import Sqs
from opstool.doors.stack import Stack
from opstool.doors.toolkit import DEFAULT_LEASE_S, Toolkit
from opstool.fake import Behaviour, FakeClock, FakeSqs, Faults, LogsBehaviour
from opstool.words.awserrors import error_for
from opstool.words.reason import Evidence, Reason
from opstool.words.who import Who
from tests.account import Account

ACCOUNT, REGION = "123456789012", "us-east-1"
LOG_GROUP = "/aws/lambda/orders-consumer"


class Terminal(io.TextIOWrapper):
    """A stream that a person looks at (or a pipe, when it is no terminal)."""

    def __init__(self, content: str = "", *, terminal: bool = False) -> None:
        super().__init__(io.BytesIO(content.encode()), encoding="utf-8", errors="backslashreplace", newline="")
        self._terminal = terminal

    def isatty(self) -> bool:
        """Tell what it was made to be."""
        return self._terminal

    @property
    def text(self) -> str:
        """Return what was written."""
        self.flush()
        buffer = self.buffer
        assert isinstance(buffer, io.BytesIO)
        return buffer.getvalue().decode()


@dataclass(frozen=True)
class Ended:
    """How a command line ended."""

    status: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        """Return the one JSON document that stdout must be."""
        [line] = self.out.splitlines()
        document: dict[str, Any] = json.loads(line)
        return document

    @property
    def lines(self) -> list[dict[str, Any]]:
        """Return the JSON Lines of stdout."""
        return [json.loads(line) for line in self.out.splitlines()]


class Reasons(dict[str, Reason]):
    """The reasons that a test gives to messages: lines in the consumer's log, or an earlier look-up's answer."""

    def __init__(self, account: Account, state_dir: Path) -> None:
        super().__init__()
        self._account = account
        self._state_dir = state_dir

    def __setitem__(self, message_id: str, reason: Reason) -> None:
        """Write the lines; what no line of ours can say stands in the cache."""
        super().__setitem__(message_id, reason)
        if reason.evidence is Evidence.LINE:
            self._account.fail(LOG_GROUP, message_id, reason, at_ms=reason.at_ms)
        else:
            self._remember(message_id, reason)

    def _remember(self, message_id: str, reason: Reason) -> None:
        """Write what two earlier looks have told, so long after one another that no line can be missing."""
        now_s = self._account.clock.wall()
        for at_s in (now_s - SETTLED_MS / 1000, now_s):
            lookups = Lookups(self._state_dir / FILE_NAME, FakeClock(at_s))
            lookups.put({message_id: reason}, log_groups=(LOG_GROUP,))
            lookups.close()

    def update(self, *others: Any, **more: Reason) -> None:
        """Write those of several messages."""
        for message_id, reason in dict(*others, **more).items():
            self[message_id] = reason


@dataclass
class World:
    """The queues and the doors to them. `patch` is pytest's: it puts the streams in their places."""

    state_dir: Path
    patch: Any
    clock: FakeClock = field(default_factory=FakeClock)
    connections: list[Connection] = field(default_factory=list)
    kits: list[Toolkit] = field(default_factory=list)
    on_connect: Callable[[Toolkit], None] = lambda _: None
    behaviour: Behaviour | None = None

    def __post_init__(self) -> None:
        """Make the queues."""
        self.sqs = FakeSqs(self.clock, account=ACCOUNT, region=REGION, behaviour=self.behaviour)
        self.dlq = self.make_queue("orders-dlq", MessageRetentionPeriod="1209600")
        self.source = self.make_queue("orders", VisibilityTimeout="0", RedrivePolicy=self.policy("orders-dlq", 1))
        self.account = Account(self.clock)
        self.account.others["cloudformation"] = self._cloudformation
        self.account.functions.add_mapping(f"arn:aws:sqs:{REGION}:{ACCOUNT}:orders", "orders-consumer")
        self.account.logs.behaviour = LogsBehaviour(scheduled_polls=0, running_polls=0)  # no time passes
        self.account.log(LOG_GROUP, "INIT_START Runtime Version: python:3.13")
        self.reasons = Reasons(self.account, self.state_dir)

    def make_queue(self, name: str, **attributes: str) -> str:
        """Make a queue and return its URL."""
        return str(self.sqs("CreateQueue", {"QueueName": name, "Attributes": attributes})["QueueUrl"])

    def policy(self, dlq: str, receives: int) -> str:
        """Return the redrive policy that points to a queue."""
        arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{dlq}"
        return json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": receives})

    def send(self, url: str, body: str, **fields: Any) -> str:
        """Send one message and return its id."""
        return str(self.sqs("SendMessage", {"QueueUrl": url, "MessageBody": body, **fields})["MessageId"])

    def kill(self, *bodies: str, **fields: Any) -> list[str]:
        """Let messages die: send them to the source queue and receive them until they are in its DLQ."""
        ids = [self.send(self.source, body, **fields) for body in bodies]
        while self.depth(self.source):
            self.sqs("ReceiveMessage", {"QueueUrl": self.source, "MaxNumberOfMessages": 10, "VisibilityTimeout": 0})
        return ids

    def depth(self, url: str) -> int:
        """Return how many messages a queue shows, after every lease has ended."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        answer = self.sqs("GetQueueAttributes", {"QueueUrl": url, "AttributeNames": names})["Attributes"]
        return sum(int(value) for value in answer.values())

    def bodies(self, url: str) -> list[str]:
        """Return the bodies in a queue, sorted."""
        self.clock.advance(60)
        found: dict[str, str] = {}
        while messages := self.sqs(
            "ReceiveMessage", {"QueueUrl": url, "MaxNumberOfMessages": 10, "VisibilityTimeout": 50}
        ).get("Messages"):
            found |= {each["MessageId"]: each["Body"] for each in messages}
        self.clock.advance(60)
        return sorted(found.values())

    def receives(self) -> int:
        """Return how many receives were asked for so far."""
        return self.sqs.requests["ReceiveMessage"]

    def fail(self, operation: str, code: str, message: str = "", status: int = 400) -> None:
        """Let one operation answer with an AWS error from now on."""
        error = error_for(operation, code, message, status)

        class Refusing(Faults):
            def before(self, asked: str, request: Mapping[str, Any]) -> None:
                if asked == operation:
                    raise error

        self.sqs.faults = Refusing()

    def connect(
        self,
        connection: Connection | None = None,
        *,
        stack_name: str | None = None,
        state_dir: Path | None = None,
        lease_s: int = DEFAULT_LEASE_S,
        workers: int | None = None,
    ) -> Toolkit:
        """Return a toolkit over this world; what it was asked for is kept in `connections` and `kits`."""
        self.connections.append(connection or Connection())
        kit = Toolkit(
            sqs=Sqs(self.sqs, self.clock),
            clock=self.clock,
            state_dir=state_dir or self.state_dir,
            stack=Stack(self._cloudformation, stack_name or "orders-stack"),
            ask=self.account,
            who=lambda: Who(arn=f"arn:aws:iam::{ACCOUNT}:user/somebody", account=ACCOUNT),
            where=lambda: f"{REGION} (account {ACCOUNT})",
            lease_s=lease_s,
            workers=workers,
        )
        self.kits.append(kit)
        self.on_connect(kit)
        return kit

    def _cloudformation(self, service: str, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:"
        outputs = {
            "ProcessingDLQARN": f"{arn}orders-dlq",
            "ProcessingQueueARN": f"{arn}orders",
            "ProcessorLogGroupName": LOG_GROUP,
        }
        listed = [{"OutputKey": name, "OutputValue": value} for name, value in outputs.items()]
        return {"Stacks": [{"StackName": request["StackName"], "Outputs": listed}]}

    def run(self, *argv: str, stdin: str = "", terminal: bool = False, columns: int = 120) -> Ended:
        """Run one command line as a person at a terminal, or as a script, does."""
        streams = {
            "stdin": Terminal(stdin, terminal=terminal),
            "stdout": Terminal(terminal=terminal),
            "stderr": Terminal(terminal=terminal),
        }
        with self.patch.context() as patch:
            for name, stream in streams.items():
                patch.setattr(f"sys.{name}", stream)
            patch.setenv("COLUMNS", str(columns))
            status = main(["--state-dir", str(self.state_dir), *argv], connect=self.connect)
            return Ended(status, streams["stdout"].text, streams["stderr"].text)


def a_reason(kind: str = "ValueError", message: str = "no such customer") -> Reason:
    """Return a reason as the consumer's log would tell it."""
    return Reason(
        type=kind,
        message=message,
        fingerprint="0123456789ab",
        at_ms=1_800_000_000_000,
        attempts=3,
        function="orders-consumer",
        log_group=LOG_GROUP,
        request_id="11111111-2222-3333-4444-555555555555",
    )
