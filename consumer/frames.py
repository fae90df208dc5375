"""Write down the code through which an error came: file, line, function and source line of each frame, and no value.

What is written comes from code that was loaded as a module. Code that was made while the program ran may carry a
message's words in its file name, its function's name or its text, so of such a frame only the line number is written;
no file is ever opened because a frame names it. The errors' own texts and local variables are left out.
"""

from __future__ import annotations

import linecache
import sys
from collections import deque
from collections.abc import Iterator
from types import FrameType, TracebackType

TRACEBACK_MAX_CHARACTERS = 4_000
# The innermost of each error: what a recursion left above them says nothing new, and takes time.
MAX_FRAMES = 20
MAX_ERRORS = 5
NAME_MAX_CHARACTERS = 120
LINE_MAX_CHARACTERS = 160

# The file that hands a message to the business rule: it and what called it are the same for every failure.
_CALLER = "app"
_CAUSE = "\nThe above exception was the direct cause of the following exception:\n"
_CONTEXT = "\nDuring handling of the above exception, another exception occurred:\n"


class _Part:
    """One error of a chain: its frames outermost first, its class, and what leads from the error before it."""

    def __init__(self, error: BaseException, link: str) -> None:
        self.link = link
        self.name = _one_line(type(error).__name__)
        met, places = _places(error.__traceback__)
        self.left_out = met - len(places)
        self.frames = [_frame(place.tb_frame, place.tb_lineno) for place in places]

    def lines(self) -> Iterator[str]:
        """Yield the part as text."""
        if self.link:
            yield self.link
        if self.left_out:
            yield f"[{self.left_out} outer frames left out]"
        yield from self.frames
        yield self.name


def traceback_of(error: BaseException) -> str:
    """Return the frames of an error and of those that led to it, the root cause first, as Python orders them.

    At most 4,000 characters: of each error the innermost 20 frames, of the errors the last 5, and then the outermost
    frames go first, from whichever error has most. May raise what a hostile error raises when it is looked at.
    """
    parts = [_Part(each, link) for each, link in _chain(error)]
    while len(text := _text(parts)) > TRACEBACK_MAX_CHARACTERS:
        longest = max(parts, key=lambda part: len(part.frames))
        if not longest.frames:
            return text[-TRACEBACK_MAX_CHARACTERS:]
        del longest.frames[0]
        longest.left_out += 1
    return text


def _text(parts: list[_Part]) -> str:
    return "\n".join(line for part in parts for line in part.lines())


def _chain(error: BaseException) -> list[tuple[BaseException, str]]:
    """Return the errors that led to this one and this one, each with the sentence that joins it to the one before."""
    found: list[tuple[BaseException, str]] = []
    seen: set[int] = set()
    each: BaseException | None = error
    while each is not None and id(each) not in seen and len(found) < MAX_ERRORS:
        seen.add(id(each))
        before, link = each.__cause__, _CAUSE
        if before is None and not each.__suppress_context__:
            before, link = each.__context__, _CONTEXT
        found.append((each, link if before is not None else ""))
        each = before
    found[-1] = (found[-1][0], "")
    return found[::-1]


def _places(traceback: TracebackType | None) -> tuple[int, deque[TracebackType]]:
    """Return how many frames there are below the caller, and the innermost of them."""
    met = 0
    places: deque[TracebackType] = deque(maxlen=MAX_FRAMES)
    while traceback is not None:
        is_caller = traceback.tb_frame.f_globals.get("__name__") == _CALLER
        if is_caller:  # all down to it are the ways of the batch, not of the message
            met = 0
            places.clear()
        if not is_caller or traceback.tb_next is None:
            met += 1
            places.append(traceback)
        traceback = traceback.tb_next
    return met, places


def _frame(frame: FrameType, line: int) -> str:
    """Return the lines of one frame, without a line break at their end."""
    file = _file(frame)
    if not file:
        return f'File "<unknown>", line {line}'
    where = f'File "{file}", line {line}, in {_one_line(frame.f_code.co_name)}'
    # The file is a module's own, so this reads no file that anybody else named.
    source = linecache.getline(frame.f_code.co_filename, line, frame.f_globals).strip()[:LINE_MAX_CHARACTERS]
    return f"{where}\n  {source}" if source else where


def _file(frame: FrameType) -> str:
    """Return a module's file as its import names it (`orders/rules.py`); empty for code that is no module's file."""
    name = frame.f_globals.get("__name__")
    module = sys.modules.get(name) if isinstance(name, str) else None
    file = frame.f_code.co_filename
    if module is None or vars(module) is not frame.f_globals or getattr(module, "__file__", None) != file:
        return ""
    parts = file.replace("\\", "/").split("/")
    depth = str(name).count(".") + (2 if parts[-1] == "__init__.py" else 1)
    return _one_line("/".join(parts[-depth:]))


def _one_line(name: str) -> str:
    return " ".join(name.split())[:NAME_MAX_CHARACTERS]
