"""The door to S3: a file becomes an object, an object becomes a file, and S3 is asked what it has.

What is large goes through boto3's managed transfer, in parts, so that the 5 GB of a single PutObject are no bound:
https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html. How an object is encrypted is the bucket's default.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from opstool.doors.ask import Ask, refuse
from opstool.doors.session import our_errors
from opstool.words.errors import AccessError, NotFoundError, OpstoolError, ServiceError, StorageError
from opstool.words.s3address import S3Address

_ARCHIVE_ID = "opstool-archive"
"""The object's metadata that names the archive in it."""
_CHUNK_BYTES = 1_048_576
# The managed transfer does not take the conditions that these two do:
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
_CONDITIONAL = ("PutObject", "CompleteMultipartUpload")


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredObject:
    """What S3 says of an object. `crc32` is that of all its bytes, None where it is not told."""

    size_bytes: int
    etag: str
    crc32: str | None = None
    archive_id: str | None = None


class Objects(Protocol):
    """What archives need of S3. Everything raises AccessError, NotFoundError, or ServiceError when S3 says no."""

    def check_bucket(self, address: S3Address) -> None:
        """Raise NotFoundError where there is no such bucket, AccessError where that may not be asked."""

    def find(self, address: S3Address) -> StoredObject | None:
        """Return what is there; None for nothing. AccessError: it may not be asked, or it is not there."""

    def check_writable(self, address: S3Address) -> None:
        """Begin an upload and drop it: raises AccessError where the real one would."""

    def upload(
        self, file: Path, address: S3Address, *, crc32: str, archive_id: str, over: StoredObject | None = None
    ) -> None:
        """Make an object of a file, over the one that is given, and over no other one.

        S3 refuses what does not have the checksum. Raises RefusedError when something else has come there.
        """

    def download(self, address: S3Address, into: BinaryIO) -> None:
        """Write an object into a file; raise NotFoundError, and ServiceError when not all of it has come."""


