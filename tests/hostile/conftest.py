"""Give each test a small AWS of its own, reached through the command line."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest
import typer.main

from tests.cli.world import World

build = cache(typer.main.get_command)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """Return a source queue with an empty DLQ, far from any AWS."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")
    # Two thirds of a short command's time go into building the command tree, which is the same for all of them.
    monkeypatch.setattr("typer.main.get_command", build)
    return World(state_dir=tmp_path / "state", patch=monkeypatch)
