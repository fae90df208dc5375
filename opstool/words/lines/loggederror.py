"""What a log line of any consumer says of an error: its type, its text, and where it happened. All of it is untrusted.

A line is JSON, or text with JSON at its end, or text with a traceback, or plain words; the first reading that finds an
error is taken. Every reading goes once over the text, or over a part of fixed length, so a line of 1 MiB (the longest
event of CloudWatch Logs: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html) takes as
long as its length.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from opstool.words.lines.envelope import Envelope, open_envelope
from opstool.words.lines.fingerprint import fingerprint
from opstool.words.lines.objects import (
    fields_of,
    message_ids_in,
    read_object,
    request_id_in,
    trace_id_in,
)
from opstool.words.lines.phrases import read_phrase
from opstool.words.lines.said import Said
from opstool.words.lines.traces import read_trace

_COLOURS = re.compile(r"\x1b\[[0-9;]{0,20}m")
_HARD_SPACE = "\u00a0"  # by which Lambda's Python runtime indents the frames of an exception
# JSON after a prefix: Node's runtime (`Invoke Error`, `Uncaught Exception`), Go's log package.
_TAILS = ('{"errorType"', '{"errorMessage"')
_NODE_REPORTS = ("Invoke Error ", "Uncaught Exception ", "Unhandled Promise Rejection ")
_TRACE_ID = re.compile(r"Root=(1-[0-9a-f]{8}-[0-9a-f]{24})", re.ASCII)


@dataclass(frozen=True, kw_only=True, slots=True)
class LoggedError:
    """An error as a line tells it: `message` is its text, cut to 1,024 characters, `traceback` cut to 8,000 or None.

    `place` is "file.function" of the consumer's own innermost code, empty when no traceback tells. `unhandled`: the
    line is a runtime's report of what escaped from the handler.
    """

    type: str
    message: str
    traceback: str | None = None
    request_id: str | None = None
    trace_id: str | None = None
    place: str = ""
    unhandled: bool = False
    is_vague: bool = False

    @property
    def fingerprint(self) -> str:
        """Return what this failure has in common with others of its kind."""
        return fingerprint(self.type, self.place, self.message)


@dataclass(frozen=True, kw_only=True, slots=True)
class LoggedLine:
    """A line as far as it can be joined with others; `message_ids` are those that it names by a key of JSON."""

    error: LoggedError | None = None
    request_id: str | None = None
    message_ids: frozenset[str] = frozenset()


def read_error(text: str) -> LoggedError | None:
    """Return the error that a log event of any consumer tells of, None when it tells of none; never raises."""
    return read_line(text).error


def read_line(text: str) -> LoggedLine:
    """Return what a log event tells of an error, an invocation and a message; never raises."""
    stripped = text.strip()
    if stripped.startswith("{") and isinstance(line := _parsed(stripped), dict):
        fields = fields_of(line)
        return _line(read_object(fields), request_id_in(fields), trace_id_in(fields), message_ids_in(fields))
    plain = _plain(stripped)
    envelope = open_envelope(plain)
    trace_id = found[1] if "Root=1-" in plain and (found := _TRACE_ID.search(plain)) else None
    return _line(_in_text(plain, envelope), envelope.request_id, trace_id)


def _in_text(text: str, envelope: Envelope) -> Said | None:
    for tail in _TAILS:
        at = envelope.message.find(tail)
        if at >= 0 and isinstance(line := _parsed(envelope.message[at:]), dict):
            found = read_object(fields_of(line))
            reported = envelope.message.startswith(_NODE_REPORTS)
            return _unhandled(found) if found and reported else found
    return read_trace(text) or read_phrase(envelope.message, envelope.level)


def _unhandled(found: Said) -> Said:
    return Said(type=found.type, message=found.message, traceback=found.traceback, place=found.place, unhandled=True)


def _line(
    found: Said | None, request_id: str | None, trace_id: str | None, message_ids: frozenset[str] = frozenset()
) -> LoggedLine:
    if found is None:
        return LoggedLine(request_id=request_id, message_ids=message_ids)
    error = LoggedError(
        type=found.type,
        message=found.message,
        traceback=found.traceback,
        request_id=request_id,
        trace_id=trace_id,
        place=found.place,
        unhandled=found.unhandled,
        is_vague=found.is_vague,
    )
    return LoggedLine(error=error, request_id=request_id, message_ids=message_ids)


def _parsed(text: str) -> Any:
    """Return what JSON says, None when it is none: cut off, nested beyond the parser's depth, a number without end."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _plain(text: str) -> str:
    """Return a text with line breaks, spaces and colours as everybody writes them."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if _HARD_SPACE in text:
        text = text.replace(_HARD_SPACE, " ")
    return _COLOURS.sub("", text) if "\x1b" in text else text
