"""A warm process that forks opstool's processes, because to start Python and boto3 for each of hundreds is the cost.

It has one thread, so what it forks is as good as a process that was started. Each task comes over a connection of its
own, and gets a keeper, which forks the victim, tells its process id, waits for its end and tells how it ended.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Self

from tests.faults.crash.victim import Task, become, warm

ROOT = Path(__file__).parents[3]
ENVIRONMENT = {
    "PATH": os.environ.get("PATH", os.defpath),
    "PYTHONPATH": str(ROOT),
    "PYTHONWARNINGS": "error",
    "AWS_ACCESS_KEY_ID": "made",
    "AWS_SECRET_ACCESS_KEY": "up",
    "AWS_REGION": "us-east-1",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
    "NO_PROXY": "127.0.0.1",
}
"""What a victim gets of the environment: nothing of the person's who runs the tests."""


class Victim:
    """A process on its way to its end."""

    def __init__(self, connection: socket.socket) -> None:
        self._told = connection.makefile()
        connection.close()
        self.pid = int(self._told.readline())

    def wait(self) -> int:
        """Return how it ended: its exit status, or minus the signal that killed it."""
        with self._told:
            return int(self._told.readline())

    def signal(self, number: int) -> None:
        """Send it a signal."""
        os.kill(self.pid, number)


class Zygote:
    """The warm process, seen from the tests; thread-safe. Close it, and it ends."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self._address = str(Path(self._folder.name) / "zygote")
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(self._address)
            listener.listen(128)
            self._process = subprocess.Popen(
                [sys.executable, "-m", __name__, str(listener.fileno())],
                stdin=subprocess.PIPE,
                pass_fds=[listener.fileno()],
                env=ENVIRONMENT,
                cwd=ROOT,
            )

    def start(self, task: Task) -> Victim:
        """Start a process."""
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(self._address)
        connection.sendall(json.dumps(task.fields()).encode() + b"\n")
        return Victim(connection)

    def run(self, task: Task) -> int:
        """Start a process, and return how it ended."""
        return self.start(task).wait()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the warm process; the keepers end with their victims."""
        self._process.communicate()
        self._folder.cleanup()


def serve(listener: socket.socket) -> None:
    """Fork a keeper for each connection, until standard input is closed."""
    warm()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for keepers
    while True:
        ready, _, _ = select.select([listener, sys.stdin], [], [])
        if listener not in ready:
            return
        connection, _ = listener.accept()
        with connection:
            if os.fork() == 0:
                listener.close()
                os._exit(_keep(connection))


def _keep(connection: socket.socket) -> int:
    """Be a keeper: fork the victim, and tell how it ended."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    task = Task.of(_read_line(connection))
    victim = os.fork()
    if victim == 0:
        connection.close()
        become(task)
    connection.sendall(b"%d\n" % victim)
    _, status = os.waitpid(victim, 0)
    with contextlib.suppress(ConnectionError):  # whoever asked has ended first
        connection.sendall(b"%d\n" % os.waitstatus_to_exitcode(status))
    return 0


def _read_line(connection: socket.socket) -> dict[str, Any]:
    with connection.makefile() as lines:
        document: dict[str, Any] = json.loads(lines.readline())
        return document


if __name__ == "__main__":
    with socket.socket(fileno=int(sys.argv[1])) as inherited:
        serve(inherited)
