"""Sessions as a user makes them: without the hooks that moto and Powertools give to every session of a process."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.lanes import without_mocks


@pytest.fixture(autouse=True)
def _without_mocks() -> Iterator[None]:
    with without_mocks():
        yield
