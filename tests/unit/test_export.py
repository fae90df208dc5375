from __future__ import annotations

import gzip
import io
import json
from collections import Counter
from pathlib import Path

import pytest

from opstool.doors.archive import read_archive
from opstool.fake import Behaviour
from opstool.verbs.export import export
from opstool.words.errors import RefusedError, StorageError
from opstool.words.filters import Selection, select
from opstool.words.report import Status
from tests.world import World, make_world


def bodies(count: int) -> list[str]:
    """Return distinct JSON bodies."""
    return [json.dumps({"n": number}) for number in range(count)]


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz"])
def test_an_export_writes_every_message_and_leaves_it(world: World, tmp_path: Path, name: str) -> None:
    """Each once, and all visible again at once."""
    world.die(bodies(57))
    report = export(world.kit(workers=4), world.dlq.arn, to=tmp_path / name)
    assert (report.status, report.counts.succeeded, report.run_id) == (Status.DONE, 57, None)
    assert Counter(record.message.body for record in read_archive(tmp_path / name)) == Counter(bodies(57))
    assert world.visible(world.dlq) == 57
    assert (tmp_path / name).read_bytes()[:2] == (b"\x1f\x8b" if name.endswith("gz") else b'{"')


def test_a_message_that_is_delivered_twice_is_written_once(tmp_path: Path) -> None:
    """As long as it is held, it is known."""
    world = make_world(tmp_path / "state", behaviour=Behaviour(duplicates=0.5))
    world.send(world.dlq, bodies(40))
    report = export(world.kit(workers=3), world.dlq.arn, to=tmp_path / "a.jsonl")
    assert report.counts.succeeded == 40
    assert len(list(read_archive(tmp_path / "a.jsonl"))) == 40


def test_only_what_was_selected_is_written(world: World, tmp_path: Path) -> None:
    """And an id that is not there is named."""
    ids = world.die(bodies(20))
    report = export(world.kit(), world.dlq.arn, select(now_ms=0, where="body.n < `3`"), to=tmp_path / "a.jsonl")
    assert (report.status, report.counts.succeeded, report.counts.skipped) == (Status.DONE, 3, 17)
    selection = Selection(ids=frozenset([ids[0], "nobody"]))
    report = export(world.kit(), world.dlq.arn, selection, to=tmp_path / "b.jsonl")
    assert (report.status, report.counts.succeeded) == (Status.PARTIAL, 1)
    assert [each.message_ids for each in report.failures] == [("nobody",)]


def test_a_limit_is_kept(world: World, tmp_path: Path) -> None:
    """What was received beyond it is given back."""
    world.die(bodies(30))
    report = export(world.kit(), world.dlq.arn, to=tmp_path / "a.jsonl", limit=7)
    assert (report.counts.succeeded, len(list(read_archive(tmp_path / "a.jsonl")))) == (7, 7)
    assert world.visible(world.dlq) == 30


def test_a_file_that_exists_is_refused_and_nothing_is_received(world: World, tmp_path: Path) -> None:
    """Unless it may be overwritten."""
    world.die(bodies(3))
    (tmp_path / "a.jsonl").write_text("precious")
    before = world.fake.requests["ReceiveMessage"]
    with pytest.raises(RefusedError):
        export(world.kit(), world.dlq.arn, to=tmp_path / "a.jsonl")
    assert world.fake.requests["ReceiveMessage"] == before
    assert export(world.kit(), world.dlq.arn, to=tmp_path / "a.jsonl", overwrite=True).status is Status.DONE


def test_a_stream_gets_the_same_lines(world: World) -> None:
    """Such as stdout."""
    world.die(bodies(3))
    stream = io.BytesIO()
    report = export(world.kit(), world.dlq.arn, to=stream)
    assert (report.target, report.archive) == ("stdout", None)
    assert len(list(read_archive(io.BytesIO(stream.getvalue())))) == 3


def test_a_reader_that_goes_away_ends_it_and_nothing_is_lost(world: World) -> None:
    """`| head` is no reason to lose messages."""

    class Closed(io.BytesIO):
        def write(self, data: object) -> int:
            raise BrokenPipeError

    world.die(bodies(30))
    report = export(world.kit(), world.dlq.arn, to=Closed())
    assert (report.status, report.error_code) == (Status.PARTIAL, "pipe_closed")
    assert world.visible(world.dlq) == 30


def test_a_stop_ends_it_with_a_file_that_can_be_read(world: World, tmp_path: Path) -> None:
    """What was written is whole."""
    world.die(bodies(30))
    kit = world.kit()
    kit.stop.set()
    report = export(kit, world.dlq.arn, to=tmp_path / "a.jsonl.gz")
    assert report.status is Status.INTERRUPTED
    assert gzip.decompress((tmp_path / "a.jsonl.gz").read_bytes() or gzip.compress(b"")) == b""
    assert world.visible(world.dlq) == 30


def test_a_fifo_export_says_what_it_could_not_see(fifo_world: World, tmp_path: Path) -> None:
    """Ten deep per group, without deleting."""
    fifo_world.die([f"a:{number}" for number in range(35)])
    report = export(fifo_world.kit(), fifo_world.dlq.arn, to=tmp_path / "a.jsonl")
    assert (report.status, report.counts.succeeded) == (Status.PARTIAL, 10)
    assert any("FIFO" in note for note in report.notes)


def test_a_folder_that_does_not_exist_is_a_storage_error(world: World, tmp_path: Path) -> None:
    """Before anything is received."""
    with pytest.raises(StorageError):
        export(world.kit(), world.dlq.arn, to=tmp_path / "nowhere" / "a.jsonl")
