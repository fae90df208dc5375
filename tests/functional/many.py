"""Carry out a command line on a queue of very many messages, and print what it cost: `python -m tests.functional.many`.

The messages are made when they are received and kept nowhere, so that all memory that grows is opstool's.
"""

from __future__ import annotations

import gc
import hashlib
import json
import os
import resource
import sys
import tempfile
import threading
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from opstool.cli.main import main
from opstool.doors import shelf
from opstool.doors.clock import SystemClock
from opstool.doors.sqs import Sqs
from opstool.doors.stack import Stack
from opstool.doors.toolkit import DEFAULT_LEASE_S, Toolkit

_ARN = "arn:aws:sqs:eu-west-1:123456789012:"
_SENT_AT_MS = 1_790_000_000_000
_ENTRIES_ANSWERED = {"DeleteMessageBatch", "ChangeMessageVisibilityBatch"}


class Queues:
    """`orders` and its dead-letter queue with so many messages of 200 bytes."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._next = 0
        self._lock = threading.Lock()

    def __call__(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        """Answer one request."""
        if operation == "ReceiveMessage":
            with self._lock:
                first, self._next = self._next, min(self._size, self._next + 10)
            return {"Messages": [_message(number) for number in range(first, self._next)]}
        if operation in _ENTRIES_ANSWERED:
            return {"Successful": [{"Id": entry["Id"]} for entry in request["Entries"]]}
        if operation == "GetQueueUrl":
            return {"QueueUrl": f"https://sqs/{request['QueueName']}"}
        if operation == "ListDeadLetterSourceQueues":
            return {"queueUrls": ["https://sqs/orders"]}
        return {"Attributes": self._attributes(request["QueueUrl"].rpartition("/")[2])}

    def _attributes(self, name: str) -> dict[str, str]:
        policy = {"deadLetterTargetArn": f"{_ARN}orders-dlq", "maxReceiveCount": 3}
        return {
            "QueueArn": _ARN + name,
            "ApproximateNumberOfMessages": str(self._size),
            "MessageRetentionPeriod": "1209600",
            "VisibilityTimeout": "30",
            **({"RedrivePolicy": json.dumps(policy)} if name == "orders" else {}),
        }

    def connect(self, _connection: object = None, *, state_dir: Path | None = None, **settings: Any) -> Toolkit:
        """Return a toolkit over these queues."""
        clock = SystemClock()
        return Toolkit(
            sqs=Sqs(self, clock),
            clock=clock,
            state_dir=state_dir or Path(),
            stack=Stack(lambda *_: {}, None),
            workers=settings.get("workers"),
            lease_s=settings.get("lease_s", DEFAULT_LEASE_S),
        )


def _message(number: int) -> dict[str, Any]:
    body = f'{{"order": {number}, "note": "'.ljust(198, "x") + '"}'
    sent_at_ms = _SENT_AT_MS + number
    return {
        "MessageId": f"{number:08x}-1111-4222-8333-{number:012x}",
        "ReceiptHandle": "AQEB".ljust(340, "h") + f"{number:020d}",
        "MD5OfBody": hashlib.md5(body.encode(), usedforsecurity=False).hexdigest(),
        "Body": body,
        "Attributes": {
            "SentTimestamp": str(sent_at_ms),
            "ApproximateFirstReceiveTimestamp": str(sent_at_ms + 5),
            "ApproximateReceiveCount": "4",
            "DeadLetterQueueSourceArn": _ARN + "orders",
        },
    }


def _peak_bytes() -> int:
    """Return the most memory that this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _run(size: int, arguments: list[str], folder: str) -> int:
    """Carry out the command line; its stdout goes nowhere."""
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere, redirect_stdout(nowhere):
        return main(["--quiet", "--state-dir", folder, *arguments], connect=Queues(size).connect)


def _measure(size: int, arguments: list[str]) -> dict[str, int]:
    """Return what the command line costs on so many messages, beyond what it costs on a hundred."""
    shelves: list[tuple[int, int]] = []
    end = shelf.Shelf.__del__

    def ended(each: shelf.Shelf) -> None:
        shelves.append((each.bytes_in_memory, each.bytes_on_disk))
        end(each)

    with tempfile.TemporaryDirectory() as folder:
        _run(100, arguments, folder)
        before = _peak_bytes()
        shelf.Shelf.__del__ = ended  # type: ignore[method-assign]
        status = _run(size, arguments, folder)
        grown = _peak_bytes() - before
    gc.collect()
    [(in_memory, on_disk)] = shelves
    return {"status": status, "grown_bytes": grown, "in_memory_bytes": in_memory, "on_disk_bytes": on_disk}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(_measure(int(sys.argv[1]), sys.argv[2:])))
