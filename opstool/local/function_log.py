"""What a function's process wrote, as CloudWatch Logs has it: Lambda's own lines around the function's.

A function's lines go to its log group through the emulator's API, one stream a process, before the batch is settled:
whoever sees a message die finds the reason already there.

Lambda's own lines are as Lambda writes them in 2026, as far as logs that people have published show it:

- A timeout is in the status of the report, and no longer in a line `Task timed out`.
- The report as text has a status only when the platform ended the invocation: not for an exception of the handler.
- What kept a function from being loaded stands before START, without a request id; Lambda tries twice in the first
  invocation of an environment, here once.
- Of the JSON records those of the levels INFO and WARN are written, but for `platform.initStart`. Which `errorType` the
  report of an unhandled exception has is not documented.

https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-log-level.html and
https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
"""

from __future__ import annotations

import contextlib
import json
import math
import re
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from opstool.local.function_config import FunctionConfig

MAXIMUM_EVENT_BYTES = 1_048_576 - 26
MAXIMUM_CALL_BYTES = 1_048_576
MAXIMUM_CALL_EVENTS = 10_000
EVENT_OVERHEAD_BYTES = 26

_PLATFORM_ERROR = re.compile(r"(Runtime|Function)\.[A-Z][a-zA-Z]+")


@dataclass(frozen=True, kw_only=True)
class Line:
    """One log event."""

    at_ms: int
    text: str


@dataclass(frozen=True, kw_only=True)
class Course:
    """How one invocation went: what the report line says."""

    request_id: str
    duration_ms: float
    init_ms: float | None = None
    memory_used_mb: int = 0
    status: str = "success"
    """success, error or timeout."""
    error_type: str = ""
    is_told_by_runtime: bool = False
    """The runtime lives and has told of the error itself, so that the text report does not."""


class PlatformLines:
    """Lambda's own lines, as text or as JSON, as the function's logging configuration wants."""

    def __init__(self, config: FunctionConfig) -> None:
        """Take the function whose lines these are."""
        self._config = config

    def before(self, request_id: str, at_ms: int) -> list[Line]:
        """Return what stands before the function's own lines."""
        if not self._config.logs_json:
            return [Line(at_ms=at_ms, text=f"START RequestId: {request_id} Version: $LATEST")]
        return self._record(at_ms, "platform.start", {"requestId": request_id, "version": "$LATEST"})

    def after(self, course: Course, at_ms: int) -> list[Line]:
        """Return what stands after them: the report."""
        return self._json_report(course, at_ms) if self._config.logs_json else self._text_report(course, at_ms)

    def failed_init(self, course: Course, at_ms: int) -> list[Line]:
        """Return the report of a function that could not be loaded."""
        if not self._config.logs_json:
            how = "\t".join(["Phase: init", *_status(course)])
            return [Line(at_ms=at_ms, text=f"INIT_REPORT Init Duration: {course.duration_ms:.2f} ms\t{how}")]
        record = {"initializationType": "on-demand", "phase": "init", **_outcome(course)}
        metrics = {"metrics": {"durationMs": round(course.duration_ms, 3)}}
        done = self._record(at_ms, "platform.initRuntimeDone", record)
        return done + self._record(at_ms, "platform.initReport", {**record, **metrics})

    def exit(self, error: dict[str, Any], at_ms: int) -> list[Line]:
        """Return the line by which Lambda says that the process is gone; as JSON only its records say so."""
        if self._config.logs_json:
            return []
        return [Line(at_ms=at_ms, text=f"{error['errorMessage']}\n{error['errorType']}")]

    def function_error(self, error: dict[str, Any], at_ms: int) -> Line:
        """Return the line by which Lambda's runtime reports an exception."""
        if self._config.logs_json:
            return Line(at_ms=at_ms, text=json.dumps({"timestamp": _iso(at_ms), "level": "ERROR", **error}))
        said = f"[ERROR] {error.get('errorType', '')}: {error.get('errorMessage', '')}".removesuffix(": ")
        stack = [_indented(line) for entry in error.get("stackTrace") or [] for line in entry.splitlines()]
        return Line(at_ms=at_ms, text="\n".join([said, "Traceback (most recent call last):", *stack]))

    def _json_report(self, course: Course, at_ms: int) -> list[Line]:
        metrics: dict[str, Any] = {
            "durationMs": round(course.duration_ms, 3),
            "billedDurationMs": math.ceil(course.duration_ms),
            "memorySizeMB": self._config.memory_mb,
            "maxMemoryUsedMB": course.memory_used_mb,
        }
        if course.init_ms is not None:
            metrics["initDurationMs"] = round(course.init_ms, 3)
        record = {"requestId": course.request_id, **_outcome(course)}
        done: list[Line] = []
        if course.status != "success":  # a success is told at DEBUG
            duration = {"metrics": {"durationMs": round(course.duration_ms, 3)}}
            done = self._record(at_ms, "platform.runtimeDone", {**record, **duration})
        return done + self._record(at_ms, "platform.report", {**record, "metrics": metrics})

    def _record(self, at_ms: int, kind: str, record: dict[str, Any]) -> list[Line]:
        if self._config.system_log_level == "WARN" and record.get("status", "success") == "success":
            return []
        return [Line(at_ms=at_ms, text=json.dumps({"time": _iso(at_ms), "type": kind, "record": record}))]

    def _text_report(self, course: Course, at_ms: int) -> list[Line]:
        parts = [
            f"REPORT RequestId: {course.request_id}",
            f"Duration: {course.duration_ms:.2f} ms",
            f"Billed Duration: {math.ceil(course.duration_ms)} ms",
            f"Memory Size: {self._config.memory_mb} MB",
            f"Max Memory Used: {course.memory_used_mb} MB",
        ]
        if course.init_ms is not None:
            parts.append(f"Init Duration: {course.init_ms:.2f} ms")
        if not course.is_told_by_runtime:
            parts += _status(course)
        end = Line(at_ms=at_ms, text=f"END RequestId: {course.request_id}")
        return [end, Line(at_ms=at_ms, text="\t".join(parts))]


