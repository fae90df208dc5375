"""The pieces of the screen: escapes, widths, tables, numbers, bodies, progress."""

from __future__ import annotations

import io
import json
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opstool.cli import words
from opstool.cli.indent import indented
from opstool.cli.notices import Notices
from opstool.cli.progress import Progress, progress_line
from opstool.cli.screen import cut, safe, safe_lines, start_of, width_of
from opstool.cli.table import Cell, Column, table
from opstool.fake import FakeClock
from opstool.words.report import Outcome, Tally
from tests.cli.world import Terminal

ANY_TEXT = st.text(st.characters(codec=None))


@given(ANY_TEXT)
def test_safe_text_is_printable(text: str) -> None:
    """Whatever goes in, only printable characters come out."""
    assert safe(text).isprintable()
    assert all(line.isprintable() for line in safe_lines(text).split("\n"))


@given(ANY_TEXT, st.integers(0, 40))
def test_a_cut_text_fits(text: str, columns: int) -> None:
    """What is cut takes no more columns than there are, wide characters included."""
    assert width_of(start_of(text, columns)) <= columns
    assert width_of(cut(safe(text), columns)) <= columns


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("a\nb\r\tc", "a\\nb\\r\\tc"),
        ("\x1b[31m", "\\u001b[31m"),
        ("\x9b", "\\u009b"),
        ("\u202e", "\\u202e"),
        ("\ud800", "\\ud800"),
        ("\U000e0001", "\\U000e0001"),
        ("Jörg 東京", "Jörg 東京"),
    ],
    ids=ascii,
)
def test_what_cannot_be_printed_becomes_an_escape(text: str, shown: str) -> None:
    """Escapes are readable; letters of every language stay."""
    assert safe(text) == shown


def test_a_table_cuts_only_what_may_be_cut() -> None:
    """The widest flexible column gives way; ids stay whole even where the terminal is too narrow."""
    columns = [Column(title="ID", whole=True), Column(title="N", right=True, whole=True), Column(title="BODY")]
    rows = [[Cell(text="x" * 20), Cell(text="7"), Cell(text="b" * 100)]]
    lines = table(columns, rows, width=40, paint=lambda text, _: text)
    assert lines == ["ID                    N  BODY", f"{'x' * 20}  7  {'b' * 12}..."]
    assert "x" * 20 in table(columns, rows, width=10, paint=lambda text, _: text)[1]
    assert "b" * 100 in table(columns, rows, width=None, paint=lambda text, _: text)[1]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (59.9, "59s"), (60, "1m"), (3_725, "1h 2m"), (86_400, "1d"), (273_600, "3d 4h"), (-5, "0s")],
)
def test_durations_have_two_units(seconds: float, text: str) -> None:
    """A duration is told by its two largest units."""
    assert words.duration(seconds) == text


@pytest.mark.parametrize(
    ("usd", "text"), [(0.0, "less than $0.01"), (0.0003, "less than $0.01"), (0.1234, "$0.12"), (1234.5, "$1,234.50")]
)
def test_money_has_digits_that_matter(usd: float, text: str) -> None:
    """Nobody decides by a thousandth of a cent."""
    assert words.money(usd) == text


def test_counts_say_approximately() -> None:
    """A count that SQS only estimates is called approximate; one is singular."""
    assert words.count(1, "message") == "1 message"
    assert words.count(1_200, "message", exact=False) == "approximately 1,200 messages"


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(st.lists(JSON_VALUES) | st.dictionaries(st.text(), JSON_VALUES), st.sampled_from([None, 1]))
def test_a_body_laid_out_is_the_same_json(value: object, indent: int | None) -> None:
    """Laying out adds and takes away blanks only."""
    text = "\n".join(indented(json.dumps(value, indent=indent)))
    assert json.loads(text) == value


