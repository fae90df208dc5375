"""The tables of the fault suites: what tests record is added up, and a row with a failed test says so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.faults.results import BEGIN, END, PROPERTY, tables, untold, write_into


def told(nodeid: str, *, passed: bool = True, when: Any = "call", **record: Any) -> pytest.TestReport:
    """Return the report of a test that has recorded one run, or none."""
    sums = {"runs": 1, "messages": 1_000, "strikes": 3, "doubled": 2, "counted": 2, "seconds": 0.4}
    properties: list[Any] = [(PROPERTY, {"suite": "S", "seeds": "1", **sums, **record})] if record else []
    outcome: Any = "passed" if passed else "failed"
    return pytest.TestReport(nodeid, ("f", 1, "t"), {}, outcome, None, when, user_properties=properties)


def test_runs_of_one_row_are_added_up() -> None:
    """Over tests and seeds; 10 % stands after 1 %."""
    table = tables([told("a", row="cut, 10 %"), told("b", row="cut, 10 %", seeds="2"), told("c", row="cut, 1 %")])["S"]
    assert table.splitlines()[2:] == [
        "| cut, 1 % | 1 | 1 | 1,000 | 3 | 0 | 2 | 2 | 0 |",
        "| cut, 10 % | 1, 2 | 2 | 2,000 | 6 | 0 | 4 | 4 | 1 |",
    ]


@pytest.mark.parametrize("when", ["call", "teardown"])
def test_a_row_whose_test_failed_says_so(when: str) -> None:
    """Whichever of its tests it was, and when."""
    reports = [
        told("a", row="r"),
        told("b", row="r", passed=when == "call"),
        told("b", row="r", passed=False, when=when),
    ]
    assert "| FAILED |" in tables(reports)["S"]


def test_a_test_that_failed_before_it_recorded_anything_is_named() -> None:
    """No row would say so."""
    assert untold([told("a", passed=False), told("b", row="r", passed=False), told("c")]) == ["a"]


def test_a_suite_that_did_not_run_keeps_its_table(tmp_path: Path) -> None:
    """The page around the tables stays as it is."""
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\n{END}\nafter\n")
    write_into(page, tables([told("a", row="r"), told("b", suite="T", row="old")]))
    write_into(page, tables([told("b", suite="T", row="new")]))
    text = page.read_text()
    assert text.startswith(f"before\n{BEGIN}\n\n### S\n\n| ")
    assert text.endswith(f" |\n\n{END}\nafter\n")
    assert ("| r |" in text, "| new |" in text, "| old |" in text) == (True, True, False)
