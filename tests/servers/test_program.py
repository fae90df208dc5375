"""A server in a process of its own never outlives whoever wanted it, and one that is missing is said to be."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import servers
from tests.servers.environments import Environment, MissingServerError
from tests.servers.program import NotStartedError, Program

WEB = """
import http.server, os
http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT"])), http.server.SimpleHTTPRequestHandler).serve_forever()
"""
OWNER = """
import sys, time
from tests.servers.test_program import web
running = web().start()
print(running.folder, flush=True)
time.sleep(60)
"""
ROOT = Path(__file__).parents[2]


def web(program: str = WEB) -> Program:
    """Return a server that is only a web server."""
    return Program(
        name="web", command=[sys.executable, "-c", program], settings=lambda port, _: {"PORT": str(port)}, health="/"
    )


def _until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline, "it does not come to this"
        time.sleep(0.05)


def test_a_server_is_up_when_it_is_given_and_gone_when_it_is_closed() -> None:
    """With the folder that it wrote to; closing twice is once."""
    running = web().start()
    assert running.folder.is_dir()
    running.close()
    running.close()
    assert not running.answers()
    assert not running.folder.exists()


def test_what_a_server_that_does_not_start_has_written_is_shown() -> None:
    """It is tried on other ports, and then its own words are the error."""
    with pytest.raises(NotStartedError, match="no such luck"):
        web("raise SystemExit('no such luck')").start()


def test_a_server_ends_with_an_owner_that_is_killed() -> None:
    """Nobody had the time to tidy up, and nothing is left."""
    owner = subprocess.Popen([sys.executable, "-c", OWNER], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    with owner.stdout:
        folder = Path(owner.stdout.readline().strip())
        assert folder.is_dir()
        os.kill(owner.pid, signal.SIGKILL)
        owner.wait()
    _until(lambda: not folder.exists())


@pytest.mark.parametrize(
    ("ci", "outcome"), [("", pytest.skip.Exception), ("true", pytest.fail.Exception)], ids=["laptop", "CI"]
)
def test_a_server_that_is_not_installed_is_skipped_on_a_laptop_and_fails_in_ci(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, ci: str, outcome: type[BaseException]
) -> None:
    """With the command that installs it."""
    pins = tmp_path / "pins.txt"
    pins.write_text("a==1\n")

    def open_missing() -> servers.Server:
        raise MissingServerError(str(Environment(name=".venv-none", pins=pins).require()))

    monkeypatch.setenv("CI", ci)
    monkeypatch.setitem(servers.SERVERS, "missing", open_missing)
    with pytest.raises(outcome, match="`make servers`"):
        servers.opened("missing")
