"""Make text safe to look at: what a message holds may be written by an attacker, and a terminal acts on what it gets.

Nothing but printable characters passes. Controls, terminal escapes, C1, bidirectional controls, lone surrogates and
line ends become visible escapes, so no text can move the cursor, hide itself, or pretend to be our own output.
"""

from __future__ import annotations

import unicodedata

_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
_LAST_OF_PLANE_0 = 0xFFFF
ELLIPSIS = "..."


def safe(text: str) -> str:
    """Return the text on one line, every character that is not printable as a visible escape."""
    return text if text.isprintable() else "".join(map(_visible, text))


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


def _columns(char: str) -> int:
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def _visible(char: str) -> str:
    if char.isprintable():
        return char
    code = ord(char)
    return _SHORT.get(char) or (f"\\u{code:04x}" if code <= _LAST_OF_PLANE_0 else f"\\U{code:08x}")
