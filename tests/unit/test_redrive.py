from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from opstool.doors.archive import read_archive
from opstool.fake import Behaviour, EntryFault, FailCalls, Faults, no_answer
from opstool.verbs import history, purge, redrive
from opstool.words.awserrors import error_for
from opstool.words.errors import AccessError, InterruptedRunError, RefusedError, StorageError
from opstool.words.filters import Selection, select
from opstool.words.record import State
from opstool.words.report import Report, Status
from tests.world import Accepted, World, make_queue, make_world


def bodies(count: int) -> list[str]:
    """Return distinct JSON bodies."""
    return [json.dumps({"n": number}) for number in range(count)]


def run_all(world: World, selection: Selection | None = None, **options: Any) -> Report:
    """Redrive at once."""
    with redrive.prepare(world.kit(), world.dlq.arn, selection, **options) as run:
        return run.execute()


class AtCall(Faults):
    """Do something before the n-th call of an operation."""

    def __init__(self, operation: str, number: int, act: Any) -> None:
        self._operation, self._left, self._act = operation, number, act

    def before(self, operation: str, request: Mapping[str, Any]) -> None:
        """Count, and act."""
        if operation == self._operation:
            self._left -= 1
            if self._left == 0:
                self._act()


@pytest.mark.parametrize("workers", [1, 4])
def test_everything_goes_back_to_its_source_once(world: World, workers: int) -> None:
    """Empty DLQ, full source, counts that say so."""
    world.die(bodies(234))
    with redrive.prepare(world.kit(workers=workers), world.dlq.arn) as run:
        report = run.execute()
    assert report.status is Status.DONE
    assert (report.counts.received, report.counts.succeeded) == (234, 234)
    assert Counter(world.bodies(world.source)) == Counter(bodies(234))
    assert world.bodies(world.dlq) == []
    assert report.possibly_sent_twice == 0


def test_a_full_batch_costs_three_requests(world: World) -> None:
    """Receive, send, delete."""
    world.die(bodies(100))
    report = run_all(world)
    assert [world.fake.requests[f"{verb}MessageBatch"] for verb in ("Send", "Delete")] == [10, 10]
    assert report.cost_usd > 0


def test_nothing_is_changed_before_it_is_executed(world: World) -> None:
    """A plan that is looked at and left releases what it held, and writes no run."""
    world.die(bodies(20))
    kit = world.kit()
    with redrive.prepare(kit, world.dlq.arn) as run:
        assert run.plan.count == 20
    assert world.visible(world.dlq) == 20
    assert world.bodies(world.source) == []
    assert kit.journal.runs() == []


def test_what_was_selected_is_what_is_sent(world: World) -> None:
    """The plan is exact, names its ids, and the rest stays visible."""
    world.die(bodies(50))
    with redrive.prepare(world.kit(), world.dlq.arn, select(now_ms=0, where="body.n < `12`")) as run:
        assert (run.plan.count, run.plan.exact, len(run.plan.ids or ())) == (12, True, 12)
        report = run.execute()
    assert (report.status, report.counts.succeeded, report.counts.skipped) == (Status.DONE, 12, 38)
    assert world.visible(world.dlq) == 38


def test_a_message_that_arrives_after_the_plan_is_not_acted_on(world: World) -> None:
    """The unfiltered whole is frozen by SentTimestamp."""
    world.die(bodies(20))
    with redrive.prepare(world.kit(), world.dlq.arn) as run:
        world.clock.advance(60)
        world.die(["late"])
        report = run.execute()
    assert (report.status, report.counts.succeeded, report.counts.skipped) == (Status.DONE, 20, 1)
    assert world.bodies(world.dlq) == ["late"]


@pytest.mark.parametrize("limit", [1, 3, 10, 13])
@pytest.mark.parametrize("where", [None, "body.n >= `0`"], ids=["unfiltered", "filtered"])
def test_a_limit_is_kept_exactly(world: World, limit: int, where: str | None) -> None:
    """Also when the first receive brought more."""
    world.die(bodies(30))
    report = run_all(world, select(now_ms=0, where=where), limit=limit)
    assert (report.status, report.counts.succeeded) == (Status.DONE, limit)
    assert len(world.bodies(world.source)) == limit
    assert world.visible(world.dlq) == 30 - limit


def test_an_id_that_is_not_found_makes_it_partial(world: World) -> None:
    """And is named; the others are sent, and no more is read than needed for them."""
    ids = world.die(bodies(5))
    report = run_all(world, Selection(ids=frozenset([ids[0], "nobody"])))
    assert (report.status, report.counts.succeeded) == (Status.PARTIAL, 1)
    assert [(each.code, each.message_ids) for each in report.failures] == [("id_not_found", ("nobody",))]


def test_a_search_by_id_ends_when_all_are_found(tmp_path: Path) -> None:
    """Looking changes receive counts, so nobody looks further than needed."""
    world = make_world(tmp_path, behaviour=Behaviour(shuffled=False))
    ids = world.send(world.dlq, bodies(100))
    report = run_all(world, Selection(ids=frozenset([ids[3], ids[35]])))
    assert (report.counts.succeeded, report.counts.received) == (2, 40)
    world.close()


def test_a_scan_that_could_not_see_all_is_partial(tmp_path: Path) -> None:
    """SQS lets only so many be in flight."""
    world = make_world(tmp_path, behaviour=Behaviour(in_flight_limit=40))
    world.send(world.dlq, bodies(100))
    report = run_all(world, select(now_ms=0, where="body.n >= `0`"))
    assert report.status is Status.PARTIAL
    assert report.counts.succeeded == 40
    assert any("in flight" in note for note in report.notes)
    world.close()


def test_messages_that_are_held_elsewhere_are_spoken_of(world: World) -> None:
    """A dead process's leases, or a colleague's look: they may be missed."""
    world.die(bodies(20))
    world.ask("ReceiveMessage", world.dlq, MaxNumberOfMessages=10)
    with redrive.prepare(world.kit(), world.dlq.arn) as run:
        assert any("approximately 10 more messages are in flight" in note for note in run.plan.notes)


@pytest.mark.parametrize("verb", ["redrive", "purge"])
def test_what_another_run_sent_is_deleted_and_never_sent(world: World, verb: str) -> None:
    """Its delete had failed; whoever comes next finishes it, by redrive or by purge."""
    world.die(bodies(10))
    world.fake.faults = FailCalls("DeleteMessageBatch", no_answer("x"))
    report = run_all(world)
    assert (report.status, report.counts.failed) == (Status.PARTIAL, 10)
    assert {each.code for each in report.failures} == {"not_deleted"}
    world.fake.faults = Faults()
    world.clock.advance(31)
    if verb == "redrive":
        report = run_all(world)
    else:
        with purge.prepare(world.kit(), world.dlq.arn) as run:
            report = run.execute()
    assert (report.status, report.counts.succeeded) == (Status.DONE, 10)
    assert len(world.bodies(world.source)) == 10
    assert world.bodies(world.dlq) == []


def test_what_a_purge_archived_and_could_not_delete_is_still_sent_by_a_redrive(world: World) -> None:
    """A copy in an archive, or in nothing, is not a copy in the queue it is redriven to."""
    world.die(bodies(10))
    for options in ({"no_archive": True}, {}):
        world.fake.faults = FailCalls("DeleteMessageBatch", no_answer("x"))
        with purge.prepare(world.kit(), world.dlq.arn, **options) as run:
            assert run.execute().status is Status.PARTIAL
        world.fake.faults = Faults()
        world.clock.advance(31)
    assert run_all(world).status is Status.DONE
    assert Counter(world.bodies(world.source)) == Counter(bodies(10))


def test_a_clock_that_was_set_back_keeps_nobody_waiting(world: World) -> None:
    """What an earlier run left unsettled is hidden for a lease, whatever the wall clock says of its age."""
    world.die(bodies(3))
    world.fake.faults = FailCalls("DeleteMessageBatch", AccessError("no", code="access_denied"))
    run_all(world)
    world.fake.faults = Faults()
    world.clock.jump_wall(-86_400)
    before = world.clock.monotonic()
    assert run_all(world, Selection(ids=frozenset(["unknown"]))).counts.succeeded == 0
    assert run_all(world).counts.succeeded == 3
    assert world.clock.monotonic() - before < 120


def test_a_delete_that_is_denied_is_told_of_what_was_sent(world: World) -> None:
    """They are not "given back undecided": their copies are there."""
    world.die(bodies(10))
    world.fake.faults = FailCalls("DeleteMessageBatch", AccessError("no", code="access_denied"))
    report = run_all(world)
    assert (report.status, report.error_code) == (Status.PARTIAL, "access_denied")
    assert (report.counts.failed, report.counts.released) == (10, 0)
    assert len(world.bodies(world.source)) == 10


def test_a_stale_delete_is_not_believed(world: World) -> None:
    """The machine slept through the delete, somebody else took the message, and SQS said yes all the same."""
    world.die(bodies(5))

    def sleep() -> None:
        world.clock.jump_wall(31)
        world.ask("ReceiveMessage", world.dlq, MaxNumberOfMessages=10, VisibilityTimeout=10)

    world.fake.faults = AtCall("DeleteMessageBatch", 1, sleep)
    report = run_all(world, select(now_ms=0, where="body.n >= `0`"))
    assert (report.status, report.counts.succeeded) == (Status.DONE, 5)
    assert world.bodies(world.dlq) == []
    assert len(world.bodies(world.source)) == 5


def test_what_has_just_died_is_meant_though_the_clock_of_sqs_is_a_second_ahead(tmp_path: Path) -> None:
    """The Date of an answer tells whole seconds: so small a difference cannot be learned from it."""
    world = make_world(tmp_path, behaviour=Behaviour(skew_s=1.0))
    world.die(bodies(25))
    report = run_all(world)
    assert (report.status, report.counts.succeeded) == (Status.DONE, 25)
    world.close()


def test_a_doubtful_delete_that_fails_when_it_is_repeated_is_no_success(world: World) -> None:
    """SQS said yes to a stale handle, the message came back, and from then on it could not be deleted."""
    world.die(bodies(5))

    class StaleThenRefused(AtCall):
        def entry(self, operation: str, entry: Mapping[str, Any]) -> EntryFault | None:
            refused = operation == self._operation and self._left < 0
            return EntryFault(code="AccessDenied", sender_fault=True) if refused else None

    def sleep() -> None:
        world.clock.jump_wall(31)
        world.ask("ReceiveMessage", world.dlq, MaxNumberOfMessages=10, VisibilityTimeout=10)

    world.fake.faults = StaleThenRefused("DeleteMessageBatch", 1, sleep)
    report = run_all(world)
    assert (report.status, report.counts.succeeded, report.counts.failed) == (Status.PARTIAL, 0, 5)
    assert [(each.code, len(each.message_ids)) for each in report.failures] == [("not_deleted", 5)]
    assert len(world.bodies(world.dlq)) == len(world.bodies(world.source)) == 5


def test_a_run_that_is_stopped_before_a_doubtful_delete_is_known_does_not_call_it_a_success(world: World) -> None:
    """It would have waited for the message to reappear."""
    world.die(bodies(5))
    kit = world.kit()

    def sleep() -> None:
        world.clock.jump_wall(31)
        world.ask("ReceiveMessage", world.dlq, MaxNumberOfMessages=10, VisibilityTimeout=10)
        kit.stop.set()

    world.fake.faults = AtCall("DeleteMessageBatch", 1, sleep)
    with redrive.prepare(kit, world.dlq.arn) as run:
        report = run.execute()
    assert (report.status, report.counts.succeeded, report.counts.failed) == (Status.INTERRUPTED, 0, 5)
    assert len(world.bodies(world.dlq)) == 5


