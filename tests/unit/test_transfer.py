from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from opstool.engine.delivery import Delivered
from opstool.engine.dlq import locate
from opstool.engine.hold import Hold
from opstool.engine.lease import Lease
from opstool.engine.sinks import StillOurs
from opstool.engine.throttle import Throttle
from opstool.engine.transfer import Transfer
from opstool.fake import FakeClock, Faults
from opstool.verbs import redrive
from opstool.words.filters import Selection
from opstool.words.message import Message
from opstool.words.report import Report, Status
from tests.world import World


class Lapse(Faults):
    """Let leases lapse right before their turn: the machine sleeps when a batch is as full as it will be."""

    def __init__(self, world: World, times: int) -> None:
        self._world, self._left = world, times

    def after(self, operation: str, request: Mapping[str, Any], response: dict[str, Any]) -> dict[str, Any]:
        """Sleep."""
        if operation == "ReceiveMessage" and not response.get("Messages") and self._left:
            self._left -= 1
            self._world.clock.jump_wall(31)
        return response


def redrive_asleep(world: World, times: int) -> Report:
    """Redrive one message: the machine has slept at the prompt, and sleeps so many times after it was received."""
    with redrive.prepare(world.kit(), world.dlq.arn, Selection(body_contains="body"), limit=1) as run:
        world.clock.jump_wall(31)
        world.fake.faults = Lapse(world, times)
        return run.execute()


def test_a_message_whose_lease_was_lost_twice_is_still_sent(world: World) -> None:
    """Nobody else took it."""
    world.die(["body"])
    report = redrive_asleep(world, 1)
    assert (report.status, report.counts.succeeded, report.failures) == (Status.DONE, 1, ())
    assert world.bodies(world.source) == ["body"]


@pytest.mark.parametrize("times", [2, 1_000])
def test_a_message_whose_lease_was_lost_three_times_is_given_up(world: World, times: int) -> None:
    """Where no lease can last a run must end; it says of which messages, and has sent none under a lost lease."""
    ids = world.die(["body"])
    report = redrive_asleep(world, times)
    assert (report.status, report.counts.failed) == (Status.PARTIAL, 1)
    assert [(each.code, each.message_ids) for each in report.failures] == [("lease_lost", tuple(ids))]
    assert world.fake.requests["SendMessageBatch"] == 0
    assert world.calls < 500


def test_doubtful_deletes_whose_messages_never_reappear_were_deletes(world: World) -> None:
    """The machine slept through each of them, and nobody else had taken a message."""
    sent = [f"body {number}" for number in range(25)]
    world.die(sent)

    class SleepBeforeDelete(Faults):
        def before(self, operation: str, request: Mapping[str, Any]) -> None:
            if operation == "DeleteMessageBatch":
                world.clock.jump_wall(31)

    with redrive.prepare(world.kit(), world.dlq.arn) as run:
        world.fake.faults = SleepBeforeDelete()
        report = run.execute()
    assert (report.status, report.counts.succeeded, report.failures) == (Status.DONE, 25, ())
    assert (world.bodies(world.dlq), sorted(world.bodies(world.source))) == ([], sorted(sent))


class Desk:
    """A delivery that sends nothing, and does something else in the middle of its first."""

    def __init__(self, meanwhile: Callable[[], None]) -> None:
        self.meanwhile = meanwhile
        self.throttle = Throttle(None, FakeClock())
        self.delivered: list[str] = []

    def deliver(self, origin: str, messages: Sequence[Message], still_ours: StillOurs) -> Delivered:
        """Note what is still to be sent."""
        self.delivered += [message.message_id for message in still_ours(messages)]
        if len(self.delivered) == 1:
            self.meanwhile()
        return Delivered(set(), set())


@contextmanager
def transferring(world: World, meanwhile: Callable[[], None]) -> Iterator[tuple[Transfer, Desk]]:
    """Make the transfer of a plan that is another's to execute."""
    kit = world.kit()
    with redrive.prepare(kit, world.dlq.arn) as run:
        run.hold.leases.release(list(run.in_hand))
        with Hold(kit, locate(kit, world.dlq.arn), exclusive=False) as hold:
            desk = Desk(meanwhile)
            parts = {"leases": hold.leases, "tally": hold.tally, "end": hold.end}
            yield Transfer(plan=run.plan, delivery=desk, **parts), desk  # type: ignore[arg-type]


def test_a_message_that_one_worker_is_sending_is_not_sent_by_another(world: World) -> None:
    """Its lease was lost meanwhile and it was received again; a third worker at another message changes nothing."""
    world.send(world.dlq, ["body 1", "body 2"])

    def meanwhile() -> None:
        transfer.settle([second])
        transfer.settle([again])

    with transferring(world, meanwhile) as (transfer, desk):
        first, second = transfer.leases.receive(wait_s=1)
        again = Lease(
            first.message_id, "another handle", first.message, first.held_since_wall, first.held_since_monotonic
        )
        transfer.settle([first])
        assert desk.delivered == [first.message_id, second.message_id]
        assert transfer.owed == {first.message_id}
        transfer.settle([again])
        assert desk.delivered[2:] == [first.message_id]


def test_whatever_is_owed_is_waited_for(world: World) -> None:
    """One batch loses its leases after the other, and the run ends when it has found them all again."""
    world.send(world.dlq, ["body 1", "body 2"])
    with transferring(world, lambda: None) as (transfer, desk):
        first, second = transfer.leases.receive(wait_s=1)
        world.clock.jump_wall(31)
        transfer.settle([first])
        transfer.settle([second])
        assert desk.delivered == []
        assert transfer.owed == {first.message_id, second.message_id}
