from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from opstool.doors.archive import read_archive
from opstool.doors.sqs import Sqs
from opstool.doors.wire import Outgoing
from opstool.fake import FailCalls, Faults
from opstool.verbs import history, purge
from opstool.words.errors import AccessError, RefusedError
from opstool.words.filters import Selection
from opstool.words.message import Attribute, Message
from opstool.words.report import Status
from tests.world import World


def test_a_purge_archives_and_then_deletes(world: World) -> None:
    """Into a private file of the state directory, which the report names."""
    world.die([f"body {number}" for number in range(45)])
    with purge.prepare(world.kit(), world.dlq.arn) as run:
        assert not Path(run.plan.target).exists()
        report = run.execute()
    assert (report.status, report.counts.succeeded, world.bodies(world.dlq)) == (Status.DONE, 45, [])
    assert report.archive
    path = Path(report.archive)
    assert path.is_relative_to(world.state_dir)
    assert path.stat().st_mode & 0o077 == 0
    archived = Counter(record.message.body for record in read_archive(path))
    assert archived == Counter(f"body {number}" for number in range(45))


def test_what_is_archived_is_the_whole_message(world: World, tmp_path: Path) -> None:
    """Attributes, source, group and trace header: it can be brought back as it was."""
    [received] = _one_with_everything(world)
    with purge.prepare(world.kit(), world.dlq.arn, archive=tmp_path / "a.jsonl") as run:
        run.execute()
    [record] = read_archive(tmp_path / "a.jsonl")
    for name in ("message_id", "body", "attributes", "source_arn", "group_id", "trace_header"):
        assert getattr(record.message, name) == getattr(received, name)


def _one_with_everything(world: World) -> list[Message]:
    sqs = Sqs(world.fake, world.clock)
    attributes = {"b": Attribute(type="Binary.x", value=b"\x00"), "n": Attribute(type="Number", value="1")}
    trace = "Root=1-5759e988-bd862e3fe1be46a994272793"
    message = Message(message_id="x", body="{}\n", attributes=attributes, trace_header=trace)
    sqs.send_batch(world.source, [Outgoing(message=message, group_id="tenant")])
    world.reject_all(world.source)
    received = sqs.receive(world.dlq, visibility_timeout_s=1, wait_s=0)
    world.clock.advance(2)
    return [each.message for each in received]


def test_without_an_archive_it_deletes(world: World) -> None:
    """Because that was asked for; the plan says what it means."""
    world.die(["x"] * 12)
    with purge.prepare(world.kit(), world.dlq.arn, no_archive=True) as run:
        assert "kept nowhere" in run.plan.irreversible
        report = run.execute()
    assert (report.status, report.counts.succeeded, report.archive) == (Status.DONE, 12, None)
    assert world.bodies(world.dlq) == []


def test_an_archive_that_exists_is_not_written_over(world: World, tmp_path: Path) -> None:
    """And nothing is deleted."""
    world.die(["x"] * 3)
    (tmp_path / "a.jsonl").write_text("precious")
    with purge.prepare(world.kit(), world.dlq.arn, archive=tmp_path / "a.jsonl") as run, pytest.raises(RefusedError):
        run.execute()
    assert (tmp_path / "a.jsonl").read_text() == "precious"
    assert world.visible(world.dlq) == 3


def test_an_archive_of_the_same_name_is_not_the_archive_that_was(world: World, tmp_path: Path) -> None:
    """Archived, not deleted because that was denied, the file thrown away, purged again: the new file has them all."""
    world.die([f"body {number}" for number in range(15)])
    world.fake.faults = FailCalls("DeleteMessageBatch", AccessError("no", code="access_denied"))
    with purge.prepare(world.kit(), world.dlq.arn, archive=tmp_path / "a.jsonl") as run:
        assert run.execute().error_code == "access_denied"
    world.fake.faults = Faults()
    (tmp_path / "a.jsonl").unlink()
    with purge.prepare(world.kit(), world.dlq.arn, archive=tmp_path / "a.jsonl") as run:
        assert run.execute().status is Status.DONE
    archived = Counter(record.message.body for record in read_archive(tmp_path / "a.jsonl"))
    assert archived == Counter(f"body {number}" for number in range(15))


def test_the_archive_of_a_purge_is_found_from_any_folder(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A resume may be typed elsewhere: the plan holds the whole path."""
    monkeypatch.chdir(tmp_path)
    with purge.prepare(world.kit(), world.dlq.arn, archive=Path("a.jsonl")) as run:
        assert run.plan.options["archive"] == str(tmp_path / "a.jsonl")


def test_only_what_was_selected_is_purged(world: World) -> None:
    """The rest is visible again at once."""
    ids = world.die([f"body {number}" for number in range(30)])
    with purge.prepare(world.kit(), world.dlq.arn, Selection(ids=frozenset(ids[:7]))) as run:
        report = run.execute()
    assert (report.status, report.counts.succeeded) == (Status.DONE, 7)
    assert world.visible(world.dlq) == 23


def test_a_fifo_queue_is_purged_whole(fifo_world: World) -> None:
    """Group after group, as the ones before are gone."""
    fifo_world.die([f"a:{number}" for number in range(35)])
    with purge.prepare(fifo_world.kit(), fifo_world.dlq.arn) as run:
        report = run.execute()
    assert (report.status, report.counts.succeeded) == (Status.DONE, 35)
    assert report.archive
    archived = [record.message.body for record in read_archive(Path(report.archive))]
    assert archived == [f"a:{number}" for number in range(35)]


def test_an_archive_of_a_fifo_queue_keeps_the_order_though_a_lease_was_lost(fifo_world: World, tmp_path: Path) -> None:
    """An import sends in the archive's order: what comes after the lost one in its group waits for the next run."""
    fifo_world.die(["a:0", "a:1", "b:0", "a:2"])
    archive = tmp_path / "a.jsonl"
    with purge.prepare(fifo_world.kit(), fifo_world.dlq.arn, archive=archive) as run:
        next(each for each in run.in_hand if each.content.body == "a:0").lost = True
        first = run.execute()
    assert (first.status, first.counts.released) == (Status.PARTIAL, 3)
    with history.resume(fifo_world.kit(), str(first.run_id)) as again:
        assert again.execute().status is Status.DONE
    bodies = [record.message.body for record in read_archive(archive)]
    assert bodies == ["b:0", "a:0", "a:1", "a:2"]
