"""A redrive that mends: the originals are kept first, the copies are right, and nothing is lost or sent twice."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from opstool.doors.archive import read_archive
from opstool.engine.mendingsink import MendingSink
from opstool.engine.queuesink import QueueSink
from opstool.engine.sinks import Confirmed, HeldBack, NothingSink, Put, Rejected, StillOurs, all_ours
from opstool.fake import FailCalls, Faults, no_answer
from opstool.verbs import history, importing, redrive
from opstool.verbs.show import show
from opstool.words.errors import RefusedError, StorageError
from opstool.words.filters import Selection, select
from opstool.words.mending import Mending
from opstool.words.message import Message
from opstool.words.report import Report, Status
from opstool.words.watching import Watching
from tests.unit.test_delivery import Desk
from tests.unit.test_history import DieAt, die
from tests.world import Accepted, World, make_queue

FINE = Mending(sets=("kind=fine",))


def old(count: int) -> list[str]:
    """Return bodies that a consumer rejects."""
    return [json.dumps({"kind": "new", "n": number}) for number in range(count)]


def new(count: int) -> list[str]:
    """Return what becomes of them."""
    return [f'{{"kind":"fine","n":{number}}}' for number in range(count)]


def run_all(world: World, mending: Mending = FINE, selection: Selection | None = None, **options: Any) -> Report:
    """Redrive at once."""
    with redrive.prepare(world.kit(), world.dlq.arn, selection, mending=mending, **options) as run:
        return run.execute()


def originals(report: Report) -> list[str]:
    """Return the bodies in the archive of a run."""
    assert report.archive
    return [record.message.body for record in read_archive(Path(report.archive))]


@pytest.mark.parametrize("workers", [1, 4])
def test_mended_copies_go_back_and_the_originals_are_kept(world: World, workers: int) -> None:
    """Each once."""
    world.die(old(57))
    with redrive.prepare(world.kit(workers=workers), world.dlq.arn, mending=FINE) as run:
        report = run.execute()
    assert (report.status, report.counts.succeeded) == (Status.DONE, 57)
    assert Counter(world.bodies(world.source)) == Counter(new(57))
    assert Counter(originals(report)) == Counter(old(57))
    assert world.bodies(world.dlq) == []


def test_a_plan_shows_three_changes_and_is_frozen_by_id(world: World) -> None:
    """The whole queue was looked through; nothing is written before it is carried out."""
    world.die([*old(25), '{"kind":"fine"}'])
    with redrive.prepare(world.kit(), world.dlq.arn, mending=FINE) as run:
        plan = run.plan
        assert (plan.count, plan.exact, len(plan.ids or ())) == (26, True, 26)
        document = plan.document()
        assert [each["differences"] for each in document["changes"]] == [
            [{"path": "body.kind", "before": '"new"', "after": '"fine"'}]
        ] * 3
        assert document["facts"]["mending"] == "--set kind=fine"
        archive = Path(document["facts"]["archive"])
        assert archive.name == f"orders-dlq-{plan.run_id}-originals.jsonl.gz"
        assert any(f"dlq import {archive}" in note for note in plan.notes)
        assert "1 of the messages would not change, and are sent as they are" in plan.notes
        assert "fine" not in json.dumps(plan.record()).replace("kind=fine", "")
    assert not archive.exists()
    assert world.visible(world.dlq) == 26


def test_what_is_right_already_is_sent_as_it_is_and_not_archived(world: World) -> None:
    """To the last blank."""
    right = '{"kind": "fine",   "n": 1.0}'
    world.die([*old(1), right])
    report = run_all(world)
    assert report.status is Status.DONE
    assert sorted(world.bodies(world.source)) == sorted([right, *new(1)])
    assert originals(report) == old(1)


def test_what_cannot_be_mended_is_skipped_counted_and_named(world: World) -> None:
    """It stays where it is, visible, and its body is nowhere in the report."""
    ids = world.die([*old(3), "no JSON", '{"a":1,"a":2}'])
    report = run_all(world)
    assert (report.status, report.counts.succeeded, report.counts.skipped) == (Status.PARTIAL, 3, 2)
    named = {each.message_ids: each.message for each in report.failures if each.code == "not_mended"}
    assert set(named) == {(ids[3],), (ids[4],)}
    assert "no JSON" not in "".join(named.values())
    assert world.visible(world.dlq) == 2


def test_a_mending_that_changes_nothing_is_refused(world: World) -> None:
    """Whatever else cannot be mended; and everything is released."""
    world.die(["no JSON", '{"kind":"fine"}'])
    with pytest.raises(RefusedError) as refused:
        redrive.prepare(world.kit(), world.dlq.arn, mending=FINE)
    assert refused.value.code == "nothing_mended"
    assert world.visible(world.dlq) == 2


def test_a_queue_of_which_nothing_can_be_mended_has_nothing_to_send(world: World) -> None:
    """The plan says why, message by message."""
    ids = world.die(["no JSON", "none either"])
    with redrive.prepare(world.kit(), world.dlq.arn, mending=FINE) as run:
        assert run.plan.count == 0
        [failure] = run.tally.failures()
        assert (failure.code, set(failure.message_ids)) == ("not_mended", set(ids))


def test_an_empty_queue_is_no_refusal(world: World) -> None:
    """There is nothing to do."""
    with redrive.prepare(world.kit(), world.dlq.arn, mending=FINE) as run:
        assert run.plan.count == 0


def test_it_works_with_a_selection_a_limit_and_a_target(world: World) -> None:
    """What was selected, at most so many, to where it was said."""
    world.die(old(30))
    other = make_queue(world.fake, "other")
    report = run_all(world, selection=select(now_ms=0, where="body.n >= `20`"), limit=4, to="other")
    assert (report.status, report.counts.succeeded) == (Status.DONE, 4)
    assert set(world.bodies(other)) <= set(new(30)[20:])
    assert len(originals(report)) == 4


def test_it_works_with_a_canary(world: World) -> None:
    """The canary is mended too."""
    world.die(old(20))
    report = run_all(world, watching=Watching(canary=3, canary_wait_s=1))
    assert set(world.bodies(world.source)) <= set(new(20))
    assert len(originals(report)) == len(world.bodies(world.source)) >= 3


def test_attributes_group_and_trace_header_are_kept(world: World) -> None:
    """Only the body is new."""
    attribute = {"tenant": {"DataType": "String.x", "StringValue": "acme"}}
    header = {"AWSTraceHeader": {"DataType": "String", "StringValue": "Root=1-5759e988-bd862e3fe1be46a994272793"}}
    world.die(old(1), MessageAttributes=attribute, MessageSystemAttributes=header, MessageGroupId="g")
    [before] = world.stored(world.dlq)
    run_all(world)
    [after] = world.stored(world.source)
    assert after.body == new(1)[0]
    assert dict(after.attributes) == dict(before.attributes)
    assert (after.trace_header, after.group_id) == (before.trace_header, before.group_id)


def test_the_originals_are_on_disk_before_the_first_send(world: World) -> None:
    """Whenever the process dies, what was changed can be found."""
    world.die(old(10))
    folder = world.state_dir / "archives"

    class Look(Faults):
        kept: int | None = None

        def before(self, operation: str, request: Mapping[str, Any]) -> None:
            if operation == "SendMessageBatch":
                [file] = folder.iterdir()
                self.kept = len(list(read_archive(file)))

    world.fake.faults = look = Look()
    run_all(world)
    assert look.kept == 10


def test_an_archive_that_cannot_be_written_sends_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk is full; the intents are taken back, and a resume finishes."""
    world.die(old(10))

    def full(_descriptor: int, _data: bytes) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("opstool.doors.archive.writer.write_durably", full)
        report = run_all(world)
    assert (report.error_code, report.counts.succeeded) == ("storage", 0)
    assert world.fake.requests["SendMessageBatch"] == 0
    with history.resume(world.kit(), str(report.run_id)) as again:
        report = again.execute()
    assert (report.status, report.possibly_sent_twice) == (Status.DONE, 0)
    assert Counter(world.bodies(world.source)) == Counter(new(10))


