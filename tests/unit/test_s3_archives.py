"""Archives in S3: what is written first, deleted then and uploaded last, and what stays where when it goes wrong."""

from __future__ import annotations

import gzip
import io
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from opstool.doors.archive import read_archive
from opstool.doors.toolkit import Toolkit
from opstool.engine.run import Run
from opstool.engine.upload import Upload
from opstool.fake import FailCalls, FakeObjects, Faults
from opstool.verbs import history, importing, purge
from opstool.verbs.export import export
from opstool.words.errors import AccessError, NotFoundError, OpstoolError, RefusedError, ServiceError, UsageError
from opstool.words.filters import select
from opstool.words.report import Report, Status
from opstool.words.s3address import S3Address, parse
from tests.unit.test_run import Act
from tests.world import Died, World, forget_as_dead, make_queue

ADDRESS = "s3://archives/dead.jsonl.gz"
PLACE = parse(ADDRESS)
BODIES = [f"body {number}" for number in range(25)]


class Objects(FakeObjects):
    """S3 in memory, with something that happens before each upload."""

    before_upload: Callable[[], object] = staticmethod(lambda: None)

    def upload(self, file: Path, address: S3Address, **more: Any) -> None:
        """Let it happen, and upload."""
        self.before_upload()
        super().upload(file, address, **more)


@pytest.fixture
def objects() -> Objects:
    """Return an S3 with one empty bucket."""
    return Objects(buckets={"archives"})


def kit_of(world: World, objects: FakeObjects, **settings: Any) -> Toolkit:
    """Return a new invocation's toolkit."""
    kit = world.kit(**settings)
    kit.objects = objects
    return kit


def purging(world: World, objects: FakeObjects, to: S3Address = PLACE, **options: Any) -> Run:
    """Return a purge to S3 that is ready."""
    return purge.prepare(kit_of(world, objects), world.dlq.arn, archive=to, **options)


def resumed(world: World, objects: FakeObjects, run_id: str) -> Report:
    """Resume a run at once."""
    with history.resume(kit_of(world, objects), run_id) as run:
        return run.execute()


def archived(source: Path | BinaryIO) -> Counter[str]:
    """Return the bodies of an archive."""
    return Counter(record.message.body for record in read_archive(source))


def in_s3(objects: FakeObjects, address: str = ADDRESS) -> Counter[str]:
    """Return the bodies of an archive in S3."""
    return archived(io.BytesIO(objects.contents[address]))


def local_files(world: World) -> list[Path]:
    """Return the archives on this disk."""
    return sorted((world.state_dir / "archives").glob("*"))


# -- purge


def test_a_purge_writes_then_deletes_and_uploads_last(world: World, objects: Objects) -> None:
    """While it uploads, the queue is empty and the file is whole; afterwards the archive is in S3 alone."""
    world.die(BODIES)
    seen: list[tuple[int, Counter[str]]] = []

    def look() -> None:
        [file] = local_files(world)
        assert file.stat().st_mode & 0o077 == 0
        seen.append((len(world.bodies(world.dlq)), archived(file)))

    objects.before_upload = look
    with purging(world, objects) as run:
        assert (run.plan.target, local_files(world)) == (ADDRESS, [])
        report = run.execute()
    assert seen == [(0, Counter(BODIES))]
    assert (report.status, report.counts.succeeded, report.archive) == (Status.DONE, 25, ADDRESS)
    assert report.undo == f"opstool dlq import {ADDRESS}"
    assert (in_s3(objects), local_files(world)) == (Counter(BODIES), [])


def test_whether_it_may_be_written_is_known_before_anything_is_deleted(world: World, objects: Objects) -> None:
    """The plan looks at the bucket and the key, the run tries; then the first delete."""
    world.die(BODIES)
    asked: list[list[str]] = []
    with purging(world, objects) as run:
        assert objects.asked == ["check_bucket", "find"]
        world.fake.faults = Act("DeleteMessageBatch", lambda: asked.append(list(objects.asked)))
        run.execute()
    assert asked[0] == ["check_bucket", "find", "check_writable"]


