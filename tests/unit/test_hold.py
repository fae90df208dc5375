from __future__ import annotations

import pytest

from opstool.engine.dlq import locate
from opstool.engine.hold import Hold
from opstool.words.errors import RefusedError
from tests.world import World


def workers(world: World, count: int) -> int:
    """Return how many workers an invocation with `count` of them puts to work on the world's DLQ."""
    kit = world.kit(workers=count)
    with Hold(kit, locate(kit, world.dlq.arn), exclusive=False) as hold:
        return hold.workers


def test_no_more_workers_than_can_find_something(world: World) -> None:
    """A batch for each; what is hidden at the moment may come back, and an empty queue is soon found empty by three."""
    assert workers(world, 8) == 3
    world.send(world.dlq, [f"body {number}" for number in range(45)])
    assert (workers(world, 8), workers(world, 2)) == (4, 2)
    for _ in range(2):
        world.ask("ReceiveMessage", world.dlq, MaxNumberOfMessages=10)
    assert workers(world, 8) == 4


def test_one_worker_keeps_the_order_of_a_fifo_queue(fifo_world: World) -> None:
    """However many were asked for."""
    fifo_world.send(fifo_world.dlq, [f"a:{number}" for number in range(45)])
    assert workers(fifo_world, 8) == 1


def test_whoever_only_looks_keeps_nobody_out(world: World) -> None:
    """Two people may look while a third redrives; only a second one who changes something is refused."""
    dlq = locate(world.kit(), world.dlq.arn)
    with (
        Hold(world.kit(), dlq, exclusive=False),
        Hold(world.kit(), dlq, exclusive=True),
        Hold(world.kit(), dlq, exclusive=False),
        pytest.raises(RefusedError, match="another opstool run"),
    ):
        Hold(world.kit(), dlq, exclusive=True)


def test_what_was_held_is_visible_before_another_run_is_let_in(world: World) -> None:
    """The next run finds everything, and the right to change it."""
    world.send(world.dlq, ["a", "b"])
    dlq = locate(world.kit(), world.dlq.arn)
    with Hold(world.kit(), dlq, exclusive=True) as hold:
        assert len(hold.leases.receive(wait_s=1)) == 2
    with Hold(world.kit(), dlq, exclusive=True) as hold:
        assert len(hold.leases.receive(wait_s=1)) == 2


def test_messages_that_die_while_a_queue_is_held_do_not_keep_it(world: World) -> None:
    """Where a consumer rejects everything a queue is never empty; what was there before is waited for."""
    kit = world.kit()
    with Hold(kit, locate(kit, world.dlq.arn), exclusive=False) as hold:
        began_ms = int(world.clock.wall() * 1000)
        for _ in range(3):
            hold.end.saw_sent_at([began_ms - 60_000])
        assert not hold.end.reached
        for _ in range(3):
            hold.end.saw_sent_at([began_ms + 60_000])
        assert hold.end.reached
