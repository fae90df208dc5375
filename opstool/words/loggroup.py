"""A log group of CloudWatch Logs, as far as it says how much there is to read."""

from __future__ import annotations

from dataclasses import dataclass

_DAY_MS = 86_400_000


@dataclass(frozen=True, kw_only=True, slots=True)
class LogGroup:
    """One log group; `retention_days` is None where events never expire, `created_at_ms` epoch milliseconds.

    `log_class` is STANDARD, INFREQUENT_ACCESS, ESSENTIALS or DELIVERY.
    """

    name: str
    stored_bytes: int = 0
    retention_days: int | None = None
    created_at_ms: int = 0
    log_class: str = "STANDARD"

    def begins_at_ms(self, now_ms: int) -> int:
        """Return when the events begin that are still there, as far as the group tells."""
        if self.retention_days is None:
            return self.created_at_ms
        return max(self.created_at_ms, now_ms - self.retention_days * _DAY_MS)

    def stored_between(self, since_ms: int, until_ms: int, *, now_ms: int) -> float:
        """Return how many of the stored bytes lie between two times, as if they had come evenly."""
        begins_at_ms = self.begins_at_ms(now_ms)
        span_ms = max(1, now_ms - begins_at_ms)
        overlap_ms = min(until_ms, now_ms) - max(since_ms, begins_at_ms)
        return self.stored_bytes * min(1.0, max(0, overlap_ms) / span_ms)
