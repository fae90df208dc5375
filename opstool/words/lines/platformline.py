"""Lambda's own lines around the function's: when an invocation began and ended, and what killed it.

Their forms: https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-logformat.html (text and JSON),
https://docs.aws.amazon.com/lambda/latest/dg/telemetry-schema-reference.html (the records of the JSON form),
https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html ("Failures during the invoke phase").
The words of a death by memory are not documented in one place; they are as real logs have them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

TIMEOUT = "Sandbox.Timedout"
OUT_OF_MEMORY = "Runtime.OutOfMemory"
EXIT = "Runtime.ExitError"
UNKNOWN = "Runtime.Unknown"
KILLED = "signal: killed"

# A platform line is short; a longer one is somebody's text that begins like one.
_LONGEST = 8_192
_LONGEST_ERROR = 1_024
_ID = r"([0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12})"
_START = re.compile(rf"START RequestId: {_ID}")
_END = re.compile(rf"END RequestId: {_ID}")
_REPORT = re.compile(rf"REPORT RequestId: {_ID}")
_TIMED_OUT = re.compile(rf"(?:\S{{1,40}} )?(?:RequestId: )?{_ID} (?:Error: )?(Task timed out after [0-9.]+ seconds)")
# Before 2020 Lambda wrote "Process exited before completing request" here.
_DIED = re.compile(rf"RequestId: {_ID} (?:Error: )?([^\n]+)(?:\n(Runtime\.\w+|Extension\.\w+))?")
_INIT_FAILED = re.compile(r"\[ERROR\] ((?:Runtime|Extension)\.[A-Z]\w+)(?:: ([^\n]*))?")
_FIELD = re.compile(r"((?:(?:Billed |Init |Restore ){0,2})Duration|Memory Size|Max Memory Used): ([0-9.]+) (?:ms|MB)")
_STATUS = re.compile(r"Status: (\w+)")
_ERROR_TYPE = re.compile(r"Error Type: ([\w.]+)")
_TRACE = re.compile(r"XRAY TraceId: (1-[0-9a-f]{8}-[0-9a-f]{24})")
_SECONDS = re.compile(r"after ([0-9.]+) seconds")
_GOOD = frozenset({"success", ""})


class PlatformKind(StrEnum):
    """What a line of Lambda's marks."""

    INIT_START = "init_start"
    INIT_DONE = "init_done"
    INIT_REPORT = "init_report"
    INIT_FAILED = "init_failed"
    START = "start"
    END = "end"
    DONE = "done"
    REPORT = "report"
    TIMED_OUT = "timed_out"
    DIED = "died"


