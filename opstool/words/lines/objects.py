"""Errors in a line that is JSON: the keys under which runtimes and log libraries put them.

Keys are compared without case, underscores, dots and hyphens: `errorType`, `error.type`, `error_type` are one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from opstool.words.lines.frames import place_of
from opstool.words.lines.level import Level, level_of
from opstool.words.lines.phrases import read_phrase
from opstool.words.lines.said import LONGEST_TRACEBACK, UNKNOWN_TYPE, Said, said
from opstool.words.lines.traces import read_trace

Fields = Mapping[str, Any]
"""The keys of a JSON object in the form in which they are compared."""

_MOST_KEYS = 200
_MOST_FRAMES = 200
# An error as an object: Powertools (error, exception, stack_trace), pino (err), log4j (thrown), structlog (exception).
_NESTED = ("error", "err", "exception", "thrown", "exc", "stacktrace", "reason", "e")
_TYPE = ("errortype", "exctype", "type", "name", "class", "classname", "kind", "exceptiontype", "exceptionclass")
_MESSAGE = ("errormessage", "excvalue", "message", "value", "msg", "detail", "exceptionmessage", "localizedmessage")
_STACK = ("stack", "stacktrace", "extendedstacktrace", "traceback", "backtrace", "trace", "frames")
_OWN_TYPE = ("errortype", "exceptionname", "exceptiontype", "exceptionclass", "errorname", "errorclass", "errorkind")
_OWN_MESSAGE = ("errormessage", "exceptionmessage", "errormsg")
_OWN_STACK = ("stacktrace", "errorstack", "errorstacktrace", "exceptionstacktrace", "stack", "trace")
_TEXTS = ("exception", "excinfo", "exctext", "traceback", "stacktrace", "stack", "@x", "x", "error", "err", "text")
_LEVELS = ("level", "levelname", "severity", "loglevel", "severitytext", "lvl", "@l", "loglevelname")
_SPOKEN = ("message", "msg", "event", "text", "@m", "log")
_REQUEST_IDS = ("requestid", "awsrequestid", "functionrequestid", "lambdarequestid", "faasinvocationid")
_TRACE_IDS = ("xraytraceid", "traceid", "xamzntraceid", "awsxraytraceid")
_MESSAGE_IDS = ("messageid", "sqsmessageid", "recordid", "sqsrecordid", "msgid", "messagingmessageid")
# What a runtime's own report of an exception has, and nothing else: Python's and Java's JSON, Go's and Ruby's.
_RUNTIME_KEYS = frozenset(
    {"timestamp", "level", "loglevel", "errormessage", "errortype", "requestid", "stacktrace", "stack", "cause"}
)


def fields_of(line: Mapping[str, Any]) -> Fields:
    """Return an object by its compared keys; of two that compare alike the first counts."""
    fields: dict[str, Any] = {}
    for number, (key, value) in enumerate(line.items()):
        if number >= _MOST_KEYS:
            break
        fields.setdefault(key.lower().replace("_", "").replace(".", "").replace("-", ""), value)
    return fields


def read_object(fields: Fields) -> Said | None:
    """Return the error that a line of JSON tells of."""
    level = level_in(fields)
    own = _own(fields)
    if own is not None and not own.is_vague:
        return own
    for found in (_nested(fields), _in_texts(fields)):
        if found is not None:
            return found
    return own or _spoken(fields, level)


def level_in(fields: Fields) -> Level | None:
    """Return what level a line of JSON has."""
    for value in _values(fields, _LEVELS):
        level = level_of(value.get("name") if isinstance(value, dict) else value)
        if level is not None:
            return level
    return None


def request_id_in(fields: Fields) -> str | None:
    """Return the id of the invocation."""
    return next(_strings(fields, _REQUEST_IDS), None)


def trace_id_in(fields: Fields) -> str | None:
    """Return X-Ray's trace id, without what stands around it in the trace header."""
    value = next(_strings(fields, _TRACE_IDS), None)
    if value is None:
        return None
    root = next((part[5:] for part in value.split(";") if part.startswith("Root=")), value)
    return root if root.startswith("1-") else None


def message_ids_in(fields: Fields) -> frozenset[str]:
    """Return what stands under the keys by which a consumer names the message."""
    return frozenset(_strings(fields, _MESSAGE_IDS))


