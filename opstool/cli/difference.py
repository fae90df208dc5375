"""What a mending does to a few messages, as lines for people: hostile text escaped, and cut to a width."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from opstool.cli.screen import cut, start_of
from opstool.words.bodydiff import Change, Difference

_INDENT = " " * 12
_COLUMNS = 66
"""With indentation and sign a line fits a terminal of 80 columns; the document of the plan has more of a long value."""


def difference_lines(changes: Iterable[Change]) -> Iterator[str]:
    """Yield what stands before (-) and after (+) in each message, under its id."""
    for position, change in enumerate(changes):
        yield f"  {'' if position else 'changes':8}  {start_of(change.message_id, _COLUMNS)}"
        for difference in change.differences:
            yield from _lines(difference)
        if change.more:
            yield f"{_INDENT}and {change.more:,} more"


def _lines(difference: Difference) -> Iterator[str]:
    for sign, text in (("-", difference.before), ("+", difference.after)):
        if text is not None:
            shown = cut(f"{start_of(difference.path, _COLUMNS // 2)}  {start_of(text, _COLUMNS)}", _COLUMNS)
            yield f"{_INDENT}{sign} {shown}"
