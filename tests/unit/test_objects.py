"""The door to S3 and the one in memory, held by the same tests; what differs is told by name."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from opstool.doors.objects import Objects, S3Objects, checksum, no_objects
from opstool.doors.session import Connection, Session
from opstool.fake import FakeObjects
from opstool.local.server import EmbeddedServer
from opstool.words.awserrors import error_for
from opstool.words.errors import AccessError, NotFoundError, OpstoolError, RefusedError, ServiceError, StorageError
from opstool.words.s3address import S3Address, parse

LARGE_BYTES = 9 * 1024 * 1024
"""More than the managed transfer sends in one piece."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """A bucket named `archives`, seen through the door; `put` makes an object of somebody else's."""

    objects: Objects
    put: Callable[[S3Address, bytes], None]


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedServer]:
    """Serve S3 on loopback."""
    server = EmbeddedServer()
    try:
        yield server
    finally:
        server.close()


def session_at(server: EmbeddedServer, host: str = "127.0.0.1") -> Session:
    """Return a session that reaches it, and nothing else."""
    settings = server.settings
    return Session(
        Connection(
            region=settings.region,
            endpoint_url=settings.endpoint_url.replace("127.0.0.1", host),
            access_key_id="local",
            secret_access_key="local",
            is_isolated=True,
        )
    )


@pytest.fixture(params=["in memory", "over HTTP", "by the name of this machine"])
def place(request: pytest.FixtureRequest) -> Place:
    """Return each door in turn."""
    if request.param == "in memory":
        fake = FakeObjects(buckets={"archives"})
        return Place(objects=fake, put=lambda address, content: fake.put(str(address), content))
    server = request.getfixturevalue("server")
    session = session_at(server, "localhost" if "name" in request.param else "127.0.0.1")
    client = session.client("s3")
    client.create_bucket(Bucket="archives")
    for each in client.list_objects_v2(Bucket="archives").get("Contents", []):
        client.delete_object(Bucket="archives", Key=each["Key"])
    return Place(
        objects=S3Objects(session.ask, session.client),
        put=lambda address, content: client.put_object(Bucket=address.bucket, Key=address.key, Body=content),
    )


HERE, NO_BUCKET = parse("s3://archives/a folder/ü.jsonl"), parse("s3://nowhere/a")


def a_file(folder: Path, size_bytes: int = 1_000) -> tuple[Path, str]:
    """Return a file with its checksum."""
    path = folder / f"{size_bytes}.bin"
    path.write_bytes(os.urandom(size_bytes))
    with path.open("rb") as file:
        return path, checksum(file)[1]


@pytest.mark.parametrize("size_bytes", [0, 1_000, LARGE_BYTES], ids=["empty", "small", "in parts"])
def test_a_file_that_was_uploaded_can_be_found_and_comes_back(place: Place, tmp_path: Path, size_bytes: int) -> None:
    """S3 names its size, its checksum, and the archive that is in it."""
    path, crc32 = a_file(tmp_path, size_bytes)
    place.objects.upload(path, HERE, crc32=crc32, archive_id="run-1")
    found = place.objects.find(HERE)
    assert found is not None
    assert (found.size_bytes, found.crc32, found.archive_id) == (size_bytes, crc32, "run-1")
    into = io.BytesIO()
    place.objects.download(HERE, into)
    assert (into.tell(), into.getvalue()) == (0, path.read_bytes())


def test_nothing_is_found_where_nothing_is(place: Place) -> None:
    """Which is no error; a bucket that is not there is one."""
    place.objects.check_bucket(HERE)
    place.objects.check_writable(HERE)
    assert place.objects.find(HERE) is None
    with pytest.raises(NotFoundError) as no_bucket:
        place.objects.check_bucket(NO_BUCKET)
    assert no_bucket.value.code == "bucket_not_found"
    with pytest.raises(NotFoundError):
        place.objects.check_writable(NO_BUCKET)


@pytest.mark.parametrize(("address", "code"), [(HERE, "object_not_found"), (NO_BUCKET, "bucket_not_found")])
def test_what_is_not_there_is_not_downloaded(place: Place, address: S3Address, code: str) -> None:
    """And it is told whether object or bucket is missing."""
    with pytest.raises(NotFoundError) as error:
        place.objects.download(address, io.BytesIO())
    assert error.value.code == code


@pytest.mark.parametrize("size_bytes", [1_000, LARGE_BYTES], ids=["small", "in parts"])
def test_an_object_that_is_there_is_not_replaced(place: Place, tmp_path: Path, size_bytes: int) -> None:
    """Even where nobody looked before: the condition goes with the upload."""
    place.put(HERE, b"precious")
    path, crc32 = a_file(tmp_path, size_bytes)
    with pytest.raises(RefusedError) as error:
        place.objects.upload(path, HERE, crc32=crc32, archive_id="run-1")
    assert error.value.code == "object_exists"
    into = io.BytesIO()
    place.objects.download(HERE, into)
    assert into.getvalue() == b"precious"


def test_only_the_object_that_was_seen_is_replaced(place: Place, tmp_path: Path) -> None:
    """Not the one that came there since."""
    place.put(HERE, b"old")
    seen = place.objects.find(HERE)
    path, crc32 = a_file(tmp_path)
    place.put(HERE, b"newer")
    with pytest.raises(RefusedError):
        place.objects.upload(path, HERE, crc32=crc32, archive_id="run-1", over=seen)
    place.objects.upload(path, HERE, crc32=crc32, archive_id="run-1", over=place.objects.find(HERE))
    into = io.BytesIO()
    place.objects.download(HERE, into)
    assert into.getvalue() == path.read_bytes()


