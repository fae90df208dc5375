from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest

from opstool.engine.run import Run
from opstool.fake import EntryFault, FailCalls, Faults, no_answer
from opstool.verbs import history, redrive
from opstool.words.errors import AccessError
from opstool.words.filters import Selection, select
from opstool.words.report import Report, Status, Tally
from tests.world import Died, World, forget_as_dead

EVERYTHING = select(now_ms=0, where="contains(body, 'body')")
"""A selection that looks through the whole queue, so that its plan names ids."""


def bodies(count: int) -> list[str]:
    """Return distinct bodies."""
    return [f"body {number}" for number in range(count)]


def run_all(world: World, selection: Selection | None = None, **options: Any) -> Report:
    """Redrive at once."""
    with redrive.prepare(world.kit(), world.dlq.arn, selection, **options) as run:
        return run.execute()


class DieAt(Faults):
    """End the process at the n-th call of an operation, before or after it was carried out."""

    def __init__(self, operation: str, number: int, *, after: bool = False) -> None:
        self._operation, self._left, self._after = operation, number, after

    def before(self, operation: str, request: Mapping[str, Any]) -> None:
        """Count, and die."""
        self._left -= operation == self._operation
        if not self._after and self._left < 1:
            raise Died

    def after(self, operation: str, request: Mapping[str, Any], response: dict[str, Any]) -> dict[str, Any]:
        """Die when it was carried out."""
        if self._after and self._left < 1:
            raise Died
        return response


class Act(Faults):
    """Do something before every call of an operation."""

    def __init__(self, operation: str, act: Any) -> None:
        self._operation, self._act = operation, act

    def before(self, operation: str, request: Mapping[str, Any]) -> None:
        """Do it."""
        if operation == self._operation:
            self._act()


def die(world: World, faults: Faults, **options: Any) -> str:
    """Execute a redrive until its process dies; return its id."""
    kit = world.kit()
    run = redrive.prepare(kit, world.dlq.arn, **options)
    world.fake.faults = faults
    with pytest.raises(Died), run:
        run.execute()
    world.fake.faults = Faults()
    forget_as_dead(kit.journal)
    del kit.__dict__["journal"]
    return run.plan.run_id


@pytest.mark.parametrize("after", [False, True], ids=["before its second delete", "after it"])
def test_a_limit_counts_what_the_dead_execution_has_done(world: World, *, after: bool) -> None:
    """Ten are settled, five were sent, deleted perhaps; with that the limit is reached, and nothing is left to do."""
    world.die(bodies(40))
    run_id = die(world, DieAt("DeleteMessageBatch", 2, after=after), limit=15)
    with history.resume(world.kit(), run_id) as again:
        report = again.execute()
    assert (report.status, report.failures) == (Status.DONE, ())
    assert (len(world.bodies(world.source)), len(world.bodies(world.dlq))) == (15, 25)


def test_one_message_that_was_given_back_is_enough_to_make_it_partial(world: World) -> None:
    """Its lease was lost, and a colleague has it now."""
    world.die(["body"])
    with redrive.prepare(world.kit(), world.dlq.arn, EVERYTHING) as run:
        world.clock.jump_wall(31)
        world.ask("ReceiveMessage", world.dlq, VisibilityTimeout=3_600)
        report = run.execute()
    assert (report.status, report.counts.released) == (Status.PARTIAL, 1)


def test_a_message_that_failed_is_named_once_and_with_its_own_reason(world: World) -> None:
    """It was seen, so it is not called gone as well."""
    ids = world.die(bodies(5))

    class RefuseOne(Faults):
        def entry(self, operation: str, entry: Mapping[str, Any]) -> EntryFault | None:
            refused = operation == "SendMessageBatch" and entry["MessageBody"] == "body 2"
            return EntryFault(code="InvalidMessageContents", sender_fault=True) if refused else None

    world.fake.faults = RefuseOne()
    report = run_all(world, Selection(ids=frozenset(ids)))
    assert [(each.code, each.message_ids) for each in report.failures] == [("InvalidMessageContents", (ids[2],))]


def test_an_error_that_stops_a_run_is_in_its_report(world: World) -> None:
    """With its code and its words, and nothing is called gone that was only never come to."""
    world.die(bodies(25))
    world.fake.faults = FailCalls("DeleteMessageBatch", AccessError("not allowed", code="access_denied"))
    report = run_all(world, EVERYTHING)
    assert (report.status, report.error_code) == (Status.PARTIAL, "access_denied")
    named = [(each.code, each.message) for each in report.failures if not each.message_ids]
    assert named == [("access_denied", "not allowed")]
    [undeleted] = [each for each in report.failures if each.code == "not_deleted"]
    assert undeleted.message == "its copy is confirmed, and it could not be deleted (access_denied)"
    assert len(report.failures) == 2


def test_an_interrupted_run_calls_nothing_gone(world: World) -> None:
    """It has not looked for the rest: what a colleague holds at the moment may well be there."""
    world.die(bodies(5))
    kit = world.kit()
    with redrive.prepare(kit, world.dlq.arn, EVERYTHING) as run:
        kit.stop.set()
        run_id = str(run.execute().run_id)
    world.ask("ReceiveMessage", world.dlq, MaxNumberOfMessages=10, VisibilityTimeout=3_600)
    kit = world.kit()
    world.fake.faults = Act("ReceiveMessage", kit.stop.set)
    with history.resume(kit, run_id) as again:
        report = again.execute()
    assert (report.status, report.failures) == (Status.INTERRUPTED, ())


def test_what_a_fifo_queue_does_not_show_is_not_called_gone(fifo_world: World) -> None:
    """A colleague holds its group, and the run held others: the ids are named, and may still be there."""
    ids = fifo_world.die(["a:body 1", "a:body 2", "b:body"])
    kit = fifo_world.kit()
    with redrive.prepare(kit, fifo_world.dlq.arn, Selection(group_id="a")) as run:
        kit.stop.set()
        run_id = str(run.execute().run_id)
    held = fifo_world.ask(
        "ReceiveMessage", fifo_world.dlq, MaxNumberOfMessages=10, VisibilityTimeout=3_600, AttributeNames=["All"]
    )
    [other] = [each for each in held["Messages"] if each["Body"] == "b:body"]
    handle = {"ReceiptHandle": other["ReceiptHandle"], "VisibilityTimeout": 0}
    fifo_world.ask("ChangeMessageVisibility", fifo_world.dlq, **handle)
    with history.resume(fifo_world.kit(), run_id) as again:
        report = again.execute()
    assert (report.status, report.counts.skipped, report.counts.succeeded) == (Status.PARTIAL, 1, 0)
    [failure] = report.failures
    assert (failure.code, failure.message_ids) == ("not_seen", tuple(sorted(ids[:2])))
    assert "a FIFO queue shows no more of a group" in failure.message


def test_progress_is_told_what_is_done_and_of_how_many(world: World) -> None:
    """And is given the counts that grow."""
    world.die(bodies(25))
    watched: list[tuple[str, int | None]] = []
    tallies: list[Tally] = []

    @contextmanager
    def watch(doing: str, tally: Tally, expected: int | None) -> Iterator[None]:
        watched.append((doing, expected))
        tallies.append(tally)
        yield

    kit = world.kit()
    kit.watch = watch
    with redrive.prepare(kit, world.dlq.arn) as run:
        run.execute()
    assert watched == [("redrive", 25)]
    assert tallies[0].counts().succeeded == 25


def test_workers_send_at_the_same_time(world: World) -> None:
    """One that waits for its answer keeps nobody waiting."""
    world.die(bodies(40))
    both = threading.Barrier(2)

    class Meet(Faults):
        def before(self, operation: str, request: Mapping[str, Any]) -> None:
            if operation == "SendMessageBatch":
                both.wait(10)

    with redrive.prepare(world.kit(workers=2), world.dlq.arn, EVERYTHING) as run:
        world.fake.faults = Meet()
        report = run.execute()
    assert (report.status, report.counts.succeeded) == (Status.DONE, 40)


