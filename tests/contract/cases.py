"""The cases of a table as parameters of a test, each with the servers on which it does not hold."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

import pytest


def cases(names: Iterable[str], reason: str, **departing: Collection[str]) -> list[Any]:
    """Return the names as parameters; `departing` tells for a server the names at which it departs, for `reason`."""
    return [
        pytest.param(
            name, marks=pytest.mark.departs(**{server: reason for server, which in departing.items() if name in which})
        )
        for name in names
    ]
