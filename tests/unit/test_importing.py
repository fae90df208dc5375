from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from opstool.fake import FailCalls, Faults
from opstool.verbs import history, importing, purge, redrive
from opstool.words.errors import AccessError, RefusedError, UsageError
from opstool.words.report import Report, Status
from tests.world import World, make_queue


@pytest.fixture
def archive(world: World, tmp_path: Path) -> Path:
    """Return an archive of 25 messages that were purged from the DLQ."""
    world.die([json.dumps({"n": number}) for number in range(25)])
    path = tmp_path / "archive.jsonl"
    with purge.prepare(world.kit(), world.dlq.arn, archive=path) as run:
        assert run.execute().status is Status.DONE
    return path


def run_import(world: World, source: Any, workers: int = 1, **options: Any) -> Report:
    """Import at once."""
    with importing.prepare(world.kit(workers=workers), source, **options) as run:
        return run.execute()


def test_an_archive_goes_back_into_the_queue_it_came_from(world: World, archive: Path) -> None:
    """The undo of a purge."""
    report = run_import(world, archive, workers=4)
    assert (report.status, report.counts.succeeded, report.target) == (Status.DONE, 25, "orders-dlq")
    assert Counter(world.bodies(world.dlq)) == Counter(json.dumps({"n": number}) for number in range(25))


def test_a_record_is_imported_once_into_a_target(world: World, archive: Path) -> None:
    """However often it is begun; another target is another matter, and so is doing it again on purpose."""
    assert run_import(world, archive).counts.succeeded == 25
    again = run_import(world, archive)
    assert (again.status, again.counts.succeeded, again.counts.skipped) == (Status.DONE, 0, 25)
    assert len(world.bodies(world.dlq)) == 25
    make_queue(world.fake, "other")
    assert run_import(world, archive, to="other").counts.succeeded == 25
    assert run_import(world, archive, again=True).counts.succeeded == 25
    assert len(world.bodies(world.dlq)) == 50


def test_a_part_of_an_archive_counts_as_the_same_records(world: World, archive: Path) -> None:
    """`head` and `grep` make no new messages."""
    lines = archive.read_bytes().splitlines(keepends=True)
    assert run_import(world, io.BytesIO(b"".join(lines[:5]))).counts.succeeded == 5
    report = run_import(world, archive)
    assert (report.counts.succeeded, report.counts.skipped) == (20, 5)


@pytest.mark.parametrize("workers", [1, 4])
def test_a_record_that_stands_in_the_file_twice_is_sent_once(world: World, archive: Path, workers: int) -> None:
    """By whichever worker."""
    double = archive.read_bytes() * 2
    report = run_import(world, io.BytesIO(double), workers=workers)
    assert (report.status, report.counts.succeeded, report.possibly_sent_twice) == (Status.DONE, 25, 0)
    assert len(world.bodies(world.dlq)) == 25


def test_to_source_sends_each_to_the_queue_it_died_in(world: World, archive: Path) -> None:
    """Straight back to the consumer."""
    report = run_import(world, archive, to_source=True)
    assert report.target == "orders"
    assert len(world.bodies(world.source)) == 25


def test_to_source_parts_the_messages_of_several_sources(world: World, tmp_path: Path) -> None:
    """Though they lie mixed in one archive of one DLQ, none goes to the source of its neighbour."""
    payments = world.add_queue("payments", dlq=world.dlq)
    for number in range(5):
        world.die([f"order {number}"])
        world.die([f"payment {number}"], source=payments)
    path = tmp_path / "mixed.jsonl"
    with purge.prepare(world.kit(), world.dlq.arn, archive=path) as run:
        run.execute()
    report = run_import(world, path, to_source=True)
    assert report.counts.succeeded == 10
    assert Counter(world.bodies(world.source)) == Counter(f"order {number}" for number in range(5))
    assert Counter(world.bodies(payments)) == Counter(f"payment {number}" for number in range(5))


def test_an_archive_that_changes_its_queue_with_every_line_is_imported(world: World) -> None:
    """Two archives merged by time; what is put back does not pile up."""
    other = make_queue(world.fake, "other")
    lines = [
        json.dumps({"version": 1, "type": "message", "message_id": f"m-{number}", "body": "x", "queue": queue.arn})
        for number, queue in enumerate([world.dlq, other] * 750)
    ]
    report = run_import(world, io.BytesIO("\n".join(lines).encode()))
    assert (report.status, report.counts.failed) == (Status.DONE, 0)
    assert (len(world.bodies(world.dlq)), len(world.bodies(other))) == (750, 750)


