"""Why a message died, as its consumer's log tells it, and what a log must answer."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Protocol


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


class Failures(Protocol):
    """What a log answered: the reasons it holds, and whether it was read to its end."""

    @property
    def reasons(self) -> Mapping[str, Reason]:
        """Return the reason of each message id that has one."""

    @property
    def complete(self) -> bool:
        """Tell whether nothing was left unread."""


class FailureLog(Protocol):
    """Where failures are looked up; opstool.doors.logs.Logs is one."""

    def failures(self, log_group: str, *, since_ms: int, until_ms: int, message_ids: Collection[str]) -> Failures:
        """Return the failures of these messages between two times."""
