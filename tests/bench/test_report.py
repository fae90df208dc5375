"""The report says what was found and nothing else: who could not run, what was missed, and only ratios in its words."""

from __future__ import annotations

import re
from xml.etree import ElementTree as Xml

import pytest

from bench import report
from bench.chart import chart
from bench.contestants import BARE, BOTO, LEAN, LETTER, LOOP_16, MATCHES, Row, contestants, measure
from bench.goals import goals, pair
from bench.measure import Run
from bench.run import complaints, too_many_calls


def ran(*, per_s: float = 1000.0, cpu_us: float = 100.0, calls: int = 300, **book: int) -> Run:
    """Return a run that moved a thousand messages."""
    return Run(
        status=0,
        wall_s=1000 / per_s,
        whole_wall_s=1000 / per_s + 1,
        cpu_s=cpu_us / 1000,
        peak_mb=80,
        calls={"ReceiveMessage": calls},
        book={"messages": 1000, "matching": 1000, "deleted": 1000, **book},
        endpoint_cpu_s=0.1,
    )


def row(name: str, run: Run | None, *, match: float = 1.0, workers: int = 16, reason: str = "") -> Row:
    """Return a line of the table."""
    return Row(name=name, workers=workers, match=match, run=run, reason=reason)


GOOD = [
    row(BARE, ran(per_s=20_000, cpu_us=20), workers=64),
    row(BARE, ran(per_s=12_100, cpu_us=20), workers=32),
    row(LEAN, ran(per_s=16_000, cpu_us=40), workers=64),
    row(LEAN, ran(per_s=12_000, cpu_us=45), workers=32),
    row(LOOP_16, ran(per_s=2_500, cpu_us=300)),
    row(LEAN, ran(per_s=9_000, calls=700), match=0.3),
]
SLOW = ((BARE, 32, 4_000.0), (LEAN, 32, 3_900.0), (BARE, 64, 8_000.0), (LEAN, 64, 5_000.0))
FAST = {"journal": 1.0, "lane": 9.0, "start": 5.0}
LISTED = {100_000: Run(status=0, wall_s=0, whole_wall_s=9.0, cpu_s=5, peak_mb=140)}
HELP: list[dict[str, object]] = [
    {"name": "opstool dlq list --help", "ratio": 9.0},
    {"name": "opstool --help", "ratio": 2.0},
]


def test_every_goal_is_reached_where_its_numbers_are_good_enough() -> None:
    """The quickest run of opstool counts, against the rows of the same run."""
    assert {goal.verdict for goal in goals(GOOD, LISTED, FAST, HELP)} == {"reached"}


def test_every_goal_is_missed_where_they_are_not() -> None:
    """And says what was found."""
    bad = [
        row(BARE, ran(per_s=20_000)),
        row(LEAN, ran(per_s=9_000, cpu_us=100, calls=320)),
        row(LOOP_16, ran(cpu_us=300)),
        row(LEAN, ran(calls=810), match=0.3),
    ]
    listed = {100_000: Run(status=0, wall_s=0, whole_wall_s=11.0, cpu_s=5, peak_mb=151)}
    found = goals(bad, listed, {"journal": 3.0, "lane": 7.0}, [{"command": "opstool --help", "ratio": 3.5}])
    assert {goal.verdict for goal in found} == {"missed"}
    assert [goal.found for goal in found][:2] == [pytest.approx(9_000), pytest.approx(45)]


def test_what_was_not_measured_is_not_reached() -> None:
    """Nothing found is no success."""
    assert {goal.verdict for goal in goals([], {}, {}, [])} == {"not measured"}


def test_the_share_of_the_floor_is_that_of_a_size_that_is_quick_enough() -> None:
    """A few connections are easily kept busy: there it would look better than it is."""
    found = pair(GOOD)
    assert found is not None
    assert (found[0], found[1].per_s, found[2].per_s) == (64, pytest.approx(16_000), pytest.approx(20_000))
    slow = [row(name, ran(per_s=per_s), workers=size) for name, size, per_s in SLOW]
    assert (pair(slow) or (0,))[0] == 64  # where none is, the quickest


def test_whoever_could_not_run_stands_in_the_table_with_the_reason() -> None:
    """Nobody is left out in silence."""
    text = report.page(report.Results(rows=[*GOOD, row(LETTER, None, reason="not installed")]), ["a machine"])
    assert f"| {LETTER} | 16 | n/a: not installed |" in text


