"""The archive's file on disk: created private and for good, written durably, cut back when a write fails."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from opstool.words.errors import RefusedError, StorageError, UsageError

_PRIVATE = 0o600
_FLAGS = os.O_RDWR | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)


def create(path: Path) -> int:
    """Return the descriptor of a new, empty, private file whose name survives a crash; an existing one is refused."""
    try:
        descriptor = os.open(path, _FLAGS | os.O_CREAT | os.O_EXCL, _PRIVATE)
    except FileExistsError:
        raise RefusedError(
            f"`{path}` exists already", code="file_exists", hint="--overwrite replaces it, another name keeps it"
        ) from None
    except OSError as error:
        raise StorageError(f"the archive `{path}` cannot be created: {error.strerror}") from error
    return _checked(descriptor, path)


def open_again(path: Path) -> int | None:
    """Return the descriptor of an existing archive, None when there is none."""
    try:
        descriptor = os.open(path, _FLAGS)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StorageError(f"the archive `{path}` cannot be opened: {error.strerror}") from error
    return _checked(descriptor, path)


def _checked(descriptor: int, path: Path) -> int:
    """Make the file private and its name durable, or close it and say what is wrong with it."""
    try:
        _check_regular(descriptor, path)
        if hasattr(os, "fchmod"):  # before any content: a file to go on with may have been opened to all
            os.fchmod(descriptor, _PRIVATE)
        os.fsync(descriptor)
        sync_folder(path.parent)
    except OSError as error:
        os.close(descriptor)
        raise StorageError(f"the archive `{path}` cannot be created: {error.strerror}") from error
    except UsageError:
        os.close(descriptor)
        raise
    return descriptor


def _check_regular(descriptor: int, path: Path) -> None:
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        raise UsageError(f"`{path}` is not a regular file", hint="leave the file out to write to stdout")


def sync_folder(folder: Path) -> None:
    """Make the file's name durable; Windows cannot open a folder and needs no such call."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_durably(descriptor: int, data: bytes) -> None:
    """Write all of the data at the end of the file and wait until the disk has it."""
    os.lseek(descriptor, 0, os.SEEK_END)
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
    os.fsync(descriptor)


def cut(descriptor: int, path: Path, size: int) -> None:
    """Shorten the file to `size` bytes, durably."""
    try:
        os.ftruncate(descriptor, size)
        os.fsync(descriptor)
    except OSError as error:
        raise StorageError(f"the archive `{path}` cannot be cut to its last record: {error.strerror}") from error
