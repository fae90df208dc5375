"""The log of the journal: whoever reads it, when and in which process, finds what was written, and it is kept short."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from random import Random

import pytest

from opstool.doors import knownids, tail
from opstool.doors.journal import Journal
from opstool.doors.journaltables import SCHEMA
from opstool.fake import FakeClock
from opstool.verbs import redrive
from opstool.words.errors import StorageError
from opstool.words.message import Message
from opstool.words.record import Claim, Move, State
from tests.world import World

ORIGIN = "arn:aws:sqs:eu-west-1:123456789012:orders-dlq"
TARGET = "arn:aws:sqs:eu-west-1:123456789012:orders"


@pytest.fixture
def clock() -> FakeClock:
    """Return virtual time."""
    return FakeClock()


@pytest.fixture
def pair(tmp_path: Path, clock: FakeClock) -> Iterator[tuple[Journal, Journal]]:
    """Open one journal twice, as two processes do."""
    with (
        closing(Journal(tmp_path / "journal.db", clock)) as one,
        closing(Journal(tmp_path / "journal.db", clock)) as two,
    ):
        yield one, two


def messages(*numbers: int) -> list[Message]:
    """Return messages by their numbers."""
    return [Message(message_id=f"m-{number}", body="body") for number in numbers]


def send(journal: Journal, *numbers: int, run_id: str = "run-1") -> None:
    """Claim messages and confirm their copies."""
    journal.claim(run_id, ORIGIN, messages(*numbers))
    journal.confirm(ORIGIN, [(f"m-{number}", f"new-{number}", TARGET) for number in numbers])


def fold(journal: Journal) -> None:
    """Write the log into the table."""
    journal._database.commit(journal._tail.fold)


def log_of(path: Path) -> list[str]:
    """Return the rows of the log."""
    with closing(sqlite3.connect(path)) as database:
        return [row[0] for row in database.execute("SELECT changes FROM tail ORDER BY sequence")]


@pytest.mark.parametrize("folds", [False, True], ids=["in the log", "folded"])
def test_what_one_process_has_sent_no_other_sends_again(pair: tuple[Journal, Journal], folds: bool) -> None:
    """Also when the other knew the log before, and it was cut meanwhile."""
    one, two = pair
    send(two, 1)
    send(one, 2)
    if folds:
        fold(one)
    claims = two.claim("run-2", ORIGIN, messages(1, 2, 3))
    assert {key: claim for key, (claim, _) in claims.items()} == {
        "m-1": Claim.ALREADY_SENT,
        "m-2": Claim.ALREADY_SENT,
        "m-3": Claim.FRESH,
    }
    assert {move.record_id for move in one.moves("run-2")} == {"m-3"}


def test_a_process_that_missed_changes_and_their_fold_starts_anew(pair: tuple[Journal, Journal]) -> None:
    """What it remembered of before is no longer true."""
    one, two = pair
    one.claim("run-1", ORIGIN, messages(1))
    assert [move.state for move in two.moves("run-1")] == [State.INTENT]
    one.confirm(ORIGIN, [("m-1", "new-1", TARGET)])
    one.settle(ORIGIN, ["m-1"])
    fold(one)
    assert [move.state for move in two.moves("run-1")] == [State.SETTLED]
    assert two.origin_of("new-1") is not None


def test_the_log_of_a_process_that_died_is_read_by_the_next(tmp_path: Path, clock: FakeClock) -> None:
    """Nobody had the time to fold it."""
    dead = Journal(tmp_path / "journal.db", clock)
    send(dead, 1, 2)
    dead.withdraw(ORIGIN, ["m-1"])
    dead._database._connection.close()
    with closing(Journal(tmp_path / "journal.db", clock)) as journal:
        assert journal.sent_from(ORIGIN) == journal.sent_from(ORIGIN) == {"m-1", "m-2"}
        assert len(journal.unsettled(ORIGIN)) == 2


def test_a_closed_journal_leaves_no_log(tmp_path: Path, clock: FakeClock) -> None:
    """One empty row stays, by which others see what they have missed."""
    journal = Journal(tmp_path / "journal.db", clock)
    send(journal, *range(200))
    assert len(log_of(tmp_path / "journal.db")) == 2
    journal.close()
    assert log_of(tmp_path / "journal.db") == ["[]"]
    with closing(sqlite3.connect(tmp_path / "journal.db")) as database:
        assert database.execute("SELECT count(*) FROM moves WHERE state = 'sent'").fetchone() == (200,)


def test_a_reader_leaves_the_file_as_it_is(pair: tuple[Journal, Journal], tmp_path: Path) -> None:
    """A run that writes meanwhile does not wait for it."""
    one, two = pair
    send(one, 1)
    before = log_of(tmp_path / "journal.db")
    assert len(list(two.moves("run-1"))) == 1
    two.close()
    assert log_of(tmp_path / "journal.db") == before


def test_a_log_that_grows_long_is_folded_on_the_way(
    tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that memory and the next start are bounded."""
    monkeypatch.setattr(tail, "FOLDS_AT", 5)
    with closing(Journal(tmp_path / "journal.db", clock)) as journal:
        for number in range(23):
            send(journal, number)
            assert len(log_of(tmp_path / "journal.db")) <= 12
        assert len(list(journal.moves("run-1"))) == 23