@pytest.mark.parametrize("address", ["s3://archives/", "s3://archives/team/orders/"])
def test_in_a_folder_the_archive_gets_a_name_of_its_own(world: World, objects: Objects, address: str) -> None:
    """So that a team can name one place for all of its purges."""
    world.die(BODIES)
    with purging(world, objects, parse(address)) as run:
        report = run.execute()
    assert report.archive == f"{address}orders-dlq-{report.run_id}.jsonl.gz"
    assert in_s3(objects, str(report.archive)) == Counter(BODIES)


@pytest.mark.parametrize("ending", [".jsonl", ".jsonl.gz"])
def test_the_key_tells_whether_it_is_compressed(world: World, objects: Objects, ending: str) -> None:
    """As the name of a file does."""
    world.die(BODIES)
    with purging(world, objects, parse(f"s3://archives/a{ending}")) as run:
        run.execute()
    assert objects.contents[f"s3://archives/a{ending}"].startswith(b"\x1f\x8b") is ending.endswith("gz")


def no_bucket(objects: Objects) -> None:
    """Take the bucket away."""
    objects.buckets.clear()


def an_object(objects: Objects) -> None:
    """Let somebody else have an object there."""
    objects.put(ADDRESS, b"precious")


def no_credentials(objects: Objects) -> None:
    """Let nothing be asked."""
    objects.fails["check_bucket"] = AccessError("who?", code="no_credentials")


@pytest.mark.parametrize(
    ("trouble", "kind", "code"),
    [
        (no_bucket, NotFoundError, "bucket_not_found"),
        (an_object, RefusedError, "object_exists"),
        (no_credentials, AccessError, "no_credentials"),
    ],
)
def test_a_place_that_will_not_do_is_refused_before_anything_is_received(
    world: World, objects: Objects, trouble: Callable[[Objects], None], kind: type[OpstoolError], code: str
) -> None:
    """And the queue is free for the next run."""
    world.die(BODIES)
    trouble(objects)
    before = world.fake.requests["ReceiveMessage"]
    with pytest.raises(kind) as error:
        purging(world, objects)
    assert (error.value.code, world.fake.requests["ReceiveMessage"]) == (code, before)
    assert world.visible(world.dlq) == 25
    with purge.prepare(world.kit(), world.dlq.arn) as run:
        assert run.execute().status is Status.DONE


def test_a_place_that_may_not_be_written_ends_the_run_before_it_begins(world: World, objects: Objects) -> None:
    """Nothing is deleted, and no file is left."""
    world.die(BODIES)
    objects.deny("check_writable")
    with purging(world, objects) as run, pytest.raises(AccessError):
        run.execute()
    assert (world.visible(world.dlq), local_files(world), objects.contents) == (25, [], {})


def test_who_may_only_write_is_told_what_is_not_known(world: World, objects: Objects) -> None:
    """The upload replaces nothing all the same, and without a word of S3 the file stays."""
    world.die(BODIES)
    objects.deny("check_bucket", "find")
    with purging(world, objects) as run:
        assert any("is not known: check_bucket was denied" in note for note in run.plan.notes)
        report = run.execute()
    assert (report.status, in_s3(objects)) == (Status.DONE, Counter(BODIES))
    [file] = local_files(world)
    assert any(f"`{file}` stays as well" in note for note in report.notes)


def test_without_a_checksum_from_s3_the_file_stays(world: World, objects: Objects) -> None:
    """A server that is not AWS may name none; a size alone proves nothing."""
    world.die(BODIES)
    objects.tells_checksums = False
    with purging(world, objects) as run:
        report = run.execute()
    assert (report.status, report.archive, len(local_files(world))) == (Status.DONE, ADDRESS, 1)


def test_an_upload_that_fails_leaves_everything_on_this_disk_and_is_resumed(world: World, objects: Objects) -> None:
    """The report says where, and what brings the messages back until then."""
    world.die(BODIES)
    objects.fails["upload"] = ServiceError("`PutObject` failed: 503", code="aws_error")
    with purging(world, objects) as run:
        report = run.execute()
    [file] = local_files(world)
    assert (report.status, report.error_code, report.archive) == (Status.PARTIAL, "upload_failed", str(file))
    assert str(file) in report.failures[0].message
    assert (report.undo, report.counts.succeeded) == (f"opstool dlq import {file}", 25)
    assert (archived(file), world.bodies(world.dlq)) == (Counter(BODIES), [])
    objects.fails.clear()
    again = resumed(world, objects, str(report.run_id))
    assert (again.status, again.archive, again.undo) == (Status.DONE, ADDRESS, f"opstool dlq import {ADDRESS}")
    assert (in_s3(objects), local_files(world)) == (Counter(BODIES), [])