class S3Objects:
    """S3 itself, over boto3. Every request goes to the endpoint of the connection."""

    def __init__(self, ask: Ask, client: Callable[[str], Any]) -> None:
        self._ask = ask
        self._new_client = client
        self._conditions: dict[tuple[str, str], dict[str, str]] = {}

    def check_bucket(self, address: S3Address) -> None:
        """As Objects says: HeadBucket, which needs s3:ListBucket."""
        try:
            self._ask("s3", "HeadBucket", {"Bucket": address.bucket})
        except NotFoundError:
            raise NotFoundError(
                f"the bucket `{address.bucket}` does not exist", code="bucket_not_found", hint="aws s3 ls"
            ) from None
        except AccessError as error:
            raise _denied(error, f"the bucket `{address.bucket}` may not be asked for", "s3:ListBucket") from error

    def find(self, address: S3Address) -> StoredObject | None:
        """As Objects says: HeadObject, which needs s3:GetObject, and s3:ListBucket to say that nothing is there."""
        try:
            answer = self._ask("s3", "HeadObject", {**_names(address), "ChecksumMode": "ENABLED"})
        except NotFoundError:
            return None
        except AccessError as error:
            raise _denied(error, f"`{address}` may not be looked at", "s3:GetObject` and `s3:ListBucket") from error
        # A checksum of checksums (COMPOSITE) says nothing that could be compared.
        whole = answer.get("ChecksumType", "FULL_OBJECT") == "FULL_OBJECT"
        return StoredObject(
            size_bytes=answer["ContentLength"],
            etag=answer["ETag"],
            crc32=answer.get("ChecksumCRC32") if whole else None,
            archive_id=answer.get("Metadata", {}).get(_ARCHIVE_ID),
        )

    def check_writable(self, address: S3Address) -> None:
        """As Objects says: CreateMultipartUpload needs what PutObject needs, and makes no object."""
        try:
            begun = self._ask("s3", "CreateMultipartUpload", _names(address))
            self._ask("s3", "AbortMultipartUpload", {**_names(address), "UploadId": begun["UploadId"]})
        except AccessError as error:
            needed = "s3:PutObject` and `s3:AbortMultipartUpload"
            raise _denied(error, f"`{address}` may not be written", needed) from error

    def upload(
        self, file: Path, address: S3Address, *, crc32: str, archive_id: str, over: StoredObject | None = None
    ) -> None:
        """As Objects says, by the managed transfer."""
        extra = {"ChecksumCRC32": crc32, "ChecksumAlgorithm": "CRC32", "Metadata": {_ARCHIVE_ID: archive_id}}
        place = (address.bucket, address.key)
        self._conditions[place] = {"IfMatch": over.etag} if over else {"IfNoneMatch": "*"}
        try:
            with self._transfer("PutObject", file) as transfer:
                transfer.upload(str(file), *place, extra_args=extra).result()
        finally:
            del self._conditions[place]

    def download(self, address: S3Address, into: BinaryIO) -> None:
        """As Objects says, by the managed transfer."""
        expected = self.find(address)
        if expected is None:
            self.check_bucket(address)
            raise NotFoundError(f"`{address}` does not exist", code="object_not_found")
        with self._transfer("GetObject", "a temporary file") as transfer:
            transfer.download(address.bucket, address.key, into).result()
        with _disk("a temporary file"):
            size, crc32 = checksum(into)
            into.seek(0)
        if size != expected.size_bytes or expected.crc32 not in {None, crc32}:
            raise ServiceError(f"`{address}` did not come as it is in S3", code="object_differs", retryable=True)

    @cached_property
    def _client(self) -> Any:
        client = self._new_client("s3")
        for operation in _CONDITIONAL:
            client.meta.events.register(f"before-parameter-build.s3.{operation}", self._add_condition)
        return client

    def _add_condition(self, params: dict[str, Any], **_: Any) -> None:
        params.update(self._conditions.get((params["Bucket"], params["Key"]), {}))

    @contextmanager
    def _transfer(self, operation: str, file: object) -> Iterator[Any]:
        """Give the managed transfer, and turn what it raises into our errors."""
        from s3transfer.exceptions import RetriesExceededError  # noqa: PLC0415 - boto3 brings it, when it is needed
        from s3transfer.manager import TransferManager  # noqa: PLC0415 - as above

        try:
            with _disk(file), our_errors(operation), TransferManager(self._client) as transfer:
                yield transfer
        except RetriesExceededError as error:
            raise ServiceError(f"`{operation}`: the line was cut again and again", retryable=True) from error


def no_objects() -> Objects:
    """Return what stands for S3 where there is none."""
    return S3Objects(refuse, lambda service: refuse(service, "CreateClient", {}))


def checksum(file: BinaryIO, size_bytes: int | None = None) -> tuple[int, str]:
    """Return how many bytes a file has, and their CRC-32 as S3 writes it; of its first `size_bytes` when given."""
    file.seek(0)
    read, crc = 0, 0
    while data := file.read(_CHUNK_BYTES if size_bytes is None else min(_CHUNK_BYTES, size_bytes - read)):
        read, crc = read + len(data), zlib.crc32(data, crc)
    return read, base64.b64encode(crc.to_bytes(4, "big")).decode()


def _names(address: S3Address) -> dict[str, Any]:
    return {"Bucket": address.bucket, "Key": address.key}


def _denied(error: OpstoolError, what: str, actions: str) -> AccessError:
    """Return the error that names the actions: HEAD answers without a word, and is no action."""
    if error.code != "access_denied":
        return AccessError(error.message, code=error.code, hint=error.hint)
    hint = f"allow `{actions}` for this identity, or use another --profile"
    return AccessError(f"{what}: S3 denied it", code="access_denied", hint=hint)


@contextmanager
def _disk(file: object) -> Iterator[None]:
    """Say what the disk says."""
    try:
        yield
    except OSError as error:
        raise StorageError(f"`{file}` cannot be read or written: {error.strerror}") from error
