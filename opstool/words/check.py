"""One check of the doctor: what was found of one thing, what is wanted, why, and how to mend it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class CheckStatus(StrEnum):
    """How a check ended."""

    PASSED = "passed"
    FAILED = "failed"
    UNKNOWN = "unknown"
    """What it needs could not be read; `found` says why, and which permission is missing."""
    ASKED = "asked"
    """It cannot be seen from outside; `found` is the question that a person has to answer."""
    SKIPPED = "skipped"
    """It was not wanted, or has nothing to look at; `found` says how to have it done."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Variable:
    """A word of a command that only its reader knows: the shell takes it from the environment."""

    name: str
    meaning: str


Command = tuple[str | Variable, ...]
"""The words of one command, unquoted, beginning with `aws` or `opstool`; the face adds profile, region and endpoint."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Fix:
    """How to mend what failed: `commands` to run one after the other, `template` lines for the SAM template."""

    commands: tuple[Command, ...] = ()
    template: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """The outcome of a check on one `subject` (the name of a queue, function, alarm, key or action)."""

    code: str
    title: str
    subject: str
    status: CheckStatus
    found: str
    why: str
    wanted: str = ""
    fix: Fix | None = None

    @property
    def page(self) -> str:
        """Return where the check is explained: each code has a section of its name."""
        return f"docs/doctor.md#{self.code}"

    def document(self) -> dict[str, Any]:
        """Return the JSON document but for `fix`, whose commands the face completes."""
        return {
            "version": 1,
            "type": "check",
            "code": self.code,
            "title": self.title,
            "subject": self.subject,
            "status": self.status.value,
            "found": self.found,
            "wanted": self.wanted or None,
            "why": self.why,
            "page": self.page,
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """What is the same of a check in every account: its stable code, what is right as a title, and why it matters."""

    code: str
    title: str
    why: str

    def passed(self, subject: str, found: str) -> Check:
        """Return the check of something that is as it should be."""
        return self._check(subject, CheckStatus.PASSED, found)

    def failed(self, subject: str, found: str, *, wanted: str, fix: Fix | None = None) -> Check:
        """Return the check of something that is not."""
        return self._check(subject, CheckStatus.FAILED, found, wanted=wanted, fix=fix)

    def unknown(self, subject: str, reason: str) -> Check:
        """Return the check of something that could not be read."""
        return self._check(subject, CheckStatus.UNKNOWN, reason)

    def asked(self, subject: str, question: str, *, wanted: str = "") -> Check:
        """Return the check of something that only a person knows."""
        return self._check(subject, CheckStatus.ASKED, question, wanted=wanted)

    def skipped(self, subject: str, how: str) -> Check:
        """Return the check of something that was not looked at."""
        return self._check(subject, CheckStatus.SKIPPED, how)

    def _check(
        self, subject: str, status: CheckStatus, found: str, *, wanted: str = "", fix: Fix | None = None
    ) -> Check:
        return Check(
            code=self.code,
            title=self.title,
            subject=subject,
            status=status,
            found=found,
            why=self.why,
            wanted=wanted,
            fix=fix,
        )


def counts(checks: Iterable[Check]) -> Mapping[str, int]:
    """Return how many checks ended in each way, zeros included."""
    counted = Counter(each.status for each in checks)
    return {status.value: counted[status] for status in CheckStatus}
