from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest

from opstool.doors.toolkit import Toolkit
from opstool.engine.run import Run
from opstool.fake import EntryFault, FailCalls, Faults, throttled
from opstool.verbs import history, redrive, testbatch
from opstool.words.errors import NotFoundError, RefusedError
from opstool.words.filters import Selection, select
from opstool.words.plan import requests_to_move
from opstool.words.report import Status
from tests.world import Died, World, forget_as_dead


class DieAt(Faults):
    """End the process at the n-th call of an operation, and at every one after."""

    def __init__(self, operation: str, number: int, *, after: bool = False) -> None:
        self._operation, self._left, self._after = operation, number, after

    def before(self, operation: str, request: object) -> None:
        """Count, and die."""
        self._left -= operation == self._operation
        if self._left < (1 if not self._after else 0):
            raise Died

    def after(self, operation: str, request: object, response: dict[str, object]) -> dict[str, object]:
        """Die after it was carried out."""
        if self._after and self._left < 1:
            raise Died
        return response


def die(world: World, kit: Toolkit, run: Run, faults: Faults) -> str:
    """Execute a run until its process dies; return its id."""
    world.fake.faults = faults
    with pytest.raises(Died), run:
        run.execute()
    world.fake.faults = Faults()
    forget_as_dead(kit.journal)
    del kit.__dict__["journal"]
    return run.plan.run_id


def test_a_run_that_died_is_shown_as_interrupted(world: World) -> None:
    """It never said how it ended; its lock is free."""
    world.die(["a", "b"])
    kit = world.kit()
    run_id = die(world, kit, redrive.prepare(kit, world.dlq.arn), DieAt("SendMessageBatch", 1))
    [shown] = history.runs(world.kit())
    assert (shown.run_id, shown.status) == (run_id, "interrupted")


def test_a_run_that_is_at_work_is_shown_as_running_and_cannot_be_resumed(world: World) -> None:
    """Another process has its lock."""
    world.die(["a"])
    seen: list[str] = []

    class Look(Faults):
        def before(self, operation: str, request: object) -> None:
            if operation == "SendMessageBatch":
                world.fake.faults = Faults()
                other = world.kit()
                seen.extend(each.status for each in history.runs(other))
                with pytest.raises(RefusedError) as caught:
                    history.resume(other, history.runs(other)[0].run_id)
                seen.append(caught.value.code)

    with redrive.prepare(world.kit(), world.dlq.arn) as run:
        world.fake.faults = Look()
        run.execute()
    assert seen == ["running", "queue_busy"]


def test_a_dead_run_is_not_taken_for_alive_because_another_is_at_work_on_its_queue(world: World) -> None:
    """Each run is alive, or not, by itself."""
    world.die(["a"])
    kit = world.kit()
    dead_id = die(world, kit, redrive.prepare(kit, world.dlq.arn), DieAt("SendMessageBatch", 1))
    world.clock.advance(31)
    seen: dict[str, str] = {}

    class Look(Faults):
        def before(self, operation: str, request: object) -> None:
            if operation == "SendMessageBatch":
                seen.update({each.run_id: each.status for each in history.runs(world.kit())})

    with redrive.prepare(world.kit(), world.dlq.arn) as run:
        world.fake.faults = Look()
        run.execute()
    assert seen == {dead_id: "interrupted", run.plan.run_id: "running"}


def test_a_test_batch_that_is_being_sent_is_shown_as_running(world: World) -> None:
    """Though it needs no queue for itself alone. Its lock's file is gone with it."""
    seen: list[str] = []

    class Look(Faults):
        def before(self, operation: str, request: object) -> None:
            if operation == "SendMessageBatch":
                seen.extend(each.status for each in history.runs(world.kit()))

    world.fake.faults = Look()
    testbatch.prepare(world.kit(), "orders", messages=testbatch.made_up(3)).execute()
    assert seen == ["running"]
    assert [each.status for each in history.runs(world.kit())] == [Status.DONE]
    assert list((world.state_dir / "locks").iterdir()) == []


@pytest.mark.parametrize("after", [False, True], ids=["before the send", "after the send"])
def test_a_resume_sends_what_is_uncertain_again_and_counts_it(world: World, after: bool) -> None:
    """The intent was written; whether it was sent nobody knows."""
    world.die([f"body {number}" for number in range(40)])
    kit = world.kit()
    run_id = die(world, kit, redrive.prepare(kit, world.dlq.arn), DieAt("SendMessageBatch", 2, after=after))
    kit = world.kit()
    with history.resume(kit, run_id) as again:
        report = again.execute()
    assert (report.status, report.possibly_sent_twice) == (Status.DONE, 10)
    there = Counter(world.bodies(world.source))
    assert len(there) == 40
    assert sum(there.values()) == (50 if after else 40)
    assert world.bodies(world.dlq) == []


