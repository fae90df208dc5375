from __future__ import annotations

import errno
import gzip
import io
import json
import os
import stat
import threading
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from opstool.doors.archive import Archive, ArchiveWriter, Record, StreamWriter, open_archive, read_archive
from opstool.doors.archive.line import LONGEST_LINE
from opstool.doors.archive.replacing import beside, put_in_place
from opstool.words.errors import NotFoundError, OpstoolError, RefusedError, StorageError, UsageError
from opstool.words.message import Attribute, Message
from opstool.words.reason import Reason

ARN = "arn:aws:sqs:eu-west-1:123456789012:orders-dlq"
NAMES = pytest.mark.parametrize("name", ["dead.jsonl", "dead.jsonl.gz"])
posix_only = pytest.mark.skipif(os.name != "posix", reason="file modes and named pipes are POSIX")


def message(number: int, body: str | None = None) -> Message:
    """Return a message that is like no other."""
    return Message(
        message_id=f"id-{number}",
        body=f'{{"n": {number}}}' if body is None else body,
        attributes={"blob": Attribute(type="Binary", value=bytes([number % 256]))},
        sent_at_ms=1_735_689_600_000 + number,
    )


def writer(path: Path, **options: Any) -> ArchiveWriter:
    """Open the archive `a-1` of the queue."""
    return ArchiveWriter(path, queue_arn=ARN, archive_id="a-1", **options)


def written(path: Path, count: int = 3) -> bytes:
    """Write an archive of messages that were appended one by one, and return its bytes."""
    with writer(path) as archive:
        for number in range(count):
            archive.append([message(number)])
    return path.read_bytes()


def ids(source: Path | BinaryIO) -> list[str]:
    """Return the message ids of an archive."""
    return [record.message.message_id for record in read_archive(source)]


@NAMES
def test_what_was_appended_can_be_read_back(tmp_path: Path, name: str) -> None:
    """Every part of a message, where it came from, and which archive holds it."""
    with writer(tmp_path / name) as archive:
        archive.append([message(1), message(2, "\x1b\n\ud800\N{GRINNING FACE}")])
        archive.append([])
        archive.append([message(3)])
        assert archive.count == 3
    records = list(read_archive(tmp_path / name))
    assert [each.message for each in records] == [message(1), message(2, "\x1b\n\ud800\N{GRINNING FACE}"), message(3)]
    assert {(each.queue_arn, each.archive_id) for each in records} == {(ARN, "a-1")}
    assert [each.line for each in records] == [1, 2, 3]


def test_a_line_says_when_the_message_expires_and_why_it_died(tmp_path: Path) -> None:
    """An archive is evidence, too."""
    reason = Reason(type="ValueError", message="no", fingerprint="0" * 12, at_ms=1, attempts=3)
    with writer(tmp_path / "a", retention_s=60, reasons={"id-1": reason}) as archive:
        archive.append([message(1), message(2)])
    first, second = map(json.loads, (tmp_path / "a").read_text(encoding="ascii").splitlines())
    assert first["expires_at"] == "2025-01-01T00:01:00.001Z"
    assert (first["reason"]["type"], second["reason"]) == ("ValueError", None)


@NAMES
def test_a_message_is_on_disk_before_append_returns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """The delete that follows relies on it: written, then synced, then returned."""
    steps: list[str] = []
    write, fsync = os.write, os.fsync
    with writer(tmp_path / name) as archive:
        monkeypatch.setattr(os, "write", lambda *args: (steps.append("write"), write(*args))[1])
        monkeypatch.setattr(os, "fsync", lambda *args: (steps.append("sync"), fsync(*args))[1])
        archive.append([message(1)])
        monkeypatch.undo()
    assert steps == ["write", "sync"]


