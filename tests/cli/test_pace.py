from __future__ import annotations

import pytest

from tests.cli.world import World


def test_at_a_slow_rate_nothing_is_lost_and_nothing_is_sent_twice(world: World) -> None:
    """Forty messages at one in five seconds take more than three minutes, and every lease of half a minute is kept."""
    world.kill(*(f"body {number}" for number in range(40)))
    began = world.clock.monotonic()
    ended = world.run("--output", "json", "dlq", "redrive", "orders-dlq", "--yes", "--rate", "0.2")
    report = ended.document
    assert (ended.status, report["succeeded"], report["possibly_sent_twice"], report["released"]) == (0, 40, 0, 0)
    assert world.clock.monotonic() - began >= 39 * 5
    assert world.sqs.requests["SendMessageBatch"] == 40
    assert world.bodies(world.source) == sorted(f"body {number}" for number in range(40))


@pytest.mark.parametrize("rate", ["1", "4"])
def test_test_messages_are_paced_as_well(world: World, rate: str) -> None:
    """Twenty messages, the first piece at once."""
    began = world.clock.monotonic()
    assert world.run("send-test-batch", "orders", "--count", "20", "--rate", rate).status == 0
    assert world.clock.monotonic() - began >= 20 / float(rate) - 1.5


def test_the_plan_says_how_long_the_consumer_will_need(world: World) -> None:
    """Beside its other facts, and in the document of a dry run."""
    world.kill("a", "b")
    ended = world.run("dlq", "redrive", "orders-dlq", "--dry-run")
    assert "consumer  at most 3s for 2 messages (5 at once, and Lambda adds more" in ended.err
    document = world.run("--output", "json", "dlq", "redrive", "orders-dlq", "--dry-run").document
    assert document["facts"]["consumer"].startswith("at most 3s for 2 messages")
