"""One run at a time on a queue: a lock file that the operating system gives back when its holder dies."""

from __future__ import annotations

import errno
import hashlib
import os
import sys
from pathlib import Path

from opstool.words.errors import RefusedError, StorageError

if sys.platform == "win32":
    import msvcrt

    def _take(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _take(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


_TAKEN = {errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES, errno.EDEADLK}


class RunLock:
    """The right of this process to change one queue (or import one archive), within one state directory."""

    def __init__(self, state_dir: Path, subject: str) -> None:
        """Take the lock of `subject`; raise RefusedError when a living run has it, StorageError when no file can be."""
        path = state_dir / "locks" / f"{hashlib.sha256(subject.encode()).hexdigest()[:32]}.lock"
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise StorageError(
                f"cannot write to the state directory `{state_dir}`: {error.strerror}",
                code="state_dir_unwritable",
                hint="choose another one with --state-dir",
            ) from error
        try:
            _take(self._descriptor)
        except OSError as error:
            os.close(self._descriptor)
            if error.errno not in _TAKEN:
                raise StorageError(
                    f"the state directory `{state_dir}` cannot lock files: {error.strerror}",
                    code="state_dir_unwritable",
                    hint="choose another one with --state-dir",
                ) from error
            raise RefusedError(
                "another opstool run is working on this queue",
                code="queue_busy",
                hint="opstool history shows the runs; a dead run's lock is taken over by itself",
            ) from error

    def release(self) -> None:
        """Give the lock back; the empty file stays, because removing it would race with the next holder."""
        os.close(self._descriptor)
