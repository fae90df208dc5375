"""An archive read back: every line is checked before the first record is given out, so nothing is half imported.

Memory holds one line at a time: a file is read twice, a pipe is first copied into a private temporary file.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import shutil
import stat
import tempfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, BinaryIO, cast

from opstool.doors.archive.line import LONGEST_LINE, Record, parse_line
from opstool.words.closing import Closing
from opstool.words.errors import NotFoundError, StorageError, UsageError

_GZIP_MAGIC = b"\x1f\x8b"
_MOST_PROBLEMS_SHOWN = 20


def read_archive(source: Path | BinaryIO) -> Iterator[Record]:
    """Yield the records of a file or stream in order, after every line was checked."""
    with open_archive(source) as archive:
        yield from archive


def open_archive(source: Path | BinaryIO) -> Archive:
    """Return the archive with every line checked; raises one UsageError that names the lines that are wrong.

    Only the file that is named is opened: nothing in an archive is taken for a path.
    """
    file = _open(source) if isinstance(source, Path) else _spooled(source)
    try:
        return Archive(file, name=str(source) if isinstance(source, Path) else "standard input")
    except BaseException:
        file.close()
        raise


class Archive(Closing):
    """A checked archive: `count` records from the queues `queue_arns`; iterate over it as often as needed."""

    def __init__(self, file: BinaryIO, *, name: str) -> None:
        self._file = file
        self._name = name
        self._foreign_archive_id = ""
        self.count = 0
        self.queue_arns: frozenset[str | None] = frozenset()
        self._check()

    def _check(self) -> None:
        """Read every line once; gather the problems, the count, and the hash that names a foreign file."""
        content = hashlib.sha256()
        problems: list[str] = []
        queues: set[str | None] = set()

        def take(number: int, line: bytes) -> None:
            content.update(line)
            try:
                record = parse_line(line, line=number)
            except UsageError as error:
                problems.append(f"line {number}: {error.message}")
                return
            if record is not None:
                self.count += 1
                queues.add(record.queue_arn)

        self._each_line(take, problems)
        if problems:
            raise self._refusal(problems)
        self.queue_arns = frozenset(queues)
        self._foreign_archive_id = f"sha256-{content.hexdigest()[:32]}"

    def _each_line(self, take: Callable[[int, bytes], None], problems: list[str]) -> None:
        """Give every line to `take`; what keeps the file from being read to its end becomes a problem."""
        number = 0
        try:
            for number, line in enumerate(self._lines(), start=1):
                take(number, line)
        except UsageError as error:
            problems.append(f"line {number + 1}: {error.message}")

    def _lines(self) -> Iterator[bytes]:
        """Yield the lines; raise UsageError where the file cannot be read further."""
        self._file.seek(0)
        compressed = self._file.read(len(_GZIP_MAGIC)) == _GZIP_MAGIC
        self._file.seek(0)
        stream: IO[bytes] = cast("IO[bytes]", gzip.GzipFile(fileobj=self._file)) if compressed else self._file
        try:
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

    def _refusal(self, problems: list[str]) -> UsageError:
        shown = problems[:_MOST_PROBLEMS_SHOWN]
        more = len(problems) - len(shown)
        lines = [*shown, f"and {more} more"] if more else shown
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
        self._file.close()


def _open(path: Path) -> BinaryIO:
    """Open the file that was named; what is not a regular file (a named pipe) is spooled like a stream."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        raise NotFoundError(f"`{path}` does not exist", code="file_not_found") from None
    except IsADirectoryError:
        raise UsageError(f"`{path}` is a directory") from None
    except OSError as error:
        raise StorageError(f"`{path}` cannot be read: {error.strerror}") from error
    if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        return file
    with file:
        return _spooled(file)


def _spooled(stream: BinaryIO) -> BinaryIO:
    """Return a private, nameless copy of the stream that can be read twice."""
    copy = cast("BinaryIO", tempfile.TemporaryFile())  # noqa: SIM115 - closed with the archive
    try:
        shutil.copyfileobj(stream, copy)
        copy.flush()
    except OSError as error:
        copy.close()
        raise StorageError(f"the input cannot be copied to a temporary file: {error.strerror}") from error
    return copy
