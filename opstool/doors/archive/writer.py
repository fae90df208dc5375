"""An archive that is being written: a file that is on disk when `append` returns, or a stream."""

from __future__ import annotations

import gzip
import os
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from os.path import samestat
from pathlib import Path
from typing import BinaryIO

from opstool.doors.archive.file import create, cut, open_again, write_durably
from opstool.doors.archive.line import LineWriter
from opstool.doors.archive.tail import sound_part
from opstool.words.closing import Closing
from opstool.words.errors import StorageError
from opstool.words.message import Message
from opstool.words.reason import Reason


class ArchiveWriter(Closing):
    """An archive file that is being written; safe to call from many threads.

    `known_ids` are the message ids it held when it was opened (only with `resume`), `count` the records it holds now.
    A new file is refused where one exists; `resume` goes on with the file of the same archive id,
    cutting off the torn record that a crash may have left. The file is readable by its owner alone.
    """

    def __init__(
        self,
        path: Path,
        *,
        queue_arn: str,
        archive_id: str,
        resume: bool = False,
        retention_s: int | None = None,
        reasons: Mapping[str, Reason] | None = None,
    ) -> None:
        self.path = path
        self.known_ids: frozenset[str] = frozenset()
        self.count = 0
        self._lines = LineWriter(queue_arn=queue_arn, archive_id=archive_id, retention_s=retention_s, reasons=reasons)
        self._gzip = path.name.endswith(".gz")
        self._size = 0
        self._broken = False
        self._lock = threading.Lock()
        descriptor = open_again(path) if resume else None
        if descriptor is None:
            self._descriptor = create(path)
        else:
            self._descriptor = descriptor
            self._go_on(archive_id)

    def _go_on(self, archive_id: str) -> None:
        """Take over what is sound in the file, and cut off the rest."""
        try:
            sound = sound_part(self._descriptor, self.path, archive_id=archive_id, compressed=self._gzip)
            cut(self._descriptor, self.path, sound.size)
        except BaseException:
            os.close(self._descriptor)
            raise
        self.known_ids, self.count, self._size = sound.message_ids, sound.count, sound.size

    def append(self, messages: Sequence[Message]) -> None:
        """Add the messages; when this returns they are on disk, when it raises StorageError none of them is kept.

        A write that fails half-way (a full disk) is taken back, so the file ends with its last confirmed record.
        """
        data = self._lines.encode(messages)
        if self._gzip and data:
            data = gzip.compress(data, mtime=0)
        with self._lock:
            if self._broken:
                raise StorageError(f"the archive `{self.path}` failed before and takes no more messages")
            if not data:
                return
            try:
                write_durably(self._descriptor, data)
            except OSError as error:
                self._take_back()
                raise StorageError(f"the archive `{self.path}` cannot be written: {error.strerror}") from error
            self._size += len(data)
            self.count += len(messages)

    def _take_back(self) -> None:
        """Cut the file to its last confirmed record; where even that fails, the file takes nothing more."""
        try:
            cut(self._descriptor, self.path, self._size)
        except StorageError:
            self._broken = True

    def finish(self) -> None:
        """Give an archive without records what the ending of its name promises: an empty file is no gzip."""
        with self._lock:
            if self._gzip and not self._size and not self._broken:
                write_durably(self._descriptor, gzip.compress(b"", mtime=0))

    def discard_if_empty(self) -> None:
        """Take the file away when it holds no record, so that its name is free again; another file of it stays."""
        with self._lock, suppress(OSError):
            if self._descriptor >= 0 and not self._size and samestat(os.fstat(self._descriptor), self.path.stat()):
                self.path.unlink()

    def close(self) -> None:
        """Close the file; what was appended is on disk already."""
        with self._lock:
            if self._descriptor >= 0:
                os.close(self._descriptor)
                self._descriptor, self._broken = -1, True


class StreamWriter:
    """The same lines on a stream such as stdout; what a stream has taken is not known to be kept anywhere."""

    def __init__(
        self,
        stream: BinaryIO,
        *,
        queue_arn: str,
        archive_id: str,
        retention_s: int | None = None,
        reasons: Mapping[str, Reason] | None = None,
    ) -> None:
        self.known_ids: frozenset[str] = frozenset()
        self.count = 0
        self._stream = stream
        self._lines = LineWriter(queue_arn=queue_arn, archive_id=archive_id, retention_s=retention_s, reasons=reasons)
        self._lock = threading.Lock()

    def append(self, messages: Sequence[Message]) -> None:
        """Write the messages and flush; a reader that went away is StorageError with the code `pipe_closed`."""
        data = self._lines.encode(messages)
        with self._lock:
            try:
                self._stream.write(data)
                self._stream.flush()
            except BrokenPipeError as error:
                raise StorageError("the reader of the output closed it", code="pipe_closed") from error
            except OSError as error:
                raise StorageError(f"the output cannot be written: {error.strerror}") from error
            self.count += len(messages)

    def finish(self) -> None:
        """Do nothing: nothing is the end of a stream."""

    def discard_if_empty(self) -> None:
        """Do nothing: the stream is not ours."""

    def close(self) -> None:
        """Do nothing: the stream belongs to whoever opened it."""
