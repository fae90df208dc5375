"""A purge to S3 whose process is killed around the upload: resumed, and imported, it has lost nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from opstool.local.server import EmbeddedServer

BODIES = [f'{{"n": {number}}}' for number in range(30)]
_VICTIM = """
import os, signal, sys
from opstool.cli.main import main
from opstool.doors.objects import S3Objects
from opstool.doors.session import Session

owner, name, side, number = {"delete": (Session, "sqs_call"), "upload": (S3Objects, "upload"),
                             "look": (S3Objects, "find")}[sys.argv[1]] + (sys.argv[2], int(sys.argv[3]))
whole = getattr(owner, name)

def killing(*asked, **more):
    global number
    counts = name != "sqs_call" or asked[1] == "DeleteMessageBatch"
    number -= counts
    if counts and number == 0 and side == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    answer = whole(*asked, **more)
    if counts and number == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return answer

setattr(owner, name, killing)
sys.exit(main(sys.argv[4:]))
"""
_SURVIVES = ("upload", "after", "0")
_TIMEOUT_S = 60


@pytest.fixture
def server() -> Iterator[EmbeddedServer]:
    """Serve SQS and S3 on loopback, with thirty dead messages and a bucket."""
    server = EmbeddedServer()
    try:
        server.settings.client("s3").create_bucket(Bucket="archives")
        sqs = server.settings.client("sqs")
        url = sqs.create_queue(QueueName="dead")["QueueUrl"]
        policy = json.dumps({"deadLetterTargetArn": "arn:aws:sqs:us-east-1:123456789012:dead", "maxReceiveCount": 3})
        sqs.create_queue(QueueName="alive", Attributes={"RedrivePolicy": policy})
        for body in BODIES:
            sqs.send_message(QueueUrl=url, MessageBody=body)
        yield server
    finally:
        server.close()


def run(
    server: EmbeddedServer, state_dir: Path, *words: str, dies: tuple[str, str, str] = _SURVIVES
) -> tuple[int, dict[str, Any]]:
    """Carry out a command line in a process of its own; return its status and its document."""
    place = ("--endpoint-url", server.endpoint_url, "--region", "us-east-1", "--state-dir", str(state_dir))
    pace = ("--lease", "2", "--workers", "1", "--output", "json")
    keys = {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local"}
    ended = subprocess.run(
        [sys.executable, "-c", _VICTIM, *dies, *place, *pace, *words],
        env={**os.environ, **keys},
        capture_output=True,
        timeout=_TIMEOUT_S,
        check=False,
    )
    return ended.returncode, json.loads(ended.stdout or b"{}")


def left(server: EmbeddedServer) -> Counter[str]:
    """Return the bodies in the dead-letter queue, when every lease has ended."""
    server.advance(60)
    sqs = server.settings.client("sqs")
    url = sqs.get_queue_url(QueueName="dead")["QueueUrl"]
    found: Counter[str] = Counter()
    while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=50).get("Messages"):
        found.update(each["Body"] for each in messages)
    server.advance(60)
    return found


@pytest.mark.parametrize(
    "dies",
    [
        ("delete", "before", "2"),
        ("delete", "after", "3"),
        ("upload", "before", "1"),
        ("upload", "after", "1"),
        ("look", "after", "3"),
    ],
    ids=" ".join,
)
def test_a_purge_that_is_killed_around_its_upload_is_resumed_and_taken_back(
    server: EmbeddedServer, tmp_path: Path, dies: tuple[str, str, str]
) -> None:
    """Killed between delete and upload, all is in the file; resumed, all is in S3; imported, all is back."""
    state_dir, address = tmp_path / "state", "s3://archives/dead.jsonl"
    words = ("dlq", "purge", "dead", "--confirm", "dead", "--archive", address)
    status, _ = run(server, state_dir, *words, dies=dies)
    assert status == -9
    [file] = (state_dir / "archives").iterdir()
    kept = {json.loads(line)["body"] for line in file.read_text().splitlines() if line.endswith("}")}
    assert kept | left(server).keys() == set(BODIES), "it lost something"

    _, history = run(server, state_dir, "history")
    [interrupted] = history["runs"]
    assert interrupted["status"] == "interrupted"
    status, report = run(server, state_dir, "resume", interrupted["run_id"], "--yes")
    assert (status, report["archive"], left(server)) == (0, address, Counter())
    assert list((state_dir / "archives").iterdir()) == []

    status, report = run(server, state_dir, *report["undo"].split()[1:], "--yes")
    assert (status, left(server)) == (0, Counter(BODIES))
