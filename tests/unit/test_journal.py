from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from opstool.doors.database import _Ticket
from opstool.doors.journal import Journal
from opstool.fake import FakeClock
from opstool.words.errors import NotFoundError, StorageError
from opstool.words.message import Message
from opstool.words.record import Claim, RunRecord, State

ORIGIN = "arn:aws:sqs:eu-west-1:123456789012:orders-dlq"
TARGET = "arn:aws:sqs:eu-west-1:123456789012:orders"
MESSAGE = Message(message_id="m-1", body="body")


@pytest.fixture
def clock() -> FakeClock:
    """Return virtual time."""
    return FakeClock()


@pytest.fixture
def journal(tmp_path: Path, clock: FakeClock) -> Iterator[Journal]:
    """Open a new journal."""
    opened = Journal(tmp_path / "journal.db", clock)
    yield opened
    opened.close()


def record(run_id: str = "run-1", *, lease_s: int = 30) -> RunRecord:
    """Return a run as it is written at its start."""
    return RunRecord(
        run_id=run_id,
        verb="redrive",
        queue="orders-dlq",
        status="running",
        started_at_ms=1,
        ended_at_ms=None,
        note=None,
        lease_s=lease_s,
        plan={"ids": None},
        audit={},
        report=None,
    )


def claim(journal: Journal, run_id: str = "run-1", message: Message = MESSAGE, **options: Any) -> tuple[Claim, int]:
    """Claim one message."""
    return journal.claim(run_id, ORIGIN, [message], **options)[message.message_id]


def states(journal: Journal, run_id: str = "run-1") -> list[State]:
    """Return the states of a run's messages."""
    return [move.state for move in journal.moves(run_id)]


def test_a_message_the_journal_does_not_know_is_fresh(journal: Journal, clock: FakeClock) -> None:
    """Its intent is on disk when the claim returns."""
    assert claim(journal) == (Claim.FRESH, int(clock.wall() * 1000))
    assert states(journal) == [State.INTENT]


def test_an_intent_without_an_answer_is_uncertain_since_it_was_first_written(
    journal: Journal, clock: FakeClock
) -> None:
    """A resumed run uses its deduplication ids again, so it matters for how long."""
    first = int(clock.wall() * 1000)
    claim(journal)
    clock.advance(100)
    assert claim(journal) == (Claim.UNCERTAIN, first)
    clock.advance(100)
    assert claim(journal) == (Claim.UNCERTAIN, first)


def test_an_intent_of_another_run_is_uncertain_from_the_beginning_of_time(journal: Journal) -> None:
    """Its deduplication ids are not ours: no window closes on what it may have sent, not even after a resume."""
    claim(journal, "run-1")
    assert claim(journal, "run-2") == (Claim.UNCERTAIN, 0)
    assert claim(journal, "run-2") == (Claim.UNCERTAIN, 0)
    assert [move.run_id for move in journal.moves("run-2")] == ["run-2"]


@pytest.mark.parametrize("settled", [False, True], ids=["undeleted", "settled"])
def test_what_was_sent_is_never_fresh_again(journal: Journal, settled: bool) -> None:
    """In this run or another, deleted or not: the copy was confirmed."""
    claim(journal)
    journal.confirm(ORIGIN, [("m-1", "new-1", TARGET)])
    if settled:
        journal.settle(ORIGIN, ["m-1"])
    assert claim(journal)[0] is Claim.ALREADY_SENT
    assert claim(journal, "run-2")[0] is Claim.ALREADY_SENT


def test_another_body_under_the_same_id_is_another_message(journal: Journal) -> None:
    """The journal knows a message by its id and its body together."""
    claim(journal)
    journal.confirm(ORIGIN, [("m-1", "new-1", TARGET)])
    assert claim(journal, "run-2", Message(message_id="m-1", body="other"))[0] is Claim.FRESH


def test_a_copy_that_does_not_suffice_leaves_the_message_fresh(journal: Journal) -> None:
    """What was archived was not sent."""
    claim(journal)
    journal.confirm(ORIGIN, [("m-1", None, "/archives/a.jsonl")])
    assert claim(journal, "run-2", suffices=lambda _, target: target.startswith("arn:"))[0] is Claim.FRESH
    assert states(journal, "run-2") == [State.INTENT]


def test_only_a_certain_intent_can_be_withdrawn(journal: Journal) -> None:
    """One whose answer was lost stays, or the next run would send without counting."""
    other = Message(message_id="m-2", body="other")
    journal.claim("run-1", ORIGIN, [MESSAGE, other])
    journal.note_unknown(ORIGIN, ["m-1"])
    journal.withdraw(ORIGIN, ["m-1", "m-2"])
    assert [move.record_id for move in journal.moves("run-1")] == ["m-1"]
    journal.withdraw(ORIGIN, ["m-1"])
    assert claim(journal)[0] is Claim.UNCERTAIN


