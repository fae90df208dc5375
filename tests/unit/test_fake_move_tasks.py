"""The fake's move tasks: what AWS documents of them, and what it does not promise."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from opstool.fake import Behaviour
from opstool.fake.movetasks import CANCELS_AFTER_MS, LAGS_BY_MS, SELECTED_AFTER_MS
from opstool.words.errors import NotFoundError, OpstoolError, ServiceError
from opstool.words.queue import Queue
from tests.world import World, make_queue, make_world

SELECTED_S, LAG_S, CANCEL_S = SELECTED_AFTER_MS / 1000, LAGS_BY_MS / 1000, CANCELS_AFTER_MS / 1000


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Return an account with a DLQ."""
    return make_world(tmp_path)


def start(world: World, **fields: Any) -> str:
    """Start a task from the DLQ."""
    return str(world.fake("StartMessageMoveTask", {"SourceArn": world.dlq.arn, **fields})["TaskHandle"])


def tasks(world: World) -> list[dict[str, Any]]:
    """Return the last tasks of the DLQ."""
    answer = world.fake("ListMessageMoveTasks", {"SourceArn": world.dlq.arn, "MaxResults": 10})
    return list(answer["Results"])


def wait(world: World, seconds: float) -> None:
    """Let time pass, and ask for something: then the tasks have done what they had time for."""
    world.clock.advance(seconds)
    tasks(world)


def test_every_message_goes_back_to_its_own_source_as_a_new_one(world: World) -> None:
    """New id, new send time, never received; the body and the attributes come along."""
    other = make_queue(world.fake, "payments", dlq=world.dlq)
    ids = world.die(["a"], MessageAttributes={"tenant": {"DataType": "String", "StringValue": "acme"}})
    ids += world.die(["b"], source=other)
    began_ms = round(world.clock.wall() * 1000)
    start(world)
    wait(world, 10)
    assert tasks(world)[0]["Status"] == "COMPLETED"
    assert (world.bodies(world.source), world.bodies(other), world.bodies(world.dlq)) == (["a"], ["b"], [])
    for [message] in (world.stored(world.source), world.stored(other)):
        assert message.message_id not in ids
        assert (message.receive_count, message.source_arn) == (0, None)
        assert message.sent_at_ms > began_ms
    assert set(world.stored(world.source)[0].attributes) == {"tenant"}


def test_a_destination_takes_everything(world: World) -> None:
    """Messages without a source too."""
    target = make_queue(world.fake, "elsewhere")
    world.die(["dead"])
    world.send(world.dlq, ["by hand"])
    start(world, DestinationArn=target.arn)
    wait(world, 10)
    assert sorted(world.bodies(target)) == ["by hand", "dead"]
    assert tasks(world)[0]["DestinationArn"] == target.arn


def test_a_rate_is_kept_and_the_count_lags(world: World) -> None:
    """Ten a second, from the moment at which it was selected to start; then it knows how many there are, too."""
    world.die(map(str, range(100)))
    start(world, MaxNumberOfMessagesPerSecond=10)
    assert "ApproximateNumberOfMessagesToMove" not in tasks(world)[0]
    wait(world, SELECTED_S + 5)
    [task] = tasks(world)
    assert len(world.bodies(world.source)) == 50
    assert task["ApproximateNumberOfMessagesMoved"] == 50 - 10 * LAG_S
    assert (task["Status"], task["ApproximateNumberOfMessagesToMove"], task["MaxNumberOfMessagesPerSecond"]) == (
        "RUNNING",
        100,
        10,
    )
    wait(world, 10)
    assert tasks(world)[0]["ApproximateNumberOfMessagesMoved"] == 100


def test_a_cancelled_task_goes_on_for_a_moment_and_brings_nothing_back(world: World) -> None:
    """CANCELLING, without a handle; then CANCELLED, and nothing more moves."""
    world.die(map(str, range(100)))
    handle = start(world, MaxNumberOfMessagesPerSecond=10)
    wait(world, SELECTED_S + 2)
    world.fake("CancelMessageMoveTask", {"TaskHandle": handle})
    assert (tasks(world)[0]["Status"], "TaskHandle" in tasks(world)[0]) == ("CANCELLING", False)
    wait(world, 60)
    assert tasks(world)[0]["Status"] == "CANCELLED"
    moved = 20 + 10 * CANCEL_S
    assert len(world.bodies(world.source)) == moved == tasks(world)[0]["ApproximateNumberOfMessagesMoved"]
    with pytest.raises(ServiceError, match="active"):
        world.fake("CancelMessageMoveTask", {"TaskHandle": handle})
    with pytest.raises(NotFoundError):
        world.fake("CancelMessageMoveTask", {"TaskHandle": "none of ours"})


def test_a_message_without_a_source_fails_the_task_after_it_has_started(world: World) -> None:
    """What was moved before stays moved, and that message stays where it is, to be received."""
    world.die(["dead"])
    world.send(world.dlq, ["by hand"])
    start(world, MaxNumberOfMessagesPerSecond=1)
    assert tasks(world)[0]["Status"] == "RUNNING"
    wait(world, 20)
    [task] = tasks(world)
    assert (task["Status"], task["FailureReason"]) == ("FAILED", "CouldNotDetermineMessageSource")
    assert "by hand" in world.bodies(world.dlq)
    assert world.visible(world.dlq) == len(world.bodies(world.dlq))


