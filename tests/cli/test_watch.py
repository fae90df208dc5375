"""`dlq watch` as a person and a script see it: redrawn in place, line by line, or as documents; and how it ends."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from opstool.cli.main import main
from opstool.cli.redraw import Redraw
from opstool.cli.sparkline import BLOCKS
from opstool.fake import Faults, throttled
from tests.cli.test_golden import check
from tests.cli.world import Terminal, World

DEPTH = {"version", "type", "queue", "at", "depth", "in_flight", "delayed", "change", "rate_per_minute", "move_task"}
DEPTH |= {"moved", "to_move", "emptied", "error"}
_CONTROL = re.compile(r"\x1b\[(\d*)([AJ])|(\r)|(\n)|([^\x1b\r\n])")


class Script(Faults):
    """Does something before each look at the queue, by the number of the look; after the last, Ctrl-C is pressed."""

    def __init__(self, *acts: Callable[[], Any] | None, tasks: Sequence[Mapping[str, Any]] = ()) -> None:
        self._acts = list(acts)
        self._tasks = list(tasks)
        self._asks = False

    def before(self, operation: str, request: Mapping[str, Any]) -> None:
        """Act."""
        if operation == "ListDeadLetterSourceQueues":
            self._asks = True
        elif operation == "GetQueueAttributes" and request["QueueUrl"].endswith("/orders-dlq") and self._asks:
            if not self._acts:
                raise KeyboardInterrupt
            act = self._acts.pop(0)
            if act:
                act()

    def after(self, operation: str, request: Mapping[str, Any], response: dict[str, Any]) -> dict[str, Any]:
        """Tell of move tasks."""
        if operation == "ListMessageMoveTasks" and self._tasks:
            return {"Results": [self._tasks.pop(0)]}
        return response


def direct(world: World, *acts: Callable[[], Any] | None, **options: Any) -> None:
    """Let these things happen, each before one look."""
    world.sqs.faults = Script(*acts, **options)


def sending(world: World, number: int) -> Callable[[], None]:
    """Return the act of sending so many messages into the DLQ."""

    def act() -> None:
        for _ in range(number):
            world.send(world.dlq, "x")

    return act


def failing() -> None:
    """Be throttled."""
    raise throttled("GetQueueAttributes")


def shown(text: str, columns: int) -> list[str]:
    """Return the rows that a terminal of this width shows in the end, and no trace of what was erased."""
    rows, row, column = [""], 0, 0
    for count, command, back, end, char in _CONTROL.findall(text):
        if command == "A":
            row = max(0, row - int(count or 1))
        elif command == "J":
            rows = [*rows[:row], rows[row][:column]]
        elif back:
            column = 0
        elif end:
            row, column = row + 1, 0
        else:
            if column == columns:
                row, column = row + 1, 0
            rows += [""] * (row + 1 - len(rows))
            rows[row] = rows[row][:column].ljust(column) + char + rows[row][column + 1 :]
            column += 1
        rows += [""] * (row + 1 - len(rows))
    return [each.rstrip() for each in rows if each.strip()]


def test_a_terminal_shows_one_block_redrawn_in_place(world: World) -> None:
    """Counts, rate, the running task and the depth over time; what is left in the end is the last state."""
    task = {"Status": "RUNNING", "ApproximateNumberOfMessagesMoved": 2, "ApproximateNumberOfMessagesToMove": 40}
    direct(world, sending(world, 1), sending(world, 3), sending(world, 4), tasks=[{}, task])
    ended = world.run("dlq", "watch", terminal=True, columns=80)
    assert ended.status == 0
    head, counts, graph = shown(ended.out, 80)
    assert head == "orders-dlq  08:00:10 UTC  every 5 s, Ctrl-C ends"
    assert counts == "depth ~8  in flight ~0  change +4  +42.0/min"
    assert graph == BLOCKS[0] + BLOCKS[3] + BLOCKS[7]
    assert "move task RUNNING, moved ~2 of ~40" in ended.out
    assert "\x1b[?" not in ended.out, "no other screen, no hidden cursor"
    assert ended.out.endswith("\n")


@pytest.mark.parametrize("columns", [1, 8, 20, 40, 200])
def test_no_line_is_wider_than_the_terminal(world: World, columns: int) -> None:
    """A line that wraps would be left behind at the next redraw."""
    direct(world, *[sending(world, 1)] * 6)
    out = world.run("dlq", "watch", terminal=True, columns=columns).out
    assert max(len(line) for line in re.sub(r"\x1b\[\d*[AJ]|\r", "", out).splitlines()) <= max(1, columns - 1)
    assert len(shown(out, columns)) <= 3


@pytest.mark.parametrize("then", [20, 40, 160], ids=["much narrower", "narrower", "wider"])
def test_a_terminal_may_be_resized(monkeypatch: pytest.MonkeyPatch, then: int) -> None:
    """What has been wrapped by a narrower terminal is erased whole."""
    stream = Terminal(terminal=True)
    monkeypatch.setattr(sys, "stdout", stream)
    monkeypatch.setenv("COLUMNS", "80")
    redraw = Redraw()
    assert redraw.draw(["a" * 70, "b" * 30])
    first = stream.text
    monkeypatch.setenv("COLUMNS", str(then))
    assert redraw.draw(["c", "d"])
    assert shown(first + stream.text[len(first) :], then) == ["c", "d"]


def test_a_low_terminal_shows_as_much_as_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Going up stops at the first row: more lines than rows could not be erased."""
    stream = Terminal(terminal=True)
    monkeypatch.setattr(sys, "stdout", stream)
    monkeypatch.setenv("LINES", "3")
    Redraw().draw(["a", "b", "c", "d"])
    assert stream.text == "a\nb\n"


