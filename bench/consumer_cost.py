"""What the consumer costs Lambda: its import, which a cold start pays, and a record of a batch, good or failing."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

CONSUMER = Path(__file__).parents[1] / "consumer"
BATCH = 10
_RUNS, _BATCHES, _WARM_UP = 7, 300, 20
# The function's own settings but for the queue's pacing, which is calls to AWS and not the consumer's own time.
_ENVIRONMENT = {
    "POWERTOOLS_SERVICE_NAME": "sqs-consumer",
    "POWERTOOLS_METRICS_NAMESPACE": "SqsConsumer",
    "AWS_LAMBDA_FUNCTION_NAME": "processor",
    "AWS_REGION": "us-east-1",
}
_PROGRAM = """
import sys, time
begun = time.perf_counter()
import app
imported_s = time.perf_counter() - begun
import json

class Context:
    function_name = "processor"
    memory_limit_in_mb = 256
    invoked_function_arn = "arn:aws:lambda:us-east-1:123456789012:function:processor"
    aws_request_id = "11111111-2222-4333-8444-555555555555"
    get_remaining_time_in_millis = staticmethod(lambda: 30_000)

def record(number, body):
    return {
        "messageId": f"{number:08d}-0000-4000-8000-000000000000",
        "receiptHandle": "a handle",
        "body": body,
        "attributes": {
            "ApproximateReceiveCount": "1",
            "SentTimestamp": "1735689600000",
            "ApproximateFirstReceiveTimestamp": "1735689600000",
        },
        "messageAttributes": {},
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:processing-queue",
        "awsRegion": "us-east-1",
    }

def cost_s(body, failing):
    event = {"Records": [record(number, body) for number in range(BATCH)]}
    for _ in range(WARM_UP):
        answer = app.lambda_handler(event, Context)
    assert len(answer["batchItemFailures"]) == (BATCH if failing else 0), answer
    begun = time.process_time()
    for _ in range(BATCHES):
        app.lambda_handler(event, Context)
    return (time.process_time() - begun) / BATCHES / BATCH

json.dump({
    "imported_s": imported_s,
    "modules": len(sys.modules),
    "good_s": cost_s('{"message": "an order"}', False),
    "failing_s": cost_s('{"order": 17}', True),
}, sys.stderr)
"""


def measure() -> list[dict[str, Any]]:
    """Return a row for each cost: `name`, `seconds` (median of seven processes), and `modules` of the import.

    The import is wall time with its bytecode written; a record is processor time, of a batch of ten whose lines go to
    nowhere. On Lambda both take longer by as much as the function's memory buys less than a core.
    """
    _run()  # writes the bytecode
    found = [_run() for _ in range(_RUNS)]

    def median(key: str) -> float:
        return statistics.median(each[key] for each in found)

    return [
        {"name": "import of the consumer", "seconds": median("imported_s"), "modules": int(median("modules"))},
        {"name": "a good record", "seconds": median("good_s"), "modules": None},
        {"name": "a failing record", "seconds": median("failing_s"), "modules": None},
    ]


def _run() -> dict[str, float]:
    """Import and call the consumer in a process of its own."""
    constants = f"BATCH, BATCHES, WARM_UP = {BATCH}, {_BATCHES}, {_WARM_UP}\n"
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", constants + _PROGRAM],
        cwd=CONSUMER,
        env=_ENVIRONMENT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        check=True,
    )
    found: dict[str, float] = json.loads(done.stderr.splitlines()[-1])
    return found


if __name__ == "__main__":
    for row in measure():
        sys.stdout.write(json.dumps(row) + "\n")
