from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from opstool.doors.locking import RunLock
from opstool.words.errors import RefusedError, StorageError

HOLD = (
    "import sys, time; from pathlib import Path; from opstool.doors.locking import RunLock\n"
    "RunLock(Path(sys.argv[1]), 'queue'); print('held', flush=True); time.sleep(60)"
)


def test_a_second_run_on_a_queue_is_refused_until_the_first_ends(tmp_path: Path) -> None:
    """One run at a time; another queue is another matter."""
    lock = RunLock(tmp_path, "queue")
    with pytest.raises(RefusedError) as caught:
        RunLock(tmp_path, "queue")
    assert caught.value.code == "queue_busy"
    RunLock(tmp_path, "other queue").release()
    lock.release()
    RunLock(tmp_path, "queue").release()


def test_the_lock_of_a_process_that_died_is_taken_over(tmp_path: Path) -> None:
    """The operating system gives it back, however the process ended."""
    with subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(RefusedError):
            RunLock(tmp_path, "queue")
        holder.kill()
    RunLock(tmp_path, "queue").release()


def test_a_state_directory_that_cannot_be_written_is_a_storage_error(tmp_path: Path) -> None:
    """It says which, and what to do."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot write to the state directory") as caught:
        RunLock(tmp_path / "file", "queue")
    assert caught.value.code == "state_dir_unwritable"


def test_a_file_system_without_locks_is_not_taken_for_another_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Waiting for a run that does not exist would take for ever."""

    def no_locks(_: int) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr("opstool.doors.locking._take", no_locks)
    with pytest.raises(StorageError, match="cannot lock files"):
        RunLock(tmp_path, "queue")
