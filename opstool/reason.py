"""Why a message died, as its consumer's log tells it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Reason:
    """The last failure of one message: `fingerprint` is the same for failures that are the same; `at_ms` epoch ms."""

    type: str
    message: str
    fingerprint: str
    at_ms: int
    attempts: int
    function: str | None = None
    log_group: str | None = None
    request_id: str | None = None