_RECORDS = {
    "platform.initStart": PlatformKind.INIT_START,
    "platform.initRuntimeDone": PlatformKind.INIT_DONE,
    "platform.initReport": PlatformKind.INIT_REPORT,
    "platform.start": PlatformKind.START,
    "platform.runtimeDone": PlatformKind.DONE,
    "platform.end": PlatformKind.END,
    "platform.report": PlatformKind.REPORT,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class PlatformLine:
    """One line of Lambda's; `error_type` and `error` in Lambda's own words, None where nothing failed."""

    kind: PlatformKind
    request_id: str | None = None
    error_type: str | None = None
    error: str | None = None
    duration_ms: float | None = None
    memory_used_mb: int | None = None
    memory_size_mb: int | None = None
    trace_id: str | None = None

    @property
    def is_out_of_memory(self) -> bool:
        """Tell whether all the memory was used, by which a process that was killed died of it."""
        used, size = self.memory_used_mb, self.memory_size_mb
        return used is not None and size is not None and used >= size > 0


def read_platform_line(text: str) -> PlatformLine | None:
    """Return what a line of Lambda's own says, None for a line that is not; never raises."""
    if len(text) > _LONGEST:
        return None
    text = text.strip()
    if text.startswith("{"):
        return _json(text) if '"platform.' in text else _json_init(text) if '"Runtime.' in text else None
    for read in (_mark, _init, _report, _failure):
        if (line := read(text)) is not None:
            return line
    return None


def _mark(text: str) -> PlatformLine | None:
    for kind, pattern in ((PlatformKind.START, _START), (PlatformKind.END, _END)):
        if (found := pattern.match(text)) is not None:
            return PlatformLine(kind=kind, request_id=found[1])
    return None


def _init(text: str) -> PlatformLine | None:
    if text.startswith("INIT_START "):
        return PlatformLine(kind=PlatformKind.INIT_START)
    if text.startswith("INIT_REPORT "):
        return _reported(PlatformKind.INIT_REPORT, text, None)
    if (found := _INIT_FAILED.match(text)) is not None:
        return PlatformLine(kind=PlatformKind.INIT_FAILED, error_type=found[1], error=_cut(found[2] or ""))
    return None


def _report(text: str) -> PlatformLine | None:
    found = _REPORT.match(text)
    return _reported(PlatformKind.REPORT, text, found[1]) if found else None


def _reported(kind: PlatformKind, text: str, request_id: str | None) -> PlatformLine:
    fields = {match[1]: match[2] for match in _FIELD.finditer(text)}
    trace = _TRACE.search(text)
    duration = _number(fields.get("Duration") or fields.get("Init Duration"))
    status, error_type = _STATUS.search(text), _ERROR_TYPE.search(text)
    failed = _failed(status[1] if status else "", error_type[1] if error_type else None, duration)
    return PlatformLine(
        kind=kind,
        request_id=request_id,
        error_type=failed[0],
        error=failed[1],
        duration_ms=duration,
        memory_used_mb=_whole(fields.get("Max Memory Used")),
        memory_size_mb=_whole(fields.get("Memory Size")),
        trace_id=trace[1] if trace else None,
    )


def _failure(text: str) -> PlatformLine | None:
    if (found := _TIMED_OUT.match(text)) is not None:
        seconds = _SECONDS.search(found[2])
        return PlatformLine(
            kind=PlatformKind.TIMED_OUT,
            request_id=found[1],
            error_type=TIMEOUT,
            error=found[2],
            duration_ms=(_number(seconds[1]) or 0) * 1_000 if seconds else None,
        )
    if (found := _DIED.match(text)) is not None and ("Error: " in text or " exited " in text):
        return PlatformLine(
            kind=PlatformKind.DIED, request_id=found[1], error_type=found[3] or EXIT, error=_cut(found[2])
        )
    return None


def _json(text: str) -> PlatformLine | None:
    line = _parsed(text)
    kind = _RECORDS.get(str(line.get("type")))
    record = line.get("record")
    if kind is None or not isinstance(record, dict):
        return None
    metrics = record.get("metrics")
    metrics = metrics if isinstance(metrics, dict) else {}
    duration = _number(metrics.get("durationMs"))
    error_type = record.get("errorType")
    failed = _failed(str(record.get("status") or ""), error_type if isinstance(error_type, str) else None, duration)
    request_id = record.get("requestId")
    return PlatformLine(
        kind=kind,
        request_id=request_id if isinstance(request_id, str) and request_id else None,
        error_type=failed[0],
        error=failed[1],
        duration_ms=duration,
        memory_used_mb=_whole(metrics.get("maxMemoryUsedMB")),
        memory_size_mb=_whole(metrics.get("memorySizeMB")),
        trace_id=_trace(record.get("tracing")),
    )


def _json_init(text: str) -> PlatformLine | None:
    """Return what a runtime in JSON form says of code that it could not load."""
    line = _parsed(text)
    kind, error = line.get("errorType"), line.get("errorMessage")
    if not isinstance(kind, str) or not kind.startswith("Runtime.") or "message" in line:
        return None
    request_id = line.get("requestId")
    return PlatformLine(
        kind=PlatformKind.INIT_FAILED,
        request_id=request_id if isinstance(request_id, str) and request_id else None,
        error_type=kind[:256],
        error=_cut(error) if isinstance(error, str) else "",
    )


def _failed(status: str, error_type: str | None, duration_ms: float | None) -> tuple[str | None, str | None]:
    """Return type and text of the failure that a status tells of; a timeout in the sentence that Lambda has for it."""
    if status in _GOOD and error_type is None:
        return None, None
    if status == "timeout":
        after = f" after {duration_ms / 1_000:.2f} seconds" if duration_ms is not None else ""
        return error_type or TIMEOUT, f"Task timed out{after}"
    return error_type or UNKNOWN, f"Status: {status or 'error'}"


def _trace(tracing: Any) -> str | None:
    value = tracing.get("value") if isinstance(tracing, dict) else None
    found = re.search(r"Root=(1-[0-9a-f]{8}-[0-9a-f]{24})", value[:400]) if isinstance(value, str) else None
    return found[1] if found else None


def _parsed(text: str) -> Mapping[str, Any]:
    try:
        line = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return line if isinstance(line, dict) else {}


def _number(value: Any) -> float | None:
    if isinstance(value, bool):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if 0 <= number < 1e12 else None  # noqa: PLR2004 - no invocation and no memory is so large


def _whole(value: Any) -> int | None:
    number = _number(value)
    return None if number is None else int(number)


def _cut(text: str) -> str:
    return text.strip()[:_LONGEST_ERROR]
