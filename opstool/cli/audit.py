"""The audit of a run as people read it: who, from where, into what, and who took it up again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def audit_facts(audit: Mapping[str, Any]) -> dict[str, str | None]:
    """Return what the journal knows of a run beside its plan and its report; None where it knows nothing.

    An older journal knows less.
    """
    to = audit.get("to") or {}
    return {
        "selected": audit.get("selection"),
        "sha256": audit.get("selection_sha256") if audit.get("selection") else None,
        "by": _by(audit),
        "into": _into(to) if to else None,
    }


def resumptions(audit: Mapping[str, Any]) -> Iterator[str]:
    """Yield a line for each time that the run was taken up again."""
    for each in audit.get("resumed") or ():
        why = f": {each['note']}" if each.get("note") else ""
        yield f"{each.get('at')} by {_by(each)}{why}"


def _by(audit: Mapping[str, Any]) -> str:
    known = audit.get("why_unknown")
    who = f"{audit.get('who')} ({known})" if known else str(audit.get("who"))
    parts = [
        f"user {audit['user']}" if audit.get("user") else None,
        f"pid {audit['pid']}" if audit.get("pid") else None,
        f"opstool {audit['opstool']}" if audit.get("opstool") else None,
        audit.get("region"),
        audit.get("endpoint_url"),
    ]
    where = ", ".join(str(each) for each in parts if each)
    return f"{who} on {audit.get('host')}" + (f" ({where})" if where else "")


def _into(to: Mapping[str, Any]) -> str:
    why = f" ({to['why_unknown']})" if to.get("why_unknown") else ""
    at = f" at {to['endpoint_url']}" if to.get("endpoint_url") else ""
    return f"{to.get('arn')}{at}, as {to.get('who')}{why}"
