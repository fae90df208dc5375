"""Columns of text, fitted to the width there is: what must be copied whole is never cut."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from opstool.cli.screen import cut, width_of

_GAP = "  "
_NARROWEST = 8


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column. `whole`: never cut (ids, numbers); `right`: aligned to the right."""

    title: str
    whole: bool = False
    right: bool = False


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One cell of printable text, coloured where colour is wanted."""

    text: str
    style: str | None = None


class Table:
    """A table whose rows are given when they are written; `rows` are read once before, for the widths alone.

    `width` None leaves every cell as long as it is.
    """

    def __init__(
        self,
        columns: Sequence[Column],
        rows: Iterable[Sequence[Cell]],
        *,
        width: int | None,
        paint: Callable[[str, str], str],
    ) -> None:
        self._columns = columns
        self._paint = paint
        widths = [width_of(column.title) for column in columns]
        for row in rows:
            widths = [max(widest, width_of(cell.text)) for widest, cell in zip(widths, row, strict=True)]
        self._widths = widths if width is None else _fitted(columns, widths, width)

    @property
    def header(self) -> str:
        """Return the line above the rows."""
        return self.line([Cell(text=column.title, style="2") for column in self._columns])

    def line(self, row: Sequence[Cell]) -> str:
        """Return the line of a row."""
        return _line(self._columns, row, self._widths, self._paint)


def table(
    columns: Sequence[Column], rows: Sequence[Sequence[Cell]], *, width: int | None, paint: Callable[[str, str], str]
) -> list[str]:
    """Return the lines of a table, header first; `width` None leaves every cell as long as it is."""
    fitted = Table(columns, rows, width=width, paint=paint)
    return [fitted.header, *map(fitted.line, rows)]


def _fitted(columns: Sequence[Column], widths: Sequence[int], width: int) -> list[int]:
    """Return narrower widths: the widest column that may be cut gives way first, down to a readable rest."""
    fitted = list(widths)
    excess = sum(fitted) + len(_GAP) * (len(fitted) - 1) - width
    while excess > 0:
        give = [index for index, column in enumerate(columns) if not column.whole and fitted[index] > _NARROWEST]
        if not give:
            break
        widest = max(give, key=lambda index: fitted[index])
        fitted[widest] -= 1
        excess -= 1
    return fitted


def _line(
    columns: Sequence[Column], row: Sequence[Cell], widths: Sequence[int], paint: Callable[[str, str], str]
) -> str:
    parts = []
    for column, cell, width in zip(columns, row, widths, strict=True):
        text = cut(cell.text, width)
        padding = " " * (width - width_of(text))
        shown = paint(text, cell.style) if cell.style and text else text
        parts.append(padding + shown if column.right else shown + padding)
    return _GAP.join(parts).rstrip()
