"""CloudWatch Logs through boto3: the fake and moto answer our door alike, but where moto applies no filter."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC
from typing import Any

import pytest
from moto import mock_aws
from moto.logs import models as logs_models

from opstool.doors.ask import Ask
from opstool.doors.clock import SystemClock
from opstool.doors.logs.logs import Logs
from opstool.doors.logs.scan import Scan
from opstool.doors.session import Connection, Session
from opstool.fake import FakeLogs
from opstool.words.errors import NotFoundError

GROUPS = ("/aws/lambda/orders", "/aws/lambda/payments")
STREAM = "2027/01/15/[$LATEST]0a"


@pytest.fixture(params=["fake", "moto"])
def ask(request: pytest.FixtureRequest) -> Iterator[Ask]:
    """Return each service in turn; boto3 checks every request on its way to moto."""
    if request.param == "fake":
        yield FakeLogs(SystemClock())
        return
    with mock_aws():
        yield Session(Connection(region="eu-west-1", access_key_id="testing", secret_access_key="testing")).ask


@pytest.fixture
def since_ms(ask: Ask) -> int:
    """Write ten events a second apart into each of two groups; return the time of the first."""
    since_ms = _now_ms(ask) + 20_000  # a query may not end before its group was made
    for group in GROUPS:
        events: list[dict[str, Any]] = [
            {"timestamp": since_ms + number * 1_000, "message": f"{group} {'needle' if number % 2 else 'hay'} {number}"}
            for number in range(10)
        ]
        stream = {"logGroupName": group, "logStreamName": STREAM}
        ask("logs", "CreateLogGroup", {"logGroupName": group})
        ask("logs", "CreateLogStream", stream)
        ask("logs", "PutLogEvents", {**stream, "logEvents": events})
    return since_ms


def _now_ms(ask: Ask) -> int:
    """Return the service's time: moto's may have been moved in this process, and it takes no event of its far past."""
    clock = SystemClock().wall() if isinstance(ask, FakeLogs) else logs_models.utcnow().replace(tzinfo=UTC).timestamp()
    return round(clock * 1_000)


@pytest.fixture
def logs(ask: Ask) -> Logs:
    """Return our door."""
    return Logs(ask, SystemClock())


def test_a_group_tells_its_size(logs: Logs, since_ms: int) -> None:
    """From which the estimate is made."""
    group = logs.describe(GROUPS[0])
    assert group.stored_bytes > 0
    assert group.created_at_ms > since_ms - 60_000
    assert (group.log_class, group.retention_days) == ("STANDARD", None)


def test_a_group_that_is_not_there(logs: Logs) -> None:
    """It has a code of its own, whoever answers."""
    with pytest.raises(NotFoundError) as caught:
        logs.describe("gone")
    assert caught.value.code == "log_group_not_found"


@pytest.mark.parametrize("way", ["find", "recent"])
def test_the_events_that_are_meant(ask: Ask, logs: Logs, since_ms: int, way: str) -> None:
    """By queries or page by page; of both groups, within the range, each of them once."""
    scan = Scan()
    groups = [logs.describe(each) for each in GROUPS]
    look = logs.find if way == "find" else logs.recent
    events = look(groups, ["needle", "other"], since_ms=since_ms + 1_000, until_ms=since_ms + 5_000, scan=scan)
    found = sorted((each.log_group, each.at_ms - since_ms, each.text, each.log_stream) for each in events)
    assert found == [
        (group, number * 1_000, f"{group} needle {number}", STREAM) for group in GROUPS for number in (1, 3, 5)
    ]
    assert scan.complete
    if isinstance(ask, FakeLogs):  # moto's clock may have been moved in this process, and a query then comes too early
        assert scan.queries == (way == "find")


def test_what_stands_around(logs: Logs, since_ms: int) -> None:
    """In order, both ends included."""
    events = logs.around(GROUPS[0], STREAM, since_ms=since_ms + 2_000, until_ms=since_ms + 4_000)
    assert [each.at_ms - since_ms for each in events] == [2_000, 3_000, 4_000]
