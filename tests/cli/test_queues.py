"""The overview: every dead-letter queue, how urgent each is, what has none, and what could not be read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from opstool.fake import FailCalls, Faults, throttled
from opstool.words.awserrors import error_for
from tests.cli.test_golden import check
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
    assert "1 queue may not be read" in ended.err


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


def a_mixed_account(world: World) -> None:
    """Make a queue of each role, and one whose dead-letter queue is gone."""
    world.make_queue("left-over-dlq")
    world.make_queue("plain")
    gone = world.make_queue("gone-dlq")
    world.make_queue("unlucky", RedrivePolicy=world.policy("gone-dlq", 3))
    world.sqs("DeleteQueue", {"QueueUrl": gone})
    world.kill("dead")


@pytest.mark.parametrize("option", ["--all", "--orphans", "--without-dlq"])
def test_the_other_queues_have_views_of_their_own(world: World, option: str) -> None:
    """Which look like a DLQ and are none, which have none, and all with their roles."""
    a_mixed_account(world)
    check(f"queues{option[1:]}", world, world.run("dlq", "queues", option))


def test_the_default_says_what_it_leaves_out(world: World) -> None:
    """One line with the way to see it; with --quiet only the data."""
    a_mixed_account(world)
    ended = world.run("dlq", "queues")
    assert len(ended.out.splitlines()) == 2
    assert ended.err.splitlines()[0] == (
        "2 queues have no dead-letter queue (--without-dlq lists them), "
        "1 queue looks like a DLQ and no redrive policy points there (--orphans)"
    )
    assert world.run("-q", "dlq", "queues").err == ""


def test_the_documents_have_what_the_text_has(world: World) -> None:
    """Role, target and counts; the notes are in the document, and in the report that ends JSON Lines."""
    a_mixed_account(world)
    document = world.run("dlq", "queues", "--all", "--output", "json").document
    assert document["counts"] == {"dlq": 1, "orphan": 1, "no_dlq": 2, "source": 1}
    found = {each["name"]: each for each in document["queues"]}
    assert {name: each["role"] for name, each in found.items()} == {
        "orders-dlq": "dlq",
        "left-over-dlq": "orphan",
        "plain": "no_dlq",
        "unlucky": "no_dlq",
        "orders": "source",
    }
    targets = {name: (each["redrive_target"], each["redrive_target_missing"]) for name, each in found.items()}
    arn = "arn:aws:sqs:us-east-1:123456789012:"
    assert targets["orders"] == (f"{arn}orders-dlq", False)
    assert targets["unlucky"] == (f"{arn}gone-dlq", True)
    assert targets["plain"] == targets["orders-dlq"] == (None, None)
    assert document["notes"]
    *_, report = world.run("dlq", "queues", "--all", "--output", "jsonl").lines
    assert report["notes"] == document["notes"]


def test_names_and_prefix_choose_what_is_shown(world: World) -> None:
    """Nothing found is success, and says what was looked for."""
    world.make_queue("payments-dlq")
    world.make_queue("payments", RedrivePolicy=world.policy("payments-dlq", 5))
    for argv in (["pay"], ["orders-x", "PAYMENTS*"], ["--name-prefix", "pay"]):
        listed = world.run("dlq", "queues", *argv, "--output", "json").document["queues"]
        assert [each["name"] for each in listed] == ["payments-dlq"]
    ended = world.run("dlq", "queues", "nobody")
    assert (ended.status, ended.out) == (0, "")
    assert ended.err.startswith("there are no dead-letter queues of such a name in us-east-1")


def test_an_overview_that_could_not_read_all_is_status_3(world: World) -> None:
    """What stays throttled is left out, and scripts are told."""
    world.make_queue("busy-dlq")

    class Busy(Faults):
        def before(self, operation: str, request: Mapping[str, Any]) -> None:
            if operation == "GetQueueAttributes" and request["QueueUrl"].endswith("/busy-dlq"):
                raise throttled(operation)

    world.sqs.faults = Busy()
    ended = world.run("dlq", "queues")
    assert ended.status == 3
    assert "1 queue could not be read" in ended.err
    assert world.run("dlq", "queues", "--output", "json").document["unread"] == 1