def test_a_lease_that_was_lost_before_the_send_is_not_sent_under(world: World) -> None:
    """The machine slept at the prompt; a colleague has the messages now, and keeps them."""
    world.die(bodies(5))
    with redrive.prepare(world.kit(), world.dlq.arn, select(now_ms=0, where="body.n >= `0`")) as run:
        world.clock.jump_wall(31)
        colleague = world.ask("ReceiveMessage", world.dlq, MaxNumberOfMessages=10, VisibilityTimeout=3_600)["Messages"]
        assert len(colleague) == 5
        report = run.execute()
    assert world.bodies(world.source) == []
    assert (report.status, report.counts.released) == (Status.PARTIAL, 5)


def test_leases_that_lapsed_unnoticed_are_taken_again(world: World) -> None:
    """Nobody else took them: they are received afresh, and sent once."""
    world.die(bodies(25))
    with redrive.prepare(world.kit(), world.dlq.arn, select(now_ms=0, where="body.n >= `0`")) as run:
        world.clock.jump_wall(31)
        report = run.execute()
    assert (report.status, report.counts.succeeded) == (Status.DONE, 25)
    assert len(world.bodies(world.source)) == 25


def test_a_slow_operator_loses_nothing(world: World) -> None:
    """An hour at the prompt: nobody else saw the messages meanwhile."""
    world.die(bodies(25))
    with redrive.prepare(world.kit(), world.dlq.arn, select(now_ms=0, where="body.n >= `0`")) as run:
        world.clock.advance(3_600)
        assert world.visible(world.dlq) == 0
        report = run.execute()
    assert (report.status, report.counts.succeeded, report.possibly_sent_twice) == (Status.DONE, 25, 0)


def test_a_slow_target_loses_nothing(world: World) -> None:
    """Twenty seconds a send, with everything held meanwhile."""
    world.die(bodies(60))

    class Slow(Accepted):
        def before(self, operation: str, request: Mapping[str, Any]) -> None:
            if operation == "SendMessageBatch":
                world.clock.sleep(20)

    with redrive.prepare(world.kit(), world.dlq.arn, select(now_ms=0, where="body.n >= `0`")) as run:
        world.fake.faults = slow = Slow()
        report = run.execute()
    assert (report.status, report.counts.succeeded, slow.doubled) == (Status.DONE, 60, 0)


def returns(world: World, report: Report, copies: Counter[str]) -> None:
    """Check that each message was sent once, and came back."""
    assert set(copies.values()) == {1}
    assert world.bodies(world.source) == []
    assert len(world.bodies(world.dlq)) == len(copies)
    assert report.counts.succeeded == len(copies)


def test_a_redrive_does_not_feed_on_its_returns(world: World) -> None:
    """The consumer rejects everything at once: each message travels once, and what came back is counted."""
    world.die(bodies(50))

    class Reject(Accepted):
        def before(self, operation: str, request: Mapping[str, Any]) -> None:
            if operation == "DeleteMessageBatch":
                world.reject_all(world.source)

    world.clock.advance(60)
    world.fake.faults = reject = Reject()
    report = run_all(world)
    returns(world, report, reject.copies)
    assert report.counts.returned == 50
    assert report.status is Status.DONE


def test_after_a_lost_answer_a_return_is_recognised_by_its_body(world: World) -> None:
    """Its new id was never learnt."""
    world.die(bodies(3))
    world.clock.advance(60)

    class LoseAndReject(Accepted):
        def after(self, operation: str, request: Mapping[str, Any], response: dict[str, Any]) -> dict[str, Any]:
            answer = super().after(operation, request, response)
            if operation == "SendMessageBatch":
                world.reject_all(world.source)
                raise no_answer(operation)
            return answer

    world.fake.faults = LoseAndReject()
    report = run_all(world, uncertain="leave")
    assert (report.counts.failed, report.counts.returned) == (3, 3)
    assert len(world.bodies(world.dlq)) == 6


