from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from opstool.verbs import purge, redrive
from opstool.words.filters import Selection, select
from opstool.words.plan import Plan, price_usd, requests_to_move
from tests.world import World

LATE = "may be included: SQS keeps the original SentTimestamp"
"""What only a plan has to say that is frozen by time, on a queue that keeps the time."""


def planned(world: World, selection: Selection | None = None, limit: int | None = None) -> Plan:
    """Return the plan of a redrive that is left at that."""
    with redrive.prepare(world.kit(), world.dlq.arn, selection, limit=limit) as run:
        return run.plan


def says(plan: Plan, text: str) -> int:
    """Return how many of a plan's notes say something."""
    return sum(text in note for note in plan.notes)


@pytest.mark.parametrize("limit", [None, 12])
def test_a_plan_of_the_whole_is_frozen_by_time_and_counts_what_sqs_says(world: World, limit: int | None) -> None:
    """Approximately so many, three of them to look at, at that price, and until when."""
    world.die([f"body {number}" for number in range(35)])
    plan = planned(world, limit=limit)
    count = limit or 35
    assert (plan.ids, plan.exact, plan.count) == (None, False, count)
    assert plan.sent_before_ms == int(world.clock.wall() * 1000)
    assert len(plan.samples) == 3
    assert (plan.requests, plan.retention_s) == (requests_to_move(count), 1_209_600)
    assert plan.cost_usd == price_usd(plan.requests, fifo=False) > 0
    assert says(plan, LATE) == 1


def test_a_plan_that_has_looked_is_frozen_by_id_and_has_no_blind_spot(world: World) -> None:
    """It has nothing to say about what may still come: that is not meant."""
    world.die([f"body {number}" for number in range(35)])
    plan = planned(world, select(now_ms=0, where="contains(body, '3')"))
    assert (plan.sent_before_ms, plan.exact, plan.count) == (None, True, len(plan.ids or ()))
    assert plan.count == Counter("3" in f"body {number}" for number in range(35))[True]
    assert (len(plan.samples), plan.requests) == (3, requests_to_move(plan.count))
    assert says(plan, LATE) == 0


def test_messages_in_flight_elsewhere_are_spoken_of_once(world: World) -> None:
    """By the plan that did not look through the queue, or by the look through it."""
    world.die([f"body {number}" for number in range(20)])
    world.ask("ReceiveMessage", world.dlq, MaxNumberOfMessages=10)
    assert says(planned(world), "10 more messages are in flight elsewhere") == 1
    plan = planned(world, Selection(body_contains="body"))
    assert says(plan, "in flight elsewhere") == 1


def test_a_fifo_queue_gives_a_message_a_new_time_when_it_dies(fifo_world: World) -> None:
    """So nothing that dies after the plan looks older than it."""
    fifo_world.die(["a:1"])
    assert says(planned(fifo_world), LATE) == 0


def test_no_log_is_asked_for_a_plan_that_needs_no_reason(world: World) -> None:
    """It costs money and a permission that a redrive does not need."""
    world.die(["body"])
    asked: list[str] = []
    kit = world.kit()

    def ask(service: str, operation: str, _request: dict[str, Any]) -> dict[str, Any]:
        asked.append(operation)
        return {}

    kit.ask = ask
    with purge.prepare(kit, world.dlq.arn, Selection(body_contains="body")) as run:
        assert run.plan.count == 1
    assert asked == []
