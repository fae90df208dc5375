"""Let the tests of the documents share one telling of the demo: most of its minute is waiting for a queue's clock."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass

import pytest

from tests.docs.pictures import ROOT, demo_on_a_terminal


@dataclass(frozen=True, kw_only=True)
class Demo:
    """What `opstool demo` writes: into a pipe, both streams as one, and to a terminal, escapes included."""

    piped: str
    on_a_terminal: str


@pytest.fixture
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    """Return what both kinds of run wrote; they run side by side, once for all workers of this session."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent  # the session's own, in which each worker has one
    kept = folder / "demo.json"
    with (folder / "demo.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not kept.exists():
            kept.write_text(json.dumps(asdict(_tell())), encoding="utf-8")
        return Demo(**json.loads(kept.read_text(encoding="utf-8")))


def _tell() -> Demo:
    with ThreadPoolExecutor(2) as both:
        piped, on_a_terminal = both.submit(_demo_in_a_pipe), both.submit(demo_on_a_terminal)
        return Demo(piped=piped.result(), on_a_terminal=on_a_terminal.result())


def _demo_in_a_pipe() -> str:
    """Run the demo as a script would, and return what it wrote."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("OPSTOOL_")}
    done = subprocess.run(
        [sys.executable, "-m", "opstool", "demo"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout
