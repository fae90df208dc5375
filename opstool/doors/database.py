"""A SQLite file whose commits survive a power cut, and are shared by the threads that wait for one.

WAL mode with synchronous=FULL: a commit that returned is on disk. Whoever gets the lock first writes for all who wait,
each in the order it asked, so that eight workers cost one fsync and not eight.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol, TypeVar

from opstool.words.errors import StorageError

_BUSY_TIMEOUT_S = 10.0
"""How long one process waits for another's commit in the same file."""
_CACHE_KIB = 16_384
"""What of a file is kept in memory at most; it is only taken as it is needed."""

_GATHERS_S = 0.001
"""How long a commit waits for others where the last one was shared: two thirds as many commits, for which each waits no
longer, since it would have waited for the one before."""

Write = Callable[[sqlite3.Connection], Any]
T = TypeVar("T")


class Companion(Protocol):
    """What takes part in every transaction of a file: it keeps in memory what the file says."""

    def begin(self, connection: sqlite3.Connection) -> None:
        """Learn what other processes have written."""

    def expect(self, connection: sqlite3.Connection, subjects: Sequence[Any]) -> None:
        """Read at once what a group of writes is about."""

    def end(self, connection: sqlite3.Connection) -> None:
        """Write what this transaction has changed."""

    def forget(self) -> None:
        """Know nothing: the transaction was not carried out."""


class Nobody:
    """The companion of a file that needs none."""

    def begin(self, connection: sqlite3.Connection) -> None:
        """Do nothing."""

    def expect(self, connection: sqlite3.Connection, subjects: Sequence[Any]) -> None:
        """Do nothing."""

    def end(self, connection: sqlite3.Connection) -> None:
        """Do nothing."""

    def forget(self) -> None:
        """Do nothing."""


class _Ticket:
    """One write that waits for the next commit. `called` is let go of once, when it is done or is to write for all."""

    __slots__ = ("called", "done", "error", "is_awaited", "result", "subject", "write")

    def __init__(self, write: Write, subject: Any = None, *, is_awaited: bool) -> None:
        self.write = write
        self.subject = subject
        self.is_awaited = is_awaited
        self.done = False
        self.result: Any = None
        self.error: StorageError | None = None
        self.called = threading.Lock()
        self.called.acquire()