def test_a_selection_of_equal_bodies_is_sent_whole_though_an_answer_was_lost(world: World) -> None:
    """The plan names them one by one, so none of them can be our own copy come back."""
    world.die(["body"] * 25)
    world.clock.advance(60)
    with redrive.prepare(world.kit(), world.dlq.arn, EVERYTHING) as run:
        world.clock.jump_wall(31)  # so that all of them are received afresh
        world.fake.faults = FailCalls("SendMessageBatch", no_answer("x"), phase="after", calls=[1])
        report = run.execute()
    assert (report.status, report.counts.succeeded, report.counts.returned) == (Status.DONE, 25, 0)
    assert report.possibly_sent_twice > 0
    assert Counter(world.bodies(world.source)) == {"body": 25 + report.possibly_sent_twice}


def test_a_message_delivered_again_in_a_lost_answer_is_gone_when_the_run_says_so(world: World) -> None:
    """Our handle is stale then, and its delete is answered with yes; both messages named are in hand already."""
    first = world.die(["body 0"])
    late = world.ask("SendMessage", world.dlq, MessageBody="body 1", DelaySeconds=5)["MessageId"]
    lost: list[str] = []

    class DeliverAgain(Faults):
        """Show what is held, hand it out once more, and lose that answer."""

        def after(self, operation: str, request: Mapping[str, Any], response: dict[str, Any]) -> dict[str, Any]:
            """Lose the receive that comes while we hold one."""
            if operation == "ReceiveMessage" and response.get("Messages") and not lost:
                handle = response["Messages"][0]["ReceiptHandle"]
                world.ask("ChangeMessageVisibility", world.dlq, ReceiptHandle=handle, VisibilityTimeout=0)
                lost.append(handle)
            elif operation == "ReceiveMessage" and response.get("Messages") and len(lost) == 1:
                lost.append(response["Messages"][0]["ReceiptHandle"])
                raise no_answer(operation)
            return response

    selection = Selection(ids=frozenset({*first, late}))
    world.fake.faults = DeliverAgain()
    with redrive.prepare(world.kit(), world.dlq.arn, selection) as run:
        report = run.execute()
    assert len(lost) == 2
    assert (report.status, report.counts.succeeded) == (Status.DONE, 2)
    assert world.bodies(world.dlq) == []
    assert Counter(world.bodies(world.source)) == Counter({"body 0": 1, "body 1": 1})


def test_a_run_can_be_left_twice(world: World) -> None:
    """Whoever closes it again releases nothing that is not its own any more."""
    world.die(["body"])
    run = redrive.prepare(world.kit(), world.dlq.arn)
    assert isinstance(run, Run)
    run.close()
    with redrive.prepare(world.kit(), world.dlq.arn):
        run.close()
        assert world.visible(world.dlq) == 0


def test_a_run_that_died_is_waited_for_once(world: World) -> None:
    """Nobody knows when it died, so its leases are given their time; whoever comes later need not wait again.

    What it has left can never be settled: somebody else has purged the queue.
    """
    world.die(bodies(5))
    die(world, DieAt("DeleteMessageBatch", 1))
    world.ask("PurgeQueue", world.dlq)
    assert run_all(world).seconds >= 30
    world.clock.advance(3_600)
    assert run_all(world).seconds < 10


def test_a_lease_that_grows_is_written_down_while_the_run_goes_on(world: World) -> None:
    """Were it to die now, its resume would have to wait for so long."""
    world.die(bodies(5))
    kit = world.kit()
    with redrive.prepare(kit, world.dlq.arn) as run:
        world.fake.faults = Act("SendMessageBatch", lambda: run.hold.leases.before_longer(90))
        run.execute()
    assert kit.journal.run(run.plan.run_id).lease_s == 90
