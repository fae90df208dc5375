"""The ids under which anything was ever sent, small enough to keep in memory: most messages were never sent before.

A run asks the journal of every message whether it knows it. Asked often enough, the journal reads all its ids once,
and says no without a query.
"""

from __future__ import annotations

import sqlite3
from array import array
from bisect import bisect_left
from collections.abc import Iterable

_ASKS_FIRST = 100
"""Queries before any id is read: whoever looks at a few messages needs no more."""
_ROWS_AN_ASK = 16
"""A query costs as much as reading so many ids at once: so the whole is at most twice what the better way costs."""
MOST_IDS = 1_000_000
"""Ids of a journal that are read, 8 bytes each; a larger journal is asked for each message."""


class SentIds:
    """Answers whether an id is surely none of ours; safe to ask from many threads, told by one at a time."""

    def __init__(self) -> None:
        self._asked = 0
        self._read: array[int] | None = None
        self._since: set[int] = set()

    @property
    def is_read(self) -> bool:
        """Tell whether the journal's ids are in memory."""
        return self._read is not None

    def is_due(self) -> bool:
        """Count one more question; tell whether it is time to look whether the ids are worth reading."""
        self._asked += 1
        return self._asked % _ASKS_FIRST == 0

    def read(self, connection: sqlite3.Connection, newest: Iterable[str]) -> None:
        """Read the journal's ids, unless that costs more than what was asked so far; `newest` are not in the table."""
        [rows] = connection.execute("SELECT max(rowid) FROM moves").fetchone()
        if (rows or 0) > min(MOST_IDS, self._asked * _ROWS_AN_ASK):
            return
        found = connection.execute("SELECT new_id FROM moves WHERE new_id IS NOT NULL")
        self._since = set(map(hash, newest))
        self._read = array("q", sorted(hash(row[0]) for row in found))

    def add(self, new_ids: Iterable[str | None]) -> None:
        """Learn of what was sent since."""
        if self._read is not None:
            self._since.update(hash(each) for each in new_ids if each)

    def forget(self) -> None:
        """Know nothing, and read again when it is worth it."""
        self._read = None

    def is_none_of_ours(self, new_id: str) -> bool:
        """Tell that nothing was sent under this id, as far as was read; False is no answer."""
        read, wanted = self._read, hash(new_id)
        if read is None or wanted in self._since:
            return False
        place = bisect_left(read, wanted)
        return place == len(read) or read[place] != wanted
