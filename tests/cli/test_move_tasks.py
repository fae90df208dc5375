"""`dlq move-tasks`: what SQS itself is moving, what it has moved, and how to end it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from opstool.cli.main import main
from opstool.fake import Faults
from tests.cli.test_golden import check
from tests.cli.world import World

MOVE_TASK = {"version", "type", "status", "started_at", "source", "destination", "moved", "to_move", "rate"}
MOVE_TASK |= {"failure_reason", "failure", "task_handle"}


@pytest.fixture
def running(world: World) -> World:
    """Return a world in which a task is under way, ten a second, and three have ended before it."""
    start = {"SourceArn": "arn:aws:sqs:us-east-1:123456789012:orders-dlq"}
    world.kill("a", "b")
    world.sqs("StartMessageMoveTask", start)
    world.clock.advance(60)
    world.send(world.dlq, "by hand")
    world.sqs("StartMessageMoveTask", start)
    world.clock.advance(60)
    world.sqs("StartMessageMoveTask", {**start, "DestinationArn": "arn:aws:sqs:us-east-1:123456789012:orders"})
    world.clock.advance(60)
    world.kill(*(str(number) for number in range(200)))
    world.sqs("StartMessageMoveTask", {**start, "MaxNumberOfMessagesPerSecond": 10})
    world.clock.advance(8)
    return world


def test_the_tasks_as_they_are_read(running: World) -> None:
    """The latest first; why one failed is told in words below."""
    check("move-tasks", running, running.run("dlq", "move-tasks"))


@pytest.mark.parametrize("form", ["json", "jsonl"])
def test_the_documents(running: World, form: str) -> None:
    """One a task; a source queue that is named leads to its DLQ, and that is said."""
    ended = running.run("dlq", "move-tasks", "orders", "--output", form)
    tasks = ended.document["tasks"] if form == "json" else ended.lines[:-1]
    assert [set(each) for each in tasks] == [MOVE_TASK] * 4
    assert [each["status"] for each in tasks] == ["RUNNING", "COMPLETED", "FAILED", "COMPLETED"]
    assert tasks[2]["failure_reason"] == "CouldNotDetermineMessageSource"
    assert "--to QUEUE" in tasks[2]["failure"]
    assert (tasks[0]["rate"], tasks[0]["moved"] > 0, bool(tasks[0]["task_handle"])) == (10, True, True)
    if form == "json":
        assert (ended.document["type"], ended.document["queue"]) == ("move_tasks", "orders-dlq")
    else:
        assert (ended.lines[-1]["type"], ended.lines[-1]["verb"]) == ("report", "move-tasks")
    assert "source queue" in ended.err


@pytest.mark.parametrize("words", [[], ["--follow"], ["--cancel", "--yes"]], ids=["list", "follow", "cancel"])
def test_a_queue_without_tasks_is_success(world: World, words: list[str]) -> None:
    """It says so."""
    ended = world.run("dlq", "move-tasks", *words)
    assert (ended.status, "no move task" in ended.err) == (0, True)


def test_to_cancel_it_asks_waits_and_tells_what_has_moved(running: World) -> None:
    """At a terminal; the rest stays where it is."""
    ended = running.run("dlq", "move-tasks", "--cancel", stdin="y\n", terminal=True)
    moved = running.depth(running.source)
    assert ended.status == 0
    assert f"cancelled: approximately {moved} messages of 203 moved, and do not come back" in ended.err
    running.clock.advance(60)
    assert running.depth(running.source) == moved
    assert running.run("dlq", "move-tasks", "--output", "json").document["tasks"][0]["status"] == "CANCELLED"


@pytest.mark.parametrize("given", [{}, {"stdin": "n\n", "terminal": True}], ids=["no terminal", "no"])
def test_without_consent_nothing_is_cancelled(running: World, given: dict[str, Any]) -> None:
    """Status 4."""
    assert running.run("dlq", "move-tasks", "--cancel", **given).status == 4
    assert running.sqs.requests["CancelMessageMoveTask"] == 0


def test_a_dry_run_cancels_nothing(running: World) -> None:
    """It says what it would cancel."""
    ended = running.run("dlq", "move-tasks", "--cancel", "--dry-run")
    assert (ended.status, "would cancel" in ended.err) == (0, True)
    assert running.sqs.requests["CancelMessageMoveTask"] == 0


def test_a_cancellation_stands_in_the_journal(running: World) -> None:
    """Who, when, and why."""
    running.run("dlq", "move-tasks", "--cancel", "--yes", "--note", "ticket 4711")
    [run] = running.run("history", "--output", "json").document["runs"]
    assert (run["verb"], run["status"], run["note"]) == ("cancel-move-task", "done", "ticket 4711")


def test_nothing_in_the_environment_cancels(running: World) -> None:
    """It has to be said."""
    running.patch.setenv("OPSTOOL_CANCEL", "true")
    running.patch.setenv("OPSTOOL_YES", "true")
    assert running.run("dlq", "move-tasks").status == 0
    assert running.sqs.requests["CancelMessageMoveTask"] == 0


def test_followed_to_its_end(running: World) -> None:
    """Status 0 for one that has moved everything."""
    ended = running.run("dlq", "move-tasks", "--follow", "--output", "json")
    assert (ended.status, ended.document["tasks"][0]["status"]) == (0, "COMPLETED")
    assert ended.document["tasks"][0]["moved"] == running.depth(running.source)


def test_followed_into_a_failure(running: World) -> None:
    """Status 3 when some have moved."""
    running.clock.every(3, lambda: running.send(running.dlq, "by hand"))
    ended = running.run("dlq", "move-tasks", "--follow")
    assert ended.status == 3
    assert "CouldNotDetermineMessageSource" in ended.out


def test_ctrl_c_ends_the_following_and_not_the_task(running: World) -> None:
    """Status 130, and it says that the task goes on."""

    class Pressed(Faults):
        looks = 0

        def before(self, operation: str, request: Mapping[str, Any]) -> None:
            self.looks += operation == "ListMessageMoveTasks"
            if self.looks > 3:
                raise KeyboardInterrupt

    running.sqs.faults = Pressed()
    ended = running.run("dlq", "move-tasks", "--follow")
    running.sqs.faults = Faults()
    assert (ended.status, "goes on" in ended.err, "--cancel" in ended.err) == (130, True, True)
    assert running.sqs.requests["CancelMessageMoveTask"] == 0
    assert running.run("dlq", "move-tasks", "--output", "json").document["tasks"][0]["status"] == "RUNNING"


def test_to_follow_and_to_cancel_exclude_each_other(world: World) -> None:
    """Wrong usage."""
    assert world.run("dlq", "move-tasks", "--follow", "--cancel").status == 2
    assert main(["dlq", "move-tasks", "--help"]) == 0
