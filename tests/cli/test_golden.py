"""What a person sees, word for word: the outputs are files in golden/, made anew with UPDATE_GOLDEN=1."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from opstool.words.reason import Evidence, Reasons
from opstool.words.story import Story
from tests.cli.stories import DIED_MS, a_line, a_story
from tests.cli.world import LOG_GROUP, Ended, World, a_reason

TWO_DAYS_MS = 2 * 86_400_000
GOLDEN = Path(__file__).parent / "golden"
_RUN_ID = re.compile(r"\d{8}-\d{6}-[0-9a-f]{6}")


def check(name: str, world: World, ended: Ended) -> None:
    """Compare both streams with the file of that name."""
    text = f"status {ended.status}\n--- stdout\n{ended.out}--- stderr\n{ended.err}"
    text = _RUN_ID.sub("RUN", text.replace(str(world.state_dir), "STATE"))
    file = GOLDEN / f"{name}.txt"
    if os.environ.get("UPDATE_GOLDEN"):
        file.write_text(text, encoding="utf-8")
    assert text == file.read_text(encoding="utf-8")


@pytest.fixture
def incident(world: World) -> list[str]:
    """Let three messages die over three days, the oldest with little time left, and one for a known reason."""
    retention = {"QueueUrl": world.dlq, "Attributes": {"MessageRetentionPeriod": "345600"}}
    world.sqs("SetQueueAttributes", retention)
    ids = world.kill('{"order": 1, "total": 12.50, "lines": [], "customer": {"id": 17, "name": "J\\u00f6rg"}}')
    world.clock.advance(2 * 86_400)
    ids += world.kill(
        "not JSON at all\nbut two lines", MessageAttributes={"tenant": {"DataType": "String", "StringValue": "acme"}}
    )
    world.clock.advance(1.2 * 86_400)
    ids += world.kill('{"order": 3}')
    world.reasons[ids[0]] = a_reason()
    later = replace(
        a_reason("JSONDecodeError", "Expecting value: line 1 column 1 (char 0)"), at_ms=DIED_MS + TWO_DAYS_MS
    )
    world.reasons[ids[1]] = later
    return ids


def test_queues(world: World, incident: list[str]) -> None:
    """The overview of the account."""
    world.make_queue("payments-dlq")
    world.make_queue("payments", RedrivePolicy=world.policy("payments-dlq", 5))
    world.make_queue("refunds", RedrivePolicy=world.policy("payments-dlq", 3))
    check("queues", world, world.run("dlq", "queues"))


@pytest.mark.parametrize("columns", [80, 160])
def test_list_on_a_terminal(world: World, incident: list[str], columns: int) -> None:
    """The list fits the terminal; ids are whole."""
    ended = world.run("--workers", "1", "dlq", "list", terminal=True, columns=columns)
    err = ended.err.split("\r\x1b[K")[-1]
    check(f"list-{columns}", world, Ended(ended.status, ended.out, err))
    assert all(each in ended.out for each in incident)


def test_list_in_a_pipe(world: World, incident: list[str]) -> None:
    """Without a terminal nothing depends on a width."""
    check("list-piped", world, world.run("--workers", "1", "dlq", "list"))


def test_list_in_colour(world: World, incident: list[str]) -> None:
    """What expires within a day is red, within three yellow; the time itself stands there too."""
    world.patch.delenv("NO_COLOR")
    world.patch.setenv("TERM", "xterm-256color")
    out = world.run("--workers", "1", "dlq", "list", terminal=True, columns=160).out
    assert "\x1b[31m19h 11m\x1b[0m" in out
    assert "\x1b[33m2d 19h\x1b[0m" in out
    assert "\x1b" not in world.run("dlq", "list", "--no-color", terminal=True).out


def show(world: World, name: str, message_id: str, story: Story, *, columns: int | None = None) -> None:
    """Compare what `show` says of a message of which the log tells that story; on a terminal when it has columns."""
    world.patch.setattr("opstool.verbs.show.story_of", lambda *_: story)
    argv = ("--workers", "1", "dlq", "show", message_id)
    ended = world.run(*argv, terminal=True, columns=columns) if columns else world.run(*argv)
    check(name, world, Ended(ended.status, ended.out, ended.err.split("\r\x1b[K")[-1]))
    assert columns is None or all(len(line) <= columns for line in ended.out.splitlines() if line.startswith("    "))


@pytest.mark.parametrize("columns", [80, 160])
def test_show(world: World, incident: list[str], columns: int) -> None:
    """One message in full, JSON laid out with its numbers as they were sent, what the log tells cut to the width."""
    show(world, f"show-json-{columns}", incident[0], a_story(), columns=columns)
    show(world, f"show-text-{columns}", incident[1], Story(), columns=columns)


def test_show_without_a_log_line(world: World, incident: list[str]) -> None:
    """That no line was found is a finding, and the metrics tell which of three it was."""
    story = Story(functions=("orders-consumer",), lines=(a_line("INIT_START Runtime Version: python:3.13\n"),))
    show(world, "show-no-log-line", incident[2], story)


def test_show_with_a_log_that_cannot_be_read(world: World, incident: list[str]) -> None:
    """Why is said once, beside the reason that is missing."""
    why = f"the log group `{LOG_GROUP}` may not be read"
    unread = Reasons(unread=frozenset(incident), notes=(why,))
    world.patch.setattr("opstool.verbs.show.look_into", lambda *_, **__: SimpleNamespace(reasons=unread))
    show(world, "show-unknown", incident[2], Story(notes=(why,)))


def test_show_with_a_reason_that_is_only_probable(world: World, incident: list[str]) -> None:
    """A reason that was told by time is marked, on the list too."""
    world.reasons[incident[2]] = replace(a_reason(), evidence=Evidence.TIME, permanent=True)
    show(world, "show-probable", incident[2], Story())
    assert "probably ValueError: no such customer" in world.run("dlq", "list").out


def test_show_with_lineage(world: World, incident: list[str]) -> None:
    """A message that came back twice, from which runs, and with which ids before."""
    ids, dead = {}, incident[0]
    for note in ("first", "second"):
        world.run("--workers", "1", "dlq", "redrive", "--id", dead, "--yes")
        world.kill()
        listed = world.run("--workers", "1", "dlq", "list", "--output", "json").document["messages"]
        [dead] = [each["message_id"] for each in listed if '"order": 1' in each["body"]]
        ids[dead] = note.upper()
        world.clock.advance(60)
    world.patch.setattr("opstool.verbs.show.story_of", lambda *_: Story())
    ended = world.run("--workers", "1", "dlq", "show", dead)
    out, err = ended.out, ended.err
    for new_id, name in ids.items():
        out, err = out.replace(new_id, f"{name}-NEW-ID"), err.replace(new_id, f"{name}-NEW-ID")
    check("show-lineage", world, Ended(ended.status, out, err))


def test_redrive(world: World, incident: list[str]) -> None:
    """A plan, and the report after it."""
    check("redrive-dry-run", world, world.run("--workers", "1", "dlq", "redrive", "--older-than", "1d", "--dry-run"))
    check("redrive", world, world.run("--workers", "1", "dlq", "redrive", "--yes", "--limit", "2"))


def test_purge_and_import(world: World, incident: list[str]) -> None:
    """A purge with its archive, and the archive brought back."""
    check("purge", world, world.run("--workers", "1", "dlq", "purge", "--confirm", "orders-dlq"))
    [archive] = (world.state_dir / "archives").iterdir()
    check("import", world, world.run("--workers", "1", "dlq", "import", str(archive), "--yes"))
    check("import-again", world, world.run("--workers", "1", "dlq", "import", str(archive), "--yes"))


def test_history(world: World, incident: list[str]) -> None:
    """The runs, and one of them."""
    world.run("--workers", "1", "dlq", "redrive", "--id", incident[0], "--yes", "--note", "ticket 4711")
    check("history", world, world.run("history"))
    run = world.run("history", "--output", "json").document["runs"][0]["run_id"]
    ended = world.run("history", run)
    out = re.sub(r"( on ).*", r"\1HOST", re.sub(r"[0-9a-f-]{36}(?=  orders)", "NEW-ID" + " " * 30, ended.out))
    check("history-run", world, Ended(ended.status, out, ended.err))


def test_send_test_batch(world: World) -> None:
    """Test messages on their way."""
    check("send-test-batch", world, world.run("send-test-batch", "--poison", "3"))


@pytest.mark.parametrize("command", ["", "dlq", "dlq redrive", "dlq list", "send-test-batch", "local start"])
def test_help(world: World, command: str) -> None:
    """Help fits 80 columns."""
    ended = world.run(*command.split(), "--help", columns=80)
    check(f"help-{command.replace(' ', '-') or 'opstool'}", world, ended)
    assert max(map(len, ended.out.split("Examples:")[0].splitlines())) <= 80
