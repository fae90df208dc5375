"""Processes killed at seeded points, twice each, and resumed to the end: CRASHES says how many."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.crash.crowd import tell_all
from tests.faults.crash.scene import scenes
from tests.faults.crash.zygote import Zygote
from tests.faults.results import RecordRun
from tests.faults.scale import CRASHES

TESTS = 20


@pytest.mark.parametrize("first", range(TESTS), ids=lambda first: f"seeds {first}, {first + TESTS}, ...")
def test_a_run_that_is_killed_twice_loses_nothing_and_counts_what_it_may_have_sent_twice(
    first: int, zygote: Zygote, tmp_path: Path, record_run: RecordRun
) -> None:
    """Each is shown as interrupted, and resumed until it is done; then everything is where it was meant to be."""
    mine = [each for seed in range(first, CRASHES, TESTS) for each in scenes(seed)]
    tell_all(zygote, tmp_path, mine, record_run, seeds=f"0 to {CRASHES - 1}")
