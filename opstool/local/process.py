"""One process of a function, seen from outside: started, given invocations one at a time, and ended.

The process is a sandbox as Lambda has them: warm between invocations, gone after a timeout or a crash, and everything
it started goes with it.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from opstool.local.emulator_time import NOW
from opstool.local.function_log import Line
from opstool.local.requirements import Packages

SANDBOX = Path(__file__).with_name("sandbox.py")
INIT_TIMEOUT_S = 10.0
"""Lambda's own bound on loading a function."""
MAXIMUM_LOG_BYTES = 6_000_000
"""Of one invocation: a function that prints for ever must not fill this process's memory."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What one exchange with the process came to: `kind` is ready, reply, error, timeout or exit."""

    kind: str
    lines: list[Line]
    payload: str = ""
    error: dict[str, Any] | None = None
    memory_mb: int = 0
    exit_status: int = 0


class FunctionProcess:
    """A running sandbox.py; not for use by two threads at once."""

    def __init__(
        self, *, handler: str, directory: Path, packages: Packages, environment: Mapping[str, str], log_stream: str
    ) -> None:
        """Start the process; `wait_until_ready` says whether the function could be loaded."""
        self.log_stream = log_stream
        self._token = secrets.token_hex(16)
        self._items: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()
        self._process = subprocess.Popen(  # noqa: S603 this interpreter, on our own file
            # Isolated, without site-packages: the function sees its own requirements and what Lambda provides.
            [sys.executable, "-I", "-S", "-B", "-u", "-X", "utf8", str(SANDBOX)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=directory,
            env=dict(environment),
            # A group of its own: Ctrl-C on the terminal is for opstool, and ending the function ends its children.
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, name="opstool-function-output", daemon=True)
        self._reader.start()
        target = [str(packages.target)] if packages.target else []
        self._tell(
            {
                "token": self._token,
                "handler": handler,
                "path": [str(directory), *target],
                "folders": packages.folders,
                "names": packages.names,
                "distributions": packages.distributions,
            }
        )

    def wait_until_ready(self) -> Outcome:
        """Wait for the function to be loaded, for at most Lambda's ten seconds."""
        return self._collect(INIT_TIMEOUT_S)

    def invoke(self, *, request_id: str, event: Any, function_arn: str, timeout_s: float) -> Outcome:
        """Run the handler once. After timeout or exit the process is gone."""
        invocation = {"request_id": request_id, "event": event, "function_arn": function_arn}
        self._tell({**invocation, "deadline_s": time.time() + timeout_s})
        return self._collect(timeout_s)

    def end(self) -> None:
        """End the process and all it started, and wait until they are gone."""
        if os.name == "posix":
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
        else:
            self._process.kill()
        self._process.wait()
        with contextlib.suppress(OSError):
            self._process.stdin.close()  # type: ignore[union-attr]
        # A grandchild in a session of its own may still hold the pipe; its output is nobody's.
        self._reader.join(timeout=1)

    def _tell(self, content: dict[str, Any]) -> None:
        with contextlib.suppress(OSError):  # it died: its output ends, and that is how _collect learns
            self._process.stdin.write(json.dumps(content).encode() + b"\n")  # type: ignore[union-attr]
            self._process.stdin.flush()  # type: ignore[union-attr]

    def _collect(self, timeout_s: float) -> Outcome:
        """Gather lines until the process answers, dies, or runs out of time."""
        deadline = time.monotonic() + timeout_s
        lines: list[Line] = []
        kept_bytes = 0
        while True:
            try:
                kind, content = self._items.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                self.end()
                return Outcome(kind="timeout", lines=lines + self._left_over(MAXIMUM_LOG_BYTES - kept_bytes))
            if kind == "line":
                kept_bytes += len(content.text)
                if kept_bytes <= MAXIMUM_LOG_BYTES:
                    lines.append(content)
            elif kind == "exit":
                self.end()
                return Outcome(kind="exit", lines=lines, exit_status=self._process.returncode)
            else:
                return Outcome(kind=kind, lines=lines, **content)

    def _left_over(self, maximum_bytes: int) -> list[Line]:
        """Return what was printed before the end but not read yet."""
        lines = []
        with contextlib.suppress(queue.Empty):
            while maximum_bytes > 0:
                kind, content = self._items.get_nowait()
                if kind == "line":
                    lines.append(content)
                    maximum_bytes -= len(content.text)
        return lines

    def _read(self) -> None:
        """Turn the output into lines and frames, until it ends."""
        output: Any = self._process.stdout
        token = self._token.encode()
        with output:
            # A bounded readline: one endless line is many lines, not an endless buffer.
            while raw := output.readline(MAXIMUM_LOG_BYTES):
                before, found, frame = raw.partition(token)
                if text := before.rstrip(b"\r\n"):
                    self._items.put(("line", _line(text.decode("utf-8", "replace"))))
                if found:
                    self._take_frame(frame)
        self._items.put(("exit", None))

    def _take_frame(self, raw: bytes) -> None:
        try:
            frame = json.loads(raw)
            kind = frame.pop("kind")
        except (ValueError, KeyError, AttributeError):
            return  # torn by a child that wrote at the same moment: the invocation will time out
        if kind == "log":
            self._items.put(("line", _line(frame["text"])))
        else:
            self._items.put((kind, frame))


def _line(text: str) -> Line:
    return Line(at_ms=int(NOW.millis()), text=text)
