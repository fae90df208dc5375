"""Which ids the journal may know, small enough to keep in memory: most of what it is asked for was never there.

A run asks the journal of every message whether it has sent it, and under its present id whether it was sent before.
Asked often enough, the journal reads all its ids once, and says no without a query.
"""

from __future__ import annotations

import sqlite3
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import chain

_ASKS_FIRST = 100
"""Queries before any id is read: whoever looks at a few messages needs no more."""
_ROWS_AN_ASK = 16
"""A query costs as much as reading so many ids at once: so the whole is at most twice what the better way costs."""
MOST_IDS = 1_000_000
"""Ids of a journal that are read, 8 bytes each; a larger journal is asked for each message."""
_MOST_SINCE = 50_000
"""Ids that come after, some 70 bytes each; then they join the others: 4 MB."""


class KnownIds:
    """Answers whether an id is surely not in one column of `moves`; asked by many threads, told by one at a time."""

    def __init__(self, column: str) -> None:
        self._column = column
        self._asked = 0
        self._looked_at = 0
        self._known: tuple[array[int], set[int]] | None = None
        """What was read and what has come since: one value, because those who ask hold no lock."""

    @property
    def is_read(self) -> bool:
        """Tell whether the journal's ids are in memory."""
        return self._known is not None

    def is_due(self, questions: int = 1) -> bool:
        """Count more questions; tell whether it is time to look whether the ids are worth reading."""
        self._asked += questions
        if self._asked - self._looked_at < _ASKS_FIRST:
            return False
        self._looked_at = self._asked
        return True

    def read(self, connection: sqlite3.Connection, newest: Iterable[str] = ()) -> None:
        """Read the journal's ids, unless that costs more than what was asked so far; `newest` are not in the table."""
        [rows] = connection.execute("SELECT max(rowid) FROM moves").fetchone()
        if (rows or 0) > min(MOST_IDS, self._asked * _ROWS_AN_ASK):
            return
        found = connection.execute(f"SELECT {self._column} FROM moves WHERE {self._column} IS NOT NULL")  # noqa: S608 - ours
        self._known = array("q", sorted(hash(row[0]) for row in found)), set(map(hash, newest))

    def add(self, ids: Iterable[str | None]) -> None:
        """Learn of what has come into the column since."""
        if self._known is None:
            return
        read, since = self._known
        since.update(hash(each) for each in ids if each is not None)
        if len(since) > _MOST_SINCE:
            self._known = array("q", sorted(chain(read, since))), set()

    def forget(self) -> None:
        """Know nothing, and read again when it is worth it."""
        self._known = None

    def is_none_of_ours(self, wanted_id: str) -> bool:
        """Tell that this id is not there, as far as was read; False is no answer."""
        known, wanted = self._known, hash(wanted_id)
        if known is None:
            return False
        read, since = known
        if wanted in since:
            return False
        if not read:
            return True
        place = bisect_left(read, wanted)
        return place == len(read) or read[place] != wanted

    def among(self, ids: Sequence[str]) -> Sequence[str]:
        """Return those ids that may be there."""
        return [each for each in ids if not self.is_none_of_ours(each)]
