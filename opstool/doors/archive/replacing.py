"""A file that is to take another's place: written beside it, and in its place only when it is whole."""

from __future__ import annotations

from pathlib import Path

from opstool.doors.archive.file import sync_folder
from opstool.words.errors import StorageError, UsageError


def beside(path: Path, name: str) -> Path:
    """Return where the new file is written: in the same folder, because only there it can be renamed in one step.

    Raises UsageError for what is no regular file (a device, a folder), which nothing can take the place of.
    """
    target = path.resolve()  # of a link, what it leads to
    if not target.is_file():
        raise UsageError(f"`{path}` is not a regular file", hint="leave the file out to write to stdout")
    return target.with_name(f"{name}-{target.name}")


def put_in_place(new: Path, path: Path) -> None:
    """Let a file that is on disk take the other's place, durably; a crash leaves the one or the other, and whole."""
    target = path.resolve()
    try:
        new.replace(target)
        sync_folder(target.parent)
    except OSError as error:
        raise StorageError(f"`{new}` cannot take the place of `{path}`: {error.strerror}") from error
