"""The cache of look-ups: why messages died, or that the log was asked in vain, in the state directory.

It only saves time and money, so it is never the reason for an error: where its file is broken, locked or cannot be
written, everything is looked up anew, and `note` says so.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from opstool.doors.clock import Clock
from opstool.doors.database import Database
from opstool.words.errors import StorageError
from opstool.words.reason import Evidence, Reason

FILE_NAME = "reasons.db"
MOST_ROWS = 200_000
"""Answers that are kept, the newest: about 100 MB with an error text of average length."""
SETTLED_MS = 15 * 60_000
"""How long after a message died the log may still grow by lines that tell why: an invocation lasts at most 15 minutes.
https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"""
_PROBABLE = f'"evidence": "{Evidence.TIME}"'
"""How a reason is written that a later look-up in vain takes back; within a text its quotes would be escaped."""
_MOST_IDS_A_QUERY = 500
"""SQLite takes 999 parameters of a statement in its older versions."""
_SCHEMA = """
CREATE TABLE IF NOT EXISTS lookups (
    message_id TEXT NOT NULL,
    log_groups TEXT NOT NULL,
    reason TEXT,
    dead_since_ms INTEGER NOT NULL,
    looked_at_ms INTEGER NOT NULL,
    PRIMARY KEY (message_id, log_groups)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS lookups_by_age ON lookups (looked_at_ms);
PRAGMA user_version = 1;
"""


class Lookups:
    """What is known of messages from earlier look-ups, by message id and by the log groups that were asked.

    `note` is None, or a sentence that says why nothing is remembered.
    """

    def __init__(self, path: Path, clock: Clock) -> None:
        """Open the cache when it is first needed; `path` is its file."""
        self._path = path
        self._clock = clock
        self._database: Database | None = None
        self.note: str | None = None

    def get(self, message_ids: Iterable[str], *, log_groups: Collection[str]) -> dict[str, Reason | None]:
        """Return what is known of these messages; None: looked for in vain, and long enough after they died.

        A reason that is only probable is treated in the same way: a line that tells may still come.
        """
        known: dict[str, Reason | None] = {}
        for row in self._rows(list(message_ids), _key(log_groups)):
            is_settled = row["looked_at_ms"] - row["dead_since_ms"] >= SETTLED_MS
            if row["reason"] is None:
                if is_settled:
                    known[row["message_id"]] = None
            elif (reason := _reason(row["reason"])) and (is_settled or reason.evidence is not Evidence.TIME):
                known[row["message_id"]] = reason
        return known

    def put(self, found: Mapping[str, Reason], not_found: Iterable[str] = (), *, log_groups: Collection[str]) -> None:
        """Remember what a look-up of these log groups has told of dead messages; the oldest answers go if too many.

        A message is dead since it was first looked for, at the latest: so an answer in vain counts from the first
        look-up that is as much later as the log may still have grown.
        """
        key, now_ms = _key(log_groups), round(self._clock.wall() * 1_000)
        told: dict[str, str | None] = dict.fromkeys(not_found)
        told |= {message_id: _text(reason) for message_id, reason in found.items()}
        rows = [(message_id, key, reason, now_ms, now_ms) for message_id, reason in told.items()]

        def write(database: sqlite3.Connection) -> None:
            database.executemany(
                "INSERT INTO lookups VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET"
                " reason = coalesce(excluded.reason, CASE WHEN instr(reason, ?) = 0 THEN reason END),"
                " looked_at_ms = excluded.looked_at_ms",
                [(*row, _PROBABLE) for row in rows],
            )
            surplus = database.execute("SELECT count(*) FROM lookups").fetchone()[0] - MOST_ROWS
            if surplus > 0:
                database.execute(
                    "DELETE FROM lookups WHERE (message_id, log_groups) IN"
                    " (SELECT message_id, log_groups FROM lookups ORDER BY looked_at_ms LIMIT ?)",
                    (surplus,),
                )

        database = self._open() if rows else None
        if database:
            try:
                database.commit(write)
            except StorageError as error:
                self._give_up(error)

    def close(self) -> None:
        """Let go of the file, if it was opened."""
        if self._database:
            self._database.close()
            self._database = None

    def _rows(self, message_ids: list[str], key: str) -> Iterator[sqlite3.Row]:
        for start in range(0, len(message_ids), _MOST_IDS_A_QUERY):
            lot = message_ids[start : start + _MOST_IDS_A_QUERY]
            database = self._open()
            if database is None:
                return
            marks = ", ".join("?" * len(lot))
            query = f"SELECT * FROM lookups WHERE log_groups = ? AND message_id IN ({marks})"  # noqa: S608 - only marks
            try:
                yield from database.rows(query, key, *lot)
            except StorageError as error:
                self._give_up(error)

    def _open(self) -> Database | None:
        """Return the database; None once it could not be used."""
        if self._database is None and self.note is None:
            try:
                self._database = Database(self._path, _SCHEMA)
            except StorageError as error:
                self._give_up(error)
        return self._database

    def _give_up(self, error: StorageError) -> None:
        cause = type(error.__cause__).__name__ if error.__cause__ else "no text"
        self.note = f"reasons are not remembered: `{self._path}` cannot be used ({cause}); it may be deleted"
        if self._database:
            with suppress(sqlite3.Error):
                self._database.close()
            self._database = None


def _key(log_groups: Collection[str]) -> str:
    """Return what stands for some log groups, whatever their order; other groups may tell something else."""
    return hashlib.sha256("\n".join(sorted(set(log_groups))).encode()).hexdigest()


def _text(reason: Reason) -> str:
    return json.dumps({name: value for name, value in asdict(reason).items() if value is not None})


_FIELDS = frozenset(each.name for each in fields(Reason))
_TYPES: Mapping[str, type] = {"type": str, "message": str, "fingerprint": str, "at_ms": int, "attempts": int}


def _reason(text: str) -> Reason | None:
    """Return the reason, None when another version wrote it or somebody changed it."""
    try:
        told: dict[str, Any] = json.loads(text)
        values = {name: value for name, value in told.items() if name in _FIELDS}
        if not all(isinstance(values.get(name), kind) for name, kind in _TYPES.items()):
            return None
        return Reason(**{**values, "evidence": Evidence(values.get("evidence", Evidence.LINE))})
    except (ValueError, TypeError, AttributeError):
        return None
