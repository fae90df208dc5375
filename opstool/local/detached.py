"""Start and stop the embedded AWS in a process of its own, which outlives the command that started it.

The child (__main__.py) is told what to start as JSON on stdin, and says in JSON on stdout that it is ready or why it is
not. Its log is a file in the state directory.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from opstool.local import state
from opstool.local.client import DEFAULT_REGION
from opstool.local.state import LocalStatus
from opstool.words.errors import OpstoolError, RefusedError, StorageError

LOG_NAME = "local.log"
STOP_TIMEOUT_S = 15.0


def start_detached(
    template: Path,
    *,
    stack_name: str,
    state_dir: Path,
    parameters: Mapping[str, str] | None = None,
    region: str = DEFAULT_REGION,
    cache: Path | None = None,
) -> LocalStatus:
    """Start the embedded AWS in a process of its own, and return when it is ready."""
    if running := state.status(state_dir):
        raise RefusedError(
            f"the embedded AWS already runs on {running.endpoint_url} (process {running.pid})",
            code="local_running",
            hint="opstool local stop",
        )
    wanted = {
        "template": str(template.resolve()),
        "stack_name": stack_name,
        "state_dir": str(state_dir.resolve()),
        "parameters": dict(parameters or {}),
        "region": region,
        "cache": str(cache) if cache else None,
    }
    said = _spawn(wanted, state_dir)
    if "error" in said:
        raise OpstoolError(said["error"]["message"], code=said["error"]["code"], hint=said["error"]["hint"])
    started = state.status(state_dir)
    if started is None:
        raise OpstoolError("the embedded AWS ended as soon as it was ready", hint=f"see {state_dir / LOG_NAME}")
    return started


def stop(state_dir: Path, *, timeout_s: float = STOP_TIMEOUT_S) -> bool:
    """Stop the embedded AWS of this state directory; tell whether one was running."""
    running = state.status(state_dir)
    if running is None:
        return False
    state.ask_to_stop(running)
    deadline = time.monotonic() + timeout_s
    while state.answers(running):  # the server is the last thing that closes
        if time.monotonic() > deadline:
            raise OpstoolError(
                f"the embedded AWS (process {running.pid}) did not stop in {timeout_s:g} s",
                hint=f"see {state_dir / LOG_NAME}",
            )
        time.sleep(0.05)  # the other process ends in its own time: there is nothing to wait on
    return True


def _spawn(wanted: dict[str, Any], state_dir: Path) -> dict[str, Any]:
    """Start the child and return what it says."""
    try:
        state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        log = os.open(state_dir / LOG_NAME, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    except OSError as error:
        raise StorageError(f"cannot write in `{state_dir}`: {error.strerror or error}") from error
    try:
        child = subprocess.Popen(
            [sys.executable, "-m", "opstool.local"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,  # Ctrl-C and the terminal's end are not its business
        )
    finally:
        os.close(log)
    with contextlib.suppress(BrokenPipeError), child.stdin as stdin:  # type: ignore[union-attr]
        stdin.write(json.dumps(wanted).encode())
    with child.stdout as stdout:  # type: ignore[union-attr]
        said = stdout.read()  # the child lets go of it when it has spoken, or when it dies
    try:
        answer: dict[str, Any] = json.loads(said)
    except ValueError as error:
        child.wait()
        raise OpstoolError("the embedded AWS did not start", hint=f"see {state_dir / LOG_NAME}") from error
    if "error" in answer:
        child.wait()
    else:
        child.returncode = 0  # it outlives this process: not to be waited for, nor warned about
    return answer
