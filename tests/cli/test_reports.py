"""A report as people read it."""

from __future__ import annotations

from pathlib import Path

import pytest

from opstool.cli.account import report_lines
from opstool.words.report import Counts, Report, Status
from tests.cli.world import World


@pytest.mark.parametrize(
    ("ids", "line"),
    [
        (("a", "b"), "  2 possibly sent twice: a, b"),
        (tuple("abcdefg"), "  7 possibly sent twice: a, b, c, d, e and 2 more"),
        (("\x1b[31m",), "  1 possibly sent twice: \\u001b[31m"),
    ],
    ids=["few", "many", "hostile"],
)
def test_what_may_be_there_twice_is_counted_and_named(ids: tuple[str, ...], line: str) -> None:
    """Whoever has to look at the target for doubles knows which."""
    report = Report(
        run_id="r",
        verb="redrive",
        queue="orders-dlq",
        target="orders",
        status=Status.DONE,
        counts=Counts(received=9, succeeded=9),
        possibly_sent_twice_ids=ids,
    )
    assert line in list(report_lines(report))


def test_what_a_run_could_not_leave_as_it_was_is_said_once(world: World) -> None:
    """In words beside the report, and not what the plan has said before."""
    world.kill("take", "leave")
    world.fail("ChangeMessageVisibilityBatch", "AccessDenied")
    end = world.run("dlq", "redrive", "orders-dlq", "--body-contains", "take", "--yes")
    assert end.status == 0
    assert end.err.count("note: 1 messages could not be released") == 1
    assert end.err.count("a colleague's runs are in a journal of their own") == 1


@pytest.mark.parametrize("to", [(), ("--to-file", "copy.jsonl")], ids=["stdout", "file"])
def test_what_an_export_could_not_leave_as_it_was_is_said_once(
    world: World, to: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There was no plan to say it in."""
    monkeypatch.chdir(tmp_path)
    world.kill("take")
    world.fail("ChangeMessageVisibilityBatch", "AccessDenied")
    end = world.run("dlq", "export", "orders-dlq", *to)
    assert end.status == 0
    assert end.err.count("1 messages could not be released") == 1
