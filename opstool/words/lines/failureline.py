"""The line a consumer logs for each failed attempt, read as untrusted input (docs/failure-line.md is its contract)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

EVENT = "record_failed"
# A log event holds at most 1 MiB; what is shown of a failure is short, and the consumer cuts it shorter still.
_LONGEST_TYPE = 256
_LONGEST_ERROR = 1_024
_LONGEST_TRACEBACK = 8_000
_FINGERPRINT = re.compile(r"[0-9a-f]{12}", re.ASCII)


@dataclass(frozen=True, kw_only=True, slots=True)
class FailureLine:
    """One failed attempt at one message; what the line does not say is None, or empty."""

    message_id: str
    error_type: str
    error: str
    fingerprint: str
    receive_count: int
    request_id: str | None
    function: str | None
    permanent: bool | None = None
    trace_id: str | None = None
    failed_in: str = ""
    traceback: str | None = None


def parse_failure_line(text: str) -> FailureLine | None:
    """Return the failed attempt that a log line tells of, None for every other line and for one that is malformed."""
    if EVENT not in text:
        return None
    try:
        line = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(line, dict) or not _is_ours(line):
        return None
    return FailureLine(
        message_id=line["message_id"],
        error_type=line["error_type"][:_LONGEST_TYPE],
        error=(_text(line, "error") or "")[:_LONGEST_ERROR],
        fingerprint=line["fingerprint"],
        receive_count=_count(line.get("receive_count")),
        request_id=_text(line, "request_id") or None,
        function=_text(line, "function_name") or None,
        permanent=permanent if isinstance(permanent := line.get("permanent"), bool) else None,
        trace_id=_text(line, "xray_trace_id") or None,
        failed_in=(_text(line, "failed_in") or "")[:_LONGEST_TYPE],
        traceback=(_text(line, "traceback") or "")[:_LONGEST_TRACEBACK] or None,
    )


def _is_ours(line: Mapping[str, Any]) -> bool:
    """Tell whether the keys that carry the meaning are there; later schemas only add keys."""
    schema, fingerprint = line.get("schema"), line.get("fingerprint")
    return (
        line.get("event") == EVENT
        and isinstance(schema, int)
        and schema >= 1
        and bool(_text(line, "message_id"))
        and bool(_text(line, "error_type"))
        and isinstance(fingerprint, str)
        and _FINGERPRINT.fullmatch(fingerprint) is not None
    )


def _text(line: Mapping[str, Any], key: str) -> str | None:
    value = line.get(key)
    return value if isinstance(value, str) else None


def _count(value: Any) -> int:
    return value if isinstance(value, int) and value > 0 else 0
