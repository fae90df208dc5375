"""What the fault suites share: a fixture that records what was run, and the tables at the end."""

from __future__ import annotations

import os

import pytest

from tests.faults.results import PAGE, RecordRun, tables, untold, write_into
from tests.faults.scale import FULL


@pytest.fixture
def record_run(request: pytest.FixtureRequest) -> RecordRun:
    """Return what notes a run for the table of its suite."""
    return RecordRun(request.node)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the tables when the fault suites are asked for by name; UPDATE_GOLDEN=1 FAULTS=full publishes them."""
    stats = terminalreporter.stats
    reports = [each for kind in ("passed", "failed", "error") for each in stats.get(kind, [])]
    reports = [each for each in reports if isinstance(each, pytest.TestReport)]
    shown = tables(reports)
    for suite, table in shown.items():
        terminalreporter.write_line(f"\n### {suite}\n\n{table}")
    for nodeid in untold(reports) if shown else []:
        terminalreporter.write_line(f"FAILED before it recorded anything: {nodeid}")
    if FULL and os.environ.get("UPDATE_GOLDEN"):
        write_into(PAGE, shown)
