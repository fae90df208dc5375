"""The usage error that points at a character: the words of an option, and a caret under the place that is wrong."""

from __future__ import annotations

import unicodedata

from opstool.words.errors import UsageError

# How much of a long expression is shown on each side of the caret; together they fit a terminal of 80 columns.
_CONTEXT_CHARACTERS = 35


def point_at(option: str, text: str, position: int, problem: str, *, hint: str | None = None) -> UsageError:
    """Return the error whose message ends with `text` on one line and a caret under the character at `position`."""
    position = min(max(position, 0), len(text))
    start = max(0, position - _CONTEXT_CHARACTERS)
    end = position + _CONTEXT_CHARACTERS
    before = ("..." if start else "") + printable(text[start:position])
    after = printable(text[position:end]) + ("..." if end < len(text) else "")
    caret = " " * sum(map(_columns, before)) + "^"
    return UsageError(f"`{option}`: {printable(problem)}\n  {before}{after}\n  {caret}", hint=hint)


def printable(text: str) -> str:
    """Return the text on one line, each character that a terminal might act on replaced by one that it shows."""
    return "".join(
        " " if char in "\t\r\n" else char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text
    )


def _columns(char: str) -> int:
    """Return how many columns a terminal gives to a character."""
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1