def test_messages_older_than_the_plan_are_sent_though_their_body_is_that_of_a_lost_one(world: World) -> None:
    """Many messages may have one body; a return carries the time of our send. Whom it may have doubled is named."""
    ids = world.die(["the same"] * 40)
    world.clock.advance(60)
    world.fake.faults = FailCalls("SendMessageBatch", no_answer("x"), phase="after", calls=[1])
    report = run_all(world)
    assert (report.status, report.counts.succeeded, report.counts.returned) == (Status.DONE, 40, 0)
    assert (len(world.bodies(world.source)), report.possibly_sent_twice) == (50, 10)
    assert len(set(report.possibly_sent_twice_ids) & set(ids)) == 10


def test_with_leave_an_uncertain_message_stays_in_the_queue_for_the_next_run(world: World) -> None:
    """Which counts it when it sends it."""
    world.die(bodies(10))
    world.fake.faults = FailCalls("SendMessageBatch", no_answer("x"), phase="after", calls=[1])
    report = run_all(world, uncertain="leave")
    assert (report.status, report.counts.failed, report.possibly_sent_twice) == (Status.PARTIAL, 10, 0)
    world.fake.faults = Faults()
    assert world.visible(world.dlq) == 10
    assert run_all(world, uncertain="leave").counts.failed == 10
    report = run_all(world)
    assert (report.status, report.counts.succeeded, report.possibly_sent_twice) == (Status.DONE, 10, 10)


def test_a_copy_that_differs_is_not_a_reason_to_delete(world: World) -> None:
    """The MD5 in the answer is not the original's."""
    world.die(bodies(2))

    class Garble(Faults):
        def after(self, operation: str, request: Mapping[str, Any], response: dict[str, Any]) -> dict[str, Any]:
            if operation == "SendMessageBatch":
                response["Successful"][0]["MD5OfMessageBody"] = "0" * 32
            return response

    world.fake.faults = Garble()
    report = run_all(world)
    assert (report.status, report.counts.succeeded, report.counts.failed) == (Status.PARTIAL, 1, 1)
    assert [each.code for each in report.failures] == ["copy_differs"]
    assert len(world.bodies(world.dlq)) == 1


def test_large_messages_travel(world: World) -> None:
    """One of 1 MiB, and batches that are cut by bytes."""
    sizes = [1_048_576, *[400_000] * 7]
    world.die(["x" * size for size in sizes])
    report = run_all(world)
    assert (report.status, report.counts.succeeded) == (Status.DONE, 8)
    assert sorted(map(len, world.bodies(world.source))) == sorted(sizes)


def test_a_stop_in_the_middle_settles_what_is_in_hand_and_a_resume_goes_on(world: World) -> None:
    """Interrupted is not failed: nothing is in between."""
    world.die(bodies(200))
    kit = world.kit()
    world.fake.faults = AtCall("SendMessageBatch", 5, kit.stop.set)
    with redrive.prepare(kit, world.dlq.arn) as run:
        report = run.execute()
    world.fake.faults = Faults()
    assert (report.status, report.counts.succeeded) == (Status.INTERRUPTED, 50)
    assert world.visible(world.dlq) == 150
    assert len(world.bodies(world.source)) == 50
    with history.resume(world.kit(), str(report.run_id)) as again:
        report = again.execute()
    assert (report.status, report.counts.succeeded, report.possibly_sent_twice) == (Status.DONE, 150, 0)
    assert Counter(world.bodies(world.source)) == Counter(bodies(200))


def test_a_stop_before_it_began_sends_nothing(world: World) -> None:
    """And releases everything."""
    world.die(bodies(20))
    kit = world.kit()
    with redrive.prepare(kit, world.dlq.arn) as run:
        kit.stop.set()
        report = run.execute()
    assert (report.status, report.counts.released) == (Status.INTERRUPTED, 10)
    assert world.visible(world.dlq) == 20
    with pytest.raises(InterruptedRunError):
        redrive.prepare(kit, world.dlq.arn, select(now_ms=0, where="body.n >= `0`"))
    assert world.visible(world.dlq) == 20


