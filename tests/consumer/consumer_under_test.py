"""The consumer as its tests see it: one way to invoke it, to read what it printed, and to make records for it."""

from __future__ import annotations

import importlib
import json
import logging
import sys
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
CONSUMER = ROOT / "consumer"
# Flat modules, as Lambda finds them in the folder of the code.
MODULES = tuple(path.stem for path in CONSUMER.glob("*.py"))
QUEUE_ARN = "arn:aws:sqs:us-east-1:123456789012:processing-queue"
FIFO_ARN = QUEUE_ARN + ".fifo"


@dataclass
class Context:
    """What Lambda hands to the function beside the event."""

    function_name: str = "processor"
    memory_limit_in_mb: int = 256
    invoked_function_arn: str = "arn:aws:lambda:us-east-1:123456789012:function:processor"
    aws_request_id: str = "11111111-2222-4333-8444-555555555555"
    remaining_ms: int = 30_000

    def get_remaining_time_in_millis(self) -> int:
        """Return the time left, which no test lets run."""
        return self.remaining_ms


class Consumer:
    """The consumer's modules, and one way to invoke and read them."""

    def __init__(self, capture: pytest.CaptureFixture[str]) -> None:
        self._capture = capture
        self.context = Context()

    def __getattr__(self, name: str) -> ModuleType:
        """Return a module of the consumer by its name."""
        if name not in MODULES:
            raise AttributeError(name)
        module = importlib.import_module(name)
        # pytest captures a fixture and its test apart; the function prints where the test looks.
        importlib.import_module("log").logger.registered_handler.stream = sys.stdout
        return module

    def invoke(self, *records: Any) -> list[str]:
        """Return the ids that the handler returns as failed for a batch of these records."""
        response = self.app.lambda_handler({"Records": list(records)}, self.context)
        assert set(response) == {"batchItemFailures"}
        return [item["itemIdentifier"] for item in response["batchItemFailures"]]

    def printed(self) -> str:
        """Return everything printed since the last look, on both streams."""
        output = self._capture.readouterr()
        return output.out + output.err

    def lines(self, event: str | None = None) -> list[dict[str, Any]]:
        """Return the JSON lines printed since the last look, or those of one event."""
        lines = [json.loads(line) for line in self.printed().splitlines()]
        return [line for line in lines if event is None or line.get("event") == event]

    def failure(self) -> dict[str, Any]:
        """Return the one failure line printed since the last look."""
        (line,) = self.lines("record_failed")
        return line


RecordFactory = Callable[..., dict[str, Any]]


def make_record(body: Any = '{"message": "hello"}', *, receives: int = 1, group: str | None = None) -> dict[str, Any]:
    """Return a record of a standard queue, or of a FIFO queue when it has a group."""
    attributes = {
        "ApproximateReceiveCount": str(receives),
        "SentTimestamp": "1717750800000",
        "SenderId": "AIDAEXAMPLE0EXAMPLE00",
        "ApproximateFirstReceiveTimestamp": "1717750800012",
    }
    if group is not None:
        attributes["MessageGroupId"] = group
    message_id = str(uuid.uuid4())
    return {
        "messageId": message_id,
        "receiptHandle": f"handle-of-{message_id}",
        "body": body,
        "attributes": attributes,
        "messageAttributes": {},
        "md5OfBody": "",
        "eventSource": "aws:sqs",
        "eventSourceARN": QUEUE_ARN if group is None else FIFO_ARN,
        "awsRegion": "us-east-1",
    }


def forget() -> None:
    """Undo a cold start, so that the next one reads its environment anew."""
    for name in MODULES:
        sys.modules.pop(name, None)
    # Powertools keeps its handler, and with it the stream of an earlier test, on the logger of the service's name.
    for service in ("sqs-consumer", "orders"):
        logger = logging.getLogger(service)
        logger.handlers.clear()
        for mark in ("init", "powertools_handler", "powertools_buffer_config", "powertools_buffer_cache"):
            logger.__dict__.pop(mark, None)
