"""What reading the logs for one command may cost, has cost, and could not reach."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from opstool.words.loggroup import LogGroup
from opstool.words.logreading import DEFAULT_SCAN_LIMIT_BYTES

PRICE_PER_GB_USD = 0.005
"""Logs Insights, for each GB scanned, in us-east-1; elsewhere up to about twice that.
https://aws.amazon.com/cloudwatch/pricing/"""
_GB = 10**9
_MOST_EXPANSION = 1 / 0.15
"""How much more may be scanned than is stored. What is stored is billed compressed, to 15 % by the example of the
pricing page, and what is scanned is not. Whether `storedBytes` is the one or the other is not documented, so the
larger is expected until a query has told."""
_MARGIN = 1.5
"""How much denser another stretch of a log may be than those that were measured."""

_TELLING_SHARE = 1 / 20
"""How much must have been measured of what is stored in a stretch, for it to tell of that stretch."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Stretch:
    """Some log groups between two times, both included, in epoch milliseconds."""

    groups: tuple[LogGroup, ...]
    since_ms: int
    until_ms: int

    def holds(self, other: Stretch) -> bool:
        """Tell whether another stretch of the same groups lies within this one."""
        return self.groups == other.groups and self.since_ms <= other.since_ms and other.until_ms <= self.until_ms

    def middle_ms(self, now_ms: int) -> int:
        """Return the middle of the time in which there are events."""
        begins_at_ms = min((group.begins_at_ms(now_ms) for group in self.groups), default=0)
        since_ms, until_ms = max(self.since_ms, begins_at_ms), min(self.until_ms, now_ms)
        return ((since_ms + until_ms) if since_ms < until_ms else (self.since_ms + self.until_ms)) // 2

    def stored_bytes(self, now_ms: int) -> float:
        """Return what the groups store of this stretch, as if it had come evenly."""
        return sum(group.stored_between(self.since_ms, self.until_ms, now_ms=now_ms) for group in self.groups)


@dataclass(kw_only=True)
class Scan:
    """The bill of one command: the bound, the estimate, what finished queries scanned, and what was left unread.

    `unread` are the strings for which something could not be read to its end; `notes` are sentences for people.
    `estimated_bytes` is what the queries were expected to scan, before any was asked; `queries` of Logs Insights were
    started and `answered`, and `pages` of FilterLogEvents read. `is_insights_closed` once it is known that no query
    will be answered, and `unreadable` are the log groups of which FilterLogEvents has answered an error: who has hung
    once is not asked again for each of many stretches.
    """

    limit_bytes: int = DEFAULT_SCAN_LIMIT_BYTES
    queries: int = 0
    answered: int = 0
    pages: int = 0
    is_insights_closed: bool = False
    scanned_bytes: int = 0
    estimated_bytes: int = 0
    unread: set[str] = field(default_factory=set)
    unreadable: set[str] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)
    _measured: list[tuple[Stretch, int]] = field(default_factory=list, repr=False)
    _stored_measured: float = field(default=0.0, repr=False)
    _ratio: float = field(default=0.0, repr=False)

    @property
    def complete(self) -> bool:
        """Tell whether everything was read to its end."""
        return not self.unread

    @property
    def cost_usd(self) -> float:
        """Return approximately what the queries cost."""
        return self.scanned_bytes / _GB * PRICE_PER_GB_USD

    def estimate(self, stretch: Stretch, now_ms: int) -> int:
        """Return how many bytes a query of this stretch scans at most, as far as can be known.

        What was scanned before is scanned again; elsewhere it is what is stored, times what was learnt so far.
        """
        known = [scanned for measured, scanned in self._measured if measured.holds(stretch)]
        if known:
            return min(known)
        stored = stretch.stored_bytes(now_ms)
        learnt = self._ratio > 0 and self._stored_measured >= stored * _TELLING_SHARE
        expansion = min(_MOST_EXPANSION, max(1.0, self._ratio * _MARGIN)) if learnt else _MOST_EXPANSION
        return round(stored * expansion)

    def measure(self, stretch: Stretch, scanned_bytes: int, now_ms: int) -> None:
        """Learn what a finished query has scanned."""
        self._measured.append((stretch, scanned_bytes))
        stored = stretch.stored_bytes(now_ms)
        self._stored_measured += stored
        if stored:
            self._ratio = max(self._ratio, scanned_bytes / stored)

    def leave(self, needles: Iterable[str], note: str) -> None:
        """Remember that these strings were not sought everywhere, and why; a note is said once."""
        self.unread.update(needles)
        self.say(note)

    def say(self, note: str) -> None:
        """Keep a note, once."""
        if note not in self.notes:
            self.notes.append(note)
