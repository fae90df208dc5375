"""A server is reached over the lane that was asked for: otherwise this suite would hold one lane twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from opstool.doors.toolkit import connect
from tests.lanes import DEFAULT, LANES
from tests.servers.server import Server


def test_the_hot_requests_take_the_lane_that_is_asked_for(
    server: Server, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Both the server's own session and a toolkit that the test makes."""
    if server.connection is None:
        pytest.skip("nothing lies between us and this server")
    way = request.node.callspec.params["server"]
    queue = server.make_queue()
    kit = connect(server.connection, state_dir=tmp_path)
    assert kit.lanes() == []
    assert kit.sqs.receive(kit.sqs.resolve(queue.name), visibility_timeout_s=1, wait_s=0) == []
    assert queue.receive() == []
    [told] = kit.lanes()
    assert told.split()[0] == way.lane
    assert way.lane in LANES
    assert ("OPSTOOL_SDK" in told) == (way.lane != DEFAULT)
