"""An outage on the embedded AWS: orders that die while the bank is away, and others that die whenever they are tried.

The bank comes back before anything is redriven. So what is put back succeeds or returns by its own nature, in the real
consumer, and a test can say how many of which there are.
"""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from opstool.cli.main import main
from opstool.doors import toolkit
from opstool.doors.sqs import Sqs
from opstool.doors.toolkit import Toolkit
from opstool.local import LocalAws, start
from tests.functional.hurried import HurriedClock

ROOT = Path(__file__).parents[2]
SPEED = 10.0
"""Times faster than the machine's: an invocation then has its two seconds of the queue's twenty before the next try."""
PARAMETERS = {"FunctionTimeout": "5", "RetryPacing": "on"}
"""A visibility timeout of 30 s, and what cannot succeed is tried again at once."""
BOUND_S = 90.0
"""Visibility timeout x maxReceiveCount (3): how long a redriven message may need to come back."""
BAD = "NoTotalError"
RULE = '''
"""A business rule that fails as the body asks: while the bank is away, or for ever."""

import json
from pathlib import Path

BANK_IS_AWAY = Path(__file__).with_name("bank-is-away")


class PermanentError(Exception):
    """Trying again cannot help."""


class TransientError(Exception):
    """A later try may succeed."""


class BankAwayError(PermanentError):
    """The bank does not answer, and waiting for it is somebody else's business."""


class NoTotalError(PermanentError):
    """The order says nothing of what it costs."""


def process(message):
    order = json.loads(message.body)
    if "total" not in order:
        raise NoTotalError("an order without a total")
    if BANK_IS_AWAY.exists():
        raise BankAwayError("the bank does not answer")
'''


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a command line ended: its status, its one document, and what it wrote to stderr."""

    status: int
    document: dict[str, Any]
    err: str


@dataclass(frozen=True, kw_only=True)
class Shop:
    """The deployed stack, what is sent to it, and command lines that are run on it."""

    aws: LocalAws
    clock: HurriedClock
    state_dir: Path
    away: Path
    capture: pytest.CaptureFixture[str] | None = None

    @property
    def dlq(self) -> str:
        """Return the name of the dead-letter queue."""
        return self.aws.outputs["ProcessingDLQARN"].rsplit(":", 1)[-1]

    def lose(self, *, fine: int, bad: int) -> None:
        """Let orders die in an outage: the fine ones for as long as it lasts, the bad ones for good."""
        bodies: list[dict[str, Any]] = [{"order": number, "total": number} for number in range(fine)]
        bodies += [{"order": fine + number} for number in range(bad)]
        self.away.touch()
        self._send([json.dumps(body) for body in bodies])
        self.wait_for(dead=fine + bad)
        self.away.unlink()

    def _send(self, bodies: list[str]) -> None:
        url = self.aws.outputs["ProcessingQueueURL"]
        for begin in range(0, len(bodies), 10):
            part = [{"Id": str(number), "MessageBody": body} for number, body in enumerate(bodies[begin : begin + 10])]
            answer = self.aws.settings.client("sqs").send_message_batch(QueueUrl=url, Entries=part)
            assert not answer.get("Failed")

    def wait_for(self, *, dead: int) -> None:
        """Wait until so many are dead and the source queue is empty; the function is a process of its own."""
        wait_until(lambda: self.depths() == (0, dead), f"{dead} dead")

    def depths(self) -> tuple[int, int]:
        """Return how many messages the source queue and the DLQ hold, in flight or not; moto counts exactly."""
        return self._depth("ProcessingQueueURL"), self._depth("ProcessingDLQURL")

    def _depth(self, output: str) -> int:
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        answer = self.aws.settings.client("sqs").get_queue_attributes(
            QueueUrl=self.aws.outputs[output], AttributeNames=names
        )
        return sum(int(answer["Attributes"][name]) for name in names)

    def empty(self) -> None:
        """Forget whatever a test has left."""
        self.away.unlink(missing_ok=True)
        self.wait_until_consumed()
        url, sqs = self.aws.outputs["ProcessingDLQURL"], self.aws.settings.client("sqs")
        while found := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
            entries = [{"Id": str(number), "ReceiptHandle": each["ReceiptHandle"]} for number, each in enumerate(found)]
            sqs.delete_message_batch(QueueUrl=url, Entries=entries)
        assert self.depths() == (0, 0), "a command has left messages hidden"

    def make_queue(self, name: str) -> str:
        """Make a queue beside the stack, and return its name."""
        self.aws.settings.client("sqs").create_queue(QueueName=name)
        return name

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Keep the consumer from taking anything, meanwhile."""
        [mapping] = self.aws.settings.client("lambda").list_event_source_mappings()["EventSourceMappings"]
        switch = partial(self.aws.settings.client("lambda").update_event_source_mapping, UUID=mapping["UUID"])
        switch(Enabled=False)
        wait_until(lambda: not self._is_polling(), "a consumer that rests")
        try:
            yield
        finally:
            switch(Enabled=True)

    def _is_polling(self) -> bool:
        return any(not mapping.all_rest() for mapping in self.aws._mappings)

    def wait_until_consumed(self) -> None:
        """Wait until the source queue is empty."""
        wait_until(lambda: self.depths()[0] == 0, "an empty source queue")

    def run(self, *words: str) -> Ended:
        """Run one command line with --local, on the clock of the queues."""
        assert self.capture is not None
        self.capture.readouterr()
        argv = ["--state-dir", str(self.state_dir), "--local", "--output", "json", *words]
        status = main(argv, connect=self._connect)
        said = self.capture.readouterr()
        sys.stderr.write(said.err)  # shown when a test fails
        return Ended(status=status, document=json.loads(said.out), err=said.err)

    def redrive(self, *words: str) -> Ended:
        """Run `dlq redrive` without a question."""
        return self.run("dlq", "redrive", self.dlq, "--yes", *words)

    def reasons(self) -> Counter[str]:
        """Return how many messages lie in the DLQ of each reason, as `dlq groups` tells it."""
        groups = self.run("dlq", "groups", self.dlq).document["groups"]
        return Counter({(each["reason"] or {}).get("type", "?"): each["count"] for each in groups})

    def _connect(self, *arguments: Any, **settings: Any) -> Toolkit:
        kit = toolkit.connect(*arguments, **settings)
        return replace(kit, clock=self.clock, sqs=Sqs(kit.sqs._call, self.clock))


def wait_until(holds: Callable[[], bool], what: str) -> None:
    """Look again and again: what the consumer does, it does in processes and threads of its own."""
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline, f"never: {what}"
        time.sleep(0.05)


@contextmanager
def opened(folder: Path) -> Iterator[Shop]:
    """Deploy the template with the business rule above, on a clock in a hurry."""
    project, state_dir = folder / "project", folder / "state"
    project.mkdir()
    shutil.copy(ROOT / "template.yaml", project)
    shutil.copytree(ROOT / "consumer", project / "consumer", ignore=shutil.ignore_patterns("__pycache__"))
    (project / "consumer" / "processing.py").write_text(RULE, encoding="utf-8")
    clock = HurriedClock(SPEED)
    with start(
        project / "template.yaml", stack_name="redriving", parameters=PARAMETERS, state_dir=state_dir, clock=clock
    ) as aws:
        yield Shop(aws=aws, clock=clock, state_dir=state_dir, away=project / "consumer" / "bank-is-away")
