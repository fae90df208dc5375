"""How many workers there are follows from what there is to do, unless somebody says so."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import Any

import pytest

from opstool.engine.workers import workers_for, workers_for_limit
from opstool.verbs import browse
from tests.world import World


@pytest.mark.parametrize(
    ("messages", "asked", "workers"),
    [
        (0, None, 3),
        (50, None, 5),
        (1_000, None, 8),
        (8_999, None, 8),
        (20_000, None, 20),
        (1_000_000, None, 32),
        (1_000_000, 128, 128),
        (1_000_000, 1, 1),
        (100, 128, 10),
    ],
)
def test_a_large_queue_gets_more_workers_and_nobody_is_there_for_nothing(
    messages: int, asked: int | None, workers: int
) -> None:
    """Three end a scan of an empty queue in one long poll; who asks for a number gets it, where there is work."""
    assert workers_for(messages, asked) == workers


@pytest.mark.parametrize(("limit", "workers"), [(None, 8), (1, 1), (10, 1), (11, 2), (500, 8)])
def test_a_limit_needs_no_more_workers_than_fill_it(limit: int | None, workers: int) -> None:
    """Each receives ten."""
    assert workers_for_limit(limit, 8) == workers


def test_a_short_listing_of_a_long_queue_leaves_the_rest_alone(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every look counts as a receive, and a message that is looked at too often looks as if it had failed."""
    world.die([f"body {number}" for number in range(400)])
    before = {message.message_id: message.receive_count for message in world.stored(world.dlq)}
    ask, at_once = world.call, threading.Barrier(5)

    def slow(operation: str, request: dict[str, Any]) -> dict[str, Any]:
        if operation == "ReceiveMessage":  # as over a network, where all of them are under way before one is answered
            with suppress(threading.BrokenBarrierError):
                at_once.wait(2)
        return ask(operation, request)

    monkeypatch.setattr(world, "call", slow)
    listing = browse.list_messages(world.kit(workers=8), world.dlq.arn, limit=50)
    assert len(listing.messages) == 50
    looked_at = [each for each in world.stored(world.dlq) if each.receive_count > before[each.message_id]]
    assert len(looked_at) == 50
