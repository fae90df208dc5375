"""One run at a time on a queue: a lock file that the operating system gives back when its holder dies."""

from __future__ import annotations

import errno
import hashlib
import os
import sys
import time
from contextlib import suppress
from pathlib import Path

from opstool.words.errors import RefusedError, StorageError

if sys.platform == "win32":
    import msvcrt

    def _take(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

    _share = _take
else:
    import fcntl

    def _take(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def _share(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)


_TAKEN = {errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES, errno.EDEADLK}
_PATIENCE_S = 0.25
"""Who only asks whether a run is alive holds the lock for an instant; a run that begins just then waits for it."""
_PAUSE_S = 0.01


class RunLock:
    """The right of this process to change one queue (or import one archive), within one state directory."""

    def __init__(self, state_dir: Path, subject: str) -> None:
        """Take the lock of `subject`; raise RefusedError when a living run has it, StorageError when no file can be."""
        self._path = path = _path(state_dir, subject)
        try:
            state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)  # the mode is that of the last folder only
            path.parent.mkdir(exist_ok=True, mode=0o700)
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise StorageError(
                f"cannot write to the state directory `{state_dir}`: {error.strerror}",
                code="state_dir_unwritable",
                hint="choose another one with --state-dir",
            ) from error
        try:
            _take_patiently(self._descriptor)
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

    def retire(self) -> None:
        """Give the lock back for good, its file too: of a subject that nobody else will ever want to take."""
        with suppress(OSError):  # Windows does not remove what is open, and an empty file does no harm
            self._path.unlink()
        self.release()


def is_held(state_dir: Path, subject: str) -> bool:
    """Tell whether a living run has the lock of `subject`; whoever asks at the same time gets the same answer."""
    try:
        descriptor = os.open(_path(state_dir, subject), os.O_RDWR)
    except OSError:
        return False  # nobody has ever taken it
    try:
        _share(descriptor)
    except OSError as error:
        return error.errno in _TAKEN
    finally:
        os.close(descriptor)
    return False


def _path(state_dir: Path, subject: str) -> Path:
    return state_dir / "locks" / f"{hashlib.sha256(subject.encode()).hexdigest()[:32]}.lock"


def _take_patiently(descriptor: int) -> None:
    gives_up_at = time.monotonic() + _PATIENCE_S
    while True:
        try:
            return _take(descriptor)
        except OSError as error:
            if error.errno not in _TAKEN or time.monotonic() >= gives_up_at:
                raise
        time.sleep(_PAUSE_S)