def test_a_state_folder_that_cannot_take_an_archive_sends_nothing(world: World) -> None:
    """A file stands in the way of the folder."""
    world.die(old(3))
    world.kit().journal.runs()
    (world.state_dir / "archives").write_text("")
    with redrive.prepare(world.kit(), world.dlq.arn, mending=FINE) as run, pytest.raises((StorageError, OSError)):
        run.execute()
    assert world.bodies(world.source) == []


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(lambda: DieAt("SendMessageBatch", 2), id="before a send"),
        pytest.param(lambda: DieAt("SendMessageBatch", 2, after=True), id="after a send"),
        pytest.param(lambda: DieAt("DeleteMessageBatch", 2), id="before a delete"),
    ],
)
def test_a_run_that_died_is_resumed_with_the_same_mending_and_archive(
    world: World, fault: Callable[[], Faults]
) -> None:
    """Each original is in it once, and each copy was sent once, unless counted."""
    world.die(old(30))
    kit = world.kit()
    accepted = Accepted(fault())
    run_id = die(world, kit, redrive.prepare(kit, world.dlq.arn, mending=FINE), accepted)
    world.clock.advance(60)
    world.fake.faults = again = Accepted()
    with history.resume(world.kit(), run_id) as run:
        report = run.execute()
    world.fake.faults = Faults()
    assert report.status is Status.DONE
    assert Counter(originals(report)) == Counter(old(30))
    sent = accepted.copies + again.copies
    assert set(sent) == set(new(30))
    assert sum(sent.values()) - 30 <= report.possibly_sent_twice
    assert world.bodies(world.dlq) == []