class Database:
    """One file with a schema; thread-safe. Every method raises StorageError when the disk says no."""

    def __init__(self, path: Path, schema: str, companion: Companion | None = None) -> None:
        self._path = path
        self._companion = companion or Nobody()
        self._pending: list[_Ticket] = []
        self._turn = threading.Lock()
        self._is_writing = False
        self._is_shared = False
        self._lock = threading.Lock()
        with self._storage_errors():
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            path.touch(mode=0o600)
            self._connection = sqlite3.connect(
                path, timeout=_BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
            )
            self._prepare(schema)

    def _prepare(self, schema: str) -> None:
        try:
            self._connection.row_factory = sqlite3.Row
            self._switch_to_wal()
            self._connection.execute(f"PRAGMA cache_size=-{_CACHE_KIB}")
            self._connection.execute("PRAGMA synchronous=FULL")
            self._connection.executescript(f"BEGIN IMMEDIATE;{schema}COMMIT;")
        except BaseException:
            self._connection.close()
            raise

    def _switch_to_wal(self) -> None:
        """Wait for whoever else opens the new file at this moment: here SQLite itself does not."""
        gives_up_at = time.monotonic() + _BUSY_TIMEOUT_S
        while True:
            try:
                self._connection.execute("PRAGMA journal_mode=WAL")
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > gives_up_at:
                    raise
                time.sleep(0.01)
            else:
                return

    def close(self) -> None:
        """Write what still waits, and let go of the file; what waits is by its nature what may be lost."""
        with suppress(StorageError):
            self.commit(lambda _: None)
        self._connection.close()

    def commit(self, write: Write, subject: Any = None) -> Any:
        """Carry out `write` in a transaction that is on disk when this returns, shared with whoever else waits.

        The companion is told the `subject` beforehand, with those of the others: each statement of a transaction lets
        go of the interpreter, and among busy threads it is long until it is had again.
        """
        ticket = _Ticket(write, subject, is_awaited=True)
        with self._turn:
            self._pending.append(ticket)
            is_first, self._is_writing = not self._is_writing, True
        if not is_first:
            self._await(ticket)
        if not ticket.done:
            self._write_pending(ticket)
        if ticket.error:
            raise ticket.error
        return ticket.result

    def later(self, write: Write) -> None:
        """Leave `write` to the next commit, whoever asks for it; nobody waits."""
        with self._turn:
            self._pending.append(_Ticket(write, is_awaited=False))

    def rows(self, query: str, *parameters: Any) -> list[sqlite3.Row]:
        """Return what a query finds."""
        with self._lock, self._storage_errors():
            return self._connection.execute(query, parameters).fetchall()

    def read(self, query: Callable[[sqlite3.Connection], T]) -> T:
        """Return what `query` finds, in a transaction that sees one moment of the file, its companion included."""
        with self._lock, self._storage_errors():
            self._connection.execute("BEGIN")
            try:
                self._companion.begin(self._connection)
                return query(self._connection)
            finally:
                self._connection.execute("ROLLBACK")

    def _await(self, ticket: _Ticket) -> None:
        """Wait until a ticket is done, or its turn has come; each who waits is woken once, and by name."""
        try:
            ticket.called.acquire()
        except BaseException:
            with self._turn:
                ticket.is_awaited = False
                if ticket.called.acquire(blocking=False) and not ticket.done:
                    self._call_next()
            raise

    def _write_pending(self, own: _Ticket) -> None:
        """Write for all who wait by now, in their order, and let them go; then it is the turn of who came meanwhile."""
        group: list[_Ticket] = []
        try:
            if self._is_shared:
                time.sleep(_GATHERS_S)
            with self._lock:
                with self._turn:
                    group, self._pending = self._pending, []
                    self._is_shared = sum(each.is_awaited for each in group) > 1
                self._write_group(group)
        finally:
            with self._turn:
                own.is_awaited = False  # it may still be there, when an interrupt came before the file was had
                self._call_next()
            for ticket in group:
                ticket.called.release()

    def _call_next(self) -> None:
        """Let the first who waits write for all."""
        first = next((each for each in self._pending if each.is_awaited), None)
        self._is_writing = first is not None
        if first:
            first.called.release()

    def _write_group(self, group: list[_Ticket]) -> None:
        try:
            with self._storage_errors():
                self._connection.execute("BEGIN IMMEDIATE")
                self._companion.begin(self._connection)
                self._companion.expect(self._connection, [each.subject for each in group if each.subject])
                for ticket in group:
                    ticket.result = ticket.write(self._connection)
                self._companion.end(self._connection)
                self._connection.execute("COMMIT")
        except BaseException as error:
            # Whatever it was (a Ctrl-C among them): nothing was written, and nobody of the group may think otherwise.
            failure = StorageError(f"the journal was not written: {type(error).__name__}")
            self._companion.forget()
            for ticket in group:
                ticket.error = error if isinstance(error, StorageError) else failure
            with suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")
            if not isinstance(error, StorageError):
                raise
        finally:
            for ticket in group:
                ticket.done = True

    @contextmanager
    def _storage_errors(self) -> Iterator[None]:
        try:
            yield
        except UnicodeEncodeError as error:  # a lone surrogate: a byte of a command line that is not UTF-8
            raise StorageError("the journal keeps text, and this is not text", code="not_text") from error
        except (sqlite3.Error, OSError) as error:
            raise StorageError(
                f"the journal `{self._path}` cannot be used: {error}",
                code="journal_unusable",
                hint="nothing is sent without its record; free the disk, or choose another --state-dir",
            ) from error
