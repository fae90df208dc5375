"""A process takes the lane that its task names: otherwise half of the crashes would say nothing about that lane."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.faults.crash.shop import Shop
from tests.lanes import LANES


@pytest.mark.parametrize("lane", LANES)
def test_a_process_takes_its_lane(lane: str, open_a_shop: Callable[..., Shop]) -> None:
    """It says so itself."""
    shop = open_a_shop(lane=lane)
    shop.fill(["a:0 take"])
    end = shop.run("--verbose", "dlq", "redrive", shop.dlq, "--yes")
    assert end.status == 0, end.err
    [told] = [line for line in end.err.splitlines() if line.startswith("requests: ")]
    assert told.removeprefix("requests: ").split()[0] == lane