def mending_desk(world: World, run_id: str = "run-1") -> Desk:
    """Open a desk that mends."""
    desk = Desk(world, run_id=run_id, uncertain="leave")
    sink = MendingSink(desk.delivery.sink, originals=NothingSink(), mending=FINE)
    object.__setattr__(desk.delivery, "sink", sink)
    return desk


def test_a_mended_copy_whose_answer_was_lost_is_known_when_it_comes_back(world: World) -> None:
    """By the body that was sent, not by the original's; also by a run that takes up what another has left open."""
    original, stranger = Message(message_id="m-1", body="{}"), Message(message_id="m-2", body="{}")
    world.fake.faults = FailCalls("SendMessageBatch", no_answer("x"), phase="after")
    for run_id in ("run-1", "run-2"):
        desk = mending_desk(world, run_id)
        desk.deliver([original])
        [copy] = world.stored(world.source)
        came_back = Message(message_id=copy.message_id, body=copy.body)
        assert desk.delivery.open_bodies.is_return(came_back)
        assert not desk.delivery.open_bodies.is_return(stranger)
        desk.journal.close()


def test_a_lost_answer_is_repeated_with_the_same_body(world: World) -> None:
    """And counted."""
    world.die(old(3))
    world.fake.faults = accepted = Accepted(FailCalls("SendMessageBatch", no_answer("x"), phase="after", calls={1}))
    report = run_all(world)
    assert set(accepted.copies) == set(new(3))
    assert (report.possibly_sent_twice, accepted.doubled) == (3, 3)
    assert Counter(originals(report)) == Counter(old(3))


def test_a_mended_message_is_no_duplicate_of_its_unmended_predecessor(fifo_world: World) -> None:
    """Sent and dead again within the window in which a FIFO queue drops a known deduplication id."""
    world = fifo_world
    world.die([json.dumps({"n": 1})])
    with redrive.prepare(world.kit(), world.dlq.arn) as run:
        assert run.execute().status is Status.DONE
    world.reject_all(world.source)
    report = run_all(world)
    assert report.status is Status.DONE
    assert world.bodies(world.source) == ['{"n":1,"kind":"fine"}']


