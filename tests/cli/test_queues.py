"""The overview: every dead-letter queue, how urgent each is, and what could not be read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from opstool.fake import FailCalls, Faults
from opstool.words.awserrors import error_for
from tests.cli.world import World


class Denied(Faults):
    """Refuses to describe the queues with these names."""

    def __init__(self, *names: str) -> None:
        self._names = names

    def before(self, operation: str, request: Mapping[str, Any]) -> None:
        """Refuse what describes one of the queues."""
        if operation == "GetQueueAttributes" and request["QueueUrl"].rsplit("/", 1)[-1] in self._names:
            raise error_for(operation, "AccessDenied", "no identity-based policy allows it", 403)


def test_the_soonest_expiry_is_looked_for_only_when_asked(world: World) -> None:
    """Without --expiry nothing is received and the key is null; with it, it is the first message's deadline."""
    world.kill("first")
    world.clock.advance(3600)
    world.kill("second")

    before = world.receives()
    [plain] = world.run("dlq", "queues", "--output", "json").document["queues"]
    assert (plain["soonest_expiry"], world.receives()) == (None, before)

    [looked] = world.run("dlq", "queues", "--expiry", "--output", "json").document["queues"]
    [first, _] = world.run("dlq", "list", "orders-dlq", "--output", "json").document["messages"]
    assert looked["soonest_expiry"] == first["expires_at"]


def test_the_table_shows_the_expiry_beside_its_queue(world: World) -> None:
    """The column is there when a deadline was found, and only then."""
    world.kill("dead")
    assert "SOONEST EXPIRY" not in world.run("dlq", "queues").out
    assert "SOONEST EXPIRY" in world.run("dlq", "queues", "--expiry").out


def test_queues_that_may_not_be_read_are_left_out_and_counted(world: World) -> None:
    """A policy for one stack's queues must not keep its owner from seeing them in a shared account."""
    world.make_queue("somebody-elses")
    world.sqs.faults = Denied("somebody-elses")

    ended = world.run("dlq", "queues", "--output", "json")

    assert (ended.status, [each["name"] for each in ended.document["queues"]]) == (0, ["orders-dlq"])
    assert "1 queues may not be read" in ended.err


def test_an_identity_that_may_not_list_move_tasks_sees_the_queues(world: World) -> None:
    """That permission is for redriving natively; the overview goes without."""
    world.sqs.faults = FailCalls(
        "ListMessageMoveTasks", error_for("ListMessageMoveTasks", "AccessDenied", "no policy allows it", 403)
    )

    ended = world.run("dlq", "queues", "--output", "json")

    assert (ended.status, [each["move_task"] for each in ended.document["queues"]]) == (0, [None])


def test_an_identity_that_may_read_no_queue_is_told_so(world: World) -> None:
    """Nothing at all to read is not an empty account."""
    world.sqs.faults = Denied("orders", "orders-dlq")

    ended = world.run("dlq", "queues", "--output", "json")

    assert (ended.status, ended.document["code"]) == (1, "access_denied")
