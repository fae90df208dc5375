"""Watching: the counts over time, what passes is survived, what does not ends it, and nothing is ever received."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice, pairwise
from typing import Any

import pytest

from opstool.doors.toolkit import Toolkit
from opstool.engine.dlq import locate
from opstool.fake import FailCalls, Faults, no_answer, no_connection, server_error, throttled
from opstool.verbs.watch import Reading, readings
from opstool.words.awserrors import error_for
from opstool.words.errors import AccessError, NotFoundError, OpstoolError, ServiceError, UsageError
from opstool.words.movetask import MoveTask
from tests.world import World

DESCRIBE, TASKS = "GetQueueAttributes", "ListMessageMoveTasks"


def watching(kit: Toolkit, **options: Any) -> Any:
    """Return the readings of the dead-letter queue."""
    return readings(kit, locate(kit, "orders-dlq"), **options)


def take_one(world: World, visibility_timeout_s: int) -> str:
    """Receive a message as somebody else would; return its receipt handle."""
    request = {"MaxNumberOfMessages": 1, "VisibilityTimeout": visibility_timeout_s}
    return str(world.ask("ReceiveMessage", world.dlq, **request)["Messages"][0]["ReceiptHandle"])


def test_the_change_is_that_of_all_that_the_queue_holds(world: World) -> None:
    """A message that somebody receives has not left; one that is deleted has."""
    seen = watching(world.kit(), interval_s=10)
    first: Reading = next(seen)
    assert (first.depth, first.in_flight, first.change, first.rate_per_min) == (0, 0, None, None)
    world.send(world.dlq, ["a", "b", "c"])
    second = next(seen)
    assert (second.depth, second.in_flight, second.change, second.rate_per_min) == (3, 0, 3, 18.0)
    handle = take_one(world, 600)
    third = next(seen)
    assert (third.depth, third.in_flight, third.change) == (2, 1, 0)
    world.ask("DeleteMessage", world.dlq, ReceiptHandle=handle)
    assert next(seen).change == -1


def test_the_rate_is_that_of_the_last_minute(world: World) -> None:
    """A burst an hour ago is no news."""
    seen = watching(world.kit(), interval_s=10)
    next(seen)
    world.send(world.dlq, ["x"] * 60)
    rates = [each.rate_per_min for each in islice(seen, 8)]
    assert rates == [360.0, 180.0, 120.0, 90.0, 72.0, 60.0, 0.0, 0.0]


def test_nothing_is_received(world: World) -> None:
    """Looking at counts leaves the messages as they are."""
    world.die(["a"])
    before = world.fake.requests["ReceiveMessage"]
    list(islice(watching(world.kit()), 20))
    assert world.fake.requests["ReceiveMessage"] == before


@pytest.mark.parametrize("interval_s", [1.0, 5.0, 30.0])
def test_there_is_a_reading_each_interval(world: World, interval_s: float) -> None:
    """By the clock that was given."""
    times = [each.at_ms for each in islice(watching(world.kit(), interval_s=interval_s), 4)]
    assert [later - earlier for earlier, later in pairwise(times)] == [interval_s * 1000] * 3


@pytest.mark.parametrize("interval_s", [0.0, 0.5, -1.0, float("nan"), float("inf")])
def test_an_interval_that_is_none_is_wrong_usage(world: World, interval_s: float) -> None:
    """SQS is not to be asked in a loop without end."""
    with pytest.raises(UsageError):
        next(watching(world.kit(), interval_s=interval_s))


def test_until_empty_wants_two_empty_reads(world: World) -> None:
    """The counts are approximate: one zero proves nothing, and what is in flight may come back."""
    world.send(world.dlq, ["a"])
    handle = take_one(world, 12)
    totals = []
    for reading in watching(world.kit(), interval_s=10, until_empty=True):
        totals.append((reading.depth, reading.in_flight, reading.emptied))
        if len(totals) == 3:
            handle = take_one(world, 600)
            world.ask("DeleteMessage", world.dlq, ReceiptHandle=handle)
    assert totals == [(0, 1, False), (0, 1, False), (1, 0, False), (0, 0, False), (0, 0, True)]


def test_an_empty_read_between_two_others_does_not_count(world: World) -> None:
    """In a row means in a row; what is delayed is not gone either."""
    totals = []
    for reading in watching(world.kit(), until_empty=True):
        totals.append((reading.total, reading.delayed))
        if len(totals) == 1:
            world.send(world.dlq, ["a"], DelaySeconds=8)
        if len(totals) == 3:
            world.ask("DeleteMessage", world.dlq, ReceiptHandle=take_one(world, 60))
    assert totals == [(0, 0), (1, 1), (1, 0), (0, 0), (0, 0)]


def test_a_watch_with_an_end_reads_once_more_at_its_end(world: World) -> None:
    """So that what it says last is true then."""
    began_ms = world.kit().sqs.now_ms()
    times = [each.at_ms - began_ms for each in watching(world.kit(), interval_s=10, for_s=25)]
    assert times == [0, 10_000, 20_000, 25_000]


def test_a_stop_ends_it(world: World) -> None:
    """Without another request."""
    kit = world.kit()
    seen = watching(kit)
    next(seen)
    kit.stop.set()
    before = world.calls
    assert list(seen) == []
    assert world.calls == before


@pytest.mark.parametrize("error", [throttled, server_error, no_answer, no_connection], ids=lambda each: each.__name__)
def test_what_passes_is_told_and_survived(world: World, error: Any) -> None:
    """The counts are those of the last answer, and the next change is counted from there."""
    world.send(world.dlq, ["a"])
    kit = world.kit()
    dlq = locate(kit, "orders-dlq")
    world.fake.faults = FailCalls(DESCRIBE, error(DESCRIBE), calls=[2, 3])
    seen = readings(kit, dlq)
    first = next(seen)
    world.send(world.dlq, ["b"])
    broken, again, after = islice(seen, 3)
    assert (first.depth, broken.depth, again.depth, after.depth) == (1, 1, 1, 2)
    assert [each.error.code if each.error else None for each in (first, broken, after)] == [
        None,
        error(DESCRIBE).code,
        None,
    ]
    assert (broken.change, after.change, broken.emptied) == (None, 1, False)


def test_no_answer_is_no_empty_read(world: World) -> None:
    """Silence does not prove that nothing is left."""
    kit = world.kit()
    dlq = locate(kit, "orders-dlq")
    world.fake.faults = FailCalls(DESCRIBE, throttled(DESCRIBE), calls=[2, 3, 4])
    assert len(list(readings(kit, dlq, until_empty=True))) == 5


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (NotFoundError("gone", code="queue_not_found"), NotFoundError),
        (error_for(DESCRIBE, "AccessDenied", "no", 403), AccessError),
        (error_for(DESCRIBE, "SomethingElse", "no"), ServiceError),
    ],
    ids=["deleted", "denied", "broken"],
)
def test_what_does_not_pass_ends_it(world: World, error: OpstoolError, kind: type[OpstoolError]) -> None:
    """A queue that is gone stays gone."""
    kit = world.kit()
    dlq = locate(kit, "orders-dlq")
    world.fake.faults = FailCalls(DESCRIBE, error, calls=[2])
    seen = readings(kit, dlq)
    next(seen)
    with pytest.raises(kind):
        next(seen)


class Moving(Faults):
    """Answers that a move task is under way."""

    def __init__(self, **fields: Any) -> None:
        self._task = {"Status": "RUNNING", **fields}

    def after(self, operation: str, request: Mapping[str, Any], response: dict[str, Any]) -> dict[str, Any]:
        """Put the task into the answer."""
        return {"Results": [self._task]} if operation == TASKS else response


@pytest.mark.parametrize(
    ("fields", "task"),
    [
        (
            {"ApproximateNumberOfMessagesMoved": 120, "ApproximateNumberOfMessagesToMove": 847},
            MoveTask(status="RUNNING", moved=120, to_move=847),
        ),
        ({}, MoveTask(status="RUNNING")),
        ({"Status": "CANCELLING", "ApproximateNumberOfMessagesToMove": 0}, MoveTask(status="CANCELLING", to_move=0)),
        ({"Status": "COMPLETED", "ApproximateNumberOfMessagesMoved": 9}, None),
    ],
    ids=["counted", "not counted yet", "cancelling", "over"],
)
def test_a_move_task_is_told_with_its_counts(world: World, fields: dict[str, Any], task: MoveTask | None) -> None:
    """As far as SQS gives them."""
    world.fake.faults = Moving(**fields)
    assert next(watching(world.kit())).move_task == task


@pytest.mark.parametrize("code", ["AccessDenied", "InvalidAction"])
def test_who_may_not_see_move_tasks_is_not_asked_again(world: World, code: str) -> None:
    """The counts are shown all the same."""
    world.send(world.dlq, ["a"])
    world.fake.faults = FailCalls(TASKS, error_for(TASKS, code, "no", 403))
    seen = list(islice(watching(world.kit()), 5))
    assert {(each.depth, each.move_task, each.error) for each in seen} == {(1, None, None)}
    assert world.fake.requests[TASKS] == 1


def test_counts_are_new_though_the_move_task_could_not_be_asked(world: World) -> None:
    """A second question that was throttled, or is answered with a 5xx for ever, does not make the first answer old."""
    kit = world.kit()
    dlq = locate(kit, "orders-dlq")
    world.send(world.dlq, ["a"])
    world.fake.faults = FailCalls(TASKS, throttled(TASKS))
    assert [(each.depth, each.error) for each in islice(readings(kit, dlq), 3)] == [(1, None)] * 3


def test_an_empty_queue_is_seen_to_be_empty_on_a_server_that_fails_at_move_tasks(world: World) -> None:
    """Or `--until-empty` would wait there until somebody ends it."""
    kit = world.kit()
    world.fake.faults = FailCalls(TASKS, throttled(TASKS))
    seen = list(islice(readings(kit, locate(kit, "orders-dlq"), until_empty=True), 10))
    assert [each.emptied for each in seen] == [False, True]