def test_what_passes_is_shown_and_gone_afterwards(world: World) -> None:
    """The line about it is erased with the rest."""
    direct(world, None, failing)
    ended = world.run("dlq", "watch", terminal=True, columns=80)
    assert shown(ended.out, 80)[-1] == "no new counts: `GetQueueAttributes` was throttled"
    direct(world, None, failing, None)
    assert not any("no new counts" in each for each in shown(world.run("dlq", "watch", terminal=True).out, 80))


def test_a_pipe_gets_a_line_when_something_changes(world: World) -> None:
    """And one a minute, so that silence does not look like death."""
    quiet = [None] * 13
    direct(world, sending(world, 2), *quiet, failing, sending(world, 1), *quiet[:2])
    check("watch-piped", world, world.run("dlq", "watch"))


def test_a_dumb_terminal_gets_lines_too(world: World) -> None:
    """It cannot go back."""
    world.patch.setenv("TERM", "dumb")
    direct(world, None, sending(world, 1))
    out = world.run("dlq", "watch", terminal=True).out
    assert "\x1b" not in out
    assert len(out.splitlines()) == 2


def test_json_lines_are_a_document_each_interval(world: World) -> None:
    """Changed or not; and a report at the end."""
    direct(world, sending(world, 1), None, failing)
    ended = world.run("dlq", "watch", "--interval", "30", "--output", "jsonl")
    *depths, report = ended.lines
    assert [set(each) for each in depths] == [DEPTH] * 3
    assert [(each["type"], each["depth"], each["change"], each["error"]) for each in depths] == [
        ("depth", 1, None, None),
        ("depth", 1, 0, None),
        ("depth", 1, None, "throttled"),
    ]
    assert depths[1]["at"] == "2027-01-15T08:00:30.000Z"
    assert (report["type"], report["verb"], ended.status) == ("report", "watch", 0)


