"""A few lines at the end of a terminal that the next ones replace: no other screen, and no cursor that stays hidden."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence

from opstool.cli.output import OUTPUT_UNWRITABLE, let_go_of_stdout
from opstool.cli.screen import cut, width_of
from opstool.words.errors import StorageError

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
        return say(start + "".join(f"{line}\n" for line in shown))


def say(text: str) -> bool:
    """Write to stdout and flush; False when the reader has gone away. Raises StorageError when the disk is full."""
    if sys.stdout is None:  # started with its stdout closed (`>&-`)
        return False
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        let_go_of_stdout()
        return False
    except OSError as error:
        let_go_of_stdout()
        raise StorageError(f"the output cannot be written: {error.strerror}", code=OUTPUT_UNWRITABLE) from error
    return True
