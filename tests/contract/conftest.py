"""Give every contract test each server in turn, and over HTTP each lane to it.

`@pytest.mark.one_lane` is for what asks for nothing that the lanes do differently: it runs over the default one alone.
`@pytest.mark.departs(moto="...")` names what a server does otherwise than AWS: there the test has to fail, and says so
once the server mends itself. `@pytest.mark.steps_around(moto="...")` is for what would fail there by chance only, or
not within the time of a test. A hyphen in a server's name is an underscore in both.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass, replace

import pytest

from tests.lanes import DEFAULT, LANES, check_taken, over, session_over
from tests.servers import SERVERS, Server, opened


@dataclass(frozen=True)
class Way:
    """A server, and the lane to it; in memory there is none."""

    server: str
    lane: str = ""

    def __str__(self) -> str:
        """Return the name that selects it with -k."""
        return "-".join(filter(None, (self.server, self.lane)))


WAYS = [Way("fake"), *(Way(name, lane) for name in SERVERS if name != "fake" for lane in LANES)]


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers of this suite."""
    config.addinivalue_line("markers", "departs(**reasons): servers on which this promise does not hold, and why")
    config.addinivalue_line("markers", "one_lane: what both lanes would do alike")
    config.addinivalue_line("markers", "steps_around(**reasons): servers on which this is not tried, and why")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Expect the failures that the markers name, on their servers only; leave out what a second lane would repeat."""
    items[:] = [each for each in items if not each.get_closest_marker("one_lane") or _way(each).lane in {"", DEFAULT}]
    for item in items:
        for reason in _reasons(item, "departs"):
            item.add_marker(pytest.mark.xfail(reason=reason, strict=True))
        for reason in _reasons(item, "steps_around"):
            item.add_marker(pytest.mark.skip(reason=reason))


def _reasons(item: pytest.Item, marker: str) -> list[str]:
    """Return what the markers of a test say about the server that it is given."""
    name = _way(item).server
    key = name.replace("-", "_")
    return [f"{name}: {each.kwargs[key]}" for each in item.iter_markers(marker) if key in each.kwargs]


def _way(item: pytest.Item) -> Way:
    callspec = getattr(item, "callspec", None)
    way = callspec.params.get("server") if callspec else None
    return way if isinstance(way, Way) else Way("")


@pytest.fixture(scope="package", params=WAYS, ids=str)
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """Open one server for all tests of the suite: pytest runs them server by server, and lane by lane."""
    way: Way = request.param
    server = opened(way.server)
    if not server.connection:
        yield server
        return
    session = session_over(way.lane, server.connection)
    yield replace(server, call=session.sqs_call)
    server.close()
    check_taken(way.lane, session)


@pytest.fixture(autouse=True)
def _over_the_lane(request: pytest.FixtureRequest, _no_settings_of_the_user: None) -> Iterator[None]:
    """Let every session that a test makes itself take the lane of its server."""
    way = _way(request.node)
    with over(way.lane) if way.lane else nullcontext():
        yield
