"""Looks at a deployed stack from outside: its outputs, its queues and what its function logged."""

import json
import time
from collections import Counter
from collections.abc import Mapping
from typing import Any

import boto3

from tests.sam.commands import REGION, SurpriseError, say

# With a function timeout of 1 s the visibility timeout is 6 s, and a poison message dies three of them after its first
# try. The rest is for a slow machine.
DEATH_TIMEOUT_S = 120.0
POLL_S = 0.5


class DeployedStack:
    """One stack, read through the same API that a person has."""

    def __init__(self, name: str, settings: Mapping[str, str]) -> None:
        session = boto3.Session(settings["AWS_ACCESS_KEY_ID"], settings["AWS_SECRET_ACCESS_KEY"], region_name=REGION)
        url = settings["AWS_ENDPOINT_URL"]
        self.name = name
        self.cloudformation: Any = session.client("cloudformation", endpoint_url=url)
        self.sqs: Any = session.client("sqs", endpoint_url=url)
        self.logs: Any = session.client("logs", endpoint_url=url)
        (found,) = self.cloudformation.describe_stacks(StackName=name)["Stacks"]
        self.outputs: dict[str, str] = {one["OutputKey"]: one["OutputValue"] for one in found["Outputs"]}
        self.source_url, self.dlq_url = self.outputs["ProcessingQueueURL"], self.outputs["ProcessingDLQURL"]

    def send(self, entries: list[dict[str, str]]) -> dict[str, str]:
        """Send messages to the source queue and return their message ids by the ids of the entries."""
        answer = self.sqs.send_message_batch(QueueUrl=self.source_url, Entries=entries)
        if answer.get("Failed"):
            raise SurpriseError(f"not all messages were accepted: {answer['Failed']}")
        return {one["Id"]: one["MessageId"] for one in answer["Successful"]}

    def wait_for_deaths(self, expected: int) -> None:
        """Wait until the source queue is empty and the expected number is dead, and no more."""
        say(f"wait until the source queue is empty and the dead-letter queue holds {expected}")
        deadline = time.monotonic() + DEATH_TIMEOUT_S
        while (found := (self.depth(self.source_url), self.depth(self.dlq_url))) != (0, expected):
            if time.monotonic() > deadline:
                raise SurpriseError(f"{found[0]} in the source, {found[1]} dead; the function said:\n{self.log()}")
            time.sleep(POLL_S)

    def depth(self, url: str) -> int:
        """Return how many messages a queue holds, in flight or not."""
        attributes = self.attributes(url)
        return sum(int(attributes[f"ApproximateNumberOfMessages{kind}"]) for kind in ("", "NotVisible"))

    def attributes(self, url: str) -> dict[str, str]:
        """Return the attributes of a queue."""
        attributes: dict[str, str] = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        return attributes

    def logged_ids(self, event: str) -> Counter[str]:
        """Count the function's log lines of one kind by message id."""
        lines = [json.loads(line) for line in self.log().splitlines() if f'"{event}"' in line]
        return Counter(line["message_id"] for line in lines)

    def log(self) -> str:
        """Return all that the function wrote into its log group."""
        group = self.outputs["ProcessorLogGroupName"]
        pages = self.logs.get_paginator("filter_log_events").paginate(logGroupName=group)
        return "\n".join(event["message"].rstrip() for page in pages for event in page["events"])

    def exists(self) -> bool:
        """Tell whether the stack is still listed."""
        return self.name in [one["StackName"] for one in self.cloudformation.describe_stacks()["Stacks"]]
