"""Worlds for the tests of the engine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.world import World, make_world


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Make `orders` and `orders-dlq`, empty."""
    made = make_world(tmp_path / "state-of-test")
    yield made
    made.close()


@pytest.fixture
def fifo_world(tmp_path: Path) -> Iterator[World]:
    """Make `orders.fifo` and `orders-dlq.fifo`, empty."""
    made = make_world(tmp_path / "state-of-test", fifo=True)
    yield made
    made.close()
