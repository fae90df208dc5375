"""The shelf: what is held for later, in memory up to a bound and in a file without a name past it."""

from __future__ import annotations

import errno
import os
import stat
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

import pytest

from opstool.doors.shelf import Shelf
from opstool.engine.lease import Lease
from opstool.words.errors import StorageError
from opstool.words.message import Message

ROOM = 2_000


def message(number: int, size: int = 100) -> Message:
    """Return one of many messages."""
    return Message(message_id=f"id-{number}", body=f"{number}:".ljust(size, "x"), sent_at_ms=number)


def filled(folder: Path, count: int = 100) -> Shelf:
    """Return a shelf with more on it than its room."""
    shelf = Shelf(folder, room_bytes=ROOM)
    assert [shelf.put(message(number), f"handle {number}") for number in range(count)] == list(range(count))
    return shelf


class FullDisk:
    """A file of which only so much can be written."""

    def __init__(self, real: Any, room: int) -> None:
        self._real = real
        self.room = room

    def write(self, data: memoryview) -> int:
        """Write a part, as a raw file may, then nothing."""
        if not self.room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        part = data[: min(len(data), self.room, 700)]
        self.room -= len(part)
        return int(self._real.write(part))

    def __getattr__(self, name: str) -> Any:
        """Do the rest as the real file does."""
        return getattr(self._real, name)


def bound_disk(patch: pytest.MonkeyPatch, room: int) -> list[FullDisk]:
    """Let the disk have room for so many bytes; return the files that are made."""
    made: list[FullDisk] = []
    real = tempfile.TemporaryFile

    def nameless(**options: Any) -> FullDisk:
        made.append(FullDisk(real(**options), room))
        return made[-1]

    patch.setattr(tempfile, "TemporaryFile", nameless)
    return made


def put_until_refused(shelf: Shelf) -> tuple[int, StorageError]:
    """Put messages on a shelf until it takes no more; return how many it took, and what it said then."""
    for number in range(ROOM):
        try:
            shelf.put(message(number))
        except StorageError as refused:
            return number, refused
    raise AssertionError("this shelf is never full")


def test_what_is_past_the_room_is_on_disk_and_comes_back(tmp_path: Path) -> None:
    """In any order, with its handle and the time it was sent."""
    shelf = filled(tmp_path)
    assert shelf.bytes_in_memory <= ROOM < shelf.bytes_on_disk
    for number in (99, 0, 50, 98, 1):
        assert shelf.get(number) == message(number)
        assert (shelf.handle(number), shelf.sent_at_ms(number)) == (f"handle {number}", number)


def test_a_few_messages_need_no_file(tmp_path: Path) -> None:
    """Nothing is made in the state directory by a short look."""
    folder = tmp_path / "state"
    shelf = Shelf(folder)
    shelf.put(message(1))
    assert (shelf.get(0), shelf.bytes_on_disk, folder.exists()) == (message(1), 0, False)


def test_a_message_larger_than_the_room_goes_to_the_file_at_once(tmp_path: Path) -> None:
    """And those around it keep their places."""
    shelf = Shelf(tmp_path, room_bytes=ROOM)
    given = [message(0), message(1, ROOM * 3), message(2)]
    for each in given:
        shelf.put(each)
    assert [shelf.get(place) for place in range(3)] == given
    assert shelf.bytes_in_memory < ROOM


@pytest.mark.skipif(sys.platform == "win32", reason="a file has a name there for as long as it is open")
def test_the_file_has_no_name_and_is_for_its_owner_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bodies are private, and no crash may leave them behind."""
    made = bound_disk(monkeypatch, 10**9)
    shelf = filled(tmp_path)
    found = os.fstat(made[0].fileno())
    assert (list(tmp_path.iterdir()), stat.S_IMODE(found.st_mode), found.st_nlink) == ([], 0o600, 0)
    assert found.st_size == shelf.bytes_on_disk


def test_the_file_ends_with_the_last_who_needs_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody has to know that he is the last."""
    made = bound_disk(monkeypatch, 10**9)
    lease = Lease("id", "handle", message(1), 0.0, 0.0)
    shelf = filled(tmp_path)
    lease.put_on(shelf)
    del shelf
    assert not made[0].closed
    del lease
    assert made[0].closed


