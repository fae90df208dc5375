"""A stack on the embedded AWS as these tests need it: what is sent, what dies, what is logged, what opstool says."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from opstool.cli.main import main
from opstool.local import LocalAws, start


@dataclass(frozen=True, kw_only=True)
class LocalStack:
    """A deployed stack with its source queue and its dead-letter queue, by their URLs."""

    aws: LocalAws
    state_dir: Path
    source: str
    dlq: str
    log_group: str
    capture: pytest.CaptureFixture[str]

    def client(self, service: str) -> Any:
        """Return a boto3 client of it."""
        return self.aws.settings.client(service)

    def send(self, *bodies: str) -> list[str]:
        """Send messages and return their ids, in order."""
        found: dict[int, str] = {}
        for start_at in range(0, len(bodies), 10):
            part = bodies[start_at : start_at + 10]
            entries = [{"Id": str(start_at + number), "MessageBody": body} for number, body in enumerate(part)]
            answer = self.client("sqs").send_message_batch(QueueUrl=self.source, Entries=entries)
            found.update({int(each["Id"]): each["MessageId"] for each in answer["Successful"]})
        return [found[number] for number in range(len(bodies))]

    def wait_for(self, dead: int) -> None:
        """Let the consumer work, and queue time pass, until so many are dead and the source queue is empty."""
        deadline = time.monotonic() + 60
        while (self.depth(self.source), self.depth(self.dlq)) != (0, dead):
            assert time.monotonic() < deadline, (self.depth(self.source), self.depth(self.dlq))
            time.sleep(0.05)  # the function is a process of its own: there is nothing to wait on
            if not self.is_busy():  # or its batch would be handed out a second time meanwhile
                self.aws.advance(2)

    def is_busy(self) -> bool:
        """Tell whether there is work: an invocation under way, or a message that could be received now."""
        under_way = any(len(function._all) > len(function._idle) for function in self.aws._functions)
        return under_way or self._attribute(self.source, "ApproximateNumberOfMessages") > 0

    def depth(self, url: str) -> int:
        """Return how many messages a queue holds, in flight or not; moto counts exactly."""
        in_flight = self._attribute(url, "ApproximateNumberOfMessagesNotVisible")
        return self._attribute(url, "ApproximateNumberOfMessages") + in_flight

    def _attribute(self, url: str, name: str) -> int:
        answer = self.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=[name])
        return int(answer["Attributes"][name])

    def log(self) -> list[str]:
        """Return the lines of the function's log group, in the order of their time."""
        pages = self.client("logs").get_paginator("filter_log_events").paginate(logGroupName=self.log_group)
        return [event["message"] for page in pages for event in page["events"]]

    def failure_lines(self) -> list[dict[str, Any]]:
        """Return the failure lines of our consumer."""
        lines = (json.loads(line) for line in self.log() if '"record_failed"' in line)
        return [line for line in lines if line.get("event") == "record_failed"]

    def opstool(self, *words: str) -> dict[str, Any]:
        """Run one command with --local, and return its document."""
        self.capture.readouterr()
        name = self.dlq.rsplit("/", 1)[1]
        status = main(["--state-dir", str(self.state_dir), "--local", "--output", "json", *words, name])
        said = self.capture.readouterr()
        assert status == 0, said.err
        document: dict[str, Any] = json.loads(said.out)
        return document


@contextmanager
def deployed(
    template: Path,
    *,
    folder: Path,
    capture: pytest.CaptureFixture[str],
    outputs: Callable[[Mapping[str, str]], tuple[str, str, str]],
    **parameters: str,
) -> Iterator[LocalStack]:
    """Deploy a template; `outputs` picks source URL, DLQ URL and log group from those of the stack."""
    with start(template, stack_name="reasons", parameters=parameters, state_dir=folder) as aws:
        source, dlq, log_group = outputs(aws.outputs)
        yield LocalStack(aws=aws, state_dir=folder, source=source, dlq=dlq, log_group=log_group, capture=capture)
