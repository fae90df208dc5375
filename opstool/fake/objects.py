"""S3 in memory, as far as archives need it: buckets, objects, conditional writes, and what it refuses to say."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from opstool.doors.objects import StoredObject, checksum
from opstool.words.errors import AccessError, NotFoundError, RefusedError, ServiceError
from opstool.words.s3address import S3Address


@dataclass(kw_only=True)
class FakeObjects:
    """The objects of some buckets. `fails` are errors by the name of the method that raises them.

    `tells_checksums`: servers that are not AWS may not. `loses_answer`: the object is made, and the caller is told of
    the failure in `fails`. `asked` are the names of the methods that were called.
    """

    buckets: set[str] = field(default_factory=set)
    contents: dict[str, bytes] = field(default_factory=dict)
    archive_ids: dict[str, str] = field(default_factory=dict)
    fails: dict[str, BaseException] = field(default_factory=dict)
    tells_checksums: bool = True
    loses_answer: bool = False
    asked: list[str] = field(default_factory=list)

    def put(self, address: str, content: bytes) -> None:
        """Make somebody else's object."""
        self.contents[address] = content
        self.archive_ids.pop(address, None)

    def deny(self, *methods: str) -> None:
        """Let these methods answer that they may not be asked."""
        for each in methods:
            self.fails[each] = AccessError(f"{each} was denied", code="access_denied")

    def check_bucket(self, address: S3Address) -> None:
        """As Objects says."""
        self._begin("check_bucket")
        if address.bucket not in self.buckets:
            raise NotFoundError(f"the bucket `{address.bucket}` does not exist", code="bucket_not_found")

    def find(self, address: S3Address) -> StoredObject | None:
        """As Objects says."""
        self._begin("find")
        return self._stored(str(address))

    def check_writable(self, address: S3Address) -> None:
        """As Objects says."""
        self._begin("check_writable")
        self._in_a_bucket(address)

    def upload(
        self, file: Path, address: S3Address, *, crc32: str, archive_id: str, over: StoredObject | None = None
    ) -> None:
        """As Objects says."""
        if not self.loses_answer:
            self._begin("upload")
        self._in_a_bucket(address)
        place = str(address)
        if self._stored(place) != over:
            raise RefusedError("something else is there", code="object_exists")
        content = file.read_bytes()
        if _crc32(content) != crc32:
            raise ServiceError("`PutObject` failed: BadDigest", code="aws_error")
        self.contents[place] = content
        self.archive_ids[place] = archive_id
        if self.loses_answer:
            self._begin("upload")

    def download(self, address: S3Address, into: BinaryIO) -> None:
        """As Objects says."""
        self._begin("download")
        if str(address) not in self.contents:
            self.check_bucket(address)
            raise NotFoundError(f"`{address}` does not exist", code="object_not_found")
        into.write(self.contents[str(address)])
        into.seek(0)

    def _begin(self, method: str) -> None:
        self.asked.append(method)
        if method in self.fails:
            raise self.fails[method]

    def _in_a_bucket(self, address: S3Address) -> None:
        if address.bucket not in self.buckets:
            raise NotFoundError("`PutObject`: it does not exist", code="object_not_found")

    def _stored(self, place: str) -> StoredObject | None:
        content = self.contents.get(place)
        if content is None:
            return None
        return StoredObject(
            size_bytes=len(content),
            etag=hashlib.sha256(content + self.archive_ids.get(place, "").encode()).hexdigest(),
            crc32=_crc32(content) if self.tells_checksums else None,
            archive_id=self.archive_ids.get(place),
        )


def _crc32(content: bytes) -> str:
    return checksum(io.BytesIO(content))[1]
