"""A Python function of the stack, invoked as Lambda invokes: warm processes, a timeout, and a log."""

from __future__ import annotations

import os
import signal
import tempfile
import threading
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from opstool.local.client import ClientSettings
from opstool.local.emulator_time import NOW
from opstool.local.environment import function_environment
from opstool.local.function_config import FunctionConfig
from opstool.local.function_log import Course, Line, LogGroup, PlatformLines
from opstool.local.process import FunctionProcess, Outcome
from opstool.local.requirements import Packages, provide


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What an invocation gave: a JSON payload, or an error when the function failed."""

    request_id: str
    payload: str = ""
    error: dict[str, Any] | None = None


class Function:
    """One function with its processes; `invoke` may be called from many threads."""

    def __init__(self, config: FunctionConfig, settings: ClientSettings, *, packages: Packages | None = None) -> None:
        """Make the function's requirements ready; its first process starts with its first invocation."""
        self.config = config
        self._settings = settings
        self._packages = packages or provide(config.directory)
        self._lines = PlatformLines(config)
        self._log = LogGroup(settings.client("logs"), config.log_group)
        self._scratch = tempfile.TemporaryDirectory(prefix="opstool-function-", ignore_cleanup_errors=True)
        self._lock = threading.Lock()
        self._idle: list[FunctionProcess] = []
        self._all: set[FunctionProcess] = set()
        self._closed = False

    def invoke(self, event: Any) -> Answer:
        """Run the function on `event`, write its log, and return its answer."""
        request_id = str(uuid.uuid4())
        if self.config.reserved_concurrency == 0:  # throttled: nothing runs, and no line is logged
            return Answer(request_id=request_id, error={"errorType": "TooManyRequestsException"})
        process, cold = self._take_process()
        # The log stream opens with what the function printed while it was loaded.
        lines: list[Line] = []
        init_ms: float | None = None
        if cold:
            started = time.monotonic()
            ready = process.wait_until_ready()
            init_ms = (time.monotonic() - started) * 1000
            lines += ready.lines
            if ready.kind != "ready":
                return self._refuse(process, request_id, ready, lines, init_ms)
        lines += self._lines.before(request_id, _now_ms())
        started = time.monotonic()
        outcome = process.invoke(
            request_id=request_id, event=event, function_arn=self.config.arn, timeout_s=self.config.timeout_s
        )
        duration_ms = (time.monotonic() - started) * 1000
        return self._settle(process, request_id, outcome, lines, duration_ms, init_ms)

    def close(self) -> None:
        """End every process of the function, busy ones too."""
        with self._lock:
            self._closed = True
            processes, self._all = list(self._all), set()
            self._idle = []
        for process in processes:
            process.end()
        self._scratch.cleanup()

    def _take_process(self) -> tuple[FunctionProcess, bool]:
        with self._lock:
            if self._idle:
                return self._idle.pop(), False  # the one used last: it is the warmest
        stream = f"{time.strftime('%Y/%m/%d', time.gmtime())}/[$LATEST]{uuid.uuid4().hex}"
        self._log.open_stream(stream)
        environment = function_environment(
            self.config,
            settings=self._settings,
            scratch=Path(self._scratch.name),
            log_stream=stream,
            parent=os.environ,
        )
        with self._lock:
            if self._closed:
                raise RuntimeError("the function is closed")
            process = FunctionProcess(
                handler=self.config.handler,
                directory=self.config.directory,
                packages=self._packages,
                environment=environment,
                log_stream=stream,
            )
            self._all.add(process)
        return process, True

    def _refuse(
        self, process: FunctionProcess, request_id: str, outcome: Outcome, lines: list[Line], init_ms: float
    ) -> Answer:
        """Answer for a function that could not be loaded: what was wrong stands before the invocation begins."""
        error = outcome.error or _platform_error(request_id, outcome, init_ms / 1000)
        course = Course(
            request_id=request_id,
            duration_ms=init_ms,
            status="timeout" if outcome.kind == "timeout" else "error",
            error_type=str(error["errorType"]),
        )
        if outcome.kind == "error":
            lines.append(self._lines.function_error(error, _now_ms()))
        lines += self._lines.failed_init(course, _now_ms())
        lines += self._lines.before(request_id, _now_ms())
        if outcome.kind == "exit":
            lines += self._lines.exit(error, _now_ms())
        self._finish(process, lines, course, keep=False)
        return Answer(request_id=request_id, error=error)

    def _settle(
        self,
        process: FunctionProcess,
        request_id: str,
        outcome: Outcome,
        lines: list[Line],
        duration_ms: float,
        init_ms: float | None,
    ) -> Answer:
        lines += outcome.lines
        error = outcome.error
        if outcome.kind in ("timeout", "exit"):
            error = _platform_error(request_id, outcome, self.config.timeout_s)
        if error and outcome.kind == "error":
            lines.append(self._lines.function_error(error, _now_ms()))
        elif error and outcome.kind == "exit":
            lines += self._lines.exit(error, _now_ms())
        course = Course(
            request_id=request_id,
            duration_ms=min(duration_ms, self.config.timeout_s * 1000) if outcome.kind == "timeout" else duration_ms,
            init_ms=init_ms,
            memory_used_mb=outcome.memory_mb,
            status={"reply": "success", "timeout": "timeout"}.get(outcome.kind, "error"),
            error_type=str(error["errorType"]) if error else "",
            is_told_by_runtime=outcome.kind == "error",
        )
        self._finish(process, lines, course, keep=outcome.kind in ("reply", "error"))
        return Answer(request_id=request_id, payload=outcome.payload, error=error)

    def _finish(self, process: FunctionProcess, lines: list[Line], course: Course, *, keep: bool) -> None:
        try:
            self._log.write(process.log_stream, [*lines, *self._lines.after(course, _now_ms())])
        finally:
            self._give_back(process, keep=keep)

    def _give_back(self, process: FunctionProcess, *, keep: bool) -> None:
        with self._lock:
            if keep and not self._closed:
                self._idle.append(process)
                return
            self._all.discard(process)
        process.end()


def _platform_error(request_id: str, outcome: Outcome, timeout_s: float) -> dict[str, Any]:
    """Return Lambda's error for a process that gave no answer."""
    if outcome.kind == "timeout":
        text = f"RequestId: {request_id} Error: Task timed out after {timeout_s:.2f} seconds"
        return {"errorType": "Sandbox.Timedout", "errorMessage": text}
    text = f"RequestId: {request_id} Error: Runtime exited {_how(outcome.exit_status)}"
    return {"errorType": "Runtime.ExitError", "errorMessage": text}


def _how(exit_status: int) -> str:
    """Return how a process ended, in the words of Lambda's log."""
    if exit_status > 0:
        return f"with error: exit status {exit_status}"
    if exit_status < 0:
        return f"with error: signal: {(signal.strsignal(-exit_status) or str(-exit_status)).lower()}"
    return "without providing a reason"


def _now_ms() -> int:
    return int(NOW.millis())