def _outcome(course: Course) -> dict[str, Any]:
    """Return how it went, as a record says it."""
    named = {"errorType": _error_type(course)} if course.status == "error" else {}
    return {"status": course.status, **named}


def _status(course: Course) -> list[str]:
    """Return how it went, as a text report says it: nothing of a success."""
    said = [f"Status: {course.status}"] if course.status != "success" else []
    return [*said, f"Error Type: {_error_type(course)}"] if course.status == "error" else said


def _error_type(course: Course) -> str:
    """Return the platform's name for an error: of a class that is the function's own it has none."""
    return course.error_type if _PLATFORM_ERROR.fullmatch(course.error_type) else "Runtime.Unknown"


def _indented(line: str) -> str:
    """Return a line of a traceback as Lambda's Python runtime writes it: indented by no-break spaces."""
    text = line.lstrip(" ")
    return "\N{NO-BREAK SPACE}" * (len(line) - len(text)) + text


class LogGroup:
    """The function's log group in the emulator."""

    def __init__(self, logs: Any, name: str) -> None:
        """Take a CloudWatch Logs client; the group is made when it is not there, as Lambda does."""
        self._logs = logs
        self._name = name
        with contextlib.suppress(logs.exceptions.ResourceAlreadyExistsException):
            logs.create_log_group(logGroupName=name)

    def open_stream(self, name: str) -> None:
        """Make the stream of one process."""
        self._logs.create_log_stream(logGroupName=self._name, logStreamName=name)

    def write(self, stream: str, lines: Iterable[Line]) -> None:
        """Write lines in order, in as few calls as the API's limits allow."""
        for chunk in _chunks(lines):
            self._logs.put_log_events(logGroupName=self._name, logStreamName=stream, logEvents=chunk)


def _chunks(lines: Iterable[Line]) -> Iterable[list[dict[str, Any]]]:
    chunk: list[dict[str, Any]] = []
    total = 0
    for line in lines:
        text = line.text.encode("utf-8", "replace")[:MAXIMUM_EVENT_BYTES].decode("utf-8", "ignore")
        if not text:  # the API refuses an empty message
            continue
        size = len(text.encode()) + EVENT_OVERHEAD_BYTES
        if chunk and (total + size > MAXIMUM_CALL_BYTES or len(chunk) == MAXIMUM_CALL_EVENTS):
            yield chunk
            chunk, total = [], 0
        chunk.append({"timestamp": line.at_ms, "message": text})
        total += size
    if chunk:
        yield chunk


def _iso(at_ms: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at_ms / 1000)) + f".{at_ms % 1000:03d}Z"