def test_an_answer_that_is_lost_is_found_by_looking(world: World, objects: Objects) -> None:
    """boto3 repeats the request, and meets the object that it has made itself."""
    world.die(BODIES)
    objects.loses_answer = True
    objects.fails["upload"] = RefusedError("something else is there", code="object_exists")
    with purging(world, objects) as run:
        report = run.execute()
    assert (report.status, report.archive, local_files(world)) == (Status.DONE, ADDRESS, [])


def test_an_object_that_comes_there_meanwhile_is_not_replaced(world: World, objects: Objects) -> None:
    """Not now, and not by whoever resumes."""
    world.die(BODIES)
    objects.before_upload = lambda: objects.put(ADDRESS, b"precious")
    with purging(world, objects) as run:
        report = run.execute()
    assert (report.status, report.error_code) == (Status.PARTIAL, "upload_failed")
    with pytest.raises(RefusedError, match="exists already"):
        resumed(world, objects, str(report.run_id))
    assert objects.contents[ADDRESS] == b"precious"
    assert archived(local_files(world)[0]) == Counter(BODIES)


def test_what_has_come_to_s3_garbled_is_no_archive(world: World, objects: Objects) -> None:
    """S3 compares the checksum itself; a server that does not is found out."""
    world.die(BODIES)
    upload = objects.upload

    def garble(*given: Any, **more: Any) -> None:
        upload(*given, **more)
        objects.contents[ADDRESS] = objects.contents[ADDRESS][:-1] + b"?"

    objects.upload = garble  # type: ignore[method-assign]
    with purging(world, objects) as run:
        report = run.execute()
    assert report.error_code == "upload_failed"
    assert archived(local_files(world)[0]) == Counter(BODIES)


def test_an_interrupted_purge_uploads_what_it_has_deleted_and_goes_on(world: World, objects: Objects) -> None:
    """One archive in the end: the resumed run adds to the file, and the object that it has made gives way to it."""
    world.die(BODIES)
    kit = kit_of(world, objects)
    with purge.prepare(kit, world.dlq.arn, archive=PLACE) as run:
        world.fake.faults = Act("DeleteMessageBatch", kit.stop.set)
        report = run.execute()
    world.fake.faults = Faults()
    assert (report.status, report.archive) == (Status.INTERRUPTED, ADDRESS)
    assert 0 < report.counts.succeeded < 25
    assert report.undo == f"opstool dlq import {ADDRESS}"
    assert in_s3(objects) + Counter(world.bodies(world.dlq)) == Counter(BODIES)
    assert len(local_files(world)) == 1
    assert resumed(world, objects, str(report.run_id)).status is Status.DONE
    assert (in_s3(objects), world.bodies(world.dlq), local_files(world)) == (Counter(BODIES), [], [])


def test_an_archive_in_s3_that_the_file_does_not_begin_with_is_not_replaced(world: World, objects: Objects) -> None:
    """Its file was thrown away: what S3 has is the only copy of some messages."""
    world.die(BODIES)
    kit = kit_of(world, objects)
    with purge.prepare(kit, world.dlq.arn, archive=PLACE) as run:
        world.fake.faults = Act("DeleteMessageBatch", kit.stop.set)
        report = run.execute()
    world.fake.faults = Faults()
    before = in_s3(objects)
    local_files(world)[0].unlink()
    with pytest.raises(RefusedError):
        resumed(world, objects, str(report.run_id))
    assert in_s3(objects) == before
    assert in_s3(objects) + Counter(world.bodies(world.dlq)) == Counter(BODIES)


@pytest.mark.parametrize("other", ["another beginning", "the"], ids=["other bytes", "fewer bytes"])
def test_an_object_gives_way_only_to_a_file_that_begins_with_it(tmp_path: Path, objects: Objects, other: str) -> None:
    """Though both say that they are the same archive."""
    file = tmp_path / "archive"
    file.write_text("the beginning")
    upload = Upload(objects=objects, address=PLACE, file=file, archive_id="run-1")
    upload.carry_out()
    file.write_text("the beginning, and more")
    upload.carry_out()
    assert objects.contents[ADDRESS] == b"the beginning, and more"
    file.write_text(f"{other} and more" if len(other) > 3 else other)
    with pytest.raises(ServiceError, match="exists already"):
        upload.carry_out()
    assert objects.contents[ADDRESS] == b"the beginning, and more"


