"""One failed attempt at one message, with the evidence for it."""

from __future__ import annotations

from dataclasses import dataclass

from opstool.engine.reasons.stream import Fault
from opstool.words.logevent import Attempt
from opstool.words.reason import Evidence


@dataclass(frozen=True, kw_only=True, slots=True)
class AttemptedOnce:
    """An attempt without its traceback, which is kept once for all that have the same; `where`: log group, stream."""

    at_ms: int
    fault: Fault
    evidence: Evidence
    where: tuple[str, str]
    request_id: str | None = None
    trace_id: str | None = None
    traceback: str | None = None
    receive_count: int | None = None
    permanent: bool | None = None
    function: str | None = None

    @property
    def order(self) -> tuple[int, tuple[str, str], str, str, str]:
        """Order attempts by time, and those of one time in any way that is always the same."""
        return self.at_ms, self.where, self.request_id or "", self.fault.fingerprint, self.fault.message

    def told(self, last_traceback: tuple[int, str] | None) -> Attempt:
        """Return the attempt as others read it; `last_traceback` is the last of its message, and when it was."""
        traceback = self.traceback
        if traceback is None and last_traceback is not None and last_traceback[0] == self.at_ms:
            traceback = last_traceback[1]
        return Attempt(
            at_ms=self.at_ms,
            type=self.fault.type,
            message=self.fault.message,
            fingerprint=self.fault.fingerprint,
            log_group=self.where[0],
            log_stream=self.where[1],
            request_id=self.request_id,
            receive_count=self.receive_count,
            traceback=traceback,
            trace_id=self.trace_id,
            permanent=self.permanent,
        )