def test_a_resume_with_leave_leaves_what_is_uncertain(world: World) -> None:
    """It has its own choice."""
    world.die([f"body {number}" for number in range(20)])
    kit = world.kit()
    run_id = die(world, kit, redrive.prepare(kit, world.dlq.arn), DieAt("SendMessageBatch", 1, after=True))
    with history.resume(world.kit(), run_id, uncertain="leave") as again:
        report = again.execute()
    assert (report.status, report.counts.succeeded, report.counts.failed) == (Status.PARTIAL, 10, 10)
    assert set(Counter(world.bodies(world.source)).values()) == {1}


def test_a_resume_deletes_what_was_sent_and_not_deleted(world: World) -> None:
    """Without sending it again."""
    world.die([f"body {number}" for number in range(30)])
    kit = world.kit()
    run_id = die(world, kit, redrive.prepare(kit, world.dlq.arn), DieAt("DeleteMessageBatch", 2))
    with history.resume(world.kit(), run_id) as again:
        report = again.execute()
    assert (report.status, report.counts.succeeded, report.possibly_sent_twice) == (Status.DONE, 20, 0)
    assert set(Counter(world.bodies(world.source)).values()) == {1}


def test_a_resumed_plan_has_a_price(world: World) -> None:
    """It is that of the messages that are left."""
    world.die([f"body {number}" for number in range(30)])
    kit = world.kit()
    run_id = die(world, kit, redrive.prepare(kit, world.dlq.arn), DieAt("DeleteMessageBatch", 2))
    with history.resume(world.kit(), run_id) as again:
        assert (again.plan.requests, again.plan.cost_usd > 0) == (requests_to_move(again.plan.count), True)
        assert again.plan.requests > 0


def test_a_resume_waits_for_what_the_dead_process_held(world: World) -> None:
    """Everything was hidden by its leases; an empty queue is not the end before they have lapsed."""
    world.die([f"body {number}" for number in range(10)])
    kit = world.kit()
    run = redrive.prepare(kit, world.dlq.arn)
    run_id = die(world, kit, run, DieAt("SendMessageBatch", 1))
    assert world.visible(world.dlq) == 0
    with history.resume(world.kit(), run_id) as again:
        assert again.execute().status is Status.DONE
    assert len(world.bodies(world.source)) == 10


def test_a_resume_waits_for_what_the_dead_process_only_held(world: World) -> None:
    """No intent tells of it: the process died before it came so far."""
    world.die([f"body {number}" for number in range(5)])
    kit = world.kit()
    run_id = die(world, kit, redrive.prepare(kit, world.dlq.arn), DieAt("ReceiveMessage", 1))
    assert world.visible(world.dlq) == 0
    with history.resume(world.kit(), run_id) as again:
        assert again.execute().status is Status.DONE
    assert len(world.bodies(world.source)) == 5


def test_a_run_that_dies_again_after_it_was_resumed_is_waited_for_again(world: World) -> None:
    """Its first execution had a report, its second did not come so far."""
    world.die([f"body {number}" for number in range(30)])
    kit = world.kit()
    kit.stop.set()
    with redrive.prepare(kit, world.dlq.arn) as run:
        report = run.execute()
    assert report.status is Status.INTERRUPTED
    for _ in range(2):
        kit = world.kit()
        again = history.resume(kit, str(report.run_id))
        assert isinstance(again, Run)
        die(world, kit, again, DieAt("SendMessageBatch", 1))
    with history.resume(world.kit(), str(report.run_id)) as last:
        assert last.execute().status is Status.DONE
    assert world.bodies(world.dlq) == []


def test_a_limit_holds_over_a_resume(world: World) -> None:
    """What was begun is finished first, and nothing is sent beyond it."""
    world.die([f"body {number}" for number in range(40)])
    kit = world.kit()
    run = redrive.prepare(kit, world.dlq.arn, limit=15)
    run_id = die(world, kit, run, DieAt("DeleteMessageBatch", 1))
    with history.resume(world.kit(), run_id) as again:
        report = again.execute()
    assert report.status is Status.DONE
    assert len(world.bodies(world.source)) == 15
    assert len(world.bodies(world.dlq)) == 25


def test_a_settlement_that_was_lost_is_no_message_that_is_gone(world: World) -> None:
    """The process died after its last delete: there is nothing left to do, and that is done."""
    ids = world.die(["a"])
    kit = world.kit()
    run = redrive.prepare(kit, world.dlq.arn, Selection(ids=frozenset(ids)))
    run_id = die(world, kit, run, DieAt("DeleteMessageBatch", 1, after=True))
    assert world.bodies(world.dlq) == []
    with history.resume(world.kit(), run_id) as again:
        report = again.execute()
    assert (report.status, report.failures) == (Status.DONE, ())


