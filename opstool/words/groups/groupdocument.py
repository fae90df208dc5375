"""A group of messages as a JSON document; its keys are a contract (docs/documents.md)."""

from __future__ import annotations

from typing import Any

from opstool.words.document import VERSION, iso, reason_document
from opstool.words.groups.group import Arrivals, Group
from opstool.words.groups.suggestion import Suggestion

_SHARE_DIGITS = 4


def group_document(group: Group, suggestion: Suggestion) -> dict[str, Any]:
    """Return the document of one group, with the command to run next."""
    return {
        "version": VERSION,
        "type": "group",
        "key": group.key.text if group.key else None,
        "reason": None if group.reason is None else reason_document(group.reason),
        "reason_state": group.reason_state,
        "fingerprint": group.reason.fingerprint if group.reason else None,
        "permanent": group.reason.permanent if group.reason else None,
        "probable": group.probable,
        "count": group.count,
        "share": round(group.share, _SHARE_DIGITS),
        "first_at": iso(group.first_sent_ms),
        "last_at": iso(group.last_sent_ms),
        "soonest_expiry": iso(group.soonest_expiry_ms),
        "least_receives": group.least_receives,
        "most_receives": group.most_receives,
        "sample_id": group.sample_id,
        "source_queue": group.source_arn,
        "source_queues": list(group.source_arns),
        "arrivals": arrivals_document(group.arrivals),
        "suggestion": {"command": suggestion.command, "why": suggestion.why},
    }


def arrivals_document(arrivals: Arrivals) -> dict[str, Any]:
    """Return how many arrived when."""
    return {"from": iso(arrivals.from_ms), "to": iso(arrivals.to_ms), "counts": list(arrivals.counts)}
