"""Consumers that are not ours die in their own ways, and each leaves in its log what opstool can read."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.functional.local_stack import LocalStack, deployed

FOREIGN = Path(__file__).with_name("foreign")
Deploy = Callable[[str], AbstractContextManager[LocalStack]]

BODIES = {
    "escaping": json.dumps({"id": 7}),
    "printing": json.dumps({"address": {"country": "US"}}),
    "logging_json": json.dumps({"amount": 1_000}),
    "slow": "slow",
    "exiting": "any",
    "unimportable": "any",
}
"""What each of them cannot handle."""


def _outputs(outputs: Mapping[str, str]) -> tuple[str, str, str]:
    return outputs["OrdersURL"], outputs["DeadURL"], f"/aws/lambda/{outputs['WorkerName']}"


@pytest.fixture
def consumer(
    request: pytest.FixtureRequest, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Iterator[LocalStack]:
    """Deploy the consumer that the test names, send it what it cannot handle, and wait for the message to die."""
    template = FOREIGN / f"{request.param}.yaml"
    with deployed(template, folder=tmp_path / "state", capture=capsys, outputs=_outputs) as stack:
        stack.send(BODIES[request.param])
        stack.wait_for(dead=1)
        yield stack


@pytest.mark.parametrize(
    ("consumer", "told"),
    [
        ("escaping", "[ERROR] KeyError: 'lines'\nTraceback (most recent call last):\n"),
        ("printing", ": ValueError('no delivery to US')"),
        ("logging_json", '"errorType": "ConnectionError"'),
        ("slow", "\tStatus: timeout"),
        ("exiting", '"errorType": "Runtime.ExitError"'),
        ("unimportable", "[ERROR] Runtime.ImportModuleError: Unable to import module 'unimportable': "),
    ],
    indirect=["consumer"],
)
def test_its_log_tells_of_both_attempts(consumer: LocalStack, told: str) -> None:
    """What the platform and the consumer write is all there is, and it is there before the message is dead."""
    attempts = [line for line in consumer.log() if told in line and "runtimeDone" not in line]
    assert len(attempts) == 2


@pytest.mark.parametrize("consumer", ["escaping", "slow", "exiting", "unimportable"], indirect=True)
def test_it_names_no_message(consumer: LocalStack) -> None:
    """So only the time of the receive leads from the message to the invocation: both are on one clock."""
    received = consumer.client("sqs").receive_message(
        QueueUrl=consumer.dlq, MessageSystemAttributeNames=["All"], VisibilityTimeout=0
    )
    (message,) = received["Messages"]
    assert not any(message["MessageId"] in line for line in consumer.log())
    first_ms = int(message["Attributes"]["ApproximateFirstReceiveTimestamp"])
    events = consumer.client("logs").filter_log_events(logGroupName=consumer.log_group)["events"]
    assert any(0 <= event["timestamp"] - first_ms < 10_000 for event in events)


@pytest.mark.parametrize(
    ("consumer", "reason", "text"),
    [
        ("escaping", "KeyError", "lines"),
        ("printing", "ValueError", "no delivery to"),
        ("logging_json", "ConnectionError", "the bank did not answer"),
        ("slow", "Sandbox.Timedout", "timed out"),
        ("exiting", "Runtime.ExitError", ""),
        ("unimportable", "Runtime.ImportModuleError", "unimportable"),
    ],
    indirect=["consumer"],
)
def test_opstool_names_its_reason(consumer: LocalStack, reason: str, text: str) -> None:
    """`dlq groups` says why, though nobody wrote the log for it."""
    (group,) = consumer.opstool("dlq", "groups")["groups"]
    assert (group["reason_state"], group["count"], group["reason"]["type"]) == ("found", 1, reason)
    assert text in group["reason"]["message"]


@pytest.mark.parametrize(
    ("consumer", "frame"),
    [("escaping", 'escaping.py", line 13, in handler\n'), ("logging_json", 'logging_json.py", line 29, in charge\n')],
    indirect=["consumer"],
)
def test_opstool_shows_the_traceback_of_the_attempt(consumer: LocalStack, frame: str) -> None:
    """As the consumer's own log has it."""
    (group,) = consumer.opstool("dlq", "groups")["groups"]
    attempts = consumer.opstool("dlq", "show", group["sample_id"])["attempts"]
    assert frame in attempts[-1]["traceback"]