def test_a_full_disk_loses_nothing_that_was_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message that did not fit is refused, each time; with room again it goes on where it was."""
    made = bound_disk(monkeypatch, ROOM * 3)
    shelf = Shelf(tmp_path, room_bytes=ROOM)
    taken, refused = put_until_refused(shelf)
    assert (refused.code, "cannot be kept on disk" in refused.message) == ("held_unusable", True)
    assert str(tmp_path) in (refused.hint or "")
    with pytest.raises(StorageError):
        shelf.put(message(taken))
    assert [shelf.get(place) for place in range(taken)] == [message(number) for number in range(taken)]
    made[0].room = 10**9
    assert [shelf.get(shelf.put(message(number))) for number in range(taken, taken + 50)] == [
        message(number) for number in range(taken, taken + 50)
    ]


def test_a_state_directory_that_cannot_be_written_gives_way_to_the_system_s_own(tmp_path: Path) -> None:
    """A look must not fail for want of a folder that it needs for nothing else."""
    occupied = tmp_path / "file"
    occupied.write_text("")
    shelf = filled(occupied / "state")
    assert (shelf.get(0), shelf.bytes_on_disk > 0) == (message(0), True)


def test_many_threads_get_what_they_put(tmp_path: Path) -> None:
    """A scan's workers share one shelf."""
    shelf = Shelf(tmp_path, room_bytes=ROOM)
    wrong: list[int] = []

    def work(start: int) -> None:
        places = {number: shelf.put(message(number)) for number in range(start, start + 200)}
        wrong.extend(number for number, place in places.items() if shelf.get(place) != message(number))

    threads = [threading.Thread(target=work, args=(start,)) for start in range(0, 1_600, 200)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_a_lease_keeps_id_and_times_and_reads_the_rest_back(tmp_path: Path) -> None:
    """A handle that a later delivery gave is the one that counts, and a forgotten body does not take the handle."""
    lease = Lease("id-1", "first handle", message(1), 1.0, 2.0, receive_count=3)
    lease.put_on(filled(tmp_path))
    assert (lease.message, lease.content, lease.receipt_handle) == (None, message(1), "first handle")
    lease.forget_body()
    with pytest.raises(AssertionError):
        _ = lease.content
    assert lease.receipt_handle == "first handle"
    lease.receipt_handle = "renewed"
    assert lease.receipt_handle == "renewed"


def test_a_delivery_while_the_message_is_put_away_is_not_forgotten(tmp_path: Path) -> None:
    """With the older handle a delete would be confirmed, and the message would come back."""
    lease = Lease("id-1", "first handle", message(1), 0.0, 0.0)

    class Slow(Shelf):
        def put(self, message: Message, handle: str = "") -> int:
            place = super().put(message, handle)
            lease.receipt_handle = "renewed"
            return place

    lease.put_on(Slow(tmp_path))
    assert (lease.receipt_handle, lease.content) == ("renewed", message(1))


def test_a_handle_that_cannot_be_read_back_is_one_that_sqs_refuses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A broken disk costs the lease, not the process: heartbeat and release go on for the others."""
    lease = Lease("id-1", "handle", message(1), 0.0, 0.0)
    made = bound_disk(monkeypatch, 10**9)
    shelf = Shelf(tmp_path, room_bytes=ROOM)
    lease.put_on(shelf)
    for number in range(100):
        shelf.put(message(number))
    made[0].truncate(10)
    assert lease.receipt_handle == "unreadable"
    with pytest.raises(StorageError, match="ends too soon"):
        _ = lease.content