def test_a_second_run_on_a_queue_is_refused(world: World) -> None:
    """Until the first is over."""
    world.die(bodies(5))
    with redrive.prepare(world.kit(), world.dlq.arn):
        for verb in (redrive.prepare, purge.prepare):
            with pytest.raises(RefusedError) as caught:
                verb(world.kit(), world.dlq.arn)
            assert caught.value.code == "queue_busy"
    assert run_all(world).status is Status.DONE


def test_a_state_directory_that_cannot_be_written_sends_nothing(world: World, tmp_path: Path) -> None:
    """A file stands in its place."""
    world.die(bodies(5))
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError):
        redrive.prepare(world.kit(state_dir=tmp_path / "file" / "state"), world.dlq.arn)
    assert world.visible(world.dlq) == 5


def test_a_disk_that_is_full_before_the_start_sends_nothing(world: World) -> None:
    """The run cannot even be written down."""
    world.die(bodies(5))
    kit = world.kit()
    with redrive.prepare(kit, world.dlq.arn) as run:
        kit.journal._database._connection.execute("PRAGMA max_page_count = 1")
        kit.journal._database._connection.execute("PRAGMA query_only = 1")
        with pytest.raises(StorageError):
            run.execute()
    assert world.fake.requests["SendMessageBatch"] == 0
    assert world.visible(world.dlq) == 5


def test_a_disk_that_fills_up_on_the_way_stops_the_run_and_the_report_is_still_made(world: World) -> None:
    """It has the error, nothing is sent without its record, and a resume finishes it without sending twice."""
    world.die(bodies(100))
    kit = world.kit()
    query_only = "PRAGMA query_only = 1"
    world.fake.faults = counting = Accepted(
        AtCall("DeleteMessageBatch", 4, lambda: kit.journal._database._connection.execute(query_only))
    )
    with redrive.prepare(kit, world.dlq.arn) as run:
        report = run.execute()
    world.fake.faults = Faults()
    assert (report.status, report.error_code) == (Status.PARTIAL, "journal_unusable")
    assert report.counts.succeeded == 40
    assert sum(counting.copies.values()) == 40
    kit.journal._database._connection.execute("PRAGMA query_only = 0")
    kit.close()
    with history.resume(world.kit(), str(report.run_id)) as again:
        report = again.execute()
    assert report.status is Status.DONE
    assert Counter(world.bodies(world.source)) == Counter(bodies(100))


