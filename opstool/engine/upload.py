"""The last step of an archive that is to lie in S3: it is whole on this disk, and goes up when all else is settled.

    check            the bucket is there and the key is free: asked while planning, so before anything is deleted
    check_writable   S3 would take it: asked when the work begins, still before anything is deleted
    carry_out        upload; S3 refuses bytes that do not have the checksum, and is asked what it has
    forget_file      the file goes, if S3 has named the size and the checksum of it

Whatever fails, the file is there, and carrying out again goes on from what S3 has.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from opstool.doors.objects import Objects, StoredObject, checksum
from opstool.words.errors import AccessError, OpstoolError, RefusedError, ServiceError
from opstool.words.s3address import S3Address


@dataclass(kw_only=True)
class Upload:
    """The way of one archive file to one address. With `overwrite` it may take the place of whatever is there.

    `notes` are sentences for people: what S3 did not say.
    """

    objects: Objects
    address: S3Address
    file: Path
    archive_id: str
    overwrite: bool = False
    notes: list[str] = field(default_factory=list)
    is_there: bool = False
    _is_confirmed: bool = False

    @property
    def place(self) -> str:
        """Return where the archive is: in S3 when it has come there, else on this disk."""
        return str(self.address if self.is_there else self.file)

    def check(self) -> None:
        """Raise NotFoundError for a bucket that is not there, RefusedError for a key that is taken.

        What an identity that may only write cannot know is noted.
        """
        try:
            self.objects.check_bucket(self.address)
            there = self.objects.find(self.address)
        except AccessError as error:
            if error.code != "access_denied":
                raise
            self.notes.append(f"whether the bucket and the key are as they should be is not known: {error.message}")
        else:
            self._check_free(there)

    def check_writable(self) -> None:
        """Raise AccessError when S3 would not take it."""
        self.objects.check_writable(self.address)

    def carry_out(self) -> None:
        """Take the file there; nothing when it is not there, because nothing was archived.

        Raises ServiceError with the code `upload_failed`: the file is as it was.
        """
        if not self.file.exists():
            return
        try:
            with self.file.open("rb") as file:
                size_bytes, crc32 = checksum(file)
            there = self._found()
            if not self._is_it(there, size_bytes, crc32):
                self._check_free(there)
                there = self._sent(there, size_bytes, crc32)
        except (OpstoolError, OSError) as error:
            why = error.message if isinstance(error, OpstoolError) else str(error.strerror)
            raise ServiceError(
                f"the upload to `{self.address}` failed, and the archive is whole in `{self.file}`: {why}",
                code="upload_failed",
            ) from error
        self.is_there = True
        self._is_confirmed = there is not None and there.crc32 == crc32
        if not self._is_confirmed:
            self.notes.append(f"S3 has not named the checksum of `{self.address}`, so `{self.file}` stays as well")

    def forget_file(self) -> None:
        """Take the file away when S3 has confirmed that it has every byte of it."""
        if self._is_confirmed:
            self.file.unlink(missing_ok=True)

    def _sent(self, over: StoredObject | None, size_bytes: int, crc32: str) -> StoredObject | None:
        """Upload, and return what S3 then has; None when that may not be asked."""
        try:
            self.objects.upload(self.file, self.address, crc32=crc32, archive_id=self.archive_id, over=over)
        except OpstoolError:
            there = self._found()  # boto3 repeats a request whose answer was lost, and meets what that one has made
            if not self._is_it(there, size_bytes, crc32):
                raise
            return there
        there = self._found()
        if there and not self._is_it(there, size_bytes, crc32):
            raise ServiceError("what S3 has now is not what was sent", code="object_differs")
        return there

    def _found(self) -> StoredObject | None:
        """Return what is there, None also when that may not be asked: S3 is then told to take no other's place."""
        try:
            return self.objects.find(self.address)
        except AccessError:
            return None

    def _is_it(self, there: StoredObject | None, size_bytes: int, crc32: str) -> bool:
        if there is None or there.archive_id != self.archive_id:
            return False
        return there.size_bytes == size_bytes and there.crc32 in {None, crc32}

    def _check_free(self, there: StoredObject | None) -> None:
        """Refuse the place of anything but an earlier state of this archive, such as an interrupted run has left."""
        if there is None or self.overwrite or self._begins_with(there):
            return
        raise RefusedError(
            f"`{self.address}` exists already",
            code="object_exists",
            hint="another key, or one that ends in / for a name of its own; an export takes --overwrite",
        )

    def _begins_with(self, there: StoredObject) -> bool:
        """Tell whether the file is what S3 has, and more: an archive only grows."""
        if there.archive_id != self.archive_id or not self.file.exists():
            return False
        with self.file.open("rb") as file:
            beginning = checksum(file, there.size_bytes)
        return beginning[0] == there.size_bytes and there.crc32 in {None, beginning[1]}
