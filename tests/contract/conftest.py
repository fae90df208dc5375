"""Give every contract test each server in turn.

`@pytest.mark.departs(moto="...")` names what a server does otherwise than AWS: there the test has to fail, and says so
once the server mends itself. `@pytest.mark.steps_around(moto="...")` is for what would fail there by chance only, or
not within the time of a test. A hyphen in a server's name is an underscore in both.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.servers import SERVERS, Server, opened


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers of this suite."""
    config.addinivalue_line("markers", "departs(**reasons): servers on which this promise does not hold, and why")
    config.addinivalue_line("markers", "steps_around(**reasons): servers on which this is not tried, and why")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Expect the failures that the markers name, on their servers only."""
    for item in items:
        for reason in _reasons(item, "departs"):
            item.add_marker(pytest.mark.xfail(reason=reason, strict=True))
        for reason in _reasons(item, "steps_around"):
            item.add_marker(pytest.mark.skip(reason=reason))


def _reasons(item: pytest.Item, marker: str) -> list[str]:
    """Return what the markers of a test say about the server that it is given."""
    callspec = getattr(item, "callspec", None)
    name = str(callspec.params.get("server", "")) if callspec else ""
    key = name.replace("-", "_")
    return [f"{name}: {each.kwargs[key]}" for each in item.iter_markers(marker) if key in each.kwargs]


@pytest.fixture(scope="package", params=list(SERVERS))
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """Open one server for all tests of the suite: pytest runs them server by server."""
    server = opened(request.param)
    yield server
    server.close()