def test_a_sent_message_cannot_be_withdrawn(journal: Journal) -> None:
    """Only intents can."""
    claim(journal)
    journal.confirm(ORIGIN, [("m-1", "new-1", TARGET)])
    journal.withdraw(ORIGIN, ["m-1"])
    assert states(journal) == [State.SENT]


def test_resends_are_counted_by_message(journal: Journal) -> None:
    """Sent three times is possibly sent twice, once."""
    claim(journal)
    journal.note_resent(ORIGIN, ["m-1"])
    journal.note_resent(ORIGIN, ["m-1"])
    assert journal.possibly_sent_twice("run-1") == ("m-1",)
    assert journal.possibly_sent_twice("run-2") == ()


def test_the_lineage_leads_from_a_new_id_to_where_it_came_from(journal: Journal) -> None:
    """The source queue of an archived message is kept for a later redrive."""
    claim(journal, message=Message(message_id="m-1", body="body", source_arn=TARGET))
    journal.confirm(ORIGIN, [("m-1", "new-1", ORIGIN)])
    move = journal.origin_of("new-1")
    assert move is not None
    assert (move.record_id, move.source_arn) == ("m-1", TARGET)
    assert journal.sent_by("run-1") == {"new-1"}
    assert journal.origin_of("new-2") is None


def test_settlements_are_written_with_the_next_commit(journal: Journal) -> None:
    """Nobody waits for them, and whoever asks for the unsettled sees them."""
    claim(journal)
    journal.confirm(ORIGIN, [("m-1", "new-1", TARGET)])
    journal.settle(ORIGIN, ["m-1"])
    assert states(journal) == [State.SENT]
    assert journal.unsettled(ORIGIN) == []
    assert states(journal) == [State.SETTLED]


def test_closing_writes_the_settlements_that_wait(tmp_path: Path, clock: FakeClock) -> None:
    """The next run need not look for them."""
    first = Journal(tmp_path / "journal.db", clock)
    claim(first)
    first.settle(ORIGIN, ["m-1"])
    first.close()
    second = Journal(tmp_path / "journal.db", clock)
    assert states(second) == [State.SETTLED]
    second.close()


def test_a_run_that_is_resumed_has_no_report_until_it_ends_again(journal: Journal) -> None:
    """If it dies now it has died, whatever its first execution reported; the lease in force is the new one."""
    journal.start_run(record())
    journal.finish_run("run-1", "interrupted", {"received": 3})
    journal.start_run(record(lease_s=60))
    again = journal.run("run-1")
    assert (again.status, again.report, again.ended_at_ms, again.lease_s) == ("running", None, None, 60)


def test_a_run_is_found_by_the_beginning_of_its_id(journal: Journal) -> None:
    """As long as only one begins so."""
    journal.start_run(record("20270115-080000-aa"))
    journal.start_run(record("20270115-080000-ab"))
    assert journal.run("20270115-080000-ab").run_id == "20270115-080000-ab"
    with pytest.raises(NotFoundError, match="more than one run"):
        journal.run("20270115")
    with pytest.raises(NotFoundError, match="no run"):
        journal.run("2026")


def test_the_journal_is_private(tmp_path: Path, journal: Journal) -> None:
    """It tells who did what."""
    claim(journal)
    assert {path.stat().st_mode & 0o077 for path in tmp_path.glob("journal.db*")} == {0}


def test_what_a_claim_wrote_outlives_the_process(tmp_path: Path) -> None:
    """Another process sees the intent of one that was killed at once."""
    code = (
        "import os, sys; from pathlib import Path; from opstool.doors.clock import SystemClock\n"
        "from opstool.doors.journal import Journal; from opstool.words.message import Message\n"
        f"Journal(Path(sys.argv[1]), SystemClock()).claim('run-1', {ORIGIN!r}, [Message(message_id='m-1', body='b')])\n"
        "os.kill(os.getpid(), 9)"
    )
    ended = subprocess.run([sys.executable, "-c", code, str(tmp_path / "journal.db")], check=False)
    assert ended.returncode == -9
    journal = Journal(tmp_path / "journal.db", FakeClock())
    assert states(journal) == [State.INTENT]
    journal.close()