@posix_only
def test_the_file_and_its_name_are_synced_when_it_is_created(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file whose directory entry is lost in a crash is lost."""
    synced: list[bool] = []
    fsync = os.fsync

    def watched(descriptor: int) -> None:
        synced.append(stat.S_ISDIR(os.fstat(descriptor).st_mode))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", watched)
    writer(tmp_path / "a").close()
    assert synced == [False, True]


@posix_only
@pytest.mark.parametrize("resume", [False, True])
def test_only_the_owner_can_read_an_archive(tmp_path: Path, *, resume: bool) -> None:
    """Bodies are private, also in a file that was opened to all before."""
    path = tmp_path / "dead.jsonl"
    if resume:
        path.touch()
        path.chmod(0o644)
    before = os.umask(0)
    try:
        writer(path, resume=resume).close()
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@posix_only
def test_an_archive_is_private_from_its_first_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever opened it before its mode was set could go on reading."""
    modes: list[int] = []
    monkeypatch.setattr(os, "fchmod", lambda descriptor, _: modes.append(os.fstat(descriptor).st_mode & 0o077))
    before = os.umask(0)
    try:
        writer(tmp_path / "a").close()
    finally:
        os.umask(before)
    assert modes == [0]


@posix_only
@pytest.mark.parametrize("resume", [False, True], ids=["new", "taken up again"])
def test_a_file_that_the_disk_does_not_keep_is_refused_and_let_go_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, resume: bool
) -> None:
    """Before any message is taken for archived."""
    if resume:
        (tmp_path / "a").touch()
    closed: list[int] = []
    close = os.close

    def fails(_: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fsync", fails)
    monkeypatch.setattr(os, "close", lambda descriptor: (closed.append(descriptor), close(descriptor))[1])
    with pytest.raises(StorageError, match=r"the archive `.*` cannot be created: Input/output error"):
        writer(tmp_path / "a", resume=resume)
    monkeypatch.undo()
    assert len(closed) == 1


def test_an_existing_file_is_refused(tmp_path: Path) -> None:
    """Nobody's archive is overwritten by accident; the hint names the option."""
    (tmp_path / "a").write_text("old")
    with pytest.raises(RefusedError) as error:
        writer(tmp_path / "a")
    assert error.value.code == "file_exists"
    assert "--overwrite" in str(error.value.hint)
    assert (tmp_path / "a").read_text() == "old"


def test_what_takes_a_files_place_is_beside_it_until_then(tmp_path: Path) -> None:
    """In the folder of what a link leads to, and the link stays one."""
    (tmp_path / "folder").mkdir()
    old, link = tmp_path / "folder" / "old.gz", tmp_path / "link"
    old.write_text("old" * 10_000)
    link.symlink_to(old)
    new = beside(link, "run")
    assert (new.parent, new.suffix) == (old.parent, ".gz")
    new.write_text("new")
    put_in_place(new, link)
    assert (link.read_text(), link.is_symlink(), old.read_text(), new.exists()) == ("new", True, "new", False)


def test_a_folder_that_takes_no_name_is_a_storage_error(tmp_path: Path) -> None:
    """And the old file stays."""
    (tmp_path / "old").write_text("old")
    with pytest.raises(StorageError, match="cannot take the place"):
        put_in_place(tmp_path / "not there", tmp_path / "old")
    assert (tmp_path / "old").read_text() == "old"


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz"])
def test_an_archive_of_nothing_is_what_its_name_says(tmp_path: Path, name: str) -> None:
    """An empty file is no gzip, and nothing can unpack it."""
    with writer(tmp_path / name) as archive:
        archive.finish()
    content = (tmp_path / name).read_bytes()
    assert (gzip.decompress(content) if name.endswith(".gz") else content) == b""
    assert bool(content) is name.endswith(".gz")


def test_a_folder_that_is_not_there_is_a_storage_error(tmp_path: Path) -> None:
    """The error names the path."""
    with pytest.raises(StorageError, match="cannot be created"):
        writer(tmp_path / "none" / "a")


@posix_only
def test_a_device_is_no_archive() -> None:
    """What is written there is gone, and the messages would be deleted."""
    with pytest.raises(UsageError, match="not a regular file"):
        writer(Path(os.devnull), resume=True)
    with pytest.raises(UsageError, match="not a regular file"):
        beside(Path(os.devnull), "run")


class FullDisk:
    """A disk that takes some bytes and then no more; cutting a file may fail too."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, path: Path, *, takes: int, cuts: bool = True) -> None:
        self._inode = path.stat().st_ino
        self._left = takes
        self._write, self._truncate, self._cuts = os.write, os.ftruncate, cuts
        monkeypatch.setattr(os, "write", self.write)
        monkeypatch.setattr(os, "ftruncate", self.truncate)

    def write(self, descriptor: int, data: bytes) -> int:
        """Take what there is space for."""
        if os.fstat(descriptor).st_ino != self._inode:
            return self._write(descriptor, data)
        if not self._left:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        taken = self._write(descriptor, bytes(data)[: self._left])
        self._left -= taken
        return taken

    def truncate(self, descriptor: int, size: int) -> None:
        """Cut, unless this disk cannot."""
        if os.fstat(descriptor).st_ino == self._inode and not self._cuts:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        self._truncate(descriptor, size)


@NAMES
@pytest.mark.parametrize("takes", [0, 1, 50])
def test_a_full_disk_leaves_the_archive_at_its_last_confirmed_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, takes: int
) -> None:
    """The write that failed is taken back, the error says so, and space made later is used."""
    with writer(tmp_path / name) as archive:
        archive.append([message(1)])
        with monkeypatch.context() as patched:
            FullDisk(patched, tmp_path / name, takes=takes)
            with pytest.raises(StorageError, match="No space left"):
                archive.append([message(2), message(3)])
        assert ids(tmp_path / name) == ["id-1"]
        assert archive.count == 1
        archive.append([message(4)])
    assert ids(tmp_path / name) == ["id-1", "id-4"]


def test_an_archive_that_cannot_be_cut_back_takes_nothing_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A record after a torn one would not be found again."""
    with writer(tmp_path / "a") as archive:
        with monkeypatch.context() as patched:
            FullDisk(patched, tmp_path / "a", takes=20, cuts=False)
            with pytest.raises(StorageError):
                archive.append([message(1)])
        with pytest.raises(StorageError, match="failed before"):
            archive.append([message(2)])
    with writer(tmp_path / "a", resume=True) as archive:
        archive.append([message(2)])
    assert ids(tmp_path / "a") == ["id-2"]


def test_an_archive_that_is_closed_twice_lets_go_of_one_descriptor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second time it may be another file's, or standard output's."""
    archive = writer(tmp_path / "a")
    closed: list[int] = []
    close = os.close
    monkeypatch.setattr(os, "close", lambda descriptor: (closed.append(descriptor), close(descriptor))[1])
    archive.close()
    archive.close()
    monkeypatch.undo()
    assert len(closed) == 1


def test_a_closed_archive_takes_nothing_more(tmp_path: Path) -> None:
    """Its descriptor may belong to another file by then."""
    archive = writer(tmp_path / "a")
    archive.close()
    archive.close()
    with pytest.raises(StorageError):
        archive.append([message(1)])


@NAMES
def test_many_threads_append_whole_records(tmp_path: Path, name: str) -> None:
    """Workers share one archive."""
    with writer(tmp_path / name) as archive:

        def work(worker: int) -> None:
            for number in range(10):
                archive.append([message(worker * 100 + number), message(worker * 100 + 50 + number)])

        threads = [threading.Thread(target=work, args=(worker,)) for worker in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert archive.count == 160
    assert len(set(ids(tmp_path / name))) == 160


@NAMES
def test_a_resumed_archive_knows_what_it_holds(tmp_path: Path, name: str) -> None:
    """What is in it already is not archived again."""
    written(tmp_path / name)
    with writer(tmp_path / name, resume=True) as archive:
        assert archive.known_ids == {"id-0", "id-1", "id-2"}
        assert archive.count == 3
        archive.append([message(3)])
    assert ids(tmp_path / name) == ["id-0", "id-1", "id-2", "id-3"]


@NAMES
@pytest.mark.parametrize("tail", [b"", b"\0" * 5_000], ids=["cut short", "filled with zeros"])
def test_a_tail_torn_at_any_byte_is_cut_off(tmp_path: Path, name: str, tail: bytes) -> None:
    """Whatever a crash left, confirmed records stay and the next append follows them."""
    path = tmp_path / name
    whole = written(path)
    path.unlink()
    confirmed = len(written(path, 2))
    for size in range(confirmed, len(whole)):
        path.write_bytes(whole[:size] + tail)
        with writer(path, resume=True) as archive:
            # The last bytes of a gzip member are zeros: with those filled in, nothing was torn.
            kept = 3 if (whole[:size] + tail).startswith(whole) else 2
            assert archive.known_ids == {"id-0", "id-1", "id-2"} - ({"id-2"} if kept < 3 else set())
            assert path.stat().st_size == (confirmed if kept < 3 else len(whole))
            archive.append([message(7)])
        assert ids(path) == [f"id-{number}" for number in [*range(kept), 7]]


@NAMES
def test_damage_before_the_end_is_refused_and_left_as_it_is(tmp_path: Path, name: str) -> None:
    """What follows may be the only copy of a message, so nothing is cut."""
    path = tmp_path / name
    whole = bytearray(written(path))
    whole[whole.index(b"{" if name == "dead.jsonl" else b"\x1f\x8b", 5)] ^= 0xFF
    path.write_bytes(whole)
    with pytest.raises(StorageError, match="damaged"):
        writer(path, resume=True)
    assert path.read_bytes() == whole


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a", b"not an archive"),
        ("a", b"not an archive\n"),
        ("a", b'{"body": "x"}\n'),
        ("a", b"\x1f\x8b\x08 compressed, but the name does not say so"),
        ("a.gz", b"not an archive"),
        ("a.gz", b'{"body": "x"}\n'),
        ("a.gz", gzip.compress(b"something else", mtime=0)),
    ],
)
def test_a_file_that_is_no_archive_is_not_cut(tmp_path: Path, name: str, content: bytes) -> None:
    """A path that names somebody else's file by mistake costs nobody anything."""
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(OpstoolError):
        writer(path, resume=True)
    assert path.read_bytes() == content


def test_another_archive_is_refused(tmp_path: Path) -> None:
    """Each archive's records count on their own."""
    written(tmp_path / "a")
    with pytest.raises(RefusedError, match="another archive"):
        ArchiveWriter(tmp_path / "a", queue_arn=ARN, archive_id="a-2", resume=True)


@NAMES
@pytest.mark.parametrize("there", [False, True])
def test_a_run_that_died_before_its_first_record_can_be_resumed(tmp_path: Path, name: str, *, there: bool) -> None:
    """The file is not there yet, or empty."""
    if there:
        (tmp_path / name).touch()
    with writer(tmp_path / name, resume=True) as archive:
        assert archive.known_ids == frozenset()
        archive.append([message(1)])
    assert ids(tmp_path / name) == ["id-1"]


def test_a_stream_gets_the_same_lines(tmp_path: Path) -> None:
    """Standard output can be piped into an import."""
    stream = io.BytesIO()
    StreamWriter(stream, queue_arn=ARN, archive_id="a-1").append([message(1), message(2)])
    with writer(tmp_path / "a") as archive:
        archive.append([message(1), message(2)])
    assert stream.getvalue() == (tmp_path / "a").read_bytes()


def test_a_stream_says_when_a_message_expires_and_why_it_died() -> None:
    """As much as a file does; and how many it took."""
    reason = Reason(type="ValueError", message="no", fingerprint="0" * 12, at_ms=1, attempts=3)
    stream = io.BytesIO()
    writer = StreamWriter(stream, queue_arn=ARN, archive_id="a-1", retention_s=60, reasons={"id-1": reason})
    assert (writer.count, writer.known_ids) == (0, frozenset())
    writer.append([message(1), message(2)])
    writer.append([message(3)])
    assert writer.count == 3
    first, second, _ = map(json.loads, stream.getvalue().decode("ascii").splitlines())
    assert first["expires_at"] == "2025-01-01T00:01:00.001Z"
    assert (first["reason"]["type"], second["reason"]) == ("ValueError", None)


def test_a_stream_that_cannot_be_written_says_why() -> None:
    """Standard output may be a file on a full disk."""

    class Full(io.BytesIO):
        def write(self, data: object) -> int:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    writer = StreamWriter(Full(), queue_arn=ARN, archive_id="a-1")
    with pytest.raises(StorageError, match="the output cannot be written: No space left"):
        writer.append([message(1)])
    assert writer.count == 0


def test_a_reader_that_went_away_is_told_apart() -> None:
    """`| head` is no failure of the disk."""

    class Closed(io.BytesIO):
        def flush(self) -> None:
            raise BrokenPipeError

    with pytest.raises(StorageError) as error:
        StreamWriter(Closed(), queue_arn=ARN, archive_id="a-1").append([message(1)])
    assert error.value.code == "pipe_closed"


@NAMES
def test_any_part_of_an_archive_has_the_same_records(tmp_path: Path, name: str) -> None:
    """So a subset, a copy and the whole import each message once."""
    written(tmp_path / name)
    whole = {each.record_id: each for each in read_archive(tmp_path / name)}
    assert len(whole) == 3
    content = (tmp_path / name).read_bytes()
    lines = (gzip.decompress(content) if name.endswith("gz") else content).splitlines(keepends=True)
    part = next(read_archive(io.BytesIO(b"\n" + lines[1])))
    assert (part.archive_id, part.record_id) == ("a-1", whole[part.record_id].record_id)


def test_an_edited_line_is_another_record(tmp_path: Path) -> None:
    """What was mended can be imported although the original was."""
    plain = written(tmp_path / "a", 1)
    original = next(read_archive(tmp_path / "a")).record_id
    for edited in (plain.replace(b'"n', b'"m'), plain.replace(b"AA==", b"AQ==")):
        assert edited != plain
        assert next(read_archive(io.BytesIO(edited))).record_id != original


def records_of(content: bytes) -> list[Record]:
    """Read an archive from a stream."""
    return list(read_archive(io.BytesIO(content)))


def test_lines_from_elsewhere_need_a_body_and_nothing_more() -> None:
    """Hand-written JSON Lines can be imported, with a byte order mark, blank lines and a missing last newline."""
    first, second = records_of(b'\xef\xbb\xbf{"body": "a"}\r\n\r\n{"body": "a"}')
    assert (first.message, first.queue_arn) == (Message(message_id="", body="a"), None)
    assert first.record_id != second.record_id


def test_the_same_foreign_file_is_the_same_archive() -> None:
    """Imported twice it is sent once; an edited file is another archive."""
    one, again, other = (records_of(line)[0] for line in (b'{"body": "a"}', b'{"body": "a"}', b'{"body": "a" }'))
    assert (one.archive_id, one.record_id) == (again.archive_id, again.record_id)
    assert one.archive_id != other.archive_id


def test_the_report_after_a_list_is_no_record() -> None:
    """The lines of `dlq list --output jsonl` can be imported."""
    assert len(records_of(b'{"body": "a"}\n{"version": 1, "type": "report"}\n')) == 1


def attributes_of(count: int) -> str:
    """Return a JSON object of attributes."""
    return json.dumps({f"a{number}": {"type": "String", "value": "v"} for number in range(count)})


def with_attribute(name: str, kind: str = "String", value: str = "v") -> bytes:
    """Return a line with one attribute."""
    return json.dumps({"body": "b", "attributes": {name: {"type": kind, "value": value}}}).encode()


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b"SECRET", "not JSON (column 1)"),
        (b'["SECRET"]', "not a JSON object"),
        (b"null", "not a JSON object"),
        (b'{"body": "a\0"}', "not JSON (column 12)"),
        (b'{"body": "\xff"}', "not UTF-8"),
        ('{"body": "a"}'.encode("utf-16"), "not UTF-8"),
        (b"[" * 200_000, "nested too deeply"),
        (b'{"body": "a", "n": NaN}', "a number that JSON does not have"),
        (b'{"body": "a", "n": ' + b"1" * 5_000 + b"}", "thousands of digits"),
        (b"{}", "`body` is missing"),
        (b'{"body": ""}', "the body is empty"),
        (b'{"body": {"a": 1}}', "`body` is not a string"),
        (b'{"body": "' + b"x" * 1_048_577 + b'"}', "1048577 bytes, more than 1048576"),
        (b'{"body": "a", "attributes": ' + attributes_of(11).encode() + b"}", "11 attributes, more than 10"),
        (with_attribute("AWS.x"), '"AWS.x" is not a name'),
        (with_attribute("aMaZoN.x"), "is not a name"),
        (with_attribute("a b"), '"a b" is not a name'),
        (with_attribute("a..b"), "is not a name"),
        (with_attribute(".a"), "is not a name"),
        (with_attribute("a."), "is not a name"),
        (with_attribute(""), "is not a name"),
        (with_attribute("x" * 257), "is not a name"),
        (with_attribute("\x1b[31m"), '"\\u001b[31m" is not a name'),
        (with_attribute("a", "Text"), '"Text" is not a type'),
        (with_attribute("a", "Strings"), "is not a type"),
        (with_attribute("a", "String."), "is not a type"),
        (with_attribute("a", value=""), 'attribute "a" is empty'),
        (with_attribute("a", value="\x01"), 'attribute "a" holds U+0001'),
        (b'{"body": "ab\\u0000"}', "the body holds U+0000 (character 3)"),
        (b'{"body": "\\ud800"}', "the body holds U+D800"),
        (b'{"body": "a", "archive": 5}', "`archive` is not an id"),
        (b'{"body": "a", "archive": ""}', "`archive` is not an id"),
        (b'{"body": "a", "archive": "\\u001b[0m"}', "`archive` is not an id"),
        (b'{"body": "a", "message_id": "' + b"x" * 129 + b'"}', "`message_id` is not an id"),
        (b'{"body": "a", "queue": "orders"}', "`queue` is not the ARN"),
        (b'{"body": "a", "queue": "arn:aws:sns:eu-west-1:123456789012:orders"}', "`queue` is not the ARN"),
        (b'{"body": "a", "version": 2}', "version is not 1"),
        (b'{"body": "a", "type": "group"}', "type is not `message`"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_line_that_is_wrong_is_named_and_nothing_is_given_out(line: bytes, problem: str) -> None:
    """The error has the number of the line and what is wrong with it, and quotes nothing of a body."""
    given: list[Record] = []
    with pytest.raises(UsageError) as error:
        given.extend(read_archive(io.BytesIO(b'{"body": "good"}\n' + line + b'\n{"body": "good"}\n')))
    assert given == []
    assert "\n  line 2: " in error.value.message
    assert problem in error.value.message
    assert "SECRET" not in error.value.message
    assert error.value.message.replace("\n", "").isprintable()


def test_what_a_queue_has_held_it_can_hold_again() -> None:
    """An emulator accepts characters that SQS refuses; its archives can be put back."""
    line = json.dumps({"body": "\x00", "queue": ARN, "archive": "a-1", "message_id": "m"})
    assert records_of(line.encode())[0].message.body == "\x00"


def test_every_wrong_line_is_named_up_to_a_number() -> None:
    """A file of another kind does not fill the screen."""
    with pytest.raises(UsageError) as error:
        records_of(b"no\n" * 1_000)
    lines = error.value.message.splitlines()
    assert lines[1] == "  line 1: not JSON (column 1)"
    assert lines[-1] == "  and 980 more"


def test_a_line_longer_than_any_message_is_refused_without_reading_it() -> None:
    """Memory stays bounded, whatever the file."""
    with pytest.raises(UsageError, match="line 2: longer than 8388608 bytes"):
        records_of(b'{"body": "a"}\n{"body": "' + b"x" * LONGEST_LINE + b'"}\nno\n')


def test_the_longest_message_fits_into_a_line(tmp_path: Path) -> None:
    """A mebibyte of the characters that JSON writes the longest is archived and read back."""
    with writer(tmp_path / "a") as archive:
        archive.append(
            [Message(message_id="m", body="\x7f" * 1_048_576), Message(message_id="n", body="\0" * 1_048_576)]
        )
    assert ids(tmp_path / "a") == ["m", "n"]


def test_a_broken_gzip_file_is_refused_whole(tmp_path: Path) -> None:
    """Cut short, or damaged: nothing is half imported."""
    whole = written(tmp_path / "a.gz")
    with pytest.raises(UsageError, match=r"line \d: the gzip data ends too early"):
        records_of(whole[:-5])
    with pytest.raises(UsageError, match="the gzip data is damaged"):
        records_of(whole + b"trailing")


def test_gzip_is_recognised_by_content_and_not_by_name(tmp_path: Path) -> None:
    """An archive that was renamed or unpacked is still one."""
    packed = written(tmp_path / "a.gz")
    (tmp_path / "renamed.jsonl").write_bytes(packed)
    (tmp_path / "unpacked.gz").write_bytes(gzip.decompress(packed))
    assert ids(tmp_path / "renamed.jsonl") == ids(tmp_path / "unpacked.gz") == ["id-0", "id-1", "id-2"]


def test_an_archive_can_be_read_again_and_again(tmp_path: Path) -> None:
    """A plan looks at it before the run does; a pipe is kept for that in a file without a name."""
    content = written(tmp_path / "a")
    for source in (tmp_path / "a", io.BytesIO(content)):
        with open_archive(source) as archive:
            assert isinstance(archive, Archive)
            assert (archive.count, archive.queue_arns) == (3, {ARN})
            assert list(archive) == list(archive)


def test_an_empty_archive_has_no_records(tmp_path: Path) -> None:
    """That is no error: a purge of nothing leaves one."""
    (tmp_path / "a").touch()
    assert ids(tmp_path / "a") == []


@posix_only
def test_a_named_pipe_can_be_imported(tmp_path: Path) -> None:
    """A shell's process substitution is one."""
    content = written(tmp_path / "a")
    os.mkfifo(tmp_path / "pipe")
    thread = threading.Thread(target=lambda: (tmp_path / "pipe").write_bytes(content))
    thread.start()
    assert ids(tmp_path / "pipe") == ["id-0", "id-1", "id-2"]
    thread.join()


def test_a_path_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """No file, or a folder."""
    with pytest.raises(NotFoundError, match="does not exist"):
        ids(tmp_path / "none")
    with pytest.raises(OpstoolError, match=r"is a directory|cannot be read"):
        ids(tmp_path)


def test_only_an_archive_without_a_record_is_taken_away_again(tmp_path: Path) -> None:
    """Its name is free for the next try; a file with a record stays, and so does another file of that name."""
    with writer(tmp_path / "empty.jsonl") as empty, writer(tmp_path / "full.jsonl") as full:
        full.append([message(1)])
        full.discard_if_empty()
        empty.discard_if_empty()
        assert sorted(each.name for each in tmp_path.iterdir()) == ["full.jsonl"]
        (tmp_path / "empty.jsonl").write_text("somebody else's")
        empty.discard_if_empty()
    assert (tmp_path / "empty.jsonl").read_text() == "somebody else's"
    empty.discard_if_empty()