def test_a_full_disk_is_survived_by_the_archive_of_a_purge(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is deleted that is not archived, and a resume goes on with the same file."""
    world.die(bodies(50))
    writes: list[int] = []

    def write(descriptor: int, data: bytes) -> None:
        writes.append(len(data))
        if len(writes) == 3:
            durably(descriptor, data[:10])
            raise OSError(28, "No space left on device")
        durably(descriptor, data)

    from opstool.doors.archive import writer as archives  # noqa: PLC0415 - what is patched

    durably = archives.write_durably
    monkeypatch.setattr(archives, "write_durably", write)
    with purge.prepare(world.kit(), world.dlq.arn) as run:
        report = run.execute()
    assert (report.status, report.counts.succeeded) == (Status.PARTIAL, 20)
    assert report.error_code
    assert len(world.bodies(world.dlq)) == 30
    assert report.archive
    assert len(list(read_archive(Path(report.archive)))) == 20
    with history.resume(world.kit(), str(report.run_id)) as again:
        assert again.execute().status is Status.DONE
    assert Counter(record.message.body for record in read_archive(Path(report.archive))) == Counter(bodies(50))
    assert world.bodies(world.dlq) == []


def test_fifo_order_is_kept_group_by_group(fifo_world: World) -> None:
    """A hundred messages of three groups, with a batch that is throttled and an entry that fails for a while."""
    sent = [f"{'abc'[number % 3]}:{number}" for number in range(100)]
    fifo_world.die(sent)
    report = run_all(fifo_world)
    assert (report.status, report.counts.succeeded) == (Status.DONE, 100)
    there = fifo_world.bodies(fifo_world.source)
    for group in "abc":
        assert [body for body in there if body[0] == group] == [body for body in sent if body[0] == group]


def test_a_queue_that_is_nobodys_dlq_is_refused_unless_insisted(world: World) -> None:
    """It may be a source queue of somebody."""
    other = make_queue(world.fake, "other")
    world.send(other, ["x"])
    with pytest.raises(RefusedError) as caught:
        redrive.prepare(world.kit(), "other", to="orders")
    assert caught.value.code == "not_a_dlq"
    with redrive.prepare(world.kit(), "other", to="orders", not_a_dlq=True) as run:
        assert run.execute().status is Status.DONE
    assert world.bodies(world.source) == ["x"]


def test_the_queue_itself_is_no_target(world: World) -> None:
    """It would never end."""
    with pytest.raises(RefusedError) as caught:
        redrive.prepare(world.kit(), world.dlq.arn, to="orders-dlq")
    assert caught.value.code == "target_is_queue"


def test_a_target_that_was_named_takes_everything(world: World) -> None:
    """Whatever it died in."""
    world.die(bodies(3))
    other = make_queue(world.fake, "other")
    with redrive.prepare(world.kit(), world.dlq.arn, to="other") as run:
        assert run.plan.target == "other"
        assert run.execute().status is Status.DONE
    assert len(world.bodies(other)) == 3


def test_a_target_that_is_gone_fails_its_messages_and_not_the_others(world: World) -> None:
    """The DLQ is shared by two queues, and one was deleted."""
    payments = world.add_queue("payments", dlq=world.dlq)
    world.die(["paid"], source=payments)
    world.die(bodies(3))
    with redrive.prepare(world.kit(), world.dlq.arn) as run:
        world.ask("DeleteQueue", payments)
        report = run.execute()
    assert (report.status, report.counts.succeeded, report.counts.failed) == (Status.PARTIAL, 3, 1)
    assert world.bodies(world.dlq) == ["paid"]


def test_the_report_adds_up_while_one_message_is_delivered_again_and_again(tmp_path: Path) -> None:
    """SQS may deliver a message twice; it has one outcome all the same."""
    world = make_world(tmp_path, behaviour=Behaviour(duplicates=0.6))
    world.die(bodies(80))
    with redrive.prepare(world.kit(workers=4), world.dlq.arn) as run:
        report = run.execute()
    assert (report.status, report.counts.received, report.counts.succeeded) == (Status.DONE, 80, 80)
    assert Counter(world.bodies(world.source)) == Counter(bodies(80))
    world.close()


def test_the_rate_is_kept(world: World) -> None:
    """A hundred messages at ten a second take nine seconds."""
    world.die(bodies(100))
    report = run_all(world, rate=10)
    assert 9 <= report.seconds < 15


def test_the_journal_tells_who_did_what_and_why(world: World) -> None:
    """And every message of the run, without a body."""
    ids = world.die(bodies(3))
    kit = world.kit()
    with redrive.prepare(kit, world.dlq.arn) as run:
        report = run.execute(note="ticket 4711")
    details = history.details(kit, str(report.run_id))
    assert (details.run.note, details.run.status, details.run.audit["who"]) == ("ticket 4711", "done", "unknown")
    assert {move.record_id for move in details.moves} == set(ids)
    assert {move.state for move in details.moves} == {State.SETTLED}
    assert '"n"' not in repr(details)


def test_what_could_not_be_released_is_said_in_the_report(world: World) -> None:
    """What was not meant stays hidden when visibilities may not be changed; whoever looks next must know."""
    world.die(bodies(5))
    world.fake.faults = FailCalls(
        "ChangeMessageVisibilityBatch", error_for("ChangeMessageVisibilityBatch", "AccessDenied", "no", 403)
    )
    with redrive.prepare(world.kit(), "orders-dlq", Selection(body_contains="1")) as run:
        report = run.execute()
    assert (report.counts.succeeded, report.counts.skipped) == (1, 4)
    assert "4 messages could not be released: they stay hidden for up to 30 s more" in report.notes
