"""What the journal answers to a worker that wants to send a message: the one decision by which nothing goes twice."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

from opstool.words.record import Claim, State


def claim_one(
    database: sqlite3.Connection,
    run_id: str,
    origin: str,
    wanted: tuple[str, str, str | None],
    *,
    now_ms: int,
    suffices: Callable[[str, str], bool],
) -> tuple[Claim, int]:
    """Claim one message (record id, SHA-256 of its body, its source) within a transaction, as Journal.claim says."""
    record_id, sha256, source_arn = wanted
    known = database.execute("SELECT * FROM moves WHERE origin = ? AND record_id = ?", (origin, record_id)).fetchone()
    # What was only archived, or thrown away, was not sent: a redrive must not delete it for that.
    elsewhere = known is not None and known["target"] is not None and not suffices(record_id, known["target"])
    if known is None or known["body_sha256"] != sha256 or elsewhere:
        database.execute(
            "INSERT OR REPLACE INTO moves"
            " (origin, record_id, run_id, body_sha256, state, source_arn, intent_at_ms, updated_at_ms)"
            " VALUES (?, ?, ?, ?, 'intent', ?, ?, ?)",
            (origin, record_id, run_id, sha256, source_arn, now_ms, now_ms),
        )
        return Claim.FRESH, now_ms
    if known["state"] != State.INTENT:
        return Claim.ALREADY_SENT, known["intent_at_ms"]
    taken_over = known["taken_over"] or known["run_id"] != run_id
    database.execute(
        "UPDATE moves SET run_id = ?, taken_over = ?, unknown_sends = max(unknown_sends, 1), updated_at_ms = ?"
        " WHERE origin = ? AND record_id = ?",
        (run_id, int(taken_over), now_ms, origin, record_id),
    )
    return Claim.UNCERTAIN, 0 if taken_over else known["intent_at_ms"]