@pytest.mark.parametrize("after", [False, True], ids=["before the upload", "after it"])
def test_a_process_that_dies_over_the_upload_is_resumed(world: World, objects: Objects, *, after: bool) -> None:
    """Every message is in the file until S3 has it; the second life finds out which."""
    world.die(BODIES)
    objects.loses_answer = after
    objects.fails["upload"] = Died()
    run = purging(world, objects)
    with pytest.raises(Died), run:
        run.execute()
    forget_as_dead(run.kit.journal)
    del run.kit.__dict__["journal"]
    assert (archived(local_files(world)[0]), ADDRESS in objects.contents) == (Counter(BODIES), after)
    objects.fails.clear()
    objects.loses_answer = False
    assert history.details(kit_of(world, objects), run.plan.run_id).run.status == Status.INTERRUPTED
    assert resumed(world, objects, run.plan.run_id).status is Status.DONE
    assert (in_s3(objects), local_files(world)) == (Counter(BODIES), [])


def test_where_nothing_was_archived_nothing_is_uploaded(world: World, objects: Objects) -> None:
    """Deleting was denied, and archiving too: no file, no object, and nothing to bring back."""
    world.die(BODIES)
    with purging(world, objects) as run:
        run.kit.stop.set()
        report = run.execute()
    assert (report.status, report.undo, objects.contents, local_files(world)) == (Status.INTERRUPTED, None, {}, [])
    assert world.visible(world.dlq) == 25


def test_a_purge_that_keeps_nothing_has_no_undo(world: World, objects: Objects) -> None:
    """Its plan has said so."""
    world.die(BODIES)
    with purge.prepare(kit_of(world, objects), world.dlq.arn, no_archive=True) as run:
        assert "nothing brings them back" in run.plan.irreversible
        assert run.execute().undo is None


def test_the_undo_begins_with_the_options_that_choose_the_aws_and_is_quoted(world: World, tmp_path: Path) -> None:
    """A file may be called anything."""
    world.die(BODIES)
    kit = world.kit()
    kit.program = "opstool --region eu-west-1"
    file = tmp_path / "it's $(dead)" / "a b.jsonl"
    with purge.prepare(kit, world.dlq.arn, archive=file) as run:
        report = run.execute()
    quoted = "'" + str(file).replace("'", "'\"'\"'") + "'"
    assert report.undo == f"opstool --region eu-west-1 dlq import {quoted}"


# -- export


def test_an_export_to_s3_is_uploaded_when_it_is_whole(world: World, objects: Objects) -> None:
    """The messages stay where they are, and no copy stays on this disk."""
    world.die(BODIES)
    report = export(kit_of(world, objects), world.dlq.arn, to=PLACE)
    assert (report.status, report.archive, report.target) == (Status.DONE, ADDRESS, ADDRESS)
    assert (in_s3(objects), local_files(world)) == (Counter(BODIES), [])
    assert world.visible(world.dlq) == 25


def test_an_export_replaces_an_object_only_when_told_to(world: World, objects: Objects) -> None:
    """Without the option it is refused before anything is received."""
    world.die(BODIES)
    objects.put(ADDRESS, b"old")
    before = world.fake.requests["ReceiveMessage"]
    with pytest.raises(RefusedError):
        export(kit_of(world, objects), world.dlq.arn, to=PLACE)
    assert (world.fake.requests["ReceiveMessage"], objects.contents[ADDRESS]) == (before, b"old")
    assert export(kit_of(world, objects), world.dlq.arn, to=PLACE, overwrite=True).status is Status.DONE
    assert in_s3(objects) == Counter(BODIES)


def test_an_export_that_cannot_be_uploaded_is_on_this_disk(world: World, objects: Objects) -> None:
    """It need not be made again."""
    world.die(BODIES)
    objects.fails["upload"] = ServiceError("no", code="aws_error")
    report = export(kit_of(world, objects), world.dlq.arn, to=PLACE)
    assert (report.status, report.error_code) == (Status.PARTIAL, "upload_failed")
    assert report.archive == str(local_files(world)[0])
    assert archived(Path(report.archive)) == Counter(BODIES)


