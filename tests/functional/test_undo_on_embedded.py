"""A purge taken back by the command that it printed, on the embedded AWS: every message whole, and each way home."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from opstool.cli.main import main
from opstool.local import LocalAws, start

TEMPLATE = Path(__file__).parents[2] / "template.yaml"
TRACE = "Root=1-5759e988-bd862e3fe1be46a99427{:04x};Parent=53995c3f42cd8ad8;Sampled=1"
SOURCES = ("orders", "invoices", "refunds")
EACH = 3
"""Nine messages in all: what one receive can show of a FIFO queue at once."""


@dataclass(frozen=True, kw_only=True)
class Scene:
    """Three source queues and the dead-letter queue of them all."""

    aws: LocalAws
    state_dir: Path
    ending: str
    capture: pytest.CaptureFixture[str]

    def make(self) -> None:
        """Make the queues, and let messages die in each of the sources."""
        extra = {"FifoQueue": "true", "ContentBasedDeduplication": "true"} if self.ending else {}
        self.sqs.create_queue(QueueName=self.name("dead"), Attributes=extra)
        arn = f"arn:aws:sqs:{self.aws.settings.region}:123456789012:{self.name('dead')}"
        policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 1})
        settings = {**extra, "RedrivePolicy": policy, "VisibilityTimeout": "0"}
        for source in SOURCES:
            url = self.sqs.create_queue(QueueName=self.name(source), Attributes=settings)["QueueUrl"]
            for number in range(EACH):
                self.sqs.send_message(QueueUrl=url, **a_message(source, number))
            while any(self.received(source, hidden_for_s=0)):
                pass

    @property
    def sqs(self) -> Any:
        """Return a client of boto3's, which is no part of opstool."""
        return self.aws.settings.client("sqs")

    def name(self, queue: str) -> str:
        """Return a queue's name."""
        return f"{queue}{self.ending}"

    def received(self, queue: str, *, hidden_for_s: int) -> Iterator[dict[str, Any]]:
        """Yield the messages that one receive brings."""
        answer = self.sqs.receive_message(
            QueueUrl=self.sqs.get_queue_url(QueueName=self.name(queue))["QueueUrl"],
            MaxNumberOfMessages=10,
            VisibilityTimeout=hidden_for_s,
            AttributeNames=["All"],
            MessageAttributeNames=["All"],
        )
        yield from answer.get("Messages", [])

    def content(self, queue: str) -> dict[str, dict[str, Any]]:
        """Return what a queue holds, by body: all that a sender can set. FIFO shows a group's next when one is gone."""
        found: dict[str, dict[str, Any]] = {}
        url = self.sqs.get_queue_url(QueueName=self.name(queue))["QueueUrl"]
        handles = []
        while messages := list(self.received(queue, hidden_for_s=600)):
            for each in messages:
                assert each["Body"] not in found, "it is there twice"
                system = {name: each["Attributes"].get(name) for name in ("AWSTraceHeader", "MessageGroupId")}
                found[each["Body"]] = {"attributes": each.get("MessageAttributes"), **system}
                handles.append(each["ReceiptHandle"])
        for handle in handles:
            self.sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=handle, VisibilityTimeout=0)
        return found

    def opstool(self, *words: str) -> tuple[int, dict[str, Any]]:
        """Run one command line, and return its exit status and document."""
        self.capture.readouterr()
        status = main([*words, "--output", "json"])
        said = self.capture.readouterr()
        return status, json.loads(said.out)

    @property
    def program(self) -> tuple[str, ...]:
        """Return the options that mean this place."""
        return ("--state-dir", str(self.state_dir), "--local")


def a_message(source: str, number: int) -> dict[str, Any]:
    """Return one message with everything that a sender can set."""
    attributes = {
        "text": {"DataType": "String.name", "StringValue": f"ü {number}"},
        "number": {"DataType": "Number", "StringValue": "1E5"},
        "bytes": {"DataType": "Binary.png", "BinaryValue": bytes([0, 255, number])},
    }
    trace = TRACE.format(SOURCES.index(source) * 100 + number)
    return {
        "MessageBody": f"{source} {number}\t\n é",
        "MessageAttributes": attributes,
        "MessageSystemAttributes": {"AWSTraceHeader": {"DataType": "String", "StringValue": trace}},
        "MessageGroupId": f"tenant-{number % 3}",
    }


@pytest.fixture(params=["", ".fifo"], ids=["standard", "FIFO"])
def scene(request: pytest.FixtureRequest, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Scene]:
    """Start it, with three dead messages of each of three queues."""
    state_dir = tmp_path / "a folder"
    with start(TEMPLATE, stack_name="undo", state_dir=state_dir) as aws:
        aws.settings.client("s3").create_bucket(Bucket="archives")
        made = Scene(aws=aws, state_dir=state_dir, ending=request.param, capture=capsys)
        made.make()
        yield made


@pytest.mark.parametrize("archive", ["s3://archives/before it's gone.jsonl.gz", "the default", "a file.jsonl"])
def test_the_command_that_a_purge_prints_takes_it_back(scene: Scene, archive: str, tmp_path: Path) -> None:
    """Body, attributes, trace header and group of each; and from there each is redriven to its own source queue."""
    before = scene.content("dead")
    assert len(before) == len(SOURCES) * EACH
    dead = scene.name("dead")
    where = () if archive == "the default" else (f"--archive={archive if archive[:2] == 's3' else tmp_path / archive}",)
    status, purged = scene.opstool(*scene.program, "dlq", "purge", dead, "--confirm", dead, *where)
    assert (status, purged["succeeded"], scene.content("dead")) == (0, len(before), {})

    program, *undo = shlex.split(purged["undo"])
    assert program == "opstool"
    status, report = scene.opstool(*undo, "--yes")
    assert (status, report["succeeded"]) == (0, len(before))
    assert scene.content("dead") == before

    status, report = scene.opstool(*scene.program, "dlq", "redrive", dead, "--yes")
    assert (status, report["succeeded"]) == (0, len(before)), report
    assert scene.content("dead") == {}
    for source in SOURCES:
        mine = {body: rest for body, rest in before.items() if body.startswith(source)}
        assert scene.content(source) == mine
