"""What is sound in the file of an interrupted archive, and where the record that a crash tore begins.

Only what a crash leaves is given up: a tail that ends too early, or that the file system filled with zeros. A file that
is damaged in any other way is refused rather than cut, because what is in it may be the only copy of a message.
"""

from __future__ import annotations

import mmap
import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from opstool.doors.archive.line import LONGEST_LINE, Record, parse_line
from opstool.words.errors import RefusedError, StorageError, UsageError

_GZIP_HEADER = b"\x1f\x8b\x08"
_GZIP_WINDOW = 31
# An append is a receive batch: ten messages of 1 MiB, each at its longest line.
_LARGEST_MEMBER = 16 * LONGEST_LINE
_CHUNK = 8_192
_NEWLINE = 0x0A
_LINE_BEGINS = b'{"version":1,"type":"message","message_id":'
# No whole member of ours ends with so many: its last eight bytes are the checksum and the length of what it holds.
_ZEROS = bytes(8)


@dataclass(frozen=True, kw_only=True, slots=True)
class SoundPart:
    """The records up to `size` bytes; whatever follows is the torn tail."""

    size: int
    count: int
    message_ids: frozenset[str]


def sound_part(descriptor: int, path: Path, *, archive_id: str, compressed: bool) -> SoundPart:
    """Return what can be kept of the file; RefusedError when it is another archive, StorageError when damaged."""
    if os.fstat(descriptor).st_size == 0:
        return SoundPart(size=0, count=0, message_ids=frozenset())
    with mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ) as data:
        pieces = _members(data) if compressed else _lines(data)
        return _sound_part(pieces, path, archive_id)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Piece:
    """What one append, or one line of one, left in the file; `content` is None when it cannot be read whole.

    `torn` tells whether a crash can have left it so.
    """

    end: int
    content: bytes | None
    torn: bool = False


def _sound_part(pieces: Iterator[_Piece], path: Path, archive_id: str) -> SoundPart:
    """Walk the pieces: good ones, then perhaps bad ones, and never a good one after a bad one."""
    size, count, torn = 0, 0, False
    ids: set[str] = set()
    for piece in pieces:
        records = _records(piece.content)
        if records is None and piece.torn:
            torn = True
        elif records is None or torn:
            raise StorageError(
                f"the archive `{path}` is damaged and was left as it is",
                code="archive_damaged",
                hint="give another file: what this one holds can still be read line by line",
            )
        else:
            if any(record.archive_id != archive_id for record in records):
                raise RefusedError(f"`{path}` belongs to another archive", code="other_archive")
            ids.update(record.message.message_id for record in records)
            size, count = piece.end, count + len(records)
    return SoundPart(size=size, count=count, message_ids=frozenset(ids))


def _records(content: bytes | None) -> list[Record] | None:
    """Return the records of a piece, None when any of it is not whole."""
    if content is None or not content.endswith(b"\n"):
        return None
    try:
        found = [parse_line(line, line=0) for line in content.split(b"\n")]
    except UsageError:
        return None
    return [record for record in found if record is not None]


def _lines(data: mmap.mmap) -> Iterator[_Piece]:
    """Yield every line, the last one perhaps without its end."""
    start = 0
    while start < len(data):
        end = data.find(b"\n", start) + 1 or len(data)
        content = data[start:end] if end - start <= LONGEST_LINE else None
        torn = data[end - 1] != _NEWLINE or data.find(b"\0", start, end) >= 0
        yield _Piece(end=end, content=content, torn=torn and _is_beginning(data, start, _LINE_BEGINS))
        start = end


def _members(data: mmap.mmap) -> Iterator[_Piece]:
    """Yield every gzip member, and after a torn one every further one that is whole."""
    start, torn = 0, False
    while start < len(data):
        piece = _member(data, start)
        if piece.content is not None or not torn:
            yield piece
        start = piece.end
        if piece.content is None:
            torn = True
            following = data.find(_GZIP_HEADER, start)
            start = len(data) if following < 0 else following


def _member(data: mmap.mmap, start: int) -> _Piece:
    """Return the member that begins at `start`; one that is not whole ends right after its beginning."""
    ours = _is_beginning(data, start, _GZIP_HEADER)
    zeroed = ours and data[-len(_ZEROS) :] == _ZEROS
    unpack = zlib.decompressobj(wbits=_GZIP_WINDOW)
    content, position = b"", start
    while not unpack.eof:
        chunk = data[position : position + _CHUNK]
        if not chunk or len(content) > _LARGEST_MEMBER:
            return _Piece(end=start + 1, content=None, torn=ours and not chunk)
        try:
            content += unpack.decompress(chunk)
        except zlib.error:
            return _Piece(end=start + 1, content=None, torn=zeroed)
        position += len(chunk)
    return _Piece(end=position - len(unpack.unused_data), content=content)


def _is_beginning(data: mmap.mmap, start: int, expected: bytes) -> bool:
    """Tell whether what stands at `start` is as far as it goes what we write there, and zeros from then on."""
    return expected.startswith(data[start : start + len(expected)].rstrip(b"\0"))
