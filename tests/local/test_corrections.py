"""Each correction to moto works, and is still needed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from opstool.local.server import EmbeddedServer
from tests.local import departures, function_departures, log_departures  # noqa: F401 they enter their scenarios
from tests.local.scenarios import SCENARIOS, Emulator

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def moto_as_it_is() -> dict[str, bool]:
    """Run the scenarios against uncorrected moto, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.local.uncorrected"], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.returncode == 0, done.stderr
    answers: dict[str, bool] = json.loads(done.stdout.splitlines()[-1])
    return answers


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_corrected_emulator_behaves_as_aws(name: str, server: EmbeddedServer) -> None:
    """The corrected server does what AWS does."""
    assert SCENARIOS[name](Emulator(settings=server.settings, advance=server.advance))


@pytest.mark.xdist_group("moto-as-it-is")
def test_moto_still_needs_every_correction(moto_as_it_is: dict[str, bool]) -> None:
    """A correction that moto has made unnecessary must go."""
    assert sorted(moto_as_it_is) == sorted(SCENARIOS)
    assert [name for name, holds in moto_as_it_is.items() if holds] == []