TARGETS = pytest.mark.parametrize("in_the_cloud", [False, True], ids=["a file", "an object"])


@TARGETS
def test_an_export_that_was_cut_short_takes_nothings_place(
    world: World, objects: Objects, tmp_path: Path, *, in_the_cloud: bool
) -> None:
    """The old archive may be the only one; what was written is beside it, and named."""
    world.die(BODIES)
    old = tmp_path / "old.jsonl.gz"
    old.write_bytes(b"old")
    objects.put(ADDRESS, b"old")
    kit = kit_of(world, objects)
    world.fake.faults = Act("ReceiveMessage", lambda: world.calls > 3 and kit.stop.set())
    report = export(kit, world.dlq.arn, to=PLACE if in_the_cloud else old, overwrite=True)
    assert report.status is Status.INTERRUPTED
    assert (old.read_bytes(), objects.contents[ADDRESS]) == (b"old", b"old")
    assert report.archive not in {str(old), ADDRESS}
    assert any(str(report.archive) in note for note in report.notes)
    assert sum(archived(Path(str(report.archive))).values()) == report.counts.succeeded


@TARGETS
def test_a_process_that_dies_over_an_export_leaves_the_old_archive(
    world: World, objects: Objects, tmp_path: Path, *, in_the_cloud: bool
) -> None:
    """Whole, under its name."""
    world.die(BODIES)
    old = tmp_path / "old.jsonl.gz"
    old.write_bytes(b"old")
    objects.put(ADDRESS, b"old")

    def die() -> None:
        if world.calls > 6:
            raise Died

    world.fake.faults = Act("ReceiveMessage", die)
    with pytest.raises(Died):
        export(kit_of(world, objects), world.dlq.arn, to=PLACE if in_the_cloud else old, overwrite=True)
    assert (old.read_bytes(), objects.contents[ADDRESS]) == (b"old", b"old")


def test_an_export_takes_the_place_of_a_file_when_it_is_whole(world: World, tmp_path: Path) -> None:
    """And is private, however open that was."""
    world.die(BODIES)
    old = tmp_path / "old.jsonl"
    old.write_text("old")
    old.chmod(0o644)
    report = export(world.kit(), world.dlq.arn, to=old, overwrite=True)
    assert (report.status, report.archive, archived(old)) == (Status.DONE, str(old), Counter(BODIES))
    assert [each.name for each in tmp_path.glob("*old*")] == ["old.jsonl"]
    assert old.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("selected", [False, True])
def test_an_export_of_nothing_is_an_archive_of_nothing(world: World, tmp_path: Path, *, selected: bool) -> None:
    """What can unpack gzip can unpack it."""
    selection = select(now_ms=0, body_contains="nobody") if selected else None
    assert export(world.kit(), world.dlq.arn, selection, to=tmp_path / "a.jsonl.gz").status is Status.DONE
    assert gzip.decompress((tmp_path / "a.jsonl.gz").read_bytes()) == b""
    with pytest.raises(RefusedError, match="the archive is empty"):
        importing.prepare(world.kit(), tmp_path / "a.jsonl.gz")


# -- import


def lines(*, ours: bool, queue: str) -> bytes:
    """Return an archive as opstool writes it, or one of somebody else's that names no archive and no ids."""
    own = {"archive": "20250101-000000-abcdef"} if ours else {}
    documents = [
        {"body": body, "queue": queue, **own, **({"message_id": f"id-{number}"} if ours else {})}
        for number, body in enumerate(BODIES)
    ]
    return b"".join(json.dumps(each).encode() + b"\n" for each in documents)


def run_import(world: World, objects: FakeObjects, source: Any, **options: Any) -> Report:
    """Import at once."""
    with importing.prepare(kit_of(world, objects), source, **options) as run:
        return run.execute()


