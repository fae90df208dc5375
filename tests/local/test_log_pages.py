"""A page of log events ends where the service ends it, and the next goes on from there."""

from __future__ import annotations

import time
from typing import Any

import pytest

from opstool.local.server import EmbeddedServer


@pytest.fixture(scope="module")
def logs(server: EmbeddedServer) -> Any:
    """Return a client of a log group with five events of 400 kB."""
    client, now_ms = server.settings.client("logs"), int(time.time() * 1000)
    client.create_log_group(logGroupName="g")
    client.create_log_stream(logGroupName="g", logStreamName="s")
    for number in range(5):
        line = {"timestamp": now_ms + number, "message": f"{number}" + "x" * 400_000}
        client.put_log_events(logGroupName="g", logStreamName="s", logEvents=[line])
    return client


@pytest.mark.parametrize(("limit", "sizes"), [(10_000, [2, 2, 1]), (1, [1, 1, 1, 1, 1])])
def test_a_page_holds_a_megabyte_or_the_limit(logs: Any, limit: int, sizes: list[int]) -> None:
    """No event is left out, and none comes twice."""
    pages: list[list[str]] = []
    request: dict[str, Any] = {"logGroupName": "g", "limit": limit}
    while True:
        answer = logs.filter_log_events(**request)
        pages.append([event["message"][0] for event in answer["events"]])
        if "nextToken" not in answer:
            break
        request["nextToken"] = answer["nextToken"]
    assert [len(page) for page in pages] == sizes
    assert "".join(number for page in pages for number in page) == "01234"
