"""An archive read back: every line is checked before the first record is given out, so nothing is half imported.

Memory holds one line at a time: a file is read twice, a pipe is copied into a private temporary file while it is read
for the first time. What is no archive is not read to its end, which a device or a bomb may not even have.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import stat
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, BinaryIO, cast

from opstool.doors.archive.line import LONGEST_LINE, Record, parse_line
from opstool.doors.objects import Objects
from opstool.words.caret import printable
from opstool.words.closing import Closing
from opstool.words.errors import NotFoundError, StorageError, UsageError
from opstool.words.s3address import S3Address

_GZIP_MAGIC = b"\x1f\x8b"
_MOST_PROBLEMS_SHOWN = 20
# What may be read that holds no record, before the file is no archive: a kilobyte of gzip data can be a million blank
# lines, a device has no end. Each line counts for at least so many bytes, because it costs as much to look at.
_MOST_BESIDES_BYTES = 2 * LONGEST_LINE
_LEAST_LINE_BYTES = 64
_CHUNK_BYTES = 65_536


def read_archive(source: Path | BinaryIO) -> Iterator[Record]:
    """Yield the records of a file or stream in order, after every line was checked."""
    with open_archive(source) as archive:
        yield from archive


def open_archive(source: Path | BinaryIO) -> Archive:
    """Return the archive with every line checked; raises one UsageError that names the lines that are wrong.

    Only the file that is named is opened: nothing in an archive is taken for a path.
    """
    file = _open(source) if isinstance(source, Path) else _Spool(source)
    try:
        return Archive(file, name=printable(str(source)) if isinstance(source, Path) else "standard input")
    except BaseException:
        file.close()
        raise


def open_downloaded(objects: Objects, address: S3Address) -> Archive:
    """Return the archive at an address in S3: fetched into a private, nameless file first, then checked the same."""
    with _copying():
        file = cast("BinaryIO", tempfile.TemporaryFile())  # noqa: SIM115 - closed with the archive
    try:
        objects.download(address, file)
        return Archive(file, name=printable(str(address)))
    except BaseException:
        file.close()
        raise


class Archive(Closing):
    """A checked archive: `count` records from the queues `queue_arns`; iterate over it as often as needed."""

    def __init__(self, file: BinaryIO | _Spool, *, name: str) -> None:
        self._source = file
        self._file = file.first_reading() if isinstance(file, _Spool) else file
        self._name = name
        self._foreign_archive_id = ""
        self.count = 0
        self.queue_arns: frozenset[str | None] = frozenset()
        self._check()

    def _check(self) -> None:
        """Read every line once; gather the problems, the count, and the hash that names a foreign file."""
        content = hashlib.sha256()
        problems = _Problems()
        queues: set[str | None] = set()
        besides = 0
        for number, line in self._numbered(problems):
            content.update(line)
            record = problems.parsed(number, line)
            if record is not None:
                self.count += 1
                queues.add(record.queue_arn)
                continue
            besides += max(len(line), _LEAST_LINE_BYTES)
            if besides > _MOST_BESIDES_BYTES:
                problems.add(number, "there is too much that holds no message; the rest was not read")
                break
        if problems.count:
            raise self._refusal(problems)
        self.queue_arns = frozenset(queues)
        self._foreign_archive_id = f"sha256-{content.hexdigest()[:32]}"
        if isinstance(self._source, _Spool):
            self._file = self._source.whole()

    def _numbered(self, problems: _Problems) -> Iterator[tuple[int, bytes]]:
        """Yield every line with its number; what keeps the file from being read to its end becomes a problem."""
        number = 0
        try:
            for number, line in enumerate(self._lines(), start=1):
                yield number, line
        except UsageError as error:
            problems.add(number + 1, error.message)

    def _lines(self) -> Iterator[bytes]:
        """Yield the lines; raise UsageError where the file cannot be read further."""
        try:
            if self._file.seekable():
                self._file.seek(0)
            compressed = cast("io.BufferedReader", self._file).peek(len(_GZIP_MAGIC)).startswith(_GZIP_MAGIC)
            stream: IO[bytes] = cast("IO[bytes]", gzip.GzipFile(fileobj=self._file)) if compressed else self._file
            while line := stream.readline(LONGEST_LINE + 1):
                if len(line) > LONGEST_LINE:
                    raise UsageError(f"longer than {LONGEST_LINE} bytes, which no message needs")
                yield line
        except EOFError:
            raise UsageError("the gzip data ends too early") from None
        except (gzip.BadGzipFile, zlib.error):
            raise UsageError("the gzip data is damaged") from None
        except OSError as error:
            raise StorageError(f"`{self._name}` cannot be read: {error.strerror}") from error

    def _refusal(self, problems: _Problems) -> UsageError:
        more = problems.count - len(problems.shown)
        lines = [*problems.shown, f"and {more} more"] if more else problems.shown
        return UsageError(
            f"`{self._name}` is not an archive that can be imported whole:\n  " + "\n  ".join(lines),
            code="invalid_archive",
            hint="nothing was sent; a torn last line is left by an interrupted run, and `opstool resume` mends it",
        )

    def __iter__(self) -> Iterator[Record]:
        for number, line in enumerate(self._lines(), start=1):
            record = parse_line(line, line=number, foreign_archive_id=self._foreign_archive_id)
            if record is not None:
                yield record

    def close(self) -> None:
        """Close the file; a pipe's temporary copy is gone with it."""
        self._source.close()
        self._file.close()