@pytest.mark.parametrize("compressed", [False, True], ids=["plain", "compressed"])
@pytest.mark.parametrize("ours", [True, False], ids=["ours", "somebody else's"])
@pytest.mark.parametrize("first_from_s3", [True, False], ids=["first from S3", "then from S3"])
def test_an_archive_counts_as_the_same_from_a_file_and_from_s3(
    world: World, objects: Objects, tmp_path: Path, *, compressed: bool, ours: bool, first_from_s3: bool
) -> None:
    """By the id in its lines, or else by the hash of all of them: nothing is sent twice."""
    content = lines(ours=ours, queue=world.dlq.arn)
    content = gzip.compress(content) if compressed else content
    objects.put(ADDRESS, content)
    (tmp_path / "copy").write_bytes(content)
    sources = [PLACE, tmp_path / "copy"]
    first = run_import(world, objects, sources[not first_from_s3])
    then = run_import(world, objects, sources[first_from_s3])
    assert (first.counts.succeeded, then.counts.succeeded, then.counts.skipped) == (25, 0, 25)
    assert Counter(world.bodies(world.dlq)) == Counter(BODIES)


def test_an_import_from_s3_is_resumed_from_there(world: World, objects: Objects) -> None:
    """The plan keeps the address, and what was sent is not sent again."""
    objects.put(ADDRESS, lines(ours=True, queue=world.dlq.arn))
    kit = kit_of(world, objects)
    with importing.prepare(kit, PLACE) as run:
        world.fake.faults = Act("SendMessageBatch", kit.stop.set)
        report = run.execute()
    world.fake.faults = Faults()
    assert (report.status, run.plan.options["file"]) == (Status.INTERRUPTED, ADDRESS)
    assert 0 < len(world.bodies(world.dlq)) < 25
    assert resumed(world, objects, str(report.run_id)).status is Status.DONE
    assert Counter(world.bodies(world.dlq)) == Counter(BODIES)


def test_one_wrong_line_in_s3_and_nothing_is_sent(world: World, objects: Objects) -> None:
    """The whole object is checked before the first send, and named."""
    objects.put(ADDRESS, lines(ours=True, queue=world.dlq.arn) + b"torn")
    with pytest.raises(UsageError, match=ADDRESS) as error:
        run_import(world, objects, PLACE)
    assert (error.value.code, world.bodies(world.dlq)) == ("invalid_archive", [])


@pytest.mark.parametrize(
    ("address", "kind", "code"),
    [
        ("s3://archives/none", NotFoundError, "object_not_found"),
        ("s3://nowhere/none", NotFoundError, "bucket_not_found"),
        ("s3://archives/folder/", UsageError, "invalid_address"),
        ("s3://archives", UsageError, "invalid_address"),
    ],
)
def test_what_is_no_object_is_not_imported(
    world: World, objects: Objects, address: str, kind: type[OpstoolError], code: str
) -> None:
    """It says what is missing."""
    with pytest.raises(kind) as error:
        run_import(world, objects, parse(address))
    assert error.value.code == code


def test_a_purge_to_s3_and_its_import_know_each_message_again(world: World, objects: Objects) -> None:
    """Imported twice, they are there once; and another state directory learns their source from the lines."""
    other = make_queue(world.fake, "invoices", dlq=world.dlq)
    world.die(BODIES[:5])
    world.die(BODIES[5:9], source=other)
    with purging(world, objects) as run:
        run.execute()
    elsewhere = kit_of(world, objects, state_dir=world.state_dir.with_name("of-a-colleague"))
    with importing.prepare(elsewhere, PLACE) as first:
        assert first.execute().counts.succeeded == 9
    with importing.prepare(elsewhere, PLACE) as second:
        assert second.execute().counts.skipped == 9
    sources = Counter(elsewhere.journal.sources_of(each.message_id for each in world.stored(world.dlq)).values())
    assert sources == Counter({world.source.arn: 5, other.arn: 4})


def test_a_purge_whose_deletes_fail_uploads_all_the_same(world: World, objects: Objects) -> None:
    """What was archived and not deleted is in both; the resumed run ends it, and the object stays as it is."""
    world.die(BODIES)
    world.fake.faults = FailCalls("DeleteMessageBatch", AccessError("no", code="access_denied"))
    with purging(world, objects) as run:
        report = run.execute()
    world.fake.faults = Faults()
    assert report.error_code == "access_denied"
    assert (report.archive, len(local_files(world))) == (ADDRESS, 1)
    assert resumed(world, objects, str(report.run_id)).status is Status.DONE
    assert (in_s3(objects), world.bodies(world.dlq), local_files(world)) == (Counter(BODIES), [], [])
