"""Give each test a small AWS of its own, reached through the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.world import World


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """Return a source queue with an empty DLQ, far from any AWS."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")
    return World(state_dir=tmp_path / "state", patch=monkeypatch)
