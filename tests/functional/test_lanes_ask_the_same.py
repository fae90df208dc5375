"""One story over each lane, against servers that begin alike: what is asked, and how often, is the same.

Through `main` as a person runs it: a selective redrive, a purge with its archive, and the import that undoes it. One
worker, so that the requests come in one order.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from opstool.cli.main import main
from opstool.doors.clock import SystemClock
from opstool.doors.lanes import HOT
from opstool.fake import FakeSqs
from tests.lanes import LANES, over
from tests.servers.fake_endpoint import FakeEndpoint
from tests.world import make_queue

NAMES_OF_A_RUN = {"ReceiptHandle", "Id", "StartTime"}
"""What is another in each run: our ids and the server's handles."""
ATTRIBUTES = {
    "blob": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
    "n": {"DataType": "Number", "StringValue": "1"},
}
STORY = (
    ("dlq", "redrive", "orders-dlq", "--body-contains", "take", "--yes"),
    ("dlq", "purge", "orders-dlq", "--confirm", "orders-dlq", "--archive", "archive.jsonl"),
    ("dlq", "import", "archive.jsonl", "--to", "orders-dlq", "--yes"),
)


class Recorded(FakeSqs):
    """Keeps what it is asked over HTTP, without what is another in each run."""

    def __init__(self) -> None:
        super().__init__(SystemClock())
        self.asked: list[tuple[str, str]] = []

    def __call__(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        """Carry out one request."""
        self.asked.append((operation, json.dumps(_plain(request), sort_keys=True, default=repr)))
        return super().__call__(operation, request)


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if isinstance(value, Mapping):
        return {key: "..." if key in NAMES_OF_A_RUN else _plain(each) for key, each in value.items()}
    return value


def _asked_over(lane: str, folder: Path, patch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> list[Any]:
    """Tell the story, and return what was asked and what the commands have counted."""
    server, told = Recorded(), list[Any]()
    dlq = make_queue(server, "orders-dlq")
    make_queue(server, "orders", dlq=dlq)
    for begin in range(0, 60, 10):
        entries = [
            {
                "Id": str(number),
                "MessageBody": f"{number} \u00e9\U0001f600 {'take' if number % 3 else 'leave'}",
                "MessageAttributes": ATTRIBUTES,
                "MessageGroupId": "tenant",
            }
            for number in range(begin, begin + 10)
        ]
        server("SendMessageBatch", {"QueueUrl": dlq.url, "Entries": entries})
    server.asked.clear()
    folder.mkdir()
    patch.chdir(folder)
    with over(lane), closing(FakeEndpoint(server)) as endpoint:
        where = ("--endpoint-url", endpoint.url, "--region", "us-east-1", "--state-dir", str(folder / "state"))
        for words in STORY:
            status = main(["--verbose", *where, "--workers", "1", "--output", "json", *words])
            shown = capsys.readouterr()
            assert status == 0, shown.err
            [taken] = [line for line in shown.err.splitlines() if line.startswith("requests: ")]
            assert taken.removeprefix("requests: ").split()[0] == lane
            document = json.loads(shown.out)
            told.append([document[name] for name in ("received", "succeeded", "skipped", "released", "failed")])
    return [told, server.asked]


def test_both_lanes_ask_the_same_in_the_same_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Operation by operation, parameter by parameter."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "made")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "up")
    (lean_told, lean), (boto3_told, boto3) = (_asked_over(lane, tmp_path / lane, monkeypatch, capsys) for lane in LANES)
    assert lean == boto3
    assert lean_told == boto3_told
    assert {operation for operation, _ in lean} >= HOT
    assert lean_told[0][1] == 40
