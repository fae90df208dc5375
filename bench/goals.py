"""What this project set out to reach, and whether a run of the benchmark reached it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.contestants import BARE, LEAN, LOOP_16, Row
from bench.measure import Run

RATE = 15_000
"""Messages a second: thirty times what SQS's own move task does at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """One goal: the number found, None where it was not measured, and its bound."""

    words: str
    found: float | None
    bound: float
    at_least: bool = False

    @property
    def verdict(self) -> str:
        """Return reached, missed or not measured."""
        if self.found is None:
            return "not measured"
        is_reached = self.found >= self.bound if self.at_least else self.found <= self.bound
        return "reached" if is_reached else "missed"


def goals(
    rows: Sequence[Row], listings: dict[int, Run], shares: dict[str, float], startups: Sequence[dict[str, object]]
) -> list[Goal]:
    """Return every goal with what was found."""
    lean, loop = best(rows, LEAN, 1.0), best(rows, LOOP_16, 1.0)
    beside = pair(rows)
    third = best(rows, LEAN, 0.3)
    rate, calls = (lean.per_s, lean.calls_each) if lean else (None, None)
    large = listings.get(100_000)
    work_s = sum(spent_s for part, spent_s in shares.items() if part != "start")
    journal = 100 * shares.get("journal", 0.0) / work_s if work_s else None
    return [
        Goal(words="messages moved a second", found=rate, bound=RATE, at_least=True),
        Goal(
            words="% of the bare client's rate, with the same connections" + (f" ({beside[0]})" if beside else ""),
            found=_percent(beside[1].per_s, beside[2].per_s) if beside else None,
            bound=75,
            at_least=True,
        ),
        Goal(
            words="% of the CPU a message of the boto3 loop with 16 threads",
            found=_percent(lean.cpu_us if lean else None, loop.cpu_us if loop else None),
            bound=100 / 6,
        ),
        Goal(words="calls a moved message, all matching", found=calls, bound=0.31),
        Goal(
            words="calls a moved message, 30 % matching, releases included",
            found=third.calls_each if third else None,
            bound=0.8,
        ),
        Goal(words="seconds to list 100,000", found=large.whole_wall_s if large else None, bound=10),
        Goal(words="MB of memory at most to list 100,000", found=large.peak_mb if large else None, bound=150),
        Goal(words="% of the CPU of the work is the journal's", found=journal, bound=20),
        Goal(words="times a bare Python with typer for `opstool --help`", found=_startup(startups), bound=3),
    ]


def pair(rows: Sequence[Row]) -> tuple[int, Run, Run] | None:
    """Return the connections with which we come closest to the bare client, and both runs.

    Where the rate is reached with some of them, the others do not count: few connections are easily kept busy.
    """
    floor = {row.workers: row.run for row in rows if row.name == BARE and row.match == 1.0 and row.run}
    pairs = [
        (row.workers, row.run, floor[row.workers])
        for row in rows
        if row.name == LEAN and row.match == 1.0 and row.run and row.workers in floor
    ]
    quick = [each for each in pairs if each[1].per_s >= RATE]
    if quick:
        return max(quick, key=lambda each: each[1].per_s / each[2].per_s)
    return max(pairs, key=lambda each: each[1].per_s, default=None)


def _percent(found: float | None, of: float | None) -> float | None:
    return 100 * found / of if found and of else None


def _startup(rows: Sequence[dict[str, object]]) -> float | None:
    """Return the ratio of the row of `opstool --help`."""
    for row in rows:
        ratio = row.get("ratio")
        if isinstance(ratio, (int, float)) and "opstool --help" in row.values():
            return float(ratio)
    return None


def best(rows: Sequence[Row], name: str, match: float) -> Run | None:
    """Return the quickest run of a contestant at a match rate."""
    runs = [row.run for row in rows if row.name == name and row.match == match and row.run]
    return max(runs, key=lambda run: run.per_s, default=None)
