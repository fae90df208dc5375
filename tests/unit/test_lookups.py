"""The cache of look-ups: what it remembers, for how long, and that it is never in the way."""

from __future__ import annotations

import sqlite3
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from opstool.doors import lookups
from opstool.doors.lookups import FILE_NAME, SETTLED_MS, Lookups
from opstool.fake import FakeClock
from opstool.words.reason import Evidence, Reason

GROUPS = ("/aws/lambda/orders", "/aws/lambda/payments")
REASON = Reason(
    type="ValueError",
    message="no total \u2028 \x1b[31m",
    fingerprint="0123456789ab",
    at_ms=1_000,
    attempts=3,
    function="orders",
    log_group=GROUPS[0],
    log_stream="s",
    request_id="r",
    trace_id="t",
    permanent=False,
    evidence=Evidence.REQUEST,
)
WRONG_TYPES = '{"type": 1, "message": [], "fingerprint": "f", "at_ms": "soon", "attempts": 1}'
OTHER = Reason(type="KeyError", message="", fingerprint="ba9876543210", at_ms=2_000, attempts=1)


@pytest.fixture
def clock() -> FakeClock:
    """Return a clock that a test moves."""
    return FakeClock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return where the cache is to be, in a folder that is not there yet."""
    return tmp_path / "state" / FILE_NAME


@pytest.fixture
def cache(path: Path, clock: FakeClock) -> Iterator[Lookups]:
    """Return an empty cache."""
    made = Lookups(path, clock)
    yield made
    made.close()


def test_a_reason_is_remembered_in_every_field(cache: Lookups, path: Path, clock: FakeClock) -> None:
    """By the next command, too, and however much later."""
    cache.put({"m-1": REASON, "m-2": OTHER}, log_groups=GROUPS)
    cache.close()
    clock.sleep(365 * 86_400)
    again = Lookups(path, clock)
    assert again.get(["m-1", "m-2", "m-3"], log_groups=GROUPS) == {"m-1": REASON, "m-2": OTHER}
    assert again.note is None
    again.close()


def test_another_choice_of_logs_is_another_question(cache: Lookups) -> None:
    """Their order, and one that is named twice, make none."""
    cache.put({"m-1": REASON}, log_groups=GROUPS)
    assert cache.get(["m-1"], log_groups=GROUPS[:1]) == {}
    assert cache.get(["m-1"], log_groups=[*reversed(GROUPS), GROUPS[0]]) == {"m-1": REASON}


def test_that_nothing_was_found_counts_once_the_log_cannot_grow_any_more(cache: Lookups, clock: FakeClock) -> None:
    """The message is dead since the first look at the latest; a line may come as late as an invocation is long."""
    for waited_s in (0, SETTLED_MS / 1_000 - 1):
        clock.sleep(waited_s)
        cache.put({}, ["m-1"], log_groups=GROUPS)
        assert cache.get(["m-1"], log_groups=GROUPS) == {}
    clock.sleep(1)
    assert cache.get(["m-1"], log_groups=GROUPS) == {}, "nobody has looked since"
    cache.put({}, ["m-1"], log_groups=GROUPS)
    assert cache.get(["m-1"], log_groups=GROUPS) == {"m-1": None}


def test_a_reason_stands_against_a_later_look_in_vain(cache: Lookups, clock: FakeClock) -> None:
    """The log has forgotten by then; a newer reason takes its place."""
    cache.put({}, ["m-1"], log_groups=GROUPS)
    cache.put({"m-1": REASON}, log_groups=GROUPS)
    clock.sleep(SETTLED_MS)
    cache.put({}, ["m-1"], log_groups=GROUPS)
    assert cache.get(["m-1"], log_groups=GROUPS) == {"m-1": REASON}
    cache.put({"m-1": OTHER}, ["m-1"], log_groups=GROUPS)
    assert cache.get(["m-1"], log_groups=GROUPS) == {"m-1": OTHER}


def test_many_are_asked_for_at_once(cache: Lookups) -> None:
    """More than a statement of SQLite takes parameters."""
    cache.put({f"m-{number}": REASON for number in range(2_500)}, log_groups=GROUPS)
    assert len(cache.get([f"m-{number}" for number in range(0, 5_000, 2)], log_groups=GROUPS)) == 1_250


def test_the_oldest_answers_go(cache: Lookups, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """As many as are too many; one that was looked up again is new."""
    monkeypatch.setattr(lookups, "MOST_ROWS", 3)
    for number in (0, 1, 2, 0, 3):
        clock.sleep(1)
        cache.put({f"m-{number}": REASON}, log_groups=GROUPS)
    assert set(cache.get([f"m-{number}" for number in range(4)], log_groups=GROUPS)) == {"m-0", "m-2", "m-3"}


def test_only_its_owner_reads_it(cache: Lookups, path: Path) -> None:
    """Reasons quote what consumers said of messages."""
    cache.put({"m-1": REASON}, log_groups=GROUPS)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert {stat.S_IMODE(each.stat().st_mode) for each in path.parent.iterdir()} == {0o600}


def test_nothing_is_opened_for_nothing(cache: Lookups, path: Path) -> None:
    """A command that has nothing to look up leaves no file."""
    assert cache.get([], log_groups=GROUPS) == {}
    cache.put({}, [], log_groups=GROUPS)
    assert not path.exists()


def broken_file(path: Path) -> None:
    """Put a file there that is no database."""
    path.write_bytes(b"this is no database, however long one reads in it" * 100)


def broken_table(path: Path) -> None:
    """Put a database there whose table is another one."""
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE lookups (message_id TEXT, looked_at_ms INTEGER)")
    database.close()


def a_folder(path: Path) -> None:
    """Put a folder where the file should be."""
    path.mkdir()


@pytest.mark.parametrize("spoil", [broken_file, broken_table, a_folder])
def test_a_cache_that_cannot_be_used_is_done_without(
    spoil: object, path: Path, clock: FakeClock, recwarn: pytest.WarningsRecorder
) -> None:
    """Nothing is raised; one note says it, without what stands in the file."""
    path.parent.mkdir(parents=True)
    assert callable(spoil)
    spoil(path)
    cache = Lookups(path, clock)
    assert cache.get(["m-1"], log_groups=GROUPS) == {}
    cache.put({"m-1": REASON}, log_groups=GROUPS)
    assert cache.get(["m-1"], log_groups=GROUPS) == {}
    assert cache.note is not None
    assert str(path) in cache.note
    assert "ValueError" not in cache.note
    cache.close()


def test_a_folder_that_cannot_be_made_is_done_without(tmp_path: Path, clock: FakeClock) -> None:
    """A file stands where the state directory should be."""
    (tmp_path / "state").write_text("a file")
    cache = Lookups(tmp_path / "state" / FILE_NAME, clock)
    cache.put({"m-1": REASON}, log_groups=GROUPS)
    assert cache.get(["m-1"], log_groups=GROUPS) == {}
    assert cache.note is not None


@pytest.mark.parametrize(
    "text", ["nonsense", "[]", "3", '{"type": "x"}', '{"evidence": "hearsay"}', "null", WRONG_TYPES]
)
def test_a_row_that_says_nothing_is_looked_up_again(text: str, cache: Lookups, path: Path) -> None:
    """Another version may have written it."""
    cache.put({"m-1": REASON, "m-2": REASON}, log_groups=GROUPS)
    with sqlite3.connect(path) as database:
        database.execute("UPDATE lookups SET reason = ? WHERE message_id = 'm-1'", (text,))
    database.close()
    assert cache.get(["m-1", "m-2"], log_groups=GROUPS) == {"m-2": REASON}


def test_a_field_that_a_later_version_added_is_passed_over(cache: Lookups, path: Path) -> None:
    """What is known of it is enough."""
    cache.put({"m-1": REASON}, log_groups=GROUPS)
    with sqlite3.connect(path) as database:
        database.execute("UPDATE lookups SET reason = json_set(reason, '$.colour', 'red')")
    database.close()
    assert cache.get(["m-1"], log_groups=GROUPS) == {"m-1": REASON}


def test_several_commands_share_it(path: Path, clock: FakeClock) -> None:
    """Each with a connection of its own, at the same time."""

    def work(number: int) -> bool:
        cache = Lookups(path, clock)
        cache.put({f"m-{number}": REASON}, log_groups=GROUPS)
        found = cache.get([f"m-{number}"], log_groups=GROUPS)
        cache.close()
        return found == {f"m-{number}": REASON} and cache.note is None

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(work, range(20)))
    cache = Lookups(path, clock)
    assert len(cache.get([f"m-{number}" for number in range(20)], log_groups=GROUPS)) == 20
    cache.close()


def test_what_is_only_probable_settles_as_late_as_nothing_found(cache: Lookups, clock: FakeClock) -> None:
    """A line that tells may come meanwhile; and a look-up in vain takes it back, but no reason that a line tells."""
    probable = replace(REASON, evidence=Evidence.TIME, message='"evidence": "line"')
    sure = replace(REASON, message='"evidence": "time"')
    cache.put({"m-1": probable, "m-2": probable, "m-3": sure}, log_groups=GROUPS)
    assert cache.get(["m-1", "m-2", "m-3"], log_groups=GROUPS) == {"m-3": sure}
    clock.sleep(SETTLED_MS / 1_000)
    cache.put({"m-1": probable}, ["m-2", "m-3"], log_groups=GROUPS)
    assert cache.get(["m-1", "m-2", "m-3"], log_groups=GROUPS) == {"m-1": probable, "m-2": None, "m-3": sure}
