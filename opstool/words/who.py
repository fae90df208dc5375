"""Whom AWS takes us for, as far as it could be asked."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Who:
    """One identity: `arn` and `account`. Where STS could not be asked both are None, and `why_unknown` says why."""

    arn: str | None = None
    account: str | None = None
    why_unknown: str | None = None

    @property
    def text(self) -> str:
        """Return the identity for people: its ARN and account, or why it is not known."""
        if self.arn is None:
            return f"unknown ({self.why_unknown})" if self.why_unknown else "unknown"
        return f"{self.arn} (account {self.account})"
