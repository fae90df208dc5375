from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from opstool.words.lines.failureline import parse_failure_line

LINE = {
    "level": "ERROR",
    "timestamp": "2025-01-01T00:00:00.000Z",
    "event": "record_failed",
    "schema": 1,
    "message_id": "m-1",
    "receive_count": 1,
    "error_type": "ValueError",
    "error": "no total",
    "fingerprint": "0123456789ab",
    "failed_in": "processing.process",
    "body_sha256": "0" * 64,
    "request_id": "r-1",
    "queue_arn": "arn:aws:sqs:eu-west-1:123456789012:orders",
    "permanent": False,
}


def text(**changes: Any) -> str:
    """Return a failure line with some keys changed."""
    return json.dumps({**LINE, **changes})


@pytest.mark.parametrize(
    "line",
    [
        "record_failed",
        "[" * 100_000 + "record_failed",
        '["record_failed"]',
        '"record_failed"',
        *(
            text(**changes)
            for changes in (
                {"schema": None},
                {"schema": 0},
                {"message_id": ["m-1"]},
                {"message_id": ""},
                {"error_type": 5},
                {"error_type": ""},
                {"fingerprint": "0123456789AB"},
                {"fingerprint": "0123456789ab\n"},
                {"fingerprint": None},
                {"event": ["record_failed"]},
            )
        ),
    ],
    ids=lambda line: line[:12],
)
def test_a_malformed_line_is_no_failure(line: str) -> None:
    """Anything can stand in a log, and none of it makes a listing fall over."""
    assert parse_failure_line(line) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"receive_count": "3"},
        {"receive_count": -1},
        {"receive_count": 10**400},
        {"error": None},
        {"request_id": ""},
        {"request_id": {}},
        {"permanent": "yes"},
        {"traceback": 5},
        {"schema": 2, "colour": "blue"},
    ],
    ids=lambda changes: str(changes)[:40],
)
def test_a_line_with_less_or_more_than_needed_is_still_a_failure(changes: dict[str, Any]) -> None:
    """Only what carries the meaning has to be right; keys are only ever added."""
    line = parse_failure_line(text(**changes))
    assert line is not None
    assert (line.message_id, line.error_type) == ("m-1", "ValueError")
    assert line.request_id in {"r-1", None}
    assert line.receive_count >= 0


def test_endless_texts_are_cut() -> None:
    """A listing stays a listing."""
    line = parse_failure_line(text(error="x" * 100_000, error_type="y" * 100_000, traceback="z" * 100_000))
    assert line is not None
    assert line.traceback is not None
    assert (len(line.error), len(line.error_type), len(line.traceback)) == (1_024, 256, 8_000)


def test_the_consumers_own_line_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """What consumer/failures.py writes is what is understood here."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "consumer"))
    describe: Callable[..., Any] = importlib.import_module("failures").describe
    record = {"messageId": "m-1", "body": "SECRET", "attributes": {"ApproximateReceiveCount": "2"}}
    failure = describe(record, ValueError("no total"), request_id="r-1", permanent=False)
    line = parse_failure_line(json.dumps(failure.line()))
    assert line is not None
    assert (line.message_id, line.error_type, line.receive_count) == ("m-1", "ValueError", 2)
    assert line.fingerprint == failure.fingerprint
