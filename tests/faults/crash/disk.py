"""A disk of one MiB that really fills up: a tmpfs in a mount namespace of its own, which needs no privilege."""

from __future__ import annotations

import ctypes
import os
import subprocess
from pathlib import Path
from typing import Self

SIZE_BYTES = 1_048_576
_MOUNT = 'mount -t tmpfs -o size="$1" tmpfs "$0" && echo mounted && exec cat'


class NoDiskError(Exception):
    """Nobody may mount anything on this machine."""


class SmallDisk:
    """Hold a disk until closed. `path` is where processes that `enter` it find it, `seen` where everybody else does."""

    def __init__(self, path: Path) -> None:
        path.mkdir()
        self.path = path
        try:
            self._holder = subprocess.Popen(
                ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", _MOUNT, str(path), str(SIZE_BYTES)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
        except FileNotFoundError as error:
            raise NoDiskError from error
        assert self._holder.stdout is not None
        if self._holder.stdout.readline() != b"mounted\n":
            self._holder.communicate()
            raise NoDiskError
        self.pid = self._holder.pid
        self._ballast = self.seen(path) / "ballast"

    def seen(self, path: Path) -> Path:
        """Return where a path of the disk's processes is for those who have not entered it."""
        return Path(f"/proc/{self.pid}/root") / path.relative_to("/")

    def fill(self, *, free_bytes: int) -> None:
        """Leave only so much of the disk free."""
        free = os.statvfs(self._ballast.parent)
        self._ballast.write_bytes(bytes(max(0, free.f_bavail * free.f_frsize - free_bytes)))

    def free(self) -> None:
        """Make room."""
        self._ballast.unlink()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Let the disk go."""
        self._holder.communicate()


def enter(holder: int) -> None:
    """Make the disk that a process holds visible to this one, which must have one thread."""
    libc = ctypes.CDLL(None, use_errno=True)
    spaces = [os.open(f"/proc/{holder}/ns/{kind}", os.O_RDONLY) for kind in ("user", "mnt")]
    for space in spaces:
        if libc.setns(space, 0) != 0:
            raise OSError(ctypes.get_errno(), "cannot enter the disk's namespace")
        os.close(space)
