"""What can be read of an archive that a crash may have torn, without opstool's own code."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path


def sound_bodies(archive: Path) -> Iterator[str]:
    """Yield the bodies of a file that a crash may have torn, up to the tear; read without opstool's own code."""
    if not archive.exists():
        return
    data = archive.read_bytes()
    whole = _unpacked(data) if archive.name.endswith(".gz") else data
    for line in whole.split(b"\n")[:-1]:  # what stands behind the last newline was torn
        with suppress(ValueError):
            yield json.loads(line)["body"]


def _unpacked(data: bytes) -> bytes:
    """Return what the whole members of a gzip file hold."""
    content = b""
    while data:
        member = zlib.decompressobj(wbits=31)
        try:
            unpacked = member.decompress(data)
        except zlib.error:
            break
        if not member.eof:
            break
        content, data = content + unpacked, member.unused_data
    return content
