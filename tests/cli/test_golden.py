"""What a person sees, word for word: the outputs are files in golden/, made anew with UPDATE_GOLDEN=1."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tests.cli.world import Ended, World, a_reason

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
    world.reasons[ids[1]] = a_reason("JSONDecodeError", "Expecting value: line 1 column 1 (char 0)")
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


def test_show(world: World, incident: list[str]) -> None:
    """One message in full, JSON laid out with its numbers as they were sent."""
    check("show-json", world, world.run("--workers", "1", "dlq", "show", incident[0]))
    check("show-text", world, world.run("--workers", "1", "dlq", "show", incident[1]))


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
