"""The journal's tables: the runs, the messages that they have moved or mean to, and what became of those.

`tail` holds the newest changes of `moves`, which are not in there yet (tail.py).
"""

from __future__ import annotations

import json
import sqlite3

from opstool.words.fate import Copy
from opstool.words.record import Move, RunRecord, State

SCHEMA = """
CREATE TABLE IF NOT EXISTS runs (
    run_id TEXT PRIMARY KEY, verb TEXT NOT NULL, queue TEXT NOT NULL, status TEXT NOT NULL,
    started_at_ms INTEGER NOT NULL, ended_at_ms INTEGER, note TEXT, lease_s INTEGER NOT NULL,
    plan TEXT NOT NULL, report TEXT, audit TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS moves (
    origin TEXT NOT NULL, record_id TEXT NOT NULL, run_id TEXT NOT NULL, body_sha256 TEXT NOT NULL,
    state TEXT NOT NULL, unknown_sends INTEGER NOT NULL DEFAULT 0,
    maybe_twice INTEGER NOT NULL DEFAULT 0, taken_over INTEGER NOT NULL DEFAULT 0, source_arn TEXT,
    new_id TEXT, target TEXT, intent_at_ms INTEGER NOT NULL, updated_at_ms INTEGER NOT NULL,
    PRIMARY KEY (origin, record_id)
);
CREATE TABLE IF NOT EXISTS tail (sequence INTEGER PRIMARY KEY, changes TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS fates (
    run_id TEXT NOT NULL, record_id TEXT NOT NULL, fate TEXT NOT NULL, PRIMARY KEY (run_id, record_id)
);
CREATE INDEX IF NOT EXISTS moves_by_run ON moves (run_id);
CREATE INDEX IF NOT EXISTS moves_by_new_id ON moves (new_id);
CREATE INDEX IF NOT EXISTS moves_maybe_twice ON moves (run_id) WHERE maybe_twice;
CREATE INDEX IF NOT EXISTS moves_open ON moves (origin) WHERE state <> 'settled';
"""


def run_of(row: sqlite3.Row) -> RunRecord:
    """Return the run of a row of `runs`."""
    fields = dict(row)
    for name in ("plan", "audit", "report"):
        fields[name] = json.loads(fields[name]) if fields[name] else None
    return RunRecord(**fields)


def move_of(row: sqlite3.Row) -> Move:
    """Return the move of a row of `moves`."""
    return Move(**{**dict(row), "state": State(row["state"])})


def copy_of(move: Move) -> Copy:
    """Return the copy of a move that was sent."""
    return Copy(
        message_id=move.record_id,
        new_id=move.new_id or "",
        target_arn=move.target,
        body_sha256=move.body_sha256,
        sent_from_ms=move.intent_at_ms,
        sent_to_ms=move.updated_at_ms,
    )