def _own(fields: Fields) -> Said | None:
    """Return the error whose type and text are keys of the line itself; Node has it in the place of the message."""
    message = fields.get("message")
    if isinstance(message, dict) and {"errorType", "errorMessage"} & message.keys():
        return _error_object(fields_of(message))
    if isinstance(fields.get("reason"), dict):
        return _error_object(fields)
    kind = next(_strings(fields, _OWN_TYPE), None)
    text = next(_strings(fields, _OWN_MESSAGE), None)
    if kind is None and text is None:
        return None
    nested = _nested(fields)
    stack = next((found for value in _values(fields, _OWN_STACK) if (found := _stack_text(value))), "")
    stack = stack or next((value for value in _strings(fields, ("exception", "excinfo")) if "\n" in value), "")
    if text is None and nested is not None:
        text = nested.message
    if text is None and (trace := read_trace(stack)) is not None:
        text = trace.message
    place = place_of(stack) or (nested.place if nested else "")
    unhandled = kind is not None and fields.keys() <= _RUNTIME_KEYS
    return said(kind or UNKNOWN_TYPE, text or "", traceback=stack, place=place, unhandled=unhandled)


def _nested(fields: Fields) -> Said | None:
    """Return the error that is an object, or the first of a list of them, under one of the usual keys."""
    record = fields.get("record")  # loguru's
    for source in (fields, fields_of(record) if isinstance(record, dict) else {}):
        for value in _values(source, _NESTED):
            first = value[0] if isinstance(value, list) and value else value
            if isinstance(first, dict) and (found := _error_object(fields_of(first))) is not None:
                return _with_trace_of(found, fields)
    return None


def _with_trace_of(found: Said, fields: Fields) -> Said:
    """Return an error without a traceback with the one that stands elsewhere in the line, when it is the same's."""
    trace = _in_texts(fields) if found.traceback is None else None
    if trace is None or trace.traceback is None or trace.type != found.type:
        return found
    return said(found.type, found.message, traceback=trace.traceback, place=trace.place)


def _error_object(fields: Fields, *, of_rejection: bool = False) -> Said | None:
    reason = fields.get("reason")  # Node: what an unhandled rejection was rejected with
    if isinstance(reason, dict) and not of_rejection:
        inner = _error_object(fields_of(reason), of_rejection=True)
        if inner is not None:
            return inner
    kind = next(_strings(fields, _TYPE), None)
    text = next(_strings(fields, _MESSAGE), None)
    if kind is None and text is None:
        return None
    stack = next((found for value in _values(fields, _STACK) if (found := _stack_text(value))), "")
    if not stack and not (kind and text is not None) and "code" not in fields:
        return None  # any object may have a name or a message
    return said(kind or UNKNOWN_TYPE, text or "", traceback=stack, place=place_of(stack))


def _in_texts(fields: Fields) -> Said | None:
    """Return the error whose traceback, or whose text alone, is a string under one of the usual keys."""
    for value in _strings(fields, _TEXTS):
        if (found := read_trace(_plain(value))) is not None:
            return found
    for value in _strings(fields, ("exception", "excinfo", "error", "err")):
        known = level_in(fields) is Level.FAILED or message_ids_in(fields)
        if value.strip() and known and (found := read_phrase(value, Level.FAILED)) is not None:
            return found
    return None


def _spoken(fields: Fields, level: Level | None) -> Said | None:
    """Return the error of which the line's own message speaks."""
    for value in _strings(fields, _SPOKEN):
        text = _plain(value)
        if (found := read_trace(text) or read_phrase(text, level)) is not None:
            return found
    return None


def _stack_text(value: Any) -> str:
    """Return a stack as text, whether it is one, a list of lines, or a list of frames."""
    if isinstance(value, str):
        return _plain(value)
    if isinstance(value, dict):  # Powertools for Python: {"type", "value", "module", "frames"}
        return _stack_text(value.get("frames"))
    if not isinstance(value, list):
        return ""
    lines: list[str] = []
    length = 0
    for item in value[:_MOST_FRAMES]:
        line = item.rstrip("\n") if isinstance(item, str) else _frame(item) if isinstance(item, dict) else ""
        length += len(line)
        if length > 4 * LONGEST_TRACEBACK:
            break
        lines.append(line)
    return "\n".join(line for line in lines if line)


def _frame(frame: Mapping[str, Any]) -> str:
    """Return a frame that is an object as Python (file, function) or Java (class, method) would print it."""
    fields = fields_of(frame)
    function = next(_strings(fields, ("function", "name", "method", "label")), "")
    file = next(_strings(fields, ("filename", "file", "path")), "")
    line = next((value for value in _values(fields, ("lineno", "line")) if isinstance(value, int)), 0)
    owner = next(_strings(fields, ("class",)), "")
    if owner:
        return f"\tat {owner}.{function}({f'{file}:{line}' if file else 'Unknown Source'})"
    if "label" in fields:  # Go's runtime, innermost first
        return f"    at {function} ({file}:{line}:0)"
    return f'  File "{file}", line {line}, in {function}' if file else ""


def _values(fields: Fields, keys: Iterable[str]) -> Iterable[Any]:
    return (fields[key] for key in keys if key in fields)


def _strings(fields: Fields, keys: Iterable[str]) -> Any:
    return (value for value in _values(fields, keys) if isinstance(value, str) and value)


def _plain(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")