def test_a_fold_that_the_disk_refuses_loses_nothing(tmp_path: Path, clock: FakeClock) -> None:
    """The log says the same."""
    journal = Journal(tmp_path / "journal.db", clock)
    send(journal, 1)
    journal._database._connection.execute("PRAGMA query_only = 1")
    with pytest.raises(StorageError):
        fold(journal)
    assert [move.state for move in journal.moves("run-1")] == [State.SENT]
    journal.close()
    with closing(Journal(tmp_path / "journal.db", clock)) as again:
        assert [move.state for move in again.moves("run-1")] == [State.SENT]


def test_a_journal_from_before_the_log_is_gone_on_with(tmp_path: Path, clock: FakeClock) -> None:
    """What it holds counts as before."""
    older = ";".join(each for each in SCHEMA.split(";") if " tail " not in each)
    with closing(sqlite3.connect(tmp_path / "journal.db")) as database:
        database.executescript(older)
        database.execute(
            "INSERT INTO moves (origin, record_id, run_id, body_sha256, state, new_id, target, intent_at_ms,"
            " updated_at_ms) VALUES (?, 'm-1', 'old', ?, 'sent', 'new-1', ?, 1, 1)",
            (ORIGIN, messages(1)[0].body_sha256, TARGET),
        )
        database.commit()
    with closing(Journal(tmp_path / "journal.db", clock)) as journal:
        assert journal.claim("run-1", ORIGIN, messages(1))["m-1"] == (Claim.ALREADY_SENT, 1)
        journal.settle(ORIGIN, ["m-1"])
        assert journal.unsettled(ORIGIN) == []