def test_the_look_whether_one_may_write_leaves_nothing(server: EmbeddedServer) -> None:
    """No object, and no upload that was begun."""
    session = session_at(server)
    client = session.client("s3")
    client.create_bucket(Bucket="untouched")
    S3Objects(session.ask, session.client).check_writable(parse("s3://untouched/a"))
    assert client.list_objects_v2(Bucket="untouched")["KeyCount"] == 0
    assert client.list_multipart_uploads(Bucket="untouched").get("Uploads", []) == []


def test_a_file_that_is_gone_is_a_storage_error(server: EmbeddedServer, tmp_path: Path) -> None:
    """It says which."""
    session = session_at(server)
    session.client("s3").create_bucket(Bucket="archives")
    with pytest.raises(StorageError, match="not there"):
        S3Objects(session.ask, session.client).upload(tmp_path / "not there", HERE, crc32="", archive_id="run-1")


# -- what S3 says no to, as it says it


def refusing(status: int, *operations: str, code: str = "") -> S3Objects:
    """Return the door to an S3 that answers these operations so, and others with an object that is like no other."""

    def ask(_service: str, operation: str, _request: dict[str, Any], /) -> dict[str, Any]:
        if operation in operations:
            raise error_for(operation, code or str(status), "", status)
        return {"ContentLength": 1, "ETag": '"e"', "UploadId": "u"}

    return S3Objects(ask, lambda _: None)


@pytest.mark.parametrize(
    ("operation", "code", "ask", "actions"),
    [
        ("HeadBucket", "403", lambda objects: objects.check_bucket(HERE), "s3:ListBucket"),
        ("HeadObject", "403", lambda objects: objects.find(HERE), "s3:GetObject` and `s3:ListBucket"),
        ("CreateMultipartUpload", "AccessDenied", lambda objects: objects.check_writable(HERE), "s3:PutObject"),
        ("AbortMultipartUpload", "AccessDenied", lambda objects: objects.check_writable(HERE), "s3:AbortMultipart"),
    ],
)
def test_what_is_denied_names_the_actions_to_allow(
    operation: str, code: str, ask: Callable[[Objects], object], actions: str
) -> None:
    """HEAD is no action of IAM, and its answer has no words."""
    with pytest.raises(AccessError) as error:
        ask(refusing(403, operation, code=code))
    assert error.value.code == "access_denied"
    assert actions in str(error.value.hint)


def test_credentials_that_have_expired_are_not_taken_for_a_denial() -> None:
    """The hint is another."""
    with pytest.raises(AccessError) as error:
        refusing(400, "HeadBucket", code="ExpiredToken").check_bucket(HERE)
    assert error.value.code == "credentials_expired"


def test_an_answer_of_5xx_says_nothing_about_the_object() -> None:
    """It is not taken for absent."""
    with pytest.raises(ServiceError):
        refusing(503, "HeadObject").find(HERE)


def test_a_checksum_of_checksums_is_none() -> None:
    """It is made of parts whose lengths we do not know."""

    def ask(*_: Any) -> dict[str, Any]:
        return {"ContentLength": 1, "ETag": '"e"', "ChecksumCRC32": "AAAAAA==-2", "ChecksumType": "COMPOSITE"}

    found = S3Objects(ask, lambda _: None).find(HERE)
    assert found is not None
    assert found.crc32 is None


def test_what_has_not_come_as_it_is_there_is_refused(server: EmbeddedServer, tmp_path: Path) -> None:
    """A proxy that cuts, or an object that was replaced meanwhile."""
    session = session_at(server)
    session.client("s3").create_bucket(Bucket="archives")
    path, crc32 = a_file(tmp_path)
    place = parse("s3://archives/cut")
    S3Objects(session.ask, session.client).upload(path, place, crc32=crc32, archive_id="run-1")

    def longer(*asked: Any) -> dict[str, Any]:
        return {**session.ask(*asked), "ContentLength": 1_001}

    def other(*asked: Any) -> dict[str, Any]:
        return {**session.ask(*asked), "ChecksumCRC32": "AAAAAA=="}

    for ask in (longer, other):
        with pytest.raises(ServiceError) as error:
            S3Objects(ask, session.client).download(place, io.BytesIO())
        assert error.value.code == "object_differs"


def test_a_toolkit_over_sqs_alone_has_no_s3() -> None:
    """And says so."""
    for ask in (no_objects().check_bucket, no_objects().find, no_objects().check_writable):
        with pytest.raises(OpstoolError, match="there is no s3 here"):
            ask(HERE)


@pytest.mark.parametrize(
    ("content", "size_bytes", "expected"),
    [
        (b"", None, (0, "AAAAAA==")),
        (b"123456789", None, (9, "y/Q5Jg==")),
        (b"1234567890", 9, (9, "y/Q5Jg==")),
        (b"123", 9, (3, "iEhj0g==")),
    ],
)
def test_the_checksum_is_the_crc_32_of_the_standard(
    content: bytes, size_bytes: int | None, expected: tuple[int, str]
) -> None:
    """Whose check value is CBF43926: https://reveng.sourceforge.io/crc-catalogue/17plus.htm."""
    assert checksum(io.BytesIO(content), size_bytes) == expected
