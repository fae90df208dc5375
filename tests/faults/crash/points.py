"""The points at which a process dies: before or after the n-th of the acts whose order keeps messages safe."""

from __future__ import annotations

import os
import resource
import signal
import stat
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Literal

from opstool.cli.signals import Interrupts
from opstool.doors.archive import writer as _writer
from opstool.doors.database import Database
from opstool.doors.journal import Journal
from opstool.doors.session import Session

RECEIVE, SEND = "ReceiveMessage", "SendMessageBatch"
DELETE = "DeleteMessageBatch"
EXTEND, RELEASE = "ChangeMessageVisibilityBatch to the lease", "ChangeMessageVisibilityBatch to 0"
COMMIT, APPEND = "journal commit", "archive append"
END = "journal commit of the end"
"""The commits from when all is done: the run's end, and what the journal then writes together."""
Side = Literal["before", "middle", "after"]

SYNCED = "synced"
"""The file, in the folder of the victim, that tells how much of what it wrote a power cut cannot take."""
_TWO_REQUESTS_S = 0.1
"""Signals nearer to each other than half of this are one request, says opstool/cli/signals.py."""
_LEAVES_WITHIN_S = 30


@dataclass(frozen=True, kw_only=True)
class Point:
    """The n-th time of an act, counted from 1, before it or after it; an append also in its middle, at `share`.

    `signals` are what the process sends itself there, one after the other. With `grows_bytes` it sends none: from there
    on no file may outgrow the journal's log by more than so much, and the write that does kills it in its middle.
    """

    act: str
    side: Side
    number: int
    share: float = 0.5
    signals: tuple[int, ...] = (signal.SIGKILL,)
    grows_bytes: int | None = None

    @property
    def kills(self) -> bool:
        """Tell whether nothing of the process outlives this point."""
        return self.signals == (signal.SIGKILL,)

    @property
    def signal_names(self) -> str:
        """Return the signals, for a table."""
        return ", ".join(signal.Signals(number).name for number in self.signals)

    def __str__(self) -> str:
        """Return it as a test's message shows it."""
        return f"{self.side} the {self.number}. {self.act}"


def choose(act: str, most: int, random: Random) -> Point:
    """Return a point around one of the first `most` times of an act."""
    sides: tuple[Side, ...] = ("before", "middle", "after") if act == APPEND else ("before", "after")
    return Point(act=act, side=random.choice(sides), number=random.randint(1, most), share=random.random())


def arm(point: Point) -> None:
    """Make this process send itself its signals when it comes to its point."""
    reached = _Reached(point)
    Interrupts._handle = reached.handle(Interrupts._handle)  # type: ignore[method-assign]
    _wrap(Session, "sqs_call", lambda _self, *asked: _act_of(*asked), reached)
    _wrap(Database, "_write_group", lambda *_: COMMIT, reached)
    _wrap(_writer, "write_durably", lambda *_: APPEND, reached)
    _tell_the_end(reached)
    if point.side == "middle":
        _tear(reached, point.share)


def _tear(reached: _Reached, share: float) -> None:
    """Reach the point when a share of an append is written; whatever the process outlives, it writes the rest."""
    whole = _writer.write_durably  # type: ignore[attr-defined]  # imported there, and called by that name

    def torn(descriptor: int, data: bytes) -> None:
        if reached.counts("middle", APPEND):
            os.lseek(descriptor, 0, os.SEEK_END)
            written = os.write(descriptor, data[: int(len(data) * share)])
            reached.go()
            data = data[written:]
        whole(descriptor, data)

    _writer.write_durably = torn  # type: ignore[attr-defined]


def _act_of(operation: str, request: Mapping[str, Any]) -> str:
    if operation != "ChangeMessageVisibilityBatch":
        return operation
    return EXTEND if request["Entries"][0]["VisibilityTimeout"] else RELEASE


def note_syncs_of(what: str) -> None:
    """Note in a file, at each sync, how long the journal's log (or else the archive) then was.

    SQLite syncs its log in each commit, without Python's knowing; the archive is the only file that Python syncs.
    """
    noted = os.open(SYNCED, os.O_WRONLY | os.O_CREAT, 0o600)
    sync, write_group = os.fsync, Database._write_group

    def fsync(descriptor: int) -> None:
        size = os.fstat(descriptor).st_size
        sync(descriptor)
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.pwrite(noted, b"%12d" % size, 0)

    def commit(database: Database, group: Any) -> None:
        write_group(database, group)
        os.pwrite(noted, b"%12d" % Path(f"{database._path}-wal").stat().st_size, 0)

    if what == "journal":
        Database._write_group = commit  # type: ignore[method-assign,assignment]
    else:
        os.fsync = fsync  # type: ignore[assignment]


class _Reached:
    """Counts the acts, and goes when the point is reached."""

    def __init__(self, point: Point) -> None:
        self._point = point
        self._left = point.number
        self._lock = threading.Lock()
        self._handled = threading.Event()

    def counts(self, side: Side, act: str) -> bool:
        """Count one side of one act; return whether this is the point."""
        if (side, act) != (self._point.side, self._point.act):
            return False
        with self._lock:
            self._left -= 1
            return self._left == 0

    def go(self) -> None:
        """Send the signals; whoever is to leave at once after the last goes no further than this."""
        if self._point.grows_bytes is not None:
            _bound_the_log(self._point.grows_bytes)
            return
        for number in self._point.signals:
            self._handled.clear()
            os.kill(os.getpid(), number)
            self._handled.wait(_LEAVES_WITHIN_S)
            time.sleep(_TWO_REQUESTS_S)
        if len(self._point.signals) > 1:
            self._handled.clear()
            self._handled.wait(_LEAVES_WITHIN_S)

    def handle(self, handler: Callable[..., None]) -> Callable[..., None]:
        """Return opstool's handler of signals, so that a second is only sent when the first was seen."""

        def handling(*arguments: Any) -> None:
            try:
                handler(*arguments)
            finally:
                self._handled.set()

        return handling


def _tell_the_end(reached: _Reached) -> None:
    """Let the commits of the end be acts of their own, too."""
    is_over, finish = threading.Event(), Journal.finish_run

    def finishing(*arguments: Any) -> None:
        is_over.set()
        finish(*arguments)

    Journal.finish_run = finishing  # type: ignore[method-assign,assignment]
    _wrap(Database, "_write_group", lambda *_: END if is_over.is_set() else "", reached)


def _bound_the_log(grows_bytes: int) -> None:
    [log] = Path.cwd().glob("state/journal.db-wal")
    bound = log.stat().st_size + grows_bytes
    resource.setrlimit(resource.RLIMIT_FSIZE, (bound, bound))


def _wrap(owner: Any, name: str, act_of: Callable[..., str], reached: _Reached) -> None:
    wrapped = getattr(owner, name)

    def wrapper(*arguments: Any) -> Any:
        act = act_of(*arguments)
        if reached.counts("before", act):
            reached.go()
        result = wrapped(*arguments)
        if reached.counts("after", act):
            reached.go()
        return result

    setattr(owner, name, wrapper)
