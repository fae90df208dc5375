"""The newest changes of the moves: a log in the journal's file, and in memory what it comes to.

    change    what a commit changes is one row at the end of the log, whatever the keys are
    catch up  every transaction begins with reading what other processes have put there meanwhile
    fold      once the log is long, or its writer goes, what it comes to is written into `moves`, and the log is cut

The truth of a message is what the log says, or else its row in `moves`. Random keys cost a page of the disk each in
every index, so it is the fold, sorted and seldom, that pays for them, and not the commit that workers wait for.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Sequence
from itertools import chain
from operator import attrgetter
from typing import Any, TypeVar

from opstool.doors.changes import APPLY, COLUMNS, Entries, Entry, Only, record_ids_of
from opstool.doors.journaltables import move_of
from opstool.doors.knownids import KnownIds
from opstool.words.record import Move

FOLDS_AT = 20_000
"""Moves in memory at which they are folded, about 0.6 KB each: 12 MB."""
_PARAMETERS = 999
"""SQLite takes no more of a statement in its older versions."""
_values_of = attrgetter(*COLUMNS)
_FOLD = (
    f"INSERT INTO moves (origin, record_id, {', '.join(COLUMNS)})"  # noqa: S608 - names of columns
    f" VALUES ({', '.join('?' * (2 + len(COLUMNS)))}) ON CONFLICT (origin, record_id)"
    f" DO UPDATE SET {', '.join(f'{each} = excluded.{each}' for each in COLUMNS)}"
)

T = TypeVar("T")


class Tail:
    """What the log of one journal comes to, up to the row last seen; used by one transaction at a time."""

    def __init__(self) -> None:
        self._entries: dict[str, Entries] = {}
        self._seen = 0
        self._unwritten: list[tuple[str, str, list[Any], list[Any]]] = []
        self._folded = False
        self.has_written = False
        self.sent_ids = KnownIds("new_id")
        self._folded_ids = KnownIds("record_id")

    # -- one transaction

    def begin(self, connection: sqlite3.Connection) -> None:
        """Learn what other processes have written; within a transaction, before anything else of it."""
        try:
            self._catch_up(connection)
        except BaseException:
            self.forget()  # a change that was read by half must not be read again
            raise

    def expect(self, connection: sqlite3.Connection, subjects: Sequence[tuple[str, list[str]]]) -> None:
        """Read at once, by origin and record ids, the moves that a group of writes is about."""
        by_origin: dict[str, list[str]] = {}
        for origin, record_ids in subjects:
            by_origin.setdefault(origin, []).extend(record_ids)
        for origin, record_ids in by_origin.items():
            if not self._folded_ids.is_read and self._folded_ids.is_due(len(record_ids)):
                self._folded_ids.read(connection)
            self._loaded(connection, origin, record_ids)

    def end(self, connection: sqlite3.Connection) -> None:
        """Write what this transaction has changed; its last act before the commit."""
        if sum(map(len, self._entries.values())) >= FOLDS_AT:
            self.fold(connection)
        if not self._unwritten and not self._folded:
            return
        changes = json.dumps(self._unwritten, ensure_ascii=False, separators=(",", ":"))
        self._seen = connection.execute("INSERT INTO tail (changes) VALUES (?)", (changes,)).lastrowid or 0
        if self._folded:  # the row just written stays: by it the others see what they have missed
            connection.execute("DELETE FROM tail WHERE sequence < ?", (self._seen,))
        self._unwritten, self._folded, self.has_written = [], False, True

    def forget(self) -> None:
        """Know nothing, after a transaction that was not carried out; the next one reads the log from its beginning."""
        self._entries, self._seen, self._unwritten, self._folded = {}, 0, [], False
        self.sent_ids.forget()
        self._folded_ids.forget()

    def _catch_up(self, connection: sqlite3.Connection) -> None:
        rows = connection.execute(
            "SELECT sequence, CASE WHEN sequence > ?1 THEN changes END FROM tail WHERE sequence >= ?1"
            " ORDER BY sequence",
            (self._seen,),
        ).fetchall()
        if self._seen and (not rows or rows[0][0] != self._seen):  # somebody has folded what we have not seen
            self.forget()
            return self._catch_up(connection)
        if rows and not self._seen:  # what is known was read before there was a log, or is of nothing at all
            self.forget()
        for sequence, changes in rows:
            for name, origin, head, items in json.loads(changes or "[]"):
                self._apply(connection, name, origin, head, items)
            self._seen = sequence
        return None

    # -- changes

    def entries(self, connection: sqlite3.Connection, origin: str, record_ids: Sequence[str]) -> Entries:
        """Return the moves of an origin as they stand, with at least those asked for."""
        return self._loaded(connection, origin, record_ids)

    def change(
        self, connection: sqlite3.Connection, name: str, origin: str, head: list[Any], items: Sequence[Any]
    ) -> None:
        """Let something happen to moves of an origin (changes.py), now and in the log."""
        if not items:
            return
        self._apply(connection, name, origin, head, items)
        last = self._unwritten[-1] if self._unwritten else None
        if last and (last[0], last[1], last[2]) == (name, origin, head):
            last[3].extend(items)
        else:
            self._unwritten.append((name, origin, head, list(items)))

    def _apply(
        self, connection: sqlite3.Connection, name: str, origin: str, head: list[Any], items: Sequence[Any]
    ) -> None:
        APPLY[name](self._loaded(connection, origin, items), head, items)
        if name == "confirmed":
            self.sent_ids.add(new_id for _, new_id in items)

    def _loaded(self, connection: sqlite3.Connection, origin: str, items: Sequence[Any]) -> Entries:
        entries = self._entries.setdefault(origin, {})
        missing = list(set(record_ids_of(items)).difference(entries))
        if not missing:
            return entries
        entries.update(dict.fromkeys(missing))
        sought = self._folded_ids.among(missing)
        for start in range(0, len(sought), _PARAMETERS - 1):
            ids = sought[start : start + _PARAMETERS - 1]
            for row in connection.execute(
                f"SELECT record_id, {', '.join(COLUMNS)} FROM moves"  # noqa: S608 - names of columns, and question marks
                f" WHERE origin = ? AND record_id IN ({', '.join('?' * len(ids))})",
                (origin, *ids),
            ):
                entries[row[0]] = Entry(*row[1:])
        return entries

    def read_sent_ids(self, connection: sqlite3.Connection) -> None:
        """Let the ids of all that was sent be read, where it is worth it."""
        every = chain.from_iterable(each.values() for each in self._entries.values())
        self.sent_ids.read(connection, [entry.new_id for entry in every if entry and entry.new_id])

    # -- the table

    def fold(self, connection: sqlite3.Connection) -> None:
        """Write into `moves` what the log comes to; the end of the transaction cuts the log."""
        for origin, entries in self._entries.items():
            gone = [(origin, key) for key, entry in entries.items() if not entry]
            rows = [(origin, key, *_values_of(entry)) for key, entry in entries.items() if entry]
            rows.sort()  # by origin and record id, as the index has them
            connection.executemany("DELETE FROM moves WHERE origin = ? AND record_id = ?", gone)
            connection.executemany(_FOLD, rows)
            self._folded_ids.add(entries)
        if self._entries:
            self._entries, self._unwritten, self._folded = {}, [], True

    def find(
        self,
        connection: sqlite3.Connection,
        take: Callable[[Move], T],
        column: str,
        *values: str,
        only: Only | None = None,
    ) -> list[T]:
        """Return what `take` makes of each move with one of the values in a column, or of some of those only."""
        unless = f" AND {only.condition}" if only else ""  # a literal: only so the index of what is open can be used
        found = []
        for start in range(0, len(values), _PARAMETERS):
            some = values[start : start + _PARAMETERS]
            rows = connection.execute(
                f"SELECT * FROM moves WHERE {column} IN ({', '.join('?' * len(some))}){unless} ORDER BY intent_at_ms",  # noqa: S608
                some,
            )
            found += [
                take(move_of(row)) for row in rows if row["record_id"] not in self._entries.get(row["origin"], {})
            ]
        wanted = frozenset(values)
        for origin, entries in self._entries.items():
            for key, entry in entries.items():
                if (
                    entry
                    and (origin if column == "origin" else getattr(entry, column)) in wanted
                    and (only is None or only.holds(entry))
                ):
                    found.append(take(entry.move(origin, key)))
        return found
