from __future__ import annotations

import threading
from typing import Any

import pytest

from opstool.doors.toolkit import Toolkit
from opstool.engine.forecast import forecast
from opstool.fake import FakeLambda
from opstool.words.awserrors import error_for
from opstool.words.errors import AccessError
from opstool.words.forecast import span
from tests.world import World

REFUSED = error_for("x", "AccessDenied", "no", 403)


class Cloud:
    """Lambda and CloudWatch of an account; `asked` are its requests."""

    def __init__(self, world: World) -> None:
        self.functions = FakeLambda(world.clock)
        self.days: list[dict[str, float]] = []
        self.alarms: list[dict[str, Any]] = []
        self.asked: list[str] = []
        self.errors: dict[str, Exception] = {}
        self.hang: threading.Event | None = None
        self.has_answered = False

    def __call__(self, service: str, operation: str, request: dict[str, Any], /) -> dict[str, Any]:
        """Answer."""
        self.asked.append(operation)
        if self.hang:
            self.hang.wait(30)
            self.has_answered = True
        if operation in self.errors:
            raise self.errors[operation]
        if operation == "GetMetricStatistics":
            return {"Datapoints": self.days}
        if operation == "DescribeAlarms":
            return {"MetricAlarms": self.alarms, "CompositeAlarms": []}
        return self.functions(service, operation, request)


@pytest.fixture
def cloud(world: World) -> Cloud:
    """Return an account whose function takes ten at once, in 0.8 s a batch."""
    cloud = Cloud(world)
    cloud.days = [
        {"Average": 500.0, "Maximum": 900.0, "SampleCount": 1},
        {"Average": 900, "Maximum": 1_200, "SampleCount": 3},
    ]
    return cloud


def consume(cloud: Cloud, world: World, *, state: str = "Enabled", **mapping: Any) -> None:
    """Map the source queue to a function with a timeout of 30 s."""
    cloud.functions.add_function("worker", Timeout=30, **mapping.pop("function", {}))
    cloud.functions.add_mapping(world.source.arn, "worker", state=state, **mapping)


BOUNDED: dict[str, Any] = {"ScalingConfig": {"MaximumConcurrency": 10}}


def kit_of(world: World, cloud: Cloud) -> Toolkit:
    """Return a toolkit over both."""
    kit = world.kit()
    kit.ask = cloud
    return kit


def alarm(metric: str, threshold: float, **more: Any) -> dict[str, Any]:
    """Return an alarm on the source queue as DescribeAlarms tells it."""
    dimensions = [{"Name": "QueueName", "Value": "orders"}]
    base = {"AlarmName": "busy", "Namespace": "AWS/SQS", "MetricName": metric, "Dimensions": dimensions}
    how = {"ComparisonOperator": "GreaterThanThreshold", "Statistic": "Maximum", "Period": 60, "EvaluationPeriods": 1}
    return {**base, **how, "Threshold": threshold, **more}


def test_what_was_measured_tells_how_long_it_takes(world: World, cloud: Cloud) -> None:
    """Ten at once, a batch of ten in 0.8 s, weighted by the days' invocations: 30,000 take four minutes."""
    consume(cloud, world, **BOUNDED)
    told = forecast(kit_of(world, cloud), [world.source], 30_000)
    assert dict(told.facts) == {"consumer": "about 4m for 30,000 messages (10 at once, 0.8 s a batch of 10)"}
    assert told.notes == ()
    assert len(cloud.asked) == 4


def test_without_a_measurement_the_timeout_bounds_it(world: World, cloud: Cloud) -> None:
    """And the plan says that it is only that."""
    cloud.days = []
    consume(cloud, world, **BOUNDED)
    told = forecast(kit_of(world, cloud), [world.source], 3_000)
    basis = "10 at once, 30 s a batch of 10: the timeout of worker, no duration is known"
    assert told.facts["consumer"] == f"at most 15m for 3,000 messages ({basis})"


def test_a_rate_below_the_consumer_decides(world: World, cloud: Cloud) -> None:
    """One a second for an hour."""
    consume(cloud, world, **BOUNDED)
    told = forecast(kit_of(world, cloud), [world.source], 3_600, 1)
    assert told.facts["consumer"].startswith("about 1h for 3,600 messages at --rate 1 (about 29s: 10 at once")


def test_what_bounds_nothing_is_warned_of(world: World, cloud: Cloud) -> None:
    """A gentle rate is named; with it there is no warning, and with a reserved concurrency neither."""
    consume(cloud, world)
    kit = kit_of(world, cloud)
    [note] = forecast(kit, [world.source], 3_000).notes
    assert note.startswith("nothing bounds how many copies of worker run at once")
    assert "--rate 120" in note
    assert forecast(kit, [world.source], 3_000, 120).notes == ()
    cloud.functions.add_function("worker", Timeout=30, ReservedConcurrentExecutions=4)
    told = forecast(kit, [world.source], 3_000)
    assert (told.notes, "(4 at once" in told.facts["consumer"]) == ((), True)


