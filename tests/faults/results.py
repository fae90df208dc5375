"""What the fault suites have shown: rows that tests record, added up to one Markdown table a suite."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

PROPERTY = "faults"
"""The user property of a test under which its rows travel, also from one process to another."""
BEGIN, END = "<!-- table: begin -->", "<!-- table: end -->"
PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"
_MINIMAL_PAGE = f"# Reliability\n\n{BEGIN}\n{END}\n"
_COLUMNS = ("", "seeds", "runs", "messages", "strikes", "lost", "sent twice", "of these counted", "seconds")


class RecordRun:
    """Remembers what a test has run; may be called more than once a test, and a row by more than one test.

    Call it also when the test is about to fail (in a `finally`): a row of a test that failed says FAILED.
    """

    def __init__(self, node: pytest.Item) -> None:
        self._node = node
        self._since_s = time.perf_counter()

    def __call__(
        self,
        suite: str,
        row: str,
        *,
        messages: int,
        seeds: str = "",
        strikes: int = 0,
        doubled: int = 0,
        counted: int = 0,
        runs: int = 1,
    ) -> None:
        """Record runs under one row: `doubled` messages were sent twice, `counted` were told as possibly sent twice."""
        since_s, self._since_s = self._since_s, time.perf_counter()
        sums = {"runs": runs, "messages": messages, "strikes": strikes, "doubled": doubled, "counted": counted}
        shown = {"suite": suite, "row": row, "seeds": seeds, "seconds": self._since_s - since_s}
        self._node.user_properties.append((PROPERTY, {**shown, **sums}))


@dataclass(kw_only=True)
class Row:
    """The sum of what was recorded under one name."""

    runs: int = 0
    messages: int = 0
    strikes: int = 0
    doubled: int = 0
    counted: int = 0
    seconds: float = 0.0
    seeds: set[str] = field(default_factory=set)
    failed: bool = False

    def add(self, record: Mapping[str, Any], *, failed: bool) -> None:
        """Add what one test has recorded."""
        for name in ("runs", "messages", "strikes", "doubled", "counted", "seconds"):
            setattr(self, name, getattr(self, name) + record[name])
        self.seeds |= {record["seeds"]} - {""}
        self.failed |= failed

    def cells(self, name: str) -> tuple[str, ...]:
        """Return what stands in the columns."""
        lost = "FAILED" if self.failed else "0"
        sums = (f"{each:,}" for each in (self.runs, self.messages, self.strikes))
        twice = (f"{each:,}" for each in (self.doubled, self.counted))
        return (name, ", ".join(sorted(self.seeds)), *sums, lost, *twice, f"{self.seconds:.0f}")


def tables(reports: Iterable[pytest.TestReport]) -> dict[str, str]:
    """Return the table of each suite in Markdown, by the suite's name, in the order in which they were recorded."""
    reports = list(reports)
    failed = {each.nodeid for each in reports if each.failed}
    suites: dict[str, dict[str, Row]] = {}
    for report in (each for each in reports if each.when == "call"):
        for name, record in report.user_properties:
            if name == PROPERTY and isinstance(record, dict):
                rows = suites.setdefault(record["suite"], {})
                rows.setdefault(record["row"], Row()).add(record, failed=report.nodeid in failed)
    return {suite: _table(rows) for suite, rows in sorted(suites.items())}


def untold(reports: Iterable[pytest.TestReport]) -> list[str]:
    """Return the tests that failed before they had recorded anything: no row says so."""
    recorded = {each.nodeid: any(name == PROPERTY for name, _ in each.user_properties) for each in reports}
    return sorted({each.nodeid for each in reports if each.failed and not recorded[each.nodeid]})


def write_into(page: Path, new: Mapping[str, str]) -> None:
    """Put the tables between the page's markers; a suite that did not run keeps the table it has."""
    text = page.read_text() if page.exists() else _MINIMAL_PAGE
    before, rest = text.split(BEGIN)
    between, after = rest.split(END)
    old = dict(re.findall(r"^### (.+?)\n\n((?:\|.*\n)+)", between, flags=re.MULTILINE))
    merged = {**old, **new}
    sections = "".join(f"\n### {suite}\n\n{merged[suite]}" for suite in sorted(merged))
    page.write_text(f"{before}{BEGIN}\n{sections}\n{END}{after}")


def _table(rows: Mapping[str, Row]) -> str:
    lines = [_COLUMNS, ("---", "---", *["---:"] * (len(_COLUMNS) - 2))]
    lines += [row.cells(name) for name, row in sorted(rows.items(), key=lambda each: _natural(each[0]))]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def _natural(name: str) -> list[tuple[int, str]]:
    """Return a sort key in which 10 comes after 9."""
    return [(int(part), "") if part.isdigit() else (0, part) for part in re.split(r"(\d+)", name)]
