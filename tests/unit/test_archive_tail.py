"""Which end of an interrupted archive is given up, and which is not: what is cut off may be a message's only copy."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from opstool.doors.archive import ArchiveWriter, read_archive, tail
from opstool.words.errors import StorageError
from opstool.words.message import Message

ARN = "arn:aws:sqs:eu-west-1:123456789012:orders-dlq"
ZEROS = bytes(8)
"""What a file system leaves where data was not written before the power went."""


def message(number: int, body: str | None = None) -> Message:
    """Return a message that is like no other."""
    return Message(message_id=f"id-{number}", body=body or f"body {number}")


def appended(path: Path, *batches: list[Message]) -> list[bytes]:
    """Write an archive, and return what each append has added to the file."""
    pieces, end = [], 0
    with ArchiveWriter(path, queue_arn=ARN, archive_id="a-1") as archive:
        for batch in batches:
            archive.append(batch)
            pieces.append(path.read_bytes()[end:])
            end += len(pieces[-1])
    return pieces


def known(path: Path, content: bytes) -> set[str]:
    """Write the file, take it up again as a resume does, and return the ids it is known to hold."""
    path.write_bytes(content)
    with ArchiveWriter(path, queue_arn=ARN, archive_id="a-1", resume=True) as archive:
        assert archive.count == len(archive.known_ids)
        return set(archive.known_ids)


def refused(path: Path, content: bytes) -> None:
    """Check that the file is called damaged, and left as it is."""
    with pytest.raises(StorageError) as caught:
        known(path, content)
    assert caught.value.code == "archive_damaged"
    assert path.read_bytes() == content


@pytest.fixture
def packed(tmp_path: Path) -> list[bytes]:
    """Return three appends of a compressed archive."""
    return appended(tmp_path / "whole.gz", [message(0)], [message(1)], [message(2)])


@pytest.fixture
def plain(tmp_path: Path) -> list[bytes]:
    """Return three appends of an archive that is not compressed."""
    return appended(tmp_path / "whole", [message(0)], [message(1)], [message(2)])


def test_a_whole_record_after_a_torn_one_is_not_cut_off(tmp_path: Path, packed: list[bytes]) -> None:
    """However many torn ones are around it: a disk that writes out of order is no reason to lose the message."""
    torn = packed[1][: len(packed[1]) // 2]
    refused(tmp_path / "a.gz", packed[0] + torn + packed[2] + torn + ZEROS)


def test_what_looks_like_a_beginning_inside_a_torn_record_is_torn_with_it(tmp_path: Path, packed: list[bytes]) -> None:
    """Three bytes of compressed data may stand anywhere; no record follows them."""
    stored = b"\x00\xe8\x03\x17\xfc"  # deflate: a thousand bytes follow as they are, of which few were written
    torn = packed[1][:10] + stored + b"\x1f\x8b\x08" + b"\xff" * 20
    assert known(tmp_path / "a.gz", packed[0] + torn) == {"id-0"}


@pytest.mark.parametrize("tail_of", [b"", ZEROS], ids=["alone", "before zeros"])
def test_something_else_at_the_end_is_not_taken_for_a_torn_record(
    tmp_path: Path, packed: list[bytes], tail_of: bytes
) -> None:
    """Whoever wrote it did not write it with us."""
    refused(tmp_path / "a.gz", packed[0] + b"somebody's note" + tail_of)


def test_a_last_record_with_a_wrong_checksum_is_damaged_and_not_torn(tmp_path: Path, packed: list[bytes]) -> None:
    """All of it is there: a crash does not do this, a disk does."""
    checksum = bytes([packed[1][-8] ^ 0xFF])
    refused(tmp_path / "a.gz", packed[0] + packed[1][:-8] + checksum + packed[1][-7:])


def test_a_record_that_would_unpack_to_more_than_we_write_is_damaged(
    tmp_path: Path, packed: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not read to its end, and not cut off either."""
    big = appended(tmp_path / "big.gz", [message(1, random.Random(1).randbytes(30_000).hex())])
    monkeypatch.setattr(tail, "_LARGEST_MEMBER", 20_000)
    refused(tmp_path / "a.gz", packed[0] + big[0])


def test_a_large_append_is_known_message_by_message(tmp_path: Path) -> None:
    """It is read in pieces, and every id in it counts: what is not known would be archived again."""
    dice = random.Random(1)
    batch = [message(number, dice.randbytes(5_000).hex()) for number in range(10)]
    whole = appended(tmp_path / "whole.gz", batch, [message(10)])
    assert known(tmp_path / "a.gz", b"".join(whole)) == {f"id-{number}" for number in range(11)}


@pytest.mark.parametrize("first", [0, 200], ids=["from its beginning", "in its middle"])
@pytest.mark.parametrize("before", [0, 1], ids=["the only record", "the second"])
def test_a_last_line_with_a_hole_of_zeros_is_torn(tmp_path: Path, plain: list[bytes], first: int, before: int) -> None:
    """Its end was written and a page before was not."""
    hole = plain[1][:first] + bytes(80) + plain[1][first + 80 :]
    assert known(tmp_path / "a", b"".join(plain[:before]) + hole) == {f"id-{number}" for number in range(before)}


def test_a_damaged_line_before_torn_ones_is_not_cut_off(tmp_path: Path, plain: list[bytes]) -> None:
    """The zeros behind it are no part of it."""
    damaged = plain[1].replace(b'"body 1"', b'"body 1?')
    assert damaged != plain[1]
    refused(tmp_path / "a", plain[0] + damaged + bytes(100))


def test_a_line_as_long_as_any_can_be_is_kept_and_a_longer_one_is_no_record(
    tmp_path: Path, plain: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bound is that of one line, not that of the file."""
    monkeypatch.setattr(tail, "LONGEST_LINE", len(plain[0]))
    assert known(tmp_path / "a", b"".join(plain)) == {"id-0", "id-1", "id-2"}
    monkeypatch.setattr(tail, "LONGEST_LINE", len(plain[0]) - 1)
    refused(tmp_path / "a", b"".join(plain))


def test_what_is_appended_after_a_resume_stands_behind_what_was_there(tmp_path: Path, packed: list[bytes]) -> None:
    """And a write that fails then is taken back to there, and no further."""
    path = tmp_path / "a.gz"
    path.write_bytes(packed[0] + packed[1][:-3])
    with ArchiveWriter(path, queue_arn=ARN, archive_id="a-1", resume=True) as archive:
        archive.append([message(3)])
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(os, "fsync", _fails_once())
            with pytest.raises(StorageError, match="cannot be written"):
                archive.append([message(4)])
        archive.append([message(5)])
        assert archive.count == 3
    assert [each.message.message_id for each in read_archive(path)] == ["id-0", "id-3", "id-5"]


def _fails_once() -> object:
    """Return a sync that says no the first time."""
    answers = [OSError(5, "Input/output error")]

    def fsync(_: int) -> None:
        if answers:
            raise answers.pop()

    return fsync
