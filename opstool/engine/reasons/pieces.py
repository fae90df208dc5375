"""Tracebacks that were printed line by line: Lambda makes an event of each line that a function writes to stdout.

https://docs.aws.amazon.com/lambda/latest/dg/python-logging.html: only what goes through the runtime's logger stays
together.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterable, Iterator

from opstool.engine.reasons.stream import Entry, Fault, Item
from opstool.words.lines.frames import is_stack_frame
from opstool.words.lines.loggederror import LoggedError, read_error
from opstool.words.lines.named import is_named

LONGEST_PIECE = 500
# A traceback of Python's has two lines for each of at most a thousand frames, and is told by its end.
_MOST_PIECES = 2_000
_BEGIN = "Traceback (most recent call last):"
_CHAINED = ("During handling of the above exception", "The above exception was the direct cause")
# The lines of one print stand in the log within moments of each other.
_TOGETHER_MS = 1_000
_CAUSES = ("Caused by:", "... ")


def is_piece(text: str) -> bool:
    """Tell whether an event is one line of a traceback, by its form alone."""
    line = text.rstrip("\r\n")
    if not line or len(line) > LONGEST_PIECE or "\n" in line or "\r" in line:
        return False
    return line[0] in " \t\u00a0" or line.startswith((_BEGIN, *_CHAINED, *_CAUSES))


def is_end_of_pieces(text: str) -> bool:
    """Tell whether an event may be the last line of a traceback: a class and its text, though no error by its name."""
    line = text.rstrip("\r\n")
    return len(line) <= LONGEST_PIECE and "\n" not in line and is_named(line)


def fault_of(error: LoggedError) -> Fault:
    """Return an error as it is compared."""
    return Fault(error.type, error.message, error.fingerprint, error.is_vague, error.unhandled)


def together(lines: Iterable[tuple[int, Item]]) -> Iterator[tuple[int, Entry]]:
    """Yield the entries of a stream, with those errors whole that were printed line by line."""
    before: list[str] = []
    pending: tuple[int, Entry] | None = None
    after: list[str] = []
    last_ms = 0
    for at_ms, item in lines:
        if at_ms - last_ms > _TOGETHER_MS:
            before = []
        last_ms = at_ms
        if isinstance(item, str) and pending is not None and (is_stack_frame(item) or item.startswith(_CAUSES)):
            after.append(item)
            continue
        if pending is not None:
            yield pending[0], _with_frames(pending[1], after)
            pending, after = None, []
        if isinstance(item, str):
            if (whole := _whole(before, item)) is not None:
                yield at_ms, whole
                before = []
            elif len(before) < _MOST_PIECES:
                before.append(item)
            continue
        pending, before = (at_ms, _with_traceback(item, before)), []
    if pending is not None:
        yield pending[0], _with_frames(pending[1], after)


def _whole(before: list[str], last: str) -> Entry | None:
    """Return the error whose traceback ends with this line, None while it goes on."""
    if _BEGIN not in before or last[0] in " \t\u00a0" or last.startswith((_BEGIN, *_CHAINED, *_CAUSES)):
        return None
    error = read_error("\n".join([*before[before.index(_BEGIN) :], last]))
    return None if error is None else Entry(fault=fault_of(error), traceback=_kept(error))


def _with_traceback(entry: Entry, before: list[str]) -> Entry:
    """Return an entry that is the last line of a traceback with all of it; Python prints the frames first."""
    fault = entry.fault
    if fault is None or fault.is_vague or entry.traceback is not None or _BEGIN not in before:
        return entry
    last = f"{fault.type}: {fault.message}"
    return _told(entry, read_error("\n".join([*before[before.index(_BEGIN) :], last])))


def _with_frames(entry: Entry, after: list[str]) -> Entry:
    """Return an entry with the frames that follow it; Java, Node and .NET print the error first."""
    fault = entry.fault
    if fault is None or not after or entry.traceback is not None:
        return entry
    return _told(entry, read_error("\n".join([f"{fault.type}: {fault.message}", *after])))


def _told(entry: Entry, error: LoggedError | None) -> Entry:
    if error is None or entry.fault is None or not entry.fault.type.endswith(error.type):
        return entry
    fault = dataclasses.replace(entry.fault, type=error.type, fingerprint=error.fingerprint)
    return dataclasses.replace(entry, fault=fault, traceback=_kept(error))


def _kept(error: LoggedError) -> str | None:
    return sys.intern(error.traceback) if error.traceback else None
