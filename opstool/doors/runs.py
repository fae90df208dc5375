"""The runs in the journal: what each set out to do, how it ended, and what became of its messages."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from opstool.doors.clock import Clock
from opstool.doors.database import Database
from opstool.doors.journaltables import SCHEMA, run_of
from opstool.doors.tail import Tail
from opstool.words.errors import NotFoundError, StorageError
from opstool.words.fate import Fate
from opstool.words.record import RunRecord, resumed_audit


class Runs:
    """The part of a journal that is about runs; it opens the file and closes it."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self._clock = clock
        self._tail = Tail()
        self._database = Database(path, SCHEMA, self._tail)

    def close(self) -> None:
        """Write what still waits, and let go of the file; only settlements wait, and those may be lost."""
        with suppress(StorageError):
            self._database.commit(lambda _: None)
        self._fold()
        self._database.close()

    def start_run(self, record: RunRecord) -> None:
        """Write a run before it changes anything; one that is resumed keeps its row, with who resumed it and why."""

        def write(database: sqlite3.Connection) -> None:
            row = database.execute("SELECT audit FROM runs WHERE run_id = ?", (record.run_id,)).fetchone()
            audit = resumed_audit(json.loads(row["audit"]), record) if row else record.audit
            database.execute(
                "INSERT INTO runs (run_id, verb, queue, status, started_at_ms, note, lease_s, plan, audit)"
                " VALUES (?, ?, ?, 'running', ?, ?, ?, ?, ?) ON CONFLICT (run_id) DO UPDATE SET status = 'running',"
                " report = NULL, ended_at_ms = NULL, lease_s = max(lease_s, excluded.lease_s), audit = excluded.audit",
                (
                    record.run_id,
                    record.verb,
                    record.queue,
                    record.started_at_ms,
                    record.note,
                    record.lease_s,
                    json.dumps(record.plan),
                    json.dumps(audit),
                ),
            )

        self._database.commit(write)

    def note_lease(self, run_id: str, lease_s: int) -> None:
        """Write that a run is about to hide messages for so long: whoever resumes it has to wait for them."""
        self._database.commit(
            lambda database: database.execute(
                "UPDATE runs SET lease_s = max(lease_s, ?) WHERE run_id = ?", (lease_s, run_id)
            )
        )

    def note_dead(self, origin: str, *, besides: str) -> None:
        """Give an end to the other runs that left messages of a queue unsettled, and none of themselves.

        Only whoever holds the queue's lock may say so. They have died by now; when, nobody knows.
        """
        now_ms = int(self._clock.wall() * 1000)

        def write(database: sqlite3.Connection) -> None:
            self._tail.fold(database)
            database.execute(
                "UPDATE runs SET ended_at_ms = ? WHERE ended_at_ms IS NULL AND run_id <> ? AND run_id IN"
                " (SELECT run_id FROM moves WHERE origin = ? AND state <> 'settled')",
                (now_ms, besides, origin),
            )

        self._database.commit(write)

    def finish_run(self, run_id: str, status: str, report: dict[str, Any]) -> None:
        """Write how a run ended, after everything else that waits to be written."""
        ended_at_ms = int(self._clock.wall() * 1000)
        self._database.commit(
            lambda database: database.execute(
                "UPDATE runs SET status = ?, report = ?, ended_at_ms = ? WHERE run_id = ?",
                (status, json.dumps(report), ended_at_ms, run_id),
            )
        )
        self._fold()

    def run(self, run_id: str) -> RunRecord:
        """Return the run whose id begins with `run_id`; raise NotFoundError unless there is exactly one."""
        rows = self._database.rows("SELECT * FROM runs WHERE substr(run_id, 1, ?) = ? LIMIT 2", len(run_id), run_id)
        if len(rows) != 1:
            raise NotFoundError(
                f"{'no' if not rows else 'more than one'} run has an id that begins with `{run_id}`",
                code="run_not_found",
                hint="opstool history lists the runs",
            )
        return run_of(rows[0])

    def runs(self, limit: int = 50) -> list[RunRecord]:
        """Return the latest runs, newest first."""
        return [
            run_of(row) for row in self._database.rows("SELECT * FROM runs ORDER BY started_at_ms DESC LIMIT ?", limit)
        ]

    def note_fates(self, run_id: str, fates: Mapping[str, Fate]) -> None:
        """Write what became of a run's messages, by the id that they had; a later word replaces an earlier one."""
        rows = [(run_id, record_id, fate.value) for record_id, fate in fates.items()]
        self._database.commit(
            lambda database: database.executemany("INSERT OR REPLACE INTO fates VALUES (?, ?, ?)", rows)
        )

    def fates(self, run_id: str) -> dict[str, Fate]:
        """Return what is known to have become of a run's messages, by the id that they had."""
        rows = self._database.rows("SELECT record_id, fate FROM fates WHERE run_id = ?", run_id)
        return {row["record_id"]: Fate(row["fate"]) for row in rows}

    def _fold(self) -> None:
        """Leave a short log to those who come after; a full disk may refuse, the truth is in the log too."""
        if self._tail.has_written:
            with suppress(StorageError):
                self._database.commit(self._tail.fold)
