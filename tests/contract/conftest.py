"""Give every contract test each server in turn.

`@pytest.mark.departs(moto="...")` names what a server does otherwise than AWS: there the test has to fail, and says so
once the server mends itself.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.contract.servers import SERVERS, Server


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker of this suite."""
    config.addinivalue_line("markers", "departs(**reasons): servers on which this promise does not hold, and why")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Expect the failures that the markers name, on their servers only."""
    for item in items:
        callspec = getattr(item, "callspec", None)
        name = callspec.params.get("server", "") if callspec else ""
        for marker in item.iter_markers("departs"):
            if name in marker.kwargs:
                item.add_marker(pytest.mark.xfail(reason=f"{name}: {marker.kwargs[name]}", strict=True))


@pytest.fixture(scope="module", params=list(SERVERS))
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """Open one server for the tests of a file."""
    opened = SERVERS[request.param]()
    yield opened
    opened.close()