def test_many_can_open_a_new_journal_at_the_same_time(tmp_path: Path, clock: FakeClock) -> None:
    """Two commands started together do not trip over each other."""
    errors: list[BaseException] = []

    def use(number: int) -> None:
        try:
            journal = Journal(tmp_path / "journal.db", clock)
            claim(journal, f"run-{number}", Message(message_id=f"m-{number}", body="b"))
            journal.close()
        except BaseException as error:  # noqa: BLE001 - for the assertion
            errors.append(error)

    threads = [threading.Thread(target=use, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


def test_a_state_directory_that_cannot_be_is_a_storage_error(tmp_path: Path, clock: FakeClock) -> None:
    """Here a file stands where the directory should be."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError) as caught:
        Journal(tmp_path / "file" / "journal.db", clock)
    assert caught.value.code == "journal_unusable"
    assert str(tmp_path / "file" / "journal.db") in caught.value.message
    assert "--state-dir" in str(caught.value.hint)


def test_a_new_state_directory_is_made_and_private(tmp_path: Path, clock: FakeClock) -> None:
    """Also where its parents are not there yet."""
    Journal(tmp_path / "state" / "opstool" / "journal.db", clock).close()
    assert (tmp_path / "state" / "opstool").stat().st_mode & 0o777 == 0o700


@pytest.fixture
def being_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[sqlite3.Connection]:
    """Let another process be opening the journal at this moment; SQLite's own patience, ten seconds, is made short."""
    monkeypatch.setattr("opstool.doors.database._BUSY_TIMEOUT_S", 0.01)
    other = sqlite3.connect(tmp_path / "journal.db", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    yield other
    other.close()


def test_a_journal_that_another_process_is_opening_is_waited_for(
    tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch, being_opened: sqlite3.Connection
) -> None:
    """Two commands that are typed at once both begin."""
    slept: list[float] = []
    monkeypatch.setattr("opstool.doors.database.time.monotonic", lambda: 0.0)
    monkeypatch.setattr(
        "opstool.doors.database.time.sleep", lambda seconds: (slept.append(seconds), being_opened.rollback())
    )
    journal = Journal(tmp_path / "journal.db", clock)
    assert claim(journal)[0] is Claim.FRESH
    assert len(slept) == 1
    assert 0 < slept[0] < 1
    journal.close()


def test_a_journal_that_stays_locked_is_a_storage_error(
    tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch, being_opened: sqlite3.Connection
) -> None:
    """Nobody waits for ever."""
    slept: list[float] = []
    monkeypatch.setattr("opstool.doors.database.time.sleep", slept.append)
    monkeypatch.setattr("opstool.doors.database.time.monotonic", lambda: float(len(slept)))
    with pytest.raises(StorageError, match="locked"):
        Journal(tmp_path / "journal.db", clock)
    assert len(slept) == 1


def test_a_file_that_is_no_journal_is_a_storage_error(tmp_path: Path, clock: FakeClock) -> None:
    """And is left as it is."""
    (tmp_path / "journal.db").write_text("something else, longer than a header of SQLite's" * 10)
    with pytest.raises(StorageError):
        Journal(tmp_path / "journal.db", clock)
    assert (tmp_path / "journal.db").read_text().startswith("something else")


def fill_the_disk(journal: Journal) -> None:
    """Let the database grow no further."""
    pages = journal._database._connection.execute("PRAGMA page_count").fetchone()[0]
    journal._database._connection.execute(f"PRAGMA max_page_count = {pages}")


def test_a_full_disk_refuses_the_claim_and_keeps_what_was_written(journal: Journal) -> None:
    """Nothing of the refused claim is there, and the journal can be used again when there is room."""
    claim(journal)
    fill_the_disk(journal)
    many = [Message(message_id=f"big-{number}-{'x' * 500}", body="b") for number in range(50)]
    with pytest.raises(StorageError):
        journal.claim("run-1", ORIGIN, many)
    assert [move.record_id for move in journal.moves("run-1")] == ["m-1"]
    journal._database._connection.execute("PRAGMA max_page_count = 1000000")
    journal.claim("run-1", ORIGIN, many)
    assert len(list(journal.moves("run-1"))) == 51


class Group:
    """Writers that all wait while the journal is busy, so that they share one commit."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.errors: dict[int, BaseException] = {}
        self._threads: list[threading.Thread] = []

    def write(self, number: int, act: Any) -> None:
        """Let a thread write, and return when it waits."""

        def run() -> None:
            try:
                self.journal._database.commit(act)
            except BaseException as error:  # noqa: BLE001 - for the assertion
                self.errors[number] = error

        thread = threading.Thread(target=run)
        before = len(self.journal._database._pending)
        thread.start()
        while len(self.journal._database._pending) == before:
            thread.join(0.001)
        self._threads.append(thread)

    def join(self) -> None:
        """Wait until all have their answer."""
        for thread in self._threads:
            thread.join(10)


class Interrupted:
    """The lock of a writer whose turn has come, and who is interrupted before it knows."""

    def acquire(self, *, blocking: bool = True) -> bool:
        """Be interrupted instead of waiting."""
        if blocking:
            raise KeyboardInterrupt
        return True


def test_a_writer_that_is_interrupted_when_its_turn_has_come_lets_the_next_one_write(journal: Journal) -> None:
    """Else all the others would wait for ever."""
    database = journal._database
    gone, next_one = (_Ticket(lambda _: None, is_awaited=True) for _ in range(2))
    gone.called = Interrupted()  # type: ignore[assignment]
    database._pending, database._is_writing = [gone, next_one], True
    with pytest.raises(KeyboardInterrupt):
        database._await(gone)
    assert next_one.called.acquire(blocking=False)
    database._pending, database._is_writing = [], False


def test_who_is_interrupted_before_its_commit_leaves_the_turn_to_the_next(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever leaves while others are gathered is not called again; the others would wait for ever."""
    database = journal._database
    database._is_shared = True

    def interrupted(_: float) -> None:
        monkeypatch.undo()
        group.write(1, lambda _: written.append(1))
        raise KeyboardInterrupt

    group, written = Group(journal), list[int]()
    monkeypatch.setattr("opstool.doors.database.time.sleep", interrupted)
    with pytest.raises(KeyboardInterrupt):
        database.commit(lambda _: written.append(0))
    group.join()
    assert written == [0, 1]


def test_a_writer_that_is_interrupted_before_it_has_the_file_lets_the_others_write(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody is called who has gone; what it wanted is written with what comes next."""

    class Busy:
        """A lock that somebody else has, at which Ctrl-C is heard."""

        def __enter__(self) -> None:
            raise KeyboardInterrupt

        def __exit__(self, *_: object) -> None: ...

    database = journal._database
    with monkeypatch.context() as busy:
        busy.setattr(database, "_lock", Busy())
        with pytest.raises(KeyboardInterrupt):
            claim(journal)
    assert not database._is_writing
    assert claim(journal, message=replace(MESSAGE, message_id="m-2"))[0] is Claim.FRESH
    assert states(journal) == [State.INTENT, State.INTENT]


def test_writers_that_wait_share_one_commit_in_the_order_they_asked(journal: Journal) -> None:
    """The cost of a commit is shared, and nothing is reordered."""
    commits: list[str] = []
    written: list[int] = []
    journal._database._connection.set_trace_callback(lambda text: commits.append(text) if text == "COMMIT" else None)
    group = Group(journal)
    with journal._database._lock:
        for number in range(5):
            group.write(number, lambda _, number=number: written.append(number))
    group.join()
    assert written == [0, 1, 2, 3, 4]
    assert commits == ["COMMIT"]
    assert group.errors == {}


@pytest.mark.parametrize(
    "failure", [sqlite3.OperationalError("disk I/O error"), RuntimeError("bug"), KeyboardInterrupt()]
)
def test_a_commit_that_fails_fails_for_everyone_who_waited(journal: Journal, failure: BaseException) -> None:
    """Whatever went wrong: nobody may send on the strength of an intent that is not on disk."""

    def fail(_: object) -> None:
        raise failure

    def insert(database: sqlite3.Connection) -> None:
        database.execute("INSERT INTO runs VALUES ('r', 'v', 'q', 's', 1, NULL, NULL, 1, '{}', NULL, '{}')")

    group = Group(journal)
    with journal._database._lock:
        group.write(0, insert)
        group.write(1, fail)
        group.write(2, lambda _: None)
    group.join()
    assert set(group.errors) == {0, 1, 2}
    waiting = [error for error in group.errors.values() if error is not failure]
    assert waiting
    assert all(isinstance(error, StorageError) for error in waiting)
    assert journal.runs() == []
    claim(journal)  # and the next commit is not hindered
    assert states(journal) == [State.INTENT]


def test_what_cannot_be_read_ahead_fails_all_who_wait(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a write that fails does: nobody's intent is on disk, and the next claim is not hindered."""
    with monkeypatch.context() as broken:
        broken.setattr(journal._tail, "_loaded", lambda *_: journal._database._connection.execute("nonsense"))
        with pytest.raises(StorageError):
            claim(journal)
    assert list(journal.moves("run-1")) == []
    assert claim(journal)[0] is Claim.FRESH
    assert states(journal) == [State.INTENT]


def test_a_refused_commit_says_what_to_do(journal: Journal) -> None:
    """Whoever waited for it is told by the same code."""
    claim(journal)
    journal._database._connection.execute("PRAGMA query_only = 1")
    with pytest.raises(StorageError) as caught:
        journal.confirm(ORIGIN, [("m-1", "new-1", TARGET)])
    assert (caught.value.code, caught.value.hint is not None) == ("journal_unusable", True)
    journal._database._connection.execute("PRAGMA query_only = 0")
    assert states(journal) == [State.INTENT]


def test_an_interruption_during_a_commit_is_still_an_interruption(journal: Journal) -> None:
    """Ctrl-C is not a full disk: whoever pressed it wants to leave."""

    def interrupted(_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        journal._database.commit(interrupted)
    assert claim(journal)[0] is Claim.FRESH


def test_a_journal_can_be_left_though_the_disk_says_no(tmp_path: Path, clock: FakeClock) -> None:
    """What waits may be lost; the report that is being made may not."""
    journal = Journal(tmp_path / "journal.db", clock)
    claim(journal)
    journal.settle(ORIGIN, ["m-1"])
    journal._database._connection.execute("PRAGMA query_only = 1")
    journal.close()
    again = Journal(tmp_path / "journal.db", clock)
    assert states(again) == [State.INTENT]
    again.close()


def test_a_run_remembers_the_longest_lease_it_has_asked_for(journal: Journal) -> None:
    """Whoever resumes it waits for so long; a shorter one later changes nothing."""
    journal.start_run(record("run-1"))
    journal.start_run(record("run-2"))
    journal.note_lease("run-1", 90)
    journal.note_lease("run-1", 60)
    assert (journal.run("run-1").lease_s, journal.run("run-2").lease_s) == (90, 30)


def test_a_run_ends_at_the_moment_it_is_finished(journal: Journal, clock: FakeClock) -> None:
    """From then on its leases lapse."""
    journal.start_run(record())
    clock.advance(100)
    journal.finish_run("run-1", "partial", {"received": 3})
    ended = journal.run("run-1")
    assert (ended.status, ended.ended_at_ms) == ("partial", int(clock.wall() * 1000))
    clock.advance(10)
    assert ended.hides_for_s(clock.wall()) == 20


def test_the_dead_are_given_an_end_and_nobody_else(journal: Journal, clock: FakeClock) -> None:
    """Only runs that left something of this queue unsettled, and that say of themselves no end."""
    for run_id, origin in [
        ("ours", ORIGIN),
        ("dead", ORIGIN),
        ("ended", ORIGIN),
        ("settled", ORIGIN),
        ("away", TARGET),
    ]:
        journal.start_run(record(run_id))
        journal.claim(run_id, origin, [Message(message_id=f"of-{run_id}", body="body")])
    journal.finish_run("ended", "partial", {})
    ended_at_ms = journal.run("ended").ended_at_ms
    journal.settle(ORIGIN, ["of-settled"])
    clock.advance(100)
    journal.note_dead(ORIGIN, besides="ours")
    ends = {each.run_id: each.ended_at_ms for each in journal.runs()}
    nobody = {"ours": None, "settled": None, "away": None}
    assert ends == {**nobody, "dead": int(clock.wall() * 1000), "ended": ended_at_ms}


def test_what_was_sent_from_a_queue_is_known_whoever_sent_it(journal: Journal) -> None:
    """An intent is not a send, and another queue's messages are not this one's."""
    for number, (run_id, origin) in enumerate([("run-1", ORIGIN), ("run-2", ORIGIN), ("run-1", TARGET)], start=1):
        journal.claim(run_id, origin, [Message(message_id=f"m-{number}", body="body")])
        journal.confirm(origin, [(f"m-{number}", f"new-{number}", TARGET)])
    journal.claim("run-1", ORIGIN, [Message(message_id="m-4", body="body")])
    journal.settle(ORIGIN, ["m-1"])
    assert set(journal.sent_from(ORIGIN)) == {"m-1", "m-2"}


def test_a_run_is_given_back_as_it_was_written(journal: Journal) -> None:
    """A resume stands on its plan, and an audit on who ran it."""
    written = replace(record(), note="ticket 4711", plan={"ids": ["a"]}, audit={"who": "somebody"})
    journal.start_run(written)
    assert journal.run("run-1") == written
    assert journal.runs() == [written]


def test_a_commit_is_on_disk_when_it_returns(journal: Journal) -> None:
    """As SQLite promises it for a power cut: a synced write-ahead log. No test can cut the power."""
    ask = journal._database._connection.execute
    full = 2
    assert ask("PRAGMA journal_mode").fetchone()[0] == "wal"
    assert ask("PRAGMA synchronous").fetchone()[0] == full
