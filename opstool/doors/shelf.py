"""Where messages lie that are held for later: packed in memory up to a bound, past it in a file without a name.

The file is in the state directory and not in the system's temporary folder, which is memory on many machines. Bodies
are private: the file can be read by its owner only, and where the platform allows (not on Windows) it has no name from
its first moment, so that the end of the process, however it comes, is its end.
"""

from __future__ import annotations

import marshal
import threading
from array import array
from pathlib import Path
from typing import IO

from opstool.words.errors import StorageError
from opstool.words.message import Attribute, Message

ROOM_BYTES = 4 * 1024 * 1024
"""Packed messages in memory; when they are more, all of them go to the file in one write."""
# Without the sharing of later versions, which costs time and finds nothing in one message.
_MARSHAL_VERSION = 2


class Shelf:
    """Takes messages and gives them back, equal, by the place it named; thread-safe.

    In memory are `room_bytes` at most and 16 bytes a message. Nothing is ever taken out: the shelf and its file end
    together, when nobody refers to it any more.
    """

    def __init__(self, folder: Path, *, room_bytes: int = ROOM_BYTES) -> None:
        self._folder = folder
        self._room_bytes = room_bytes
        self._lock = threading.Lock()
        self._starts = array("Q")
        self._sent_at_ms = array("q")
        self._recent = bytearray()
        self._recent_bytes = 0
        self._spilled_bytes = 0
        self._file: IO[bytes] | None = None

    @property
    def bytes_in_memory(self) -> int:
        """Return how many bytes of packed messages are in memory."""
        return self._recent_bytes

    @property
    def bytes_on_disk(self) -> int:
        """Return how many bytes of packed messages are in the file."""
        return self._spilled_bytes

    def put(self, message: Message, handle: str = "") -> int:
        """Take a message with its receipt handle and return their place.

        Raises StorageError when the disk is full; then nothing was taken, and what was taken before is still there.
        """
        packed = _packed(message, handle)
        with self._lock:
            if self._recent_bytes + len(packed) > self._room_bytes:
                self._spill()
            start = self._spilled_bytes + self._recent_bytes
            if len(packed) > self._room_bytes:
                self._write(packed)
            else:
                self._keep(packed)
            self._starts.append(start)
            self._sent_at_ms.append(message.sent_at_ms)
            return len(self._starts) - 1

    def get(self, place: int) -> Message:
        """Return the message of a place; raise StorageError when the file cannot be read."""
        return _unpacked(self._packed_at(place))

    def handle(self, place: int) -> str:
        """Return the receipt handle of a place; raise StorageError as `get` does."""
        handle: str = marshal.loads(self._packed_at(place))[0]  # noqa: S302 - as in `_unpacked`
        return handle

    def _packed_at(self, place: int) -> bytes:
        with self._lock:
            start, end = self._starts[place], self._end_of(place)
            if start >= self._spilled_bytes:
                return bytes(self._recent[start - self._spilled_bytes : end - self._spilled_bytes])
            return self._read(start, end - start)

    def sent_at_ms(self, place: int) -> int:
        """Return when the message of a place was sent, without reading it."""
        return self._sent_at_ms[place]

    def __del__(self) -> None:
        """Close the file, so that nobody has to know that he is the last who needs it."""
        file = getattr(self, "_file", None)
        if file:
            file.close()

    def _end_of(self, place: int) -> int:
        if place + 1 < len(self._starts):
            return self._starts[place + 1]
        return self._spilled_bytes + self._recent_bytes

    def _keep(self, packed: bytes) -> None:
        """Keep what fits. The room is taken once: grown and given back by many threads it would be taken many times."""
        self._recent = self._recent or bytearray(self._room_bytes)
        self._recent[self._recent_bytes : self._recent_bytes + len(packed)] = packed
        self._recent_bytes += len(packed)

    def _spill(self) -> None:
        """Write what is in memory behind what is in the file; when that fails it stays in memory."""
        with memoryview(self._recent) as recent:
            self._write(recent[: self._recent_bytes])
        self._recent_bytes = 0

    def _write(self, content: bytes | memoryview) -> None:
        try:
            self._file = self._file or _nameless_file(self._folder)
            self._file.seek(self._spilled_bytes)
            written = 0
            while written < len(content):  # unbuffered: a write may take a part only
                written += self._file.write(content[written:])
        except OSError as error:
            raise self._unusable(error) from error
        self._spilled_bytes += len(content)

    def _read(self, start: int, length: int) -> bytes:
        assert self._file  # noqa: S101 - what is not in memory was written
        try:
            self._file.seek(start)
            packed = self._file.read(length)
        except OSError as error:
            raise self._unusable(error) from error
        if len(packed) < length:
            raise StorageError("the file of the held messages ends too soon", code="held_unusable")
        return packed

    def _unusable(self, error: OSError) -> StorageError:
        return StorageError(
            f"the messages that are held cannot be kept on disk: {error.strerror}",
            code="held_unusable",
            hint=f"free the disk of `{self._folder}`, choose another --state-dir, or hold fewer messages with --limit",
        )


def _nameless_file(folder: Path) -> IO[bytes]:
    """Return a new file for nobody else, in the folder or, where that cannot be written, the system's temporary one."""
    import tempfile  # noqa: PLC0415 - few looks are so long that they need it

    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return tempfile.TemporaryFile(dir=folder, buffering=0)
    except OSError:
        return tempfile.TemporaryFile(buffering=0)


def _packed(message: Message, handle: str) -> bytes:
    """Return the message as bytes that only this process is to read: marshal is quick, and trusts what it is given."""
    attributes = [(name, each.type, each.value) for name, each in message.attributes.items()]
    values = (
        handle,
        message.message_id,
        message.body,
        attributes or None,
        message.sent_at_ms,
        message.first_received_at_ms,
        message.receive_count,
        message.source_arn,
        message.group_id,
        message.deduplication_id,
        message.trace_header,
        message.md5_of_body,
        message.md5_of_attributes,
    )
    return marshal.dumps(values, _MARSHAL_VERSION)


def _unpacked(packed: bytes) -> Message:
    # From our own memory, or a file that nobody else can open.
    _handle, message_id, body, attributes, sent, first, receives, source, group, deduplication, trace, md5, md5s = (
        marshal.loads(packed)  # noqa: S302
    )
    return Message(
        message_id=message_id,
        body=body,
        attributes={name: Attribute(type=kind, value=value) for name, kind, value in attributes or ()},
        sent_at_ms=sent,
        first_received_at_ms=first,
        receive_count=receives,
        source_arn=source,
        group_id=group,
        deduplication_id=deduplication,
        trace_header=trace,
        md5_of_body=md5,
        md5_of_attributes=md5s,
    )