def test_a_source_that_is_gone_fails_the_task(world: World) -> None:
    """The message stays in the DLQ."""
    other = make_queue(world.fake, "payments", dlq=world.dlq)
    world.die(["b"], source=other)
    world.fake("DeleteQueue", {"QueueUrl": other.url})
    start(world)
    wait(world, 5)
    assert tasks(world)[0]["FailureReason"] == "AWS.SimpleQueueService.NonExistentQueue"
    assert world.bodies(world.dlq) == ["b"]


def test_a_missing_permission_shows_only_after_the_start(tmp_path: Path) -> None:
    """The start is answered with a handle all the same."""
    world = make_world(tmp_path, behaviour=Behaviour(move_tasks_fail_of="AccessDenied"))
    world.die(["a"])
    start(world)
    wait(world, 5)
    assert (tasks(world)[0]["Status"], tasks(world)[0]["FailureReason"]) == ("FAILED", "AccessDenied")
    assert world.bodies(world.dlq) == ["a"]


def test_what_arrives_while_it_runs_is_taken_too(world: World) -> None:
    """Nothing is frozen."""
    world.die(["a", "b"])
    start(world, MaxNumberOfMessagesPerSecond=1)
    wait(world, SELECTED_S + 1)
    world.send(world.source, ["late"])
    for message in world.stored(world.source):
        message.receive_count = 5  # a consumer that has failed on what came back
    world.ask("ReceiveMessage", world.source, MaxNumberOfMessages=10, VisibilityTimeout=0)
    wait(world, 20)
    assert tasks(world)[0]["ApproximateNumberOfMessagesMoved"] > 2


def test_the_list_is_of_the_last_ten_and_of_one_unless_asked(world: World) -> None:
    """The latest comes first; a queue that does not exist has none."""
    for _ in range(12):
        start(world)
        wait(world, 5)
    started = [each["StartedTimestamp"] for each in tasks(world)]
    assert (len(started), started) == (10, sorted(started, reverse=True))
    one = world.fake("ListMessageMoveTasks", {"SourceArn": world.dlq.arn})["Results"]
    assert [each["StartedTimestamp"] for each in one] == started[:1]
    with pytest.raises(NotFoundError):
        world.fake("ListMessageMoveTasks", {"SourceArn": f"{world.dlq.arn}-gone"})


def test_a_long_poll_wakes_for_what_a_task_brings(world: World) -> None:
    """A receive that waits sees it in about the second in which it comes."""
    world.die(["a"])
    start(world)
    began = world.clock.monotonic()
    answer = world.ask("ReceiveMessage", world.source, WaitTimeSeconds=20)
    assert [each["Body"] for each in answer["Messages"]] == ["a"]
    assert world.clock.monotonic() - began < 5


def test_order_is_kept_on_fifo_queues(tmp_path: Path) -> None:
    """In each group."""
    world = make_world(tmp_path, fifo=True)
    world.die([f"g:{number}" for number in range(30)])
    start(world, MaxNumberOfMessagesPerSecond=7)
    wait(world, 20)
    assert world.bodies(world.source) == [f"g:{number}" for number in range(30)]


def refusals(world: World) -> dict[str, dict[str, Any]]:
    """Return requests that are refused, by what is wrong with them."""
    fifo = make_queue(world.fake, "other.fifo", FifoQueue="true")
    gone = Queue(url="", arn=f"{world.dlq.arn}-gone")
    return {
        "no such queue": {"SourceArn": gone.arn},
        "no such destination": {"SourceArn": world.dlq.arn, "DestinationArn": gone.arn},
        "no DLQ": {"SourceArn": world.source.arn},
        "another type": {"SourceArn": world.dlq.arn, "DestinationArn": fifo.arn},
        "itself": {"SourceArn": world.dlq.arn, "DestinationArn": world.dlq.arn},
        "rate of 0": {"SourceArn": world.dlq.arn, "MaxNumberOfMessagesPerSecond": 0},
        "rate of 501": {"SourceArn": world.dlq.arn, "MaxNumberOfMessagesPerSecond": 501},
    }


@pytest.mark.parametrize(
    "wrong",
    ["no such queue", "no such destination", "no DLQ", "another type", "itself", "rate of 0", "rate of 501"],
)
def test_a_start_that_cannot_be_is_refused(world: World, wrong: str) -> None:
    """Before anything moves, and no task stands in the list."""
    with pytest.raises(OpstoolError):
        world.fake("StartMessageMoveTask", refusals(world)[wrong])
    assert tasks(world) == []


def test_one_task_at_a_time(world: World) -> None:
    """A second start is refused until the first has ended, also while it is being cancelled."""
    world.die(map(str, range(50)))
    handle = start(world, MaxNumberOfMessagesPerSecond=1)
    with pytest.raises(ServiceError, match="already a task running"):
        start(world)
    world.fake("CancelMessageMoveTask", {"TaskHandle": handle})
    with pytest.raises(ServiceError, match="already a task running"):
        start(world)
    wait(world, CANCEL_S)
    start(world)
