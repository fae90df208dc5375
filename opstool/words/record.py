"""What the journal keeps: one record a run, one move a message."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from opstool.words.times import iso

_RESUMPTIONS_KEPT = 20
"""The latest; each takes some 300 bytes, and nobody resumes one run more often by hand."""


class State(StrEnum):
    """How far a message has come."""

    INTENT = "intent"
    SENT = "sent"
    SETTLED = "settled"


class Claim(StrEnum):
    """What the journal answers to a worker that wants to send a message."""

    FRESH = "fresh"
    UNCERTAIN = "uncertain"
    ALREADY_SENT = "already_sent"


@dataclass(frozen=True, kw_only=True, slots=True)
class RunRecord:
    """One run: `plan` and `audit` as they were written at its start, `report` when it has one.

    `lease_s` is the longest visibility timeout that it has asked for. A run with an end and no report has died before.
    """

    run_id: str
    verb: str
    queue: str
    status: str
    started_at_ms: int
    ended_at_ms: int | None
    note: str | None
    lease_s: int
    plan: dict[str, Any]
    audit: dict[str, Any]
    report: dict[str, Any] | None

    def hides_for_s(self, now_s: float) -> float:
        """Return for how long the run's leases may still hide messages: the longest of them, from its end."""
        since_end_s = 0.0 if self.ended_at_ms is None else now_s - self.ended_at_ms / 1000
        return self.lease_s - max(0.0, since_end_s)  # a wall clock may have been set back


def resumed_audit(audit: dict[str, Any], record: RunRecord) -> dict[str, Any]:
    """Return the audit of a run with who has resumed it now, when, from where and why, after those before."""
    one = {name: value for name, value in record.audit.items() if name not in {"selection", "selection_sha256", "to"}}
    one |= {"at": iso(record.started_at_ms), "note": record.note}
    return {**audit, "resumed": [*audit.get("resumed", ()), one][-_RESUMPTIONS_KEPT:]}


@dataclass(frozen=True, kw_only=True, slots=True)
class Move:
    """What the journal knows of one message: from `origin` and `record_id` there to `new_id` in `target`.

    `taken_over`: another run meant to send it first, under deduplication ids of its own.
    """

    origin: str
    record_id: str
    run_id: str
    body_sha256: str
    state: State
    unknown_sends: int
    maybe_twice: int
    taken_over: int
    source_arn: str | None
    new_id: str | None
    target: str | None
    intent_at_ms: int
    updated_at_ms: int
