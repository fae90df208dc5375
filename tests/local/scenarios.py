"""What the scenarios of the emulator's departures share: a server to try, and the list that they are entered in."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Any

from botocore.exceptions import ClientError

from opstool.local.client import ClientSettings

SCENARIOS: dict[str, Callable[[Emulator], bool]] = {}
numbers = itertools.count()


@dataclass(frozen=True, kw_only=True)
class Emulator:
    """A server to try, and the hand on its time."""

    settings: ClientSettings
    advance: Callable[[float], None]

    @property
    def sqs(self) -> Any:
        """Return an SQS client."""
        return self.client("sqs")

    def client(self, service: str) -> Any:
        """Return a client of a service."""
        return _client(self.settings, service)

    def now_s(self) -> int:
        """Return the server's own time in seconds: other scenarios have moved it."""
        answer = self.sqs.list_queues()["ResponseMetadata"]["HTTPHeaders"]
        return int(parsedate_to_datetime(answer["date"]).timestamp())

    def queue(self, *, fifo: bool = False, **attributes: str) -> str:
        """Make a queue."""
        if fifo:
            attributes["FifoQueue"] = "true"
        name = f"departure-{next(numbers)}" + (".fifo" if fifo else "")
        return str(self.sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"])

    def arn(self, url: str) -> str:
        """Return a queue's ARN."""
        return str(self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"])

    def source_of(self, dlq: str, *, fifo: bool = False, count: int = 1) -> str:
        """Make a queue whose messages die in `dlq`."""
        policy = {"deadLetterTargetArn": self.arn(dlq), "maxReceiveCount": count}
        return self.queue(fifo=fifo, RedrivePolicy=json.dumps(policy))

    def receive(self, url: str, count: int = 10, **more: Any) -> list[dict[str, Any]]:
        """Receive with everything asked for."""
        wanted = {"MessageSystemAttributeNames": ["All"], "MessageAttributeNames": ["All"], **more}
        received = self.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=count, **wanted)
        return list(received.get("Messages", []))

    def send_fifo(self, url: str, *bodies: str, group: str = "g") -> None:
        """Send to a FIFO queue in order."""
        for body in bodies:
            self.sqs.send_message(QueueUrl=url, MessageBody=body, MessageGroupId=group, MessageDeduplicationId=body)

    def error_of(self, operation: str, service: str = "sqs", **request: Any) -> str:
        """Return the error code of a call, or an empty text when it was accepted."""
        try:
            getattr(self.client(service), operation)(**request)
        except ClientError as error:
            return str(error.response["Error"]["Code"])
        return ""

    def stack(self, resources: dict[str, Any], **outputs: Any) -> dict[str, str]:
        """Create a stack, and return its outputs."""
        template = {"Resources": resources, "Outputs": {name: {"Value": value} for name, value in outputs.items()}}
        name = f"stack-{next(numbers)}"
        self.client("cloudformation").create_stack(StackName=name, TemplateBody=json.dumps(template))
        stack = self.client("cloudformation").describe_stacks(StackName=name)["Stacks"][0]
        return {output["OutputKey"]: str(output["OutputValue"]) for output in stack["Outputs"]}


@lru_cache
def _client(settings: ClientSettings, service: str) -> Any:
    return settings.client(service)


def scenario(run: Callable[[Emulator], bool]) -> Callable[[Emulator], bool]:
    """Enter a scenario under its name."""
    SCENARIOS[run.__name__] = run
    return run
