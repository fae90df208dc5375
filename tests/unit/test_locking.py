from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from opstool.doors.locking import RunLock, _path, _share, is_held
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
    assert "opstool history" in str(caught.value.hint)
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
    assert "--state-dir" in str(caught.value.hint)


def test_a_file_system_without_locks_is_not_taken_for_another_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Waiting for a run that does not exist would take for ever."""

    def no_locks(_: int) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr("opstool.doors.locking._take", no_locks)
    with pytest.raises(StorageError, match="cannot lock files") as caught:
        RunLock(tmp_path, "queue")
    assert caught.value.code == "state_dir_unwritable"
    assert "--state-dir" in str(caught.value.hint)


def test_asking_takes_nothing(tmp_path: Path) -> None:
    """A lock that nobody has is free for whoever asks, and stays free; one that is had is had."""
    assert not is_held(tmp_path, "queue")
    assert not (tmp_path / "locks").exists()
    lock = RunLock(tmp_path, "queue")
    assert is_held(tmp_path, "queue")
    lock.release()
    assert not is_held(tmp_path, "queue")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no shared locks: who asks takes it for an instant")
def test_two_who_ask_at_once_both_hear_that_nobody_has_it(tmp_path: Path) -> None:
    """A dead run is not shown as running because somebody else looks at the history too."""
    RunLock(tmp_path, "queue").release()
    with held_by_one_who_asks(tmp_path):
        assert not is_held(tmp_path, "queue")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no shared locks: who asks takes it for an instant")
def test_a_run_that_begins_while_somebody_asks_is_not_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It waits for the instant that asking takes."""
    RunLock(tmp_path, "queue").release()
    asking = held_by_one_who_asks(tmp_path)
    asking.__enter__()
    monkeypatch.setattr("opstool.doors.locking.time.sleep", lambda _: asking.__exit__(None, None, None))
    RunLock(tmp_path, "queue").release()


@contextmanager
def held_by_one_who_asks(state_dir: Path) -> Iterator[None]:
    """Hold the lock as asking does, for longer than an instant."""
    with _path(state_dir, "queue").open("rb+") as file:
        _share(file.fileno())
        yield


@pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX")
def test_a_new_state_directory_is_private(tmp_path: Path) -> None:
    """The lock is often the first to be written there; names of archives tell of queues."""
    before = os.umask(0)
    try:
        RunLock(tmp_path / "state" / "opstool", "queue").release()
    finally:
        os.umask(before)
    state_dir = tmp_path / "state" / "opstool"
    made = [state_dir, *state_dir.rglob("*")]
    assert [path.stat().st_mode & 0o777 for path in made] == [0o700, 0o700, 0o600]
