"""A few lines at the end of a terminal that the next ones replace: no other screen, and no cursor that stays hidden."""

from __future__ import annotations

import shutil
from collections.abc import Sequence

from opstool.cli.output import write
from opstool.cli.screen import cut, width_of

_UP, _TO_END_OF_SCREEN = "\x1b[{}A\r", "\x1b[J"


class Redraw:
    """The block of lines that was drawn last. What is left on the screen at the end is its last state.

    Every line is cut to the width there is; a terminal that was made narrower since has wrapped what stands there, so
    the rows to go up are counted anew.
    """

    def __init__(self) -> None:
        self._widths: list[int] = []

    def draw(self, lines: Sequence[str]) -> bool:
        """Put the lines, plain text, in the place of the last ones; return False when nobody reads any more."""
        columns, rows = shutil.get_terminal_size()
        # One column is left free: a full line puts some cursors on the next row, and others not.
        shown = [cut(line, max(1, columns - 1)) for line in lines[: max(1, rows - 1)]]
        up = sum(max(1, -(-width // max(1, columns))) for width in self._widths)
        self._widths = [width_of(line) for line in shown]
        start = _UP.format(up) + _TO_END_OF_SCREEN if up else ""
        return write(start + "".join(f"{line}\n" for line in shown))