def test_what_somebody_else_took_is_named(world: World) -> None:
    """The plan named it, nobody of ours sent it, and it is not there."""
    ids = world.die(["a", "b"])
    kit = world.kit()
    with redrive.prepare(kit, world.dlq.arn, Selection(ids=frozenset(ids))) as run:
        kit.stop.set()
        report = run.execute()
    taken = world.ask("ReceiveMessage", world.dlq)["Messages"][0]
    world.ask("DeleteMessage", world.dlq, ReceiptHandle=taken["ReceiptHandle"])
    with history.resume(world.kit(), str(report.run_id)) as again:
        report = again.execute()
    assert (report.status, report.counts.succeeded) == (Status.PARTIAL, 1)
    assert [(each.code, each.message_ids) for each in report.failures] == [("gone", (taken["MessageId"],))]


def test_a_run_that_is_done_is_not_resumed(world: World) -> None:
    """There is nothing to go on with."""
    world.die(["a"])
    kit = world.kit()
    with redrive.prepare(kit, world.dlq.arn) as run:
        report = run.execute()
    with pytest.raises(RefusedError) as caught:
        history.resume(kit, str(report.run_id))
    assert caught.value.code == "run_is_done"
    with pytest.raises(NotFoundError):
        history.resume(kit, "nothing")


def test_a_return_of_the_dead_run_is_recognised_by_the_resumed_one(world: World) -> None:
    """Its copy was rejected at once; its new id was never learnt, or learnt by the process that died."""
    world.die(["a"])
    world.clock.advance(60)

    class SendAndDie(DieAt):
        def after(self, operation: str, request: object, response: dict[str, object]) -> dict[str, object]:
            if operation == "SendMessageBatch":
                world.reject_all(world.source)
            return super().after(operation, request, response)

    kit = world.kit()
    run_id = die(world, kit, redrive.prepare(kit, world.dlq.arn), SendAndDie("SendMessageBatch", 1, after=True))
    with history.resume(world.kit(), run_id, uncertain="leave") as again:
        report = again.execute()
    assert (report.counts.returned, report.counts.failed) == (1, 1)


def test_what_another_run_had_sent_is_no_message_that_is_gone(world: World) -> None:
    """The first run sent it and could not delete it, the second deleted it: resumed, the second knows."""
    ids = world.die(["a", "b"])
    sent, refused = ids
    with redrive.prepare(world.kit(), world.dlq.arn, Selection(ids=frozenset([sent]))) as run:
        world.fake.faults = FailCalls("DeleteMessageBatch", throttled("DeleteMessageBatch"))
        assert run.execute().status is Status.PARTIAL
    world.fake.faults = Faults()
    world.clock.advance(60)

    class RefuseOne(Faults):
        def entry(self, operation: str, entry: Mapping[str, Any]) -> EntryFault | None:
            return EntryFault(sender_fault=True) if operation == "SendMessageBatch" else None

    with redrive.prepare(world.kit(), world.dlq.arn, Selection(ids=frozenset(ids))) as run:
        world.fake.faults = RefuseOne()
        report = run.execute()
    world.fake.faults = Faults()
    assert [each.message_ids for each in report.failures] == [(refused,)]
    with history.resume(world.kit(), str(report.run_id)) as again:
        report = again.execute()
    assert (report.status, report.failures) == (Status.DONE, ())


def test_a_plan_that_could_not_see_all_is_not_done_by_a_resume(fifo_world: World) -> None:
    """What was selected and not seen is still there: a resumed run is as partial as the first; a new one sees more."""
    fifo_world.die([f"a:{number}" for number in range(14)])
    selection = select(now_ms=0, where="ends_with(body, '0') || ends_with(body, '3')")
    with redrive.prepare(fifo_world.kit(), fifo_world.dlq.arn, selection) as run:
        first = run.execute()
    with history.resume(fifo_world.kit(), str(first.run_id)) as again:
        resumed = again.execute()
    assert [(each.status, each.counts.succeeded) for each in (first, resumed)] == [
        (Status.PARTIAL, 2),
        (Status.PARTIAL, 0),
    ]
    assert any("a new run takes up" in note for note in resumed.notes)
    with redrive.prepare(fifo_world.kit(), fifo_world.dlq.arn, selection) as run:
        assert run.execute().counts.succeeded == 1
    assert len(fifo_world.bodies(fifo_world.dlq)) == 11
