"""Names of errors in a text: `ValueError: no total`, `KeyError("total")`, `com.example.BadTotalException: no total`."""

from __future__ import annotations

import re

# A line of text is read up to here: every pattern below is then bounded, whatever the line is like.
READ_CHARACTERS = 4_000

_ENDINGS = r"(?:Error|Exception|Fault|Failure|Timeout|Interrupt|Exit|Warning|Rejection)"
_BUILT_IN = r"(?:StopIteration|StopAsyncIteration|GeneratorExit|ExceptionGroup|BaseExceptionGroup|Exception)"
_SIMPLE = rf"(?:[A-Z][A-Za-z0-9_$]{{0,120}}?{_ENDINGS}|Error|{_BUILT_IN})"
_DOTTED = r"(?:[A-Za-z_$][\w$]{0,60}(?:\.|::)){1,12}[A-Z][\w$]{0,120}"
_BEFORE = r"(?<![\w.$/@:-])"
# A name that says by itself that it is an error's, then its text; a space or an end after the colon keeps out paths.
_TYPED = re.compile(rf"{_BEFORE}((?:[A-Za-z_$][\w$]{{0,60}}(?:\.|::)){{0,12}}{_SIMPLE})(?::(?=\s|$)|$)")
# Any class at all, where it is known already that the line tells of an error.
_ANY = re.compile(r"(?<![\w.$/@:-])([A-Z][\w$]{0,120}|" + _DOTTED + r")(?::(?=\s|$)|$)")
_REPR = re.compile(rf"{_BEFORE}((?:[A-Za-z_$][\w$]{{0,60}}\.){{0,12}}(?:{_SIMPLE}))\(")
_ANY_REPR = re.compile(rf"{_BEFORE}((?:[A-Za-z_$][\w$]{{0,60}}\.){{0,12}}[A-Z][\w$]{{0,120}})\(")
_WHOLE = re.compile(rf"(?:{_SIMPLE}|{_DOTTED})(?::(?:\s.*)?)?$")
_LEVELS = frozenset({"ERROR", "CRITICAL", "FATAL", "SEVERE", "WARNING", "WARN", "INFO", "DEBUG", "TRACE", "NOTICE"})


def named(line: str, *, surely: bool = False) -> tuple[str, str] | None:
    """Return type and text of the error that a line names, None when it names none.

    `surely`: something else tells that the line is an error's, so that any class's name will do.
    """
    line = line[:READ_CHARACTERS].rstrip()
    if found := _from_repr(line, _REPR):
        return found
    for pattern in (_TYPED, _ANY) if surely else (_TYPED,):
        for match in pattern.finditer(line):
            if match[1] not in _LEVELS:
                return match[1], line[match.end() :].strip()
    return _from_repr(line, _ANY_REPR) if surely else None


def is_named(line: str) -> bool:
    """Tell whether a line is a type and its text and nothing else, as the last line of a traceback."""
    return _WHOLE.match(line[:READ_CHARACTERS]) is not None


def _from_repr(line: str, pattern: re.Pattern[str]) -> tuple[str, str] | None:
    """Return the error whose repr ends the line; its text as str() gives it, so that both ways count alike."""
    if not line.endswith(")"):
        return None
    match = pattern.search(line)
    if match is None:
        return None
    name, inner = match[1].rpartition(".")[2], line[match.end() : -1]
    if name != "KeyError" and len(inner) > 1 and inner[0] == inner[-1] and inner[0] in "'\"":
        inner = inner[1:-1]
    return name, inner
