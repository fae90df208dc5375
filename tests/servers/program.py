"""A server in a process of its own on 127.0.0.1: started, waited for, and ended however this process ends."""

from __future__ import annotations

import atexit
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from opstool.doors.session import Connection, Session
from opstool.local.client import DEFAULT_REGION
from tests.servers.server import Server

GUARD = Path(__file__).parent / "guard.py"
LOG = "server.log"
START_TIMEOUT_S = 120.0
STOP_TIMEOUT_S = 15.0
POLL_S = 0.05
ATTEMPTS = 3  # the port is free when it is chosen, and may be taken when the server gets to it


class NotStartedError(Exception):
    """The server did not answer; the text ends with what it wrote."""


@dataclass(frozen=True, kw_only=True)
class Program:
    """How to start a server: `settings` are its environment variables for a port and a folder of its own.

    It is up when `health`, a path, answers. `late_s` is how much later than it should it lets time pass.
    """

    name: str
    command: list[str]
    settings: Callable[[int, Path], dict[str, str]]
    health: str
    late_s: float = 0.0
    has_move_tasks: bool = False

    def start(self) -> Running:
        """Start it on a free port, on another one when somebody was faster; raise NotStartedError."""
        written = ""
        for _ in range(ATTEMPTS):
            running = Running(self, _free_port())
            if running.answers():
                return running
            written = running.log()
            running.close()
        raise NotStartedError(f"{self.name} does not start; it wrote:\n{written}")


class Running:
    """A started server, with the folder that it writes to."""

    def __init__(self, program: Program, port: int) -> None:
        self.program = program
        self.url = f"http://127.0.0.1:{port}"
        self.folder = Path(tempfile.mkdtemp(prefix=f"{program.name}-"))
        # Nothing of the user's settings but where programs are, and every place to write to in the folder.
        places = dict.fromkeys(("HOME", "TMPDIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"), str(self.folder))
        settings = {"PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8", **places}
        with (self.folder / LOG).open("wb") as log:
            self._guard = subprocess.Popen(
                [sys.executable, "-I", str(GUARD), str(self.folder), *program.command],
                env=settings | program.settings(port, self.folder),
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # a Ctrl-C is ours to take, and ends the server with us
            )

    def answers(self) -> bool:
        """Wait until the server answers; False when it has ended or takes too long."""
        open_url = urllib.request.build_opener(urllib.request.ProxyHandler({})).open
        deadline = time.monotonic() + START_TIMEOUT_S
        while self._guard.poll() is None and time.monotonic() < deadline:
            try:
                open_url(f"{self.url}{self.program.health}", timeout=2).close()
            except urllib.error.HTTPError as answer:
                answer.close()  # it speaks, if only to refuse
            except OSError:
                time.sleep(POLL_S)
                continue
            return True
        return False

    def log(self, lines: int = 40) -> str:
        """Return the end of what it wrote."""
        log = self.folder / LOG
        return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])

    def close(self) -> None:
        """End the server and all that it started, and remove its folder; twice is once."""
        assert self._guard.stdin is not None
        self._guard.stdin.close()
        self._guard.wait(STOP_TIMEOUT_S)
        shutil.rmtree(self.folder, ignore_errors=True)

    def server(self) -> Server:
        """Return it as the suites see it; its time is real, and it stays up until this process ends."""
        atexit.register(self.close)
        connection = Connection(
            endpoint_url=self.url,
            region=DEFAULT_REGION,
            access_key_id="local",
            secret_access_key="local",
            is_isolated=True,
        )
        return Server(
            name=self.program.name,
            call=Session(connection).sqs_call,
            connection=connection,
            advance=lambda seconds: time.sleep(seconds + self.program.late_s),
            close=lambda: None,
            keeps_real_time=True,
            has_move_tasks=self.program.has_move_tasks,
        )


def _free_port() -> int:
    """Ask the system for a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