def test_the_summary_claims_ratios_only() -> None:
    """No rate and no time of a machine that the reader does not have."""
    (said,) = report.ratios(report.Results(rows=GOOD))
    assert "**6.4 times** what a boto3 loop with 16 threads moves, for **0.133 times** its processor time" in said
    assert not re.search(r"/s|µs|\bms\b|per second", said)


def test_the_page_says_what_it_does_not_model_and_where_it_was_made() -> None:
    """Throttling, tails, distance, FIFO and KMS; the machine and the command."""
    text = report.page(report.Results(rows=GOOD), ["command: `make bench`", "machine: 2 x Example"])
    limits = text.partition("## What it does not model")[2]
    assert all(word in limits for word in ("throttles", "tails", "Distance", "FIFO", "KMS"))
    assert "- machine: 2 x Example" in text


def test_rows_of_another_measurement_become_columns() -> None:
    """Each key is one, in the order in which they first appear."""
    found = report.records([{"command": "a|b", "ratio": 2.5}, {"command": "c", "imports": 7}])
    assert found.splitlines() == [
        "| command | ratio | imports |",
        "| --- | --- | --- |",
        "| a\\|b | 2.5 |  |",
        "| c |  | 7 |",
    ]


@pytest.mark.parametrize(("seconds", "words"), [(2.5, "2.5 s"), (0.106, "106 ms"), (3.15e-05, "31.5 µs")])
def test_seconds_are_told_in_the_unit_that_suits_them(seconds: float, words: str) -> None:
    """Nobody reads powers of ten."""
    assert report.records([{"seconds": seconds, "modules": None}]).splitlines()[-1] == f"| {words} |  |"


def test_the_chart_draws_each_bar_in_proportion() -> None:
    """From 0, the longest being the longest, with its number beside it."""
    drawn = Xml.fromstring(chart([("Rate", [("slow", 50.0, False), ("quick <us>", 200.0, True)])]))
    bars = [each for each in drawn.iter() if each.tag.endswith("rect")]
    widths = [float(each.attrib["width"]) for each in bars]
    assert widths[1] == pytest.approx(4 * widths[0], rel=0.01)
    assert [each.attrib["class"] for each in bars] == ["bar", "bar ours"]
    assert [each.text for each in drawn.iter() if each.tag.endswith("text")][1:] == ["slow", "50", "quick <us>", "200"]


def test_the_chart_is_readable_on_dark_pages_and_loads_nothing() -> None:
    """Colours for both; no font, script or picture of anybody else."""
    text = report.picture(GOOD)
    assert "prefers-color-scheme: dark" in text
    assert re.findall(r"https?://[^\"' )]+", text) == ["http://www.w3.org/2000/svg"]


def test_a_lost_message_fails_the_benchmark_and_a_slow_run_does_not(capsys: pytest.CaptureFixture[str]) -> None:
    """The status is about honesty: 0 whatever the numbers, 1 when the book does not balance."""
    assert complaints(report.Results(rows=[row(LEAN, ran(per_s=1))])) == 0
    assert complaints(report.Results(rows=[row(LOOP_16, ran(deleted_unsent=1))])) == 1
    assert "{'deleted_unsent': 1}" in capsys.readouterr().err
    assert complaints(report.Results(rows=[row(LEAN, ran(deleted=999))])) == 1


@pytest.mark.parametrize(("name", "status"), [(LEAN, 1), (BOTO, 1), (LETTER, 0)])
def test_only_what_is_ours_has_to_run(name: str, status: int) -> None:
    """A program of somebody else that cannot is a line of the table."""
    assert complaints(report.Results(rows=[row(name, None, reason="ended")])) == status


def test_the_short_run_holds_opstool_to_its_calls() -> None:
    """Calls a message do not depend on the machine, so a smoke check can hold them."""
    assert too_many_calls([row(LEAN, ran(calls=310)), row(LEAN, ran(calls=800), match=0.3)]) == 0
    assert too_many_calls([row(LEAN, ran(calls=400))]) == 1
    assert too_many_calls([row(LEAN, ran(calls=980), match=0.3)]) == 1
    assert too_many_calls([row(LOOP_16, ran(calls=980))]) == 0


def test_who_cannot_filter_is_said_to() -> None:
    """Without being started."""
    letter = next(each for each in contestants(1) if each.name == LETTER)
    assert measure(letter, MATCHES[-1]).reason == "cannot filter"