def test_what_others_begin_a_log_with_is_known_to_who_looked_before(
    tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A journal from before the log has none; what was read then is no longer all that is there."""
    monkeypatch.setattr(knownids, "_ASKS_FIRST", 1)
    older = Journal(tmp_path / "journal.db", clock)
    send(older, 1)
    older.close()
    with closing(sqlite3.connect(tmp_path / "journal.db")) as database:
        database.execute("DELETE FROM tail")
        database.commit()
    with (
        closing(Journal(tmp_path / "journal.db", clock)) as one,
        closing(Journal(tmp_path / "journal.db", clock)) as two,
    ):
        assert one.claim("run-2", ORIGIN, messages(1))["m-1"][0] is Claim.ALREADY_SENT
        assert one._tail._folded_ids.is_read
        send(two, 2)
        fold(two)
        assert one.claim("run-2", ORIGIN, messages(2))["m-2"][0] is Claim.ALREADY_SENT


def test_an_id_that_says_nothing_is_an_id(tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that gives an empty one is odd, and its message is still sent once."""
    monkeypatch.setattr(knownids, "_ASKS_FIRST", 1)
    with closing(Journal(tmp_path / "journal.db", clock)) as journal:
        odd = [Message(message_id="", body="body")]
        journal.claim("run-1", ORIGIN, odd)
        journal.confirm(ORIGIN, [("", "new-1", TARGET)])
        assert journal._tail._folded_ids.is_read
        fold(journal)
        assert journal.claim("run-2", ORIGIN, odd)[""][0] is Claim.ALREADY_SENT


ACTS: dict[str, Callable[[Journal, list[str]], None]] = {
    "confirm": lambda journal, ids: journal.confirm(ORIGIN, [(each, f"new-{each}", TARGET) for each in ids]),
    "settle": lambda journal, ids: journal.settle(ORIGIN, ids),
    "withdraw": lambda journal, ids: journal.withdraw(ORIGIN, ids),
    "unknown": lambda journal, ids: journal.note_unknown(ORIGIN, ids),
    "resent": lambda journal, ids: journal.note_resent(ORIGIN, ids),
}


@pytest.mark.parametrize("asks_first", [1, 100], ids=["ids in memory", "ids looked up"])
@pytest.mark.parametrize("seed", range(8))
def test_when_it_is_folded_and_who_writes_makes_no_difference(
    tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch, seed: int, asks_first: int
) -> None:
    """Two processes that take turns and fold at random hold what one does that never folds."""
    monkeypatch.setattr(knownids, "_ASKS_FIRST", asks_first)
    random = Random(seed)
    plain = Journal(tmp_path / "plain.db", clock)
    turns = [Journal(tmp_path / "journal.db", clock) for _ in range(2)]
    for _ in range(120):
        some = random.sample(range(12), random.randint(1, 4))
        now, run_id = random.choice(turns), random.choice(["run-1", "run-2"])
        act = random.choice([*ACTS, "claim", "fold", "advance"])
        for journal in (plain, now):
            if act == "claim":
                journal.claim(run_id, ORIGIN, messages(*some))
            elif act in ACTS:
                ACTS[act](journal, [f"m-{each}" for each in some])
            journal.unsettled(ORIGIN)
        if act == "fold":
            fold(now)
        if act == "advance":
            clock.advance(1)
        assert everything(now) == everything(plain)
    for journal in (plain, *turns):
        journal.close()


def everything(journal: Journal) -> list[Move]:
    """Return all moves, in one order."""
    found = [move for run_id in ("run-1", "run-2") for move in journal.moves(run_id)]
    return sorted(found, key=lambda move: move.record_id)


@pytest.mark.parametrize("earlier", [0, 300], ids=["a new journal", "a journal with a past"])
def test_a_redrive_of_a_thousand_hardly_asks_the_journal_what_has_returned(
    world: World, monkeypatch: pytest.MonkeyPatch, earlier: int
) -> None:
    """No more than a hundred questions and one reading of all ids a run: what was never sent has never returned."""
    kit = world.kit()
    if earlier:
        send(kit.journal, *range(earlier))
        fold(kit.journal)
    world.die([f"body {number}" for number in range(1_000)])
    asked: list[str] = []
    with redrive.prepare(kit, world.dlq.arn) as run:
        kit.journal._database._connection.set_trace_callback(
            lambda text: asked.append(text) if "new_id" in text and text.startswith("SELECT") else None
        )
        report = run.execute()
        kit.journal._database._connection.set_trace_callback(None)
    assert report.counts.succeeded == 1_000
    of_ids = [each for each in asked if "WHERE new_id" in each]
    assert len(of_ids) <= 100


def test_what_another_process_sends_is_known_a_second_later(
    pair: tuple[Journal, Journal], clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The ids in memory are not the last word."""
    monkeypatch.setattr(knownids, "_ASKS_FIRST", 1)
    one, two = pair
    send(one, 1)
    assert one.origin_of("new-2") is None
    assert one.origin_of("new-1") is not None
    assert one._tail.sent_ids.is_read
    send(two, 2)
    fold(two)
    clock.advance(1)
    assert one.origin_of("new-2") is not None
    send(one, 3)
    assert one.sources_of(["new-3"]) == {}
    assert one.origin_of("new-3") is not None
    with suppress(StorageError):
        one.close()


def test_what_another_process_sends_first_is_known_a_second_later(
    pair: tuple[Journal, Journal], clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who read the ids of an empty journal has not read those."""
    monkeypatch.setattr(knownids, "_ASKS_FIRST", 1)
    one, two = pair
    assert one.origin_of("new-1") is None
    assert one._tail.sent_ids.is_read
    send(two, 1)
    fold(two)
    clock.advance(1)
    assert one.origin_of("new-1") is not None


def test_an_id_that_is_folded_while_it_is_asked_for_is_known(tmp_path: Path) -> None:
    """Who asks sees the ids as they were read before, or as they are read now, and never half of each."""
    with closing(sqlite3.connect(tmp_path / "journal.db")) as database:
        database.executescript(SCHEMA)
        known = knownids.KnownIds("new_id")
        known.is_due(100)
        known.read(database, ["new-1"])

        class Folded(str):
            """An id that goes from the log into the table when it is looked for."""

            __slots__ = ()

            def __hash__(self) -> int:
                known.forget()
                database.execute(
                    "INSERT INTO moves (origin, record_id, run_id, body_sha256, state, new_id, intent_at_ms,"
                    " updated_at_ms) VALUES ('o', 'm-1', 'run-1', '', 'sent', 'new-1', 1, 1)"
                )
                known.read(database)
                return str.__hash__(self)

        assert not known.is_none_of_ours(Folded("new-1"))


def test_ids_that_come_after_the_reading_are_known_however_many_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """They join those that were read, which take a ninth of the room."""
    monkeypatch.setattr(knownids, "_MOST_SINCE", 10)
    database = sqlite3.connect(":memory:")
    database.execute("CREATE TABLE moves (new_id TEXT)")
    database.execute("INSERT INTO moves VALUES ('old')")
    known = knownids.KnownIds("new_id")
    known.is_due(100)
    known.read(database)
    for number in range(35):
        known.add([f"new-{number}"])
    assert not any(known.is_none_of_ours(each) for each in ["old", *(f"new-{number}" for number in range(35))])
    assert known.is_none_of_ours("other")
