"""A ministack server of our own on 127.0.0.1, which is gone when the work with it is done, however that ends."""

import contextlib
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 10.0
POLL_S = 0.1
ATTEMPTS = 3  # the port is free when it is chosen, and may be taken when the server gets to it


class NotStartedError(Exception):
    """The server did not answer in time."""


@contextlib.contextmanager
def ministack(programs: Path, folder: Path, environment: dict[str, str]) -> Iterator[str]:
    """Run a server for the length of a `with` block and give its endpoint URL.

    Everything that it writes, its log included, goes into `folder`. Raises NotStartedError when it does not come up.
    """
    server, url = _started(programs, folder, environment)
    try:
        yield url
    finally:
        _stop(server)


def _started(programs: Path, folder: Path, environment: dict[str, str]) -> tuple[subprocess.Popen[bytes], str]:
    """Start a server on a free port, on another one when somebody was faster."""
    for _ in range(ATTEMPTS):
        port = _free_port()
        server, url = _start(programs, folder, environment, port), f"http://127.0.0.1:{port}"
        if _answers(server, url):
            return server, url
        _stop(server)
    raise NotStartedError(f"ministack did not answer within {START_TIMEOUT_S:.0f} s; its log:\n{log_of(folder)}")


def _start(programs: Path, folder: Path, environment: dict[str, str], port: int) -> subprocess.Popen[bytes]:
    """Start the server in a session of its own, so that the functions it runs can be ended with it."""
    settings = {
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "MINISTACK_HOST": "127.0.0.1",
        "TMPDIR": str(folder),
        "S3_DATA_DIR": str(folder / "s3"),
    }
    with (folder / "ministack.log").open("wb") as log:
        return subprocess.Popen(
            [str(programs / "python"), "-m", "ministack"],
            cwd=folder,
            env=environment | settings,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def _answers(server: subprocess.Popen[bytes], url: str) -> bool:
    """Wait until the server answers; False when it has ended or takes too long."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while server.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError, urllib.error.URLError):
            urllib.request.urlopen(f"{url}/_ministack/health", timeout=2).close()
            return True
        time.sleep(POLL_S)
    return False


def _stop(server: subprocess.Popen[bytes]) -> None:
    """End the server and all that it started, first by asking.

    The group is killed even when the server has ended as asked, because a function may outlive it.
    """
    for how in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.pid, how)
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(STOP_TIMEOUT_S)


def _free_port() -> int:
    """Ask the system for a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def log_of(folder: Path, *, lines: int = 40) -> str:
    """Return the end of the server's log."""
    log = folder / "ministack.log"
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:]) if log.exists() else ""