@pytest.mark.parametrize("off", [{"state": "Disabled"}, {"function": {"ReservedConcurrentExecutions": 0}}])
def test_a_consumer_that_is_off_is_warned_of(world: World, cloud: Cloud, off: dict[str, Any]) -> None:
    """The messages would wait, so nothing is said of how long."""
    consume(cloud, world, **off)
    told = forecast(kit_of(world, cloud), [world.source], 10)
    assert dict(told.facts) == {}
    assert [each.startswith('the consumer of "orders" is switched off') for each in told.notes] == [True]


def test_messages_that_would_expire_are_warned_of(world: World, cloud: Cloud) -> None:
    """A minute of retention, four of work."""
    attributes = {"MessageRetentionPeriod": "60"}
    world.fake("SetQueueAttributes", {"QueueUrl": world.source.url, "Attributes": attributes})
    consume(cloud, world, **BOUNDED)
    kit = kit_of(world, cloud)
    [note] = forecast(kit, [world.source], 30_000).notes
    assert (
        note
        == 'messages may expire in "orders" before its consumer is through: it keeps them for 1m; --rate 110 avoids it'
    )
    assert forecast(kit, [world.source], 30_000, 110).notes == ()


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (
            alarm("ApproximateNumberOfMessagesVisible", 1_000),
            '30,000 messages in "orders", above 1,000; --rate 110 avoids it',
        ),
        (alarm("ApproximateNumberOfMessagesVisible", 0), '30,000 messages in "orders", above 0'),
        (
            alarm("ApproximateAgeOfOldestMessage", 90),
            'the oldest message in "orders" 4m old, above 1m 30s; --rate 110 avoids it',
        ),
    ],
    ids=["depth", "no rate keeps a queue empty", "age"],
)
def test_an_alarm_that_would_go_off_is_named(world: World, cloud: Cloud, found: dict[str, Any], text: str) -> None:
    """With the rate that avoids it, where there is one."""
    consume(cloud, world, **BOUNDED)
    cloud.alarms = [found]
    assert forecast(kit_of(world, cloud), [world.source], 30_000).notes == (f"the alarm busy would go off: {text}",)


@pytest.mark.parametrize(
    "found",
    [
        alarm("ApproximateNumberOfMessagesVisible", 40_000),
        alarm("ApproximateAgeOfOldestMessage", 90, EvaluationPeriods=5),
        alarm("ApproximateNumberOfMessagesVisible", 1_000, ComparisonOperator="LessThanThreshold"),
        alarm("ApproximateNumberOfMessagesVisible", 1_000, Metrics=[{"Id": "e", "Expression": "m * 2"}]),
        alarm("ApproximateNumberOfMessagesVisible", 1, Dimensions=[{"Name": "QueueName", "Value": "another"}]),
        {"AlarmName": "band", "Metrics": [], "ThresholdMetricId": "ad1"},
    ],
    ids=["not reached", "not for long enough", "too few", "metric math", "another queue", "a band"],
)
def test_other_alarms_are_not(world: World, cloud: Cloud, found: dict[str, Any]) -> None:
    """Only what is certain is said."""
    consume(cloud, world, **BOUNDED)
    cloud.alarms = [found]
    assert forecast(kit_of(world, cloud), [world.source], 30_000).notes == ()


@pytest.mark.parametrize(
    "operation", ["GetFunctionConfiguration", "GetFunctionConcurrency", "GetMetricStatistics", "DescribeAlarms"]
)
@pytest.mark.parametrize("error", [REFUSED, ValueError("garbage")], ids=["denied", "broken"])
def test_what_cannot_be_asked_is_left_out(
    world: World, cloud: Cloud, operation: str, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No forecast is a reason for a redrive to fail, or to print a traceback."""
    died: list[object] = []
    monkeypatch.setattr(threading, "excepthook", died.append)
    consume(cloud, world)
    cloud.errors[operation] = error
    forecast(kit_of(world, cloud), [world.source], 10)
    assert died == []


def test_who_may_not_ask_lambda_is_told_once(world: World, cloud: Cloud) -> None:
    """One quiet note; where there is no Lambda at all, none."""
    cloud.errors["ListEventSourceMappings"] = AccessError("no", code="access_denied")
    told = forecast(kit_of(world, cloud), [world.source, world.dlq], 10)
    assert told.notes == ("how long the consumer will need is not known: no",)
    assert forecast(world.kit(), [world.source], 10).notes == ()


def test_an_api_that_hangs_is_not_waited_for(world: World, cloud: Cloud) -> None:
    """The plan comes without a forecast."""
    cloud.hang = threading.Event()
    told = forecast(kit_of(world, cloud), [world.source], 10, patience_s=0.01)
    assert not cloud.has_answered
    cloud.hang.set()
    assert (dict(told.facts), told.notes) == ({}, ())


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.1, "1s"), (60, "1m"), (61, "1m 1s"), (3_600, "1h"), (3_661, "1h 1m"), (259_205, "3d")]
)
def test_a_span_has_its_two_largest_units(seconds: float, text: str) -> None:
    """As people say it."""
    assert span(seconds) == text
