"""The memory of what was sent: written before each act that it makes safe to repeat.

A message goes through three states, keyed by where it came from (`origin`: a queue's ARN, or an archive and its
target) and its id there:

    intent     committed before the send: a worker that cannot write it does not send
    sent       committed before the delete, with the id the copy was given
    settled    the original is gone; written with the next commit, because losing it costs one needless delete

What is committed survives a power cut (database.py).
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from opstool.doors.claim import claim_one
from opstool.doors.clock import Clock
from opstool.doors.database import Database
from opstool.doors.journaltables import SCHEMA, copy_of, move_of, run_of
from opstool.words.errors import NotFoundError
from opstool.words.fate import Copy, Fate
from opstool.words.message import Message
from opstool.words.record import Claim, Move, RunRecord, resumed_audit


class Journal:
    """The journal of one state directory; thread-safe. Every method raises StorageError when the disk says no."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self._clock = clock
        self._database = Database(path, SCHEMA)

    def close(self) -> None:
        """Write what still waits, and let go of the file; only settlements wait, and those may be lost."""
        self._database.close()

    # -- runs

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
        self._database.commit(
            lambda database: database.execute(
                "UPDATE runs SET ended_at_ms = ? WHERE ended_at_ms IS NULL AND run_id <> ? AND run_id IN"
                " (SELECT run_id FROM moves WHERE origin = ? AND state <> 'settled')",
                (now_ms, besides, origin),
            )
        )

    def finish_run(self, run_id: str, status: str, report: dict[str, Any]) -> None:
        """Write how a run ended, after everything else that waits to be written."""
        ended_at_ms = int(self._clock.wall() * 1000)
        self._database.commit(
            lambda database: database.execute(
                "UPDATE runs SET status = ?, report = ?, ended_at_ms = ? WHERE run_id = ?",
                (status, json.dumps(report), ended_at_ms, run_id),
            )
        )

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

    def moves(self, run_id: str) -> Iterator[Move]:
        """Return every message that a run has sent or meant to send."""
        return map(move_of, self._database.rows("SELECT * FROM moves WHERE run_id = ? ORDER BY intent_at_ms", run_id))

    # -- messages

    def claim(
        self,
        run_id: str,
        origin: str,
        messages: Sequence[Message],
        *,
        suffices: Callable[[str, str], bool] = lambda _id, _target: True,
    ) -> dict[str, tuple[Claim, int]]:
        """Write the intent to send these messages; return, by id, the claim and since when its repeats are recognised.

        FRESH: send it. ALREADY_SENT: its copy was confirmed before, in a target that `suffices` (asked with id and
        target); delete it, never send it. UNCERTAIN: an intent stands from before and its answer was never seen; the
        time is that of the first intent, 0 when that was another run's. Only FRESH and UNCERTAIN become this run's.
        """
        now_ms = int(self._clock.wall() * 1000)
        wanted = [(message.message_id, message.body_sha256, message.source_arn) for message in messages]

        def write(database: sqlite3.Connection) -> dict[str, tuple[Claim, int]]:
            return {
                each[0]: claim_one(database, run_id, origin, each, now_ms=now_ms, suffices=suffices) for each in wanted
            }

        claims: dict[str, tuple[Claim, int]] = self._database.commit(write)
        return claims

    def withdraw(self, origin: str, record_ids: Iterable[str]) -> None:
        """Take back intents whose send was certainly not carried out; an uncertain one stays."""
        rows = [(origin, record_id) for record_id in record_ids]
        if rows:
            self._database.commit(
                lambda database: database.executemany(
                    "DELETE FROM moves WHERE origin = ? AND record_id = ? AND state = 'intent' AND unknown_sends = 0",
                    rows,
                )
            )

    def note_unknown(self, origin: str, record_ids: Iterable[str]) -> None:
        """Write that a send of these messages got no answer, before anything else is done with them."""
        rows = [(int(self._clock.wall() * 1000), origin, record_id) for record_id in record_ids]
        if rows:
            self._database.commit(
                lambda database: database.executemany(
                    "UPDATE moves SET unknown_sends = unknown_sends + 1, updated_at_ms = ?"
                    " WHERE origin = ? AND record_id = ?",
                    rows,
                )
            )

    def note_resent(self, origin: str, record_ids: Iterable[str]) -> None:
        """Write that these are about to be sent although an earlier send may have been accepted."""
        rows = [(origin, record_id) for record_id in record_ids]
        if rows:
            self._database.commit(
                lambda database: database.executemany(
                    "UPDATE moves SET maybe_twice = 1 WHERE origin = ? AND record_id = ?", rows
                )
            )

    def confirm(self, origin: str, confirmed: Iterable[tuple[str, str | None, str]]) -> None:
        """Write (record id, new id, target) of copies that were confirmed, before their originals are deleted."""
        now_ms = int(self._clock.wall() * 1000)
        rows = [(new_id, target, now_ms, origin, record_id) for record_id, new_id, target in confirmed]
        if rows:
            self._database.commit(
                lambda database: database.executemany(
                    "UPDATE moves SET state = 'sent', new_id = ?, target = ?, updated_at_ms = ?"
                    " WHERE origin = ? AND record_id = ?",
                    rows,
                )
            )

    def settle(self, origin: str, record_ids: Iterable[str]) -> None:
        """Note that originals are gone; written with the next commit, nobody waits for it."""
        now_ms = int(self._clock.wall() * 1000)
        rows = [(now_ms, origin, record_id) for record_id in record_ids]
        self._database.later(
            lambda database: database.executemany(
                "UPDATE moves SET state = 'settled', updated_at_ms = ? WHERE origin = ? AND record_id = ?", rows
            )
        )

    def unsettled(self, origin: str) -> list[Move]:
        """Return the messages of any run that were meant to be sent, or sent, and not yet deleted."""
        self._database.commit(lambda _: None)
        return [
            move_of(row)
            for row in self._database.rows("SELECT * FROM moves WHERE origin = ? AND state <> 'settled'", origin)
        ]

    def sent_from(self, origin: str) -> set[str]:
        """Return the record ids of everything that any run has sent from there, its originals deleted or not."""
        rows = self._database.rows("SELECT record_id FROM moves WHERE origin = ? AND state <> 'intent'", origin)
        return {row["record_id"] for row in rows}

    def sent_by(self, run_id: str) -> set[str]:
        """Return the new ids of everything that a run has sent."""
        rows = self._database.rows("SELECT new_id FROM moves WHERE run_id = ? AND new_id IS NOT NULL", run_id)
        return {row["new_id"] for row in rows}

    def copies(self, run_id: str) -> list[Copy]:
        """Return what a run has sent and what was confirmed."""
        rows = self._database.rows("SELECT * FROM moves WHERE run_id = ? AND new_id IS NOT NULL", run_id)
        return [copy_of(row) for row in rows]

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

    def possibly_sent_twice(self, run_id: str) -> tuple[str, ...]:
        """Return the ids of the messages that a run has sent again after an answer was lost, crashes included."""
        rows = self._database.rows("SELECT record_id FROM moves WHERE run_id = ? AND maybe_twice = 1", run_id)
        return tuple(row["record_id"] for row in rows)

    def origin_of(self, new_id: str) -> Move | None:
        """Return the move that sent a message with this id: where it came from."""
        rows = self._database.rows("SELECT * FROM moves WHERE new_id = ? LIMIT 1", new_id)
        return move_of(rows[0]) if rows else None

    def sources_of(self, new_ids: Iterable[str]) -> dict[str, str]:
        """Return, by the id that a message has now, the ARN of the queue that it died in before it was sent again."""
        rows = self._database.rows(
            "SELECT new_id, source_arn FROM moves"
            " WHERE source_arn IS NOT NULL AND new_id IN (SELECT value FROM json_each(?))",
            json.dumps(list(new_ids)),
        )
        return {row["new_id"]: row["source_arn"] for row in rows}