def test_a_later_redrive_routes_an_imported_message_by_its_first_source(world: World, archive: Path) -> None:
    """SQS has forgotten it; the journal has not."""
    world.add_queue("payments", dlq=world.dlq)
    run_import(world, archive)
    with redrive.prepare(world.kit(), world.dlq.arn) as run:
        assert run.execute().status is Status.DONE
    assert len(world.bodies(world.source)) == 25


def test_records_without_a_queue_need_a_target(world: World) -> None:
    """Nothing is guessed, and nothing is sent."""
    line = json.dumps({"version": 1, "type": "message", "message_id": "m", "body": "hand-made", "attributes": {}})
    with pytest.raises(RefusedError) as caught:
        importing.prepare(world.kit(), io.BytesIO(line.encode()))
    assert caught.value.code == "no_certain_target"
    assert run_import(world, io.BytesIO(line.encode()), to="orders").counts.succeeded == 1
    with pytest.raises(RefusedError, match="empty"):
        importing.prepare(world.kit(), io.BytesIO(b""))


def test_a_wrong_line_sends_nothing(world: World, archive: Path) -> None:
    """The whole file is checked first."""
    with pytest.raises(UsageError, match="line 26"):
        importing.prepare(world.kit(), io.BytesIO(archive.read_bytes() + b"{nonsense\n"))
    assert world.bodies(world.dlq) == []


def test_an_import_into_a_queue_that_a_run_holds_is_refused(world: World, archive: Path) -> None:
    """And the other way round."""
    with importing.prepare(world.kit(), archive), pytest.raises(RefusedError):
        redrive.prepare(world.kit(), world.dlq.arn)
    with redrive.prepare(world.kit(), world.dlq.arn), pytest.raises(RefusedError):
        importing.prepare(world.kit(), archive)


def test_an_error_stops_it_and_a_resume_sends_the_rest(world: World, archive: Path) -> None:
    """Under its own id."""
    world.fake.faults = FailCalls("SendMessageBatch", AccessError("no", code="access_denied"), calls=[2])
    report = run_import(world, archive)
    world.fake.faults = Faults()
    assert (report.status, report.error_code, report.counts.succeeded) == (Status.PARTIAL, "access_denied", 10)
    with history.resume(world.kit(), str(report.run_id)) as again:
        report = again.execute()
    assert (report.status, report.counts.succeeded, report.counts.skipped) == (Status.DONE, 15, 10)
    assert len(world.bodies(world.dlq)) == 25


def test_an_unexpected_error_of_a_worker_is_not_hidden(world: World, archive: Path) -> None:
    """A report that says "done" with records unread would be a lie."""

    class Bug(Faults):
        def before(self, operation: str, request: Mapping[str, Any]) -> None:
            if operation == "SendMessageBatch":
                raise RuntimeError("a bug")

    world.fake.faults = Bug()
    with importing.prepare(world.kit(workers=3), archive) as run, pytest.raises(RuntimeError, match="a bug"):
        run.execute()


def test_a_stop_leaves_the_rest_unsent(world: World, archive: Path) -> None:
    """And says so."""
    kit = world.kit()

    class Stop(Faults):
        def before(self, operation: str, request: Mapping[str, Any]) -> None:
            if operation == "SendMessageBatch":
                kit.stop.set()

    world.fake.faults = Stop()
    with importing.prepare(kit, archive) as run:
        report = run.execute()
    assert (report.status, report.counts.succeeded) == (Status.INTERRUPTED, 10)


def test_an_import_from_standard_input_cannot_be_resumed(world: World, archive: Path) -> None:
    """It can be run again: what was sent is skipped."""
    world.fake.faults = FailCalls("SendMessageBatch", AccessError("no"), calls=[2])
    report = run_import(world, io.BytesIO(archive.read_bytes()))
    with pytest.raises(RefusedError) as caught:
        history.resume(world.kit(), str(report.run_id))
    assert caught.value.code == "not_resumable"


def test_order_is_kept_on_a_fifo_queue(fifo_world: World, tmp_path: Path) -> None:
    """Whatever the number of workers."""
    sent = [f"{'abc'[number % 3]}:{number}" for number in range(60)]
    fifo_world.die(sent)
    with purge.prepare(fifo_world.kit(), fifo_world.dlq.arn, archive=tmp_path / "a.jsonl") as run:
        run.execute()
    assert run_import(fifo_world, tmp_path / "a.jsonl", workers=8).status is Status.DONE
    for group in "abc":
        there = [body for body in fifo_world.bodies(fifo_world.dlq) if body[0] == group]
        assert there == [body for body in sent if body[0] == group]