class _Problems:
    """What is wrong with which lines: the first in words, all of them counted."""

    def __init__(self) -> None:
        self.shown: list[str] = []
        self.count = 0

    def add(self, line: int, problem: str) -> None:
        self.count += 1
        if self.count <= _MOST_PROBLEMS_SHOWN:
            self.shown.append(f"line {line}: {problem}")

    def parsed(self, number: int, line: bytes) -> Record | None:
        """Return the record of a line, None when it has none, or a problem."""
        try:
            return parse_line(line, line=number)
        except UsageError as error:
            self.add(number, error.message)
            return None


class _Spool:
    """A stream that can be read once, and the private, nameless copy of it that the first reading makes."""

    def __init__(self, stream: BinaryIO, *, owned: bool = False) -> None:
        self._stream = stream
        self._owned = owned
        self.copy = cast("BinaryIO", tempfile.TemporaryFile())  # noqa: SIM115 - closed with the archive

    def first_reading(self) -> BinaryIO:
        """Return the stream as a file that is read from its beginning to its end."""
        return io.BufferedReader(_Copied(self._stream, self.copy), _CHUNK_BYTES)

    def whole(self) -> BinaryIO:
        """Return the copy, after the first reading has come to the end."""
        with _copying():
            self.copy.flush()
        return self.copy

    def close(self) -> None:
        """Let go of the copy, and of the stream when it is ours."""
        self.copy.close()
        if self._owned:
            self._stream.close()


@contextmanager
def _copying() -> Iterator[None]:
    """Say what the disk says."""
    try:
        yield
    except OSError as error:
        raise StorageError(f"the input cannot be copied to a temporary file: {error.strerror}") from error


class _Copied(io.RawIOBase):
    """A stream, each part of it copied when it is read."""

    def __init__(self, stream: BinaryIO, copy: BinaryIO) -> None:
        super().__init__()
        self._stream = stream
        self._copy = copy

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read some of the stream, and copy it."""
        data = self._stream.read(len(buffer))
        with _copying():
            self._copy.write(data)
        buffer[: len(data)] = data
        return len(data)


def _open(path: Path) -> BinaryIO | _Spool:
    """Open the file that was named; what is not a regular file (a named pipe) is spooled like a stream."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        raise NotFoundError(f"`{printable(str(path))}` does not exist", code="file_not_found") from None
    except IsADirectoryError:
        raise UsageError(f"`{printable(str(path))}` is a directory") from None
    except OSError as error:
        raise StorageError(f"`{printable(str(path))}` cannot be read: {error.strerror}") from error
    return file if stat.S_ISREG(os.fstat(file.fileno()).st_mode) else _Spool(file, owned=True)