def test_nothing_of_a_fifo_group_overtakes_what_cannot_be_mended(fifo_world: World) -> None:
    """The rest of the group stays behind it, and is named; the other groups go."""
    world = fifo_world
    ids = [
        *world.die(['{"n":1}', "broken", '{"n":2}'], MessageGroupId="a"),
        *world.die(['{"n":3}'], MessageGroupId="b", MessageDeduplicationId="another"),
    ]
    report = run_all(world)
    assert report.status is Status.PARTIAL
    assert sorted(world.bodies(world.source)) == ['{"n":1,"kind":"fine"}', '{"n":3,"kind":"fine"}']
    assert {key for each in report.failures for key in each.message_ids} == {ids[1], ids[2]}


def test_lineage_links_the_mended_copy_with_its_original(world: World) -> None:
    """It has come back, under a new id and with a new body."""
    [first] = world.die(old(1))
    run_all(world)
    world.reject_all(world.source)
    [second] = world.stored(world.dlq)
    shown = show(world.kit(), second.message_id, world.dlq.arn)
    assert shown.message.body == new(1)[0]
    assert [each.message_id for each in shown.lineage.passages] == [first]
    assert shown.lineage.returned == 1


def test_an_original_can_be_brought_back(world: World) -> None:
    """The archive of originals is an archive like any other."""
    world.die(old(3))
    report = run_all(world)
    with importing.prepare(world.kit(), Path(str(report.archive))) as run:
        assert run.execute().status is Status.DONE
    assert Counter(world.bodies(world.dlq)) == Counter(old(3))


class Recorded(NothingSink):
    """A sink that keeps what it was given, in one group."""

    def __init__(self) -> None:
        self.given: list[Message] = []

    def put(self, messages: Sequence[Message], still_ours: StillOurs = all_ours) -> dict[str, Put]:
        """Keep them."""
        self.given += still_ours(messages)
        return super().put(messages)

    def group_of(self, message: Message) -> str | None:
        """Return its own group."""
        return message.group_id


def garbled(number: int, **fields: Any) -> Message:
    """Return a message that did not arrive as the server named it."""
    return Message(message_id=f"m-{number}", body="{}", md5_of_body="0" * 32, **fields)


def test_what_arrived_garbled_is_neither_archived_nor_mended() -> None:
    """A mended copy would have an MD5 of its own, and hide it; its group waits, the others go."""
    inner, kept = Recorded(), Recorded()
    sink = MendingSink(inner, originals=kept, mending=FINE)
    good = replace(garbled(2, group_id="a"), md5_of_body=None)
    other = replace(good, message_id="m-3", group_id="b")
    results = sink.put([garbled(1, group_id="a"), good, other])
    assert isinstance(results["m-1"], Rejected)
    assert isinstance(results["m-2"], HeldBack)
    assert isinstance(results["m-3"], Confirmed)
    assert [each.message_id for each in (*inner.given, *kept.given)] == ["m-3", "m-3"]
    assert [each.body for each in (*inner.given, *kept.given)] == ['{"kind":"fine"}', "{}"]


def test_what_is_asked_for_its_lease_is_the_original_and_what_is_sent_the_copy() -> None:
    """Leases are of originals."""
    inner = Recorded()
    asked: list[Message] = []

    def still_ours(messages: Sequence[Message]) -> Sequence[Message]:
        asked.extend(messages)
        return messages[1:]

    two = [replace(garbled(number), md5_of_body=None) for number in (1, 2)]
    MendingSink(inner, originals=Recorded(), mending=FINE).put(two, still_ours)
    assert asked == two
    assert [(each.message_id, each.body) for each in inner.given] == [("m-2", '{"kind":"fine"}')]


def test_the_queue_answers_with_the_md5_of_the_new_body(world: World) -> None:
    """Another one is no confirmation."""
    message = Message(message_id="m", body="{}", md5_of_body="99914b932bd37a50b983c5e7c90ae93b")
    inner = QueueSink(world.kit().sqs, lambda _: world.source, run_id="r")
    results = MendingSink(inner, originals=NothingSink(), mending=FINE).put([message])
    assert isinstance(results["m"], Confirmed)
    assert world.bodies(world.source) == ['{"kind":"fine"}']