def test_one_json_document_needs_an_end(world: World) -> None:
    """A document that never ends is none."""
    refused = world.run("dlq", "watch", "--output", "json")
    assert (refused.status, refused.document["code"]) == (2, "usage")
    document = world.run("dlq", "watch", "--for", "10s", "--output", "json").document
    assert set(document) == {"version", "type", "queue", "emptied", "readings", "last"}
    assert (document["type"], document["readings"], set(document["last"])) == ("watch", 3, DEPTH)


def test_until_empty_ends_with_0_when_it_is_empty(world: World) -> None:
    """For scripts."""
    ended = world.run("dlq", "watch", "--until-empty")
    assert (ended.status, len(ended.out.splitlines())) == (0, 1)
    assert '"orders-dlq" is empty, as far as SQS tells' in ended.err
    assert world.run("dlq", "watch", "--until-empty", "--output", "json").document["emptied"] is True


def test_not_empty_by_then_is_status_3(world: World) -> None:
    """Without --until-empty the end of the time is an end like any other."""
    world.kill("dead")
    assert world.run("dlq", "watch", "--until-empty", "--for", "20s").status == 3
    assert world.run("dlq", "watch", "--for", "20s").status == 0


@pytest.mark.parametrize(("option", "status"), [([], 0), (["--for", "1h"], 0), (["--until-empty"], 130)])
@pytest.mark.parametrize("form", ["text", "jsonl"])
def test_ctrl_c_ends_it(world: World, form: str, option: list[str], status: int) -> None:
    """It is the way to end a watch; but a script that waits for empty must not take it for that."""
    world.kill("dead")
    direct(world, None, None)
    ended = world.run("dlq", "watch", *option, "--output", form)
    assert (ended.status, ended.err) == (status, "")
    assert ended.out


def test_a_source_queue_leads_to_its_dlq(world: World) -> None:
    """And it is said."""
    ended = world.run("dlq", "watch", "orders", "--for", "1s")
    assert '"orders" is a source queue; watching "orders-dlq"' in ended.err


@pytest.mark.parametrize("argv", [["--interval", "0.5"], ["--interval", "x"], ["--for", "10"], ["--interval", "nan"]])
def test_times_that_are_none_are_wrong_usage(world: World, argv: list[str]) -> None:
    """Before anything is watched."""
    assert world.run("dlq", "watch", *argv).status == 2


class Closed(Terminal):
    """A pipe whose reader has gone away after so many lines."""

    def __init__(self, lines: int) -> None:
        super().__init__()
        self.left = lines
        self._fd = os.open(os.devnull, os.O_WRONLY)

    def write(self, text: str) -> int:
        """Take the line, or break."""
        self.left -= 1
        if self.left < 0:
            raise BrokenPipeError
        return super().write(text)

    def fileno(self) -> int:
        """Return a descriptor that may be pointed elsewhere."""
        return self._fd


@pytest.mark.parametrize(("option", "looks"), [([], 3), (["--until-empty", "--for", "1h"], 30)])
def test_a_reader_who_goes_away_ends_it_quietly(
    world: World, monkeypatch: pytest.MonkeyPatch, option: list[str], looks: int
) -> None:
    """`| head` has seen enough; but who waits for empty still waits for it."""
    world.kill("dead")
    number = 0

    def count() -> None:
        nonlocal number
        number += 1
        world.send(world.dlq, "x")

    direct(world, *[count] * 30)
    stream = Closed(2)
    monkeypatch.setattr(sys, "stdout", stream)
    monkeypatch.setattr(sys, "stderr", Terminal())
    status = main(["--state-dir", str(world.state_dir), "dlq", "watch", *option], connect=world.connect)
    assert (status, number) == (0 if looks == 3 else 130, looks)
    os.close(stream.fileno())


def test_the_documents_are_ascii(world: World) -> None:
    """As every document."""
    out = world.run("dlq", "watch", "--for", "1s", "--output", "jsonl").out
    assert out.isascii()
    assert all(json.loads(line) for line in out.splitlines())
