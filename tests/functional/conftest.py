"""The real template on the embedded AWS, with opstool's library over its boto3 door."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from opstool.doors.session import Connection
from opstool.doors.toolkit import Toolkit, connect
from opstool.local import LocalAws, start

TEMPLATE = Path(__file__).parents[2] / "template.yaml"


@dataclass(frozen=True, kw_only=True)
class Deployed:
    """The deployed stack, seen from outside: what an application sends, and what lies in the queues."""

    aws: LocalAws
    kit: Toolkit

    @property
    def dlq(self) -> str:
        """Return the dead-letter queue's ARN."""
        return self.aws.outputs["ProcessingDLQARN"]

    def send(self, *bodies: Any, **more: Any) -> None:
        """Send JSON bodies to the source queue."""
        for body in bodies:
            self.client("sqs").send_message(
                QueueUrl=self.aws.outputs["ProcessingQueueURL"], MessageBody=json.dumps(body), **more
            )

    def depths(self) -> tuple[int, int]:
        """Return how many messages the source queue and the DLQ hold, in flight or not; moto counts exactly."""
        return self._depth("ProcessingQueueURL"), self._depth("ProcessingDLQURL")

    def wait_for(self, source: int, dead: int) -> None:
        """Let the consumer work, passing over visibility timeouts, until the queues hold so many messages."""
        self.wait_until(lambda: self.depths() == (source, dead), f"{source} in the source queue, {dead} dead")

    def wait_until(self, holds: Callable[[], bool], what: str) -> None:
        """Look every 50 ms of real time, for the function is a real process; queue time passes by itself."""
        for _ in range(400):
            if holds():
                return
            self.kit.clock.sleep(0.05)
            self.aws.advance(2)
        pytest.fail(f"never: {what}; the queues hold {self.depths()}")

    def log_lines(self) -> list[dict[str, Any]]:
        """Return the JSON lines of the function's log group."""
        group = self.aws.outputs["ProcessorLogGroupName"]
        pages = self.client("logs").get_paginator("filter_log_events").paginate(logGroupName=group)
        return [json.loads(event["message"]) for page in pages for event in page["events"]]

    def client(self, service: str) -> Any:
        """Return a boto3 client of the embedded AWS."""
        return self.aws.settings.client(service)

    def _depth(self, output: str) -> int:
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        answer = self.client("sqs").get_queue_attributes(QueueUrl=self.aws.outputs[output], AttributeNames=names)
        return sum(int(answer["Attributes"][name]) for name in names)


@pytest.fixture(params=["standard"])
def deployed(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Deployed]:
    """Deploy the project's own template, standard or FIFO, and connect opstool to it."""
    parameters = {"FunctionTimeout": "1", "Fifo": "true" if request.param == "fifo" else "false"}
    with start(TEMPLATE, stack_name="functional", parameters=parameters) as aws:
        settings = aws.settings
        kit = connect(
            Connection(
                region=settings.region,
                endpoint_url=settings.endpoint_url,
                access_key_id=settings.access_key_id,
                secret_access_key=settings.secret_access_key,
            ),
            stack_name="functional",
            state_dir=tmp_path / "opstool",
        )
        yield Deployed(aws=aws, kit=kit)
        kit.close()