def test_a_body_laid_out_keeps_numbers_and_double_keys() -> None:
    """Numbers are not rewritten, and of two equal keys none is lost."""
    assert list(indented('{"a": 1.50, "a": 1e5, "b": [], "c": {}}')) == [
        "{",
        '  "a": 1.50,',
        '  "a": 1e5,',
        '  "b": [],',
        '  "c": {}',
        "}",
    ]


def test_what_is_no_json_stays_as_it_is() -> None:
    """Text, broken JSON and bare values are shown line by line."""
    for body in ("a\nb", "{broken", '"just a text"', "17", ""):
        assert list(indented(body)) == body.split("\n")


def test_a_deep_body_stays_small() -> None:
    """A thousand levels do not become a gigabyte of blanks."""
    body = "[" * 500 + "1," * 10_000 + "1" + "]" * 500
    assert sum(map(len, indented(body))) < 100 * len(body)


def a_tally(received: int, decided: int) -> Tally:
    """Return a tally with so many messages."""
    tally = Tally()
    for number in range(received):
        tally.received(str(number))
    tally.decide(map(str, range(decided)), Outcome.SUCCEEDED)
    return tally


def test_a_progress_line_has_count_rate_and_time_left() -> None:
    """While sending, what is decided counts; while looking, what was received."""
    line = progress_line("redrive", a_tally(200, 100), 400, 10.0)
    assert line == "redrive [######..................] 100 of approximately 400 messages, 10/s, about 30s left"
    assert "200 of approximately 400 messages, 20/s" in progress_line("looking", a_tally(200, 0), 400, 10.0)
    assert progress_line("waiting", a_tally(3, 3), None, 75.0) == "waiting: 1m 15s"
    assert "left" not in progress_line("redrive", a_tally(0, 0), 0, 0.0)


def test_a_terminal_shows_progress_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bar is there before anything has happened, and is gone at the end."""
    screen = Terminal(terminal=True)
    monkeypatch.setattr("sys.stderr", screen)
    with Progress(Notices(), FakeClock()).watch("redrive", a_tally(0, 0), 10):
        assert "0 of approximately 10 messages" in screen.text
    assert screen.text.endswith("\r\x1b[K")


def test_a_changing_line_fits_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line that wraps would leave its first row behind at each redraw."""
    screen = Terminal(terminal=True)
    monkeypatch.setattr("sys.stderr", screen)
    monkeypatch.setenv("COLUMNS", "80")
    Notices().transient("x" * 200)
    assert screen.text == "x" * 79


def test_elsewhere_a_line_comes_every_ten_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    """A log gets whole lines, the first after ten seconds."""
    log = Terminal()
    monkeypatch.setattr("sys.stderr", log)
    clock = FakeClock()
    with Progress(Notices(), clock).watch("redrive", a_tally(5, 5), 10):
        clock.advance(9)
        assert log.text == ""
        clock.advance(12)
    assert [line.split(" [")[0] for line in log.text.splitlines()] == ["redrive", "redrive"]


def test_quiet_shows_no_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    """--quiet is quiet on a terminal too."""
    screen = Terminal(terminal=True)
    monkeypatch.setattr("sys.stderr", screen)
    with Progress(Notices(quiet=True), FakeClock()).watch("redrive", a_tally(0, 0), 10):
        pass
    assert screen.text == ""


def test_notices_survive_a_closed_stderr(monkeypatch: pytest.MonkeyPatch) -> None:
    """When nobody listens on stderr, the work goes on."""
    gone = io.StringIO()
    gone.close()
    monkeypatch.setattr("sys.stderr", gone)
    Notices().line("unheard")


def test_notices_of_many_threads_do_not_mix(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines of several threads stay whole."""
    log = Terminal()
    monkeypatch.setattr("sys.stderr", log)
    notices = Notices()
    threads = [threading.Thread(target=lambda: [notices.line("x" * 50) for _ in range(50)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(log.text.splitlines()) == {"x" * 50}
