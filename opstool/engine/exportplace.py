"""Where an export goes: a stream, a file, or an object in S3. It is written at `place`, and then ended."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from opstool.doors.archive.replacing import beside, put_in_place
from opstool.doors.toolkit import Toolkit
from opstool.engine.upload import Upload
from opstool.words.s3address import S3Address


@dataclass(kw_only=True)
class ExportPlace:
    """A place for one export: here a stream, which ends when it ends. `target` is its name in the report.

    `archive` is where what was written can be found; `notes` are sentences for people.
    """

    place: Path | BinaryIO
    target: str = "stdout"
    archive: str | None = None
    notes: list[str] = field(default_factory=list)

    def finish(self, *, whole: bool) -> None:
        """Put what was written where it belongs; what is not `whole` takes nothing's place."""


@dataclass(kw_only=True)
class Replacing(ExportPlace):
    """The file `new`, which takes the place of `old` in the end; a crash leaves that one as it was."""

    old: Path
    new: Path

    def finish(self, *, whole: bool) -> None:
        """As ExportPlace says."""
        if whole:
            put_in_place(self.new, self.old)
            self.archive = str(self.old)
        elif self.new.exists():
            self.notes.append(f"`{self.old}` is as it was; what was written is in `{self.new}`")


@dataclass(kw_only=True)
class InS3(ExportPlace):
    """An object, made of a file when that is whole."""

    upload: Upload

    def finish(self, *, whole: bool) -> None:
        """As ExportPlace says."""
        if whole:
            self.upload.carry_out()
            self.upload.forget_file()
            self.archive = self.upload.place
            self.notes += self.upload.notes
        elif self.upload.file.exists():
            self.notes.append(f"nothing was uploaded; what was written is in `{self.upload.file}`")


def export_place(
    kit: Toolkit, to: Path | S3Address | BinaryIO, *, queue: str, archive_id: str, overwrite: bool
) -> ExportPlace:
    """Return the place that was named, with a name of its own where a folder in S3 was.

    Raises UsageError for a file that cannot be replaced, and what Upload's checks raise.
    """
    if isinstance(to, S3Address):
        return _in_s3(kit, to, name=f"{queue}-{archive_id}.jsonl", archive_id=archive_id, overwrite=overwrite)
    if not isinstance(to, Path):
        return ExportPlace(place=to)
    if not overwrite or not to.exists():
        return ExportPlace(place=to, target=str(to), archive=str(to))
    new = beside(to, archive_id)
    return Replacing(place=new, target=str(to), archive=str(new), old=to, new=new)


def _in_s3(kit: Toolkit, to: S3Address, *, name: str, archive_id: str, overwrite: bool) -> ExportPlace:
    address = to.of_file(f"{name}.gz")
    folder = kit.state_dir / "archives"
    file = folder / (f"{name}.gz" if address.key.endswith(".gz") else name)
    upload = Upload(objects=kit.objects, address=address, file=file, archive_id=archive_id, overwrite=overwrite)
    upload.check()
    upload.check_writable()
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return InS3(place=file, target=str(address), archive=str(file), upload=upload, notes=[])
