"""Archives in S3 on the command line: what a person sees, and what a script can rely on."""

from __future__ import annotations

import shlex

import pytest

from opstool.doors.archive import ArchiveWriter
from opstool.doors.toolkit import Toolkit
from opstool.fake import FakeObjects
from opstool.words.errors import ServiceError
from opstool.words.message import Message
from tests.cli.test_golden import check
from tests.cli.world import ACCOUNT, REGION, World

ADDRESS = "s3://incidents/dead.jsonl.gz"
PURGE = ("--workers", "1", "dlq", "purge", "--confirm", "orders-dlq", "--archive", ADDRESS)


@pytest.fixture
def objects(world: World) -> FakeObjects:
    """Return the S3 of the world, with one empty bucket."""
    objects = FakeObjects(buckets={"incidents"})

    def connect(kit: Toolkit) -> None:
        kit.objects = objects

    world.on_connect = connect
    return objects


def test_a_purge_to_s3_and_the_way_back(world: World, objects: FakeObjects) -> None:
    """The plan says where it is written first; the report prints the command that takes it back, and it does."""
    world.kill('{"order": 1}', '{"order": 2}')
    check("purge-s3", world, world.run(*PURGE))
    undo = next(line for line in world.run("history", "--output", "json").document["runs"])["report"]["undo"]
    assert undo == f"opstool --state-dir {world.state_dir} dlq import {ADDRESS}"
    check("import-s3", world, world.run(*shlex.split(undo)[1:], "--yes", "--workers", "1"))
    assert world.bodies(world.dlq) == ['{"order": 1}', '{"order": 2}']


def test_an_upload_that_fails_is_status_1_and_a_resume_finishes_it(world: World, objects: FakeObjects) -> None:
    """What is deleted is on this disk; the screen says where, how to bring it back, and how to go on."""
    world.kill('{"order": 1}')
    objects.fails["upload"] = ServiceError("`PutObject` failed: ServiceUnavailable", code="aws_error")
    check("purge-s3-failed", world, world.run(*PURGE))
    run = world.run("history", "--output", "json").document["runs"][0]
    assert (run["status"], run["report"]["failures"][0]["code"]) == ("partial", "upload_failed")
    assert world.bodies(world.dlq) == []
    objects.fails.clear()
    ended = world.run("resume", run["run_id"], "--yes", "--output", "json")
    assert (ended.status, ended.document["status"], ended.document["archive"]) == (0, "done", ADDRESS)
    assert ended.document["undo"] == f"opstool --state-dir {world.state_dir} dlq import {ADDRESS}"


def test_an_object_that_is_there_is_status_4(world: World, objects: FakeObjects) -> None:
    """For a purge always, for an export unless it is told to replace it."""
    world.kill('{"order": 1}')
    objects.put(ADDRESS, b"precious")
    check("purge-s3-exists", world, world.run(*PURGE))
    assert world.run("dlq", "export", "--to-file", ADDRESS).status == 4
    assert objects.contents[ADDRESS] == b"precious"
    ended = world.run("dlq", "export", "--to-file", ADDRESS, "--overwrite", "--output", "json")
    assert (ended.status, ended.document["archive"], ended.document["undo"]) == (0, ADDRESS, None)


def test_a_dry_run_puts_nothing_into_s3(world: World, objects: FakeObjects) -> None:
    """It looks whether bucket and key will do."""
    world.kill('{"order": 1}')
    assert world.run("dlq", "purge", "--archive", ADDRESS, "--dry-run").status == 0
    assert (objects.contents, set(objects.asked)) == ({}, {"check_bucket", "find"})
    assert world.run("dlq", "purge", "--archive", "s3://nowhere/a", "--dry-run").status == 1


def test_a_bucket_for_all_purges_can_be_set_in_the_environment(
    world: World, objects: FakeObjects, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each archive gets a name of its own there."""
    monkeypatch.setenv("OPSTOOL_ARCHIVE", "s3://incidents/orders/")
    for order in ("1", "2"):
        world.kill(order)
        assert world.run("dlq", "purge", "--confirm", "orders-dlq").status == 0
    assert len(objects.contents) == 2
    assert all(each.startswith("s3://incidents/orders/orders-dlq-") for each in objects.contents)


def test_credentials_in_an_address_are_not_said_again(world: World, objects: FakeObjects) -> None:
    """Neither on the screen nor in the journal."""
    ended = world.run("dlq", "import", "s3://AKIA:SECRET@incidents/a", "--yes")
    assert (ended.status, "SECRET" in ended.out + ended.err) == (2, False)


def test_an_archive_that_holds_what_no_terminal_should_see_is_harmless(world: World, objects: FakeObjects) -> None:
    """A key of S3 may be anything that can be seen, and a body anything at all."""
    path = world.state_dir.parent / "a.jsonl"
    arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:orders-dlq"
    with ArchiveWriter(path, queue_arn=arn, archive_id="a") as archive:
        archive.append([Message(message_id="m", body="\u202egone")])
    objects.put("s3://incidents/it's", path.read_bytes())
    ended = world.run("dlq", "import", "s3://incidents/it's", "--yes")
    assert (ended.status, "\u202e" in ended.out + ended.err) == (0, False)


@pytest.mark.parametrize("words", [("dlq", "list", "--ids-from"), ("send-test-batch", "--file")])
def test_what_is_read_from_a_file_alone_says_how_to_get_it(world: World, words: tuple[str, ...]) -> None:
    """By a pipe."""
    ended = world.run(*words, "s3://incidents/ids")
    assert (ended.status, "aws s3 cp s3://incidents/ids -" in ended.err) == (2, True)


@pytest.mark.parametrize(
    ("address", "objects"),
    [
        ("s3://incidents/orders/", "incidents/orders/*"),
        ("s3://incidents", "incidents/*"),
        ("s3://incidents/a.jsonl", "incidents/a.jsonl"),
    ],
)
def test_a_policy_for_archives_names_the_bucket_and_the_folder(world: World, address: str, objects: str) -> None:
    """And nothing else in S3."""
    without = world.run("iam-policy", "--for", "purge", "--output", "json").document
    ended = world.run("iam-policy", "--for", "purge", "--archive", address, "--output", "json").document
    *rest, bucket, archives = ended["Statement"]
    assert rest == without["Statement"]
    assert (bucket["Action"], bucket["Resource"]) == (["s3:ListBucket"], ["arn:aws:s3:::incidents"])
    assert archives["Action"] == ["s3:AbortMultipartUpload", "s3:GetObject", "s3:PutObject"]
    assert archives["Resource"] == [f"arn:aws:s3:::{objects}"]
