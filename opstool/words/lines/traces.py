"""Tracebacks in a text: Python's, and those of the languages that print the error above its frames.

Each function reads a text once from start to end, or from its end; no pattern can go back over more than a line.
"""

from __future__ import annotations

import re

from opstool.words.lines.frames import is_frame, is_stack_frame, place_of
from opstool.words.lines.named import named
from opstool.words.lines.said import Said, said

PYTHON = "Traceback (most recent call last):"
_GROUP = "Exception Group Traceback (most recent call last):"
_CHAINED = ("\nDuring handling of the above", "\nThe above exception was")
_RUNTIME = "[ERROR] "
# So many lines above the first frame may belong to the error's text.
_HEAD_LINES = 20
_GROUP_HEAD = re.compile(r"(?:\w+\.){0,12}(\w{0,100}Group): (.*)")
_MARGIN = re.compile(r"^\s*(?:[|+-]+\s?)*", re.ASCII)
_INNER = "---> "  # .NET: what the error above it came from
_GO_PANIC = "panic: "
_RUBY_HEAD = re.compile(r"(?:\S+\.rb:\d+:in [`'][^'\n]*': )?([^\n]*) \(([A-Z][\w:]*)\)$")
_LONGEST_LINE = 4_000
_MOST_LINES = 2_000


def read_trace(text: str) -> Said | None:
    """Return the error that a traceback in the text ends with (Python) or begins with (all others)."""
    if _GROUP in text:
        return _group(text)
    if PYTHON in text:
        return _python(text)
    if text.startswith(_GO_PANIC) or "\npanic: " in text:
        return _go(text)
    return _stack(text) if "\n" in text else None


def _python(text: str) -> Said | None:
    """Return the last traceback's error: the exception that escaped stands after those that it came from."""
    at = _last_of_python(text)
    if at < 0:
        return None
    head, tail = text[:at], text[at + len(PYTHON) :].strip("\n")
    lines = tail.split("\n")
    for number, line in enumerate(lines):
        if line and not line[0].isspace() and not line.startswith(("> File", "|")):
            found = named(line, surely=True) or (line, "")
            message = "\n".join([found[1], *lines[number + 1 :]])
            frames = "\n".join([PYTHON, *lines[: number + 1]])
            kind = found[0].rpartition(".")[2]  # runtimes and loggers name the class without its module
            return said(kind, message, traceback=_from_first(text), place=place_of(frames))
    return _runtime(head, tail)


def _last_of_python(text: str) -> int:
    """Return where the last traceback begins, -1 without any: in the repr of a body no line ends after the words."""
    at = text.rfind(PYTHON)
    while at >= 0 and text[at + len(PYTHON) : at + len(PYTHON) + 1].strip():
        at = text.rfind(PYTHON, 0, at)
    return at


def _runtime(head: str, tail: str) -> Said | None:
    """Return what Lambda's Python runtime says: `[ERROR] Type: text` first, frames after.

    https://github.com/aws/aws-lambda-python-runtime-interface-client, bootstrap.py, log_error.
    """
    at = head.find(_RUNTIME)
    if at < 0:
        return None
    kind, _, message = head[at + len(_RUNTIME) :].strip().partition(":")
    frames = f"{PYTHON}\n{tail}" if tail.strip() else None
    return said(kind, message, traceback=frames, place=place_of(tail), unhandled=at == 0)


def _from_first(text: str) -> str:
    """Return the text from its first traceback on: what an exception came from belongs to its story."""
    return text[text.find(PYTHON) :]


def _group(text: str) -> Said | None:
    """Return the group's own error; those in it stand below, with a traceback each."""
    trace = text[text.find(_GROUP) :]
    lines = [_MARGIN.sub("", line[:_LONGEST_LINE], count=1) for line in trace.split("\n", _MOST_LINES)[:_MOST_LINES]]
    for number, line in enumerate(lines[1:], 1):
        if (found := _GROUP_HEAD.match(line)) is not None:
            return said(found[1], found[2], traceback=trace, place=place_of("\n".join(lines[:number])))
    return None


def _go(text: str) -> Said | None:
    at = 0 if text.startswith(_GO_PANIC) else text.find("\n" + _GO_PANIC) + 1
    lines = text[at:].split("\n", _MOST_LINES)[:_MOST_LINES]
    return said("panic", lines[0][len(_GO_PANIC) :], traceback=text[at:], unhandled=True)


def _stack(text: str) -> Said | None:
    """Return the error above the first frame: the outermost exception, whatever caused it stands below."""
    lines = text.split("\n", _MOST_LINES)[:_MOST_LINES]
    first = next((number for number, line in enumerate(lines) if number and is_stack_frame(line)), None)
    if first is None:
        return None
    trace = "\n".join(lines[first:])
    for number in range(first - 1, max(-1, first - 1 - _HEAD_LINES), -1):
        line = lines[number][:_LONGEST_LINE]
        found = _head(line, last=number == first - 1)
        if found is None:
            continue
        message = "\n".join([found[1], *lines[number + 1 : first]]).partition(f"\n {_INNER}")[0]
        outermost = _above(lines, number, found[0])
        start = f"{found[0]}: {message}".rstrip(": ")
        return said(found[0], message, traceback=f"{start}\n{trace}", place=place_of(trace), unhandled=outermost)
    return None


def _head(line: str, *, last: bool) -> tuple[str, str] | None:
    if is_frame(line) or line.lstrip().startswith(_INNER):
        return None
    if ruby := _RUBY_HEAD.search(line):
        return ruby[2], ruby[1].rpartition(" -- : ")[2]
    return named(line, surely=last)


def _above(lines: list[str], number: int, error_type: str) -> bool:
    """Tell whether Java's runtime wrote it: `text: type` in a line of its own above the stack.

    https://docs.aws.amazon.com/lambda/latest/dg/java-exceptions.html has such a line.
    """
    return number == 1 and lines[0].rstrip().endswith(f": {error_type}")
