"""SQS's own move task, asked for on the command line as a process: on the servers that have move tasks."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.servers import opened
from tests.servers.server import QueueOnServer, Server

if sys.platform == "win32":
    pytest.skip("terminals and signals as POSIX has them", allow_module_level=True)

import pty

ROOT = Path(__file__).parents[2]
COUNT = 1_000
_WITHIN_S = 60.0
_MOVED = re.compile(r"([\d,]+) of approximately 1,000 messages")


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How the process ended: its status, its one document, and all that its terminal was shown."""

    status: int
    document: dict[str, Any]
    shown: str


@dataclass(kw_only=True)
class Process:
    """A running `opstool`, whose stderr is a terminal: there a bar shows how far it is."""

    popen: subprocess.Popen[str]
    terminal: int
    written: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Read along, or a full terminal would stop it."""
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    @property
    def shown(self) -> str:
        """Return what the terminal was shown so far."""
        return "".join(self.written)

    @property
    def moved(self) -> list[int]:
        """Return the numbers that the bar has shown, one after the other."""
        return [int(each.replace(",", "")) for each in _MOVED.findall(self.shown)]

    def end(self) -> Ended:
        """Wait for its end."""
        said, _ = self.popen.communicate(timeout=_WITHIN_S)
        self.reader.join(_WITHIN_S)
        return Ended(status=self.popen.returncode, document=json.loads(said), shown=self.shown)

    def _read(self) -> None:
        """Read until nobody writes any more, which Linux tells by an error."""
        try:
            while part := os.read(self.terminal, 65_536):
                self.written.append(part.decode())
        except OSError:
            pass


@contextmanager
def opstool(server: Server, state_dir: Path, *words: str) -> Iterator[Process]:
    """Start a command line as a process; whatever happens, it ends with the block."""
    connection = server.connection
    assert connection
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "AWS_ACCESS_KEY_ID": str(connection.access_key_id),
        "AWS_SECRET_ACCESS_KEY": str(connection.secret_access_key),
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "NO_PROXY": "127.0.0.1",
        "TERM": "xterm",
        "COLUMNS": "200",
    }
    where = ["--endpoint-url", str(connection.endpoint_url), "--region", str(connection.region)]
    command = [sys.executable, "-m", "opstool", "--state-dir", str(state_dir), *where, "--output", "json", *words]
    leader, follower = pty.openpty()
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=follower,
        text=True,
    ) as popen:
        os.close(follower)
        try:
            yield Process(popen=popen, terminal=leader)
        finally:
            popen.kill()
            os.close(leader)


@pytest.fixture(scope="module", params=["local-aws-sqs", "localstack"])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """Open each of the servers that have move tasks."""
    server = opened(request.param)
    yield server
    server.close()


@pytest.fixture
def queues(server: Server) -> tuple[QueueOnServer, QueueOnServer]:
    """Give a source queue and its DLQ, in which a thousand messages have died."""
    source, dlq = server.make_pair(max_receive_count=1)
    for begin in range(0, COUNT, 10):
        source.send_batch(*(str(number) for number in range(begin, begin + 10)))
    wait_until(lambda: not source.receive(visibility_s=0) and dlq.counts()[0] == COUNT)
    return source, dlq


def wait_until(holds: Callable[[], bool]) -> None:
    """Look again and again: these servers keep real time."""
    deadline = time.monotonic() + _WITHIN_S
    while not holds():
        assert time.monotonic() < deadline, "it does not come to this"


def task_status(server: Server, dlq: QueueOnServer) -> str:
    """Return the status of the queue's newest move task."""
    return str(server.ask("ListMessageMoveTasks", SourceArn=dlq.arn)["Results"][0]["Status"])


def test_a_move_task_moves_everything_and_is_followed_to_its_end(
    server: Server, queues: tuple[QueueOnServer, QueueOnServer], tmp_path: Path
) -> None:
    """A thousand, with a bar that grows on the way, and status 0 when all of them lie in the source queue."""
    source, dlq = queues

    with opstool(
        server, tmp_path, "dlq", "redrive", dlq.name, "--engine", "native", "--yes", "--rate", "400"
    ) as process:
        ended = process.end()

    assert ended.status == 0, ended.shown
    assert (ended.document["engine"], ended.document["status"]) == ("native", "done")
    assert ended.document["succeeded"] == COUNT
    assert process.moved == sorted(process.moved)
    assert len(set(process.moved)) > 1, "nobody was told how far it is"
    assert (source.counts(), dlq.counts()) == ((COUNT, 0, 0), (0, 0, 0))
    assert task_status(server, dlq) == "COMPLETED"


def test_ctrl_c_cancels_the_move_task_and_says_what_has_moved(
    server: Server, queues: tuple[QueueOnServer, QueueOnServer], tmp_path: Path
) -> None:
    """What has moved stays moved, the rest stays where it is, and nothing goes on behind one's back."""
    source, dlq = queues

    with opstool(
        server, tmp_path, "dlq", "redrive", dlq.name, "--engine", "native", "--yes", "--rate", "100"
    ) as process:
        wait_until(lambda: process.popen.poll() is not None or any(process.moved))
        process.popen.send_signal(signal.SIGINT)
        ended = process.end()

    assert ended.status == 130, ended.shown
    assert "interrupted: cancelling the move task" in ended.shown
    assert ended.document["status"] == "interrupted"
    moved = source.counts()[0]
    assert 0 < moved < COUNT
    assert dlq.counts()[0] == COUNT - moved
    assert ended.document["succeeded"] == moved
    assert task_status(server, dlq) == "CANCELLED"
    assert source.counts()[0] == moved, "it goes on all the same"
