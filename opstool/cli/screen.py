"""Make text safe to look at: what a message holds may be written by an attacker, and a terminal acts on what it gets.

Nothing but printable characters passes. Controls, terminal escapes, C1, bidirectional controls, lone surrogates,
line ends and what is shown as nothing at all become visible escapes, so no text can move the cursor, hide itself, or
pretend to be our own output. Nor can it grow over its neighbours: of a heap of combining marks only the first pass.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
_LAST_OF_PLANE_0 = 0xFFFF
ELLIPSIS = "..."
# Printable to Python, and yet without a glyph: the rest of Default_Ignorable_Code_Point is not printable.
_UNSEEN = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]")
# No orthography heaps more on one letter.
_MOST_MARKS = 8


def safe(text: str) -> str:
    """Return the text on one line, every character that cannot be seen as a visible escape."""
    if text.isascii():
        return text if text.isprintable() else "".join(map(_visible, text))
    return "".join(_seen(text))


def safe_lines(text: str) -> str:
    """Return the text with its line ends kept and everything else made safe: for texts that are ours."""
    return "\n".join(safe(line) for line in text.split("\n"))


def start_of(text: str, columns: int) -> str:
    """Return as much of the text as fits, safe; a megabyte costs no more than what is shown."""
    return cut(safe(text[: columns + 1]), columns) if len(text) > columns else cut(safe(text), columns)


def cut(text: str, columns: int) -> str:
    """Return printable text that takes at most so many columns, with an ellipsis where something was left out."""
    if width_of(text) <= columns:
        return text
    if text.isascii():  # as most are, and a table of very many cuts every body
        return text[: max(0, columns - len(ELLIPSIS))] + ELLIPSIS[: max(0, columns)]
    kept, used = [], 0
    for char in text:
        used += width_of(char)
        if used > columns - len(ELLIPSIS):
            break
        kept.append(char)
    return "".join(kept) + ELLIPSIS[: max(0, columns)]


def width_of(text: str) -> int:
    """Return how many columns a terminal gives to printable text."""
    return len(text) if text.isascii() else sum(map(_columns, text))


def _seen(text: str) -> Iterator[str]:
    """Yield the characters, and escapes for those that are not seen or that are a mark too many."""
    marks = 0
    for char in text:
        marks = marks + 1 if _is_mark(char) else 0
        yield _escape(char) if marks > _MOST_MARKS or _UNSEEN.match(char) else _visible(char)


def _is_mark(char: str) -> bool:
    """Tell whether a terminal puts the character over or under the one before it."""
    return unicodedata.category(char) in {"Mn", "Me"}


def _columns(char: str) -> int:
    if _is_mark(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def _visible(char: str) -> str:
    return char if char.isprintable() else _escape(char)


def _escape(char: str) -> str:
    code = ord(char)
    return _SHORT.get(char) or (f"\\u{code:04x}" if code <= _LAST_OF_PLANE_0 else f"\\U{code:08x}")
