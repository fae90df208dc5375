"""The audit of every run: who, when, from where, why, what was selected, and how it ended; a team may insist on why."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest

from opstool import __version__
from opstool.words.note import MOST_CHARACTERS
from opstool.words.who import Who
from tests.cli.world import World

CHANGING = [
    ["dlq", "redrive", "--yes"],
    ["dlq", "purge", "--confirm", "orders-dlq"],
    ["dlq", "import", "archive.jsonl", "--yes"],
    ["resume", "2027", "--yes"],
    ["dlq", "extend", "--yes"],
    ["consumer", "pause", "--yes"],
    ["consumer", "resume", "--yes"],
    ["send-test-batch"],
    ["dlq", "move-tasks", "--cancel", "--yes"],
]
AUDIT = {"who", "account", "why_unknown", "host", "user", "pid", "opstool", "region", "endpoint_url", "selection"}
AUDIT |= {"selection_sha256", "to", "resumed"}


def the_run(world: World) -> str:
    """Return the id of the latest run."""
    return str(world.run("history", "--output", "json").document["runs"][0]["run_id"])


def test_a_run_is_told_with_who_when_where_why_what_and_how_it_ended(world: World) -> None:
    """In the list of the runs as in the one run, as JSON; the text shows the same."""
    world.kill("a")
    world.run("dlq", "redrive", "--yes", "--body-contains", "a", "--note", "ticket 4711")
    [listed] = world.run("history", "--output", "json").document["runs"]
    told = world.run("history", listed["run_id"], "--output", "json").document["run"]
    audit = told["audit"]
    assert (told, set(audit)) == (listed, AUDIT)
    assert (audit["who"], audit["account"]) == ("arn:aws:iam::123456789012:user/somebody", "123456789012")
    assert (audit["pid"], audit["opstool"], audit["region"]) == (os.getpid(), __version__, "us-east-1")
    canonical = json.dumps({"body_contains": "a"})
    assert audit["selection"] == "--body-contains a"
    assert audit["selection_sha256"] == hashlib.sha256(canonical.encode()).hexdigest()
    assert (told["note"], told["report"]["succeeded"]) == ("ticket 4711", 1)
    text = world.run("history", listed["run_id"]).out
    for word in ("ticket 4711", audit["who"], audit["host"], f"opstool {__version__}", audit["selection_sha256"]):
        assert word in text


def test_who_is_unknown_is_told_with_why(world: World) -> None:
    """A server without STS is no reason to stop, and the journal says what it does not know."""
    world.on_connect = lambda kit: setattr(kit, "who", lambda: Who(why_unknown="there is no sts here"))
    world.kill("a")
    assert world.run("dlq", "redrive", "--yes").status == 0
    audit = world.run("history", the_run(world), "--output", "json").document["run"]["audit"]
    assert (audit["who"], audit["account"], audit["why_unknown"]) == ("unknown", None, "there is no sts here")
    assert "unknown (there is no sts here)" in world.run("history", the_run(world)).out


def test_who_resumes_a_run_is_kept_beside_who_began_it(world: World) -> None:
    """With time and note; the first execution's audit stays as it was."""
    world.kill("a")
    world.fail("SendMessageBatch", "AccessDenied", "no")
    world.run("dlq", "redrive", "--yes", "--note", "first")
    world.sqs.faults = type(world.sqs.faults).__base__()  # every door is open again
    run = the_run(world)
    world.on_connect = lambda kit: setattr(kit, "who", lambda: Who(arn="arn:another", account="123456789012"))
    assert world.run("resume", run, "--yes", "--note", "second").status == 0
    told = world.run("history", run, "--output", "json").document["run"]
    [resumed] = told["audit"]["resumed"]
    assert (told["note"], told["audit"]["who"]) == ("first", "arn:aws:iam::123456789012:user/somebody")
    assert (resumed["note"], resumed["who"], resumed["at"][:4]) == ("second", "arn:another", "2027")
    assert "by arn:another" in world.run("history", run).out


@pytest.mark.parametrize("argv", CHANGING, ids=" ".join)
@pytest.mark.parametrize("note", [[], ["--note", " \n"]], ids=["none", "blank"])
def test_without_the_note_that_is_required_nothing_is_asked(world: World, argv: list[str], note: list[str]) -> None:
    """Status 4, before AWS is asked anything, for every verb that changes something."""
    world.patch.setenv("OPSTOOL_REQUIRE_NOTE", "1")
    ended = world.run(*argv, *note, "--output", "json")
    assert (ended.status, ended.document["code"], world.kits) == (4, "note_required", [])


def test_a_note_a_dry_run_and_a_look_need_no_more(world: World) -> None:
    """With --note it goes on; a dry run and whatever only looks want none."""
    world.patch.setenv("OPSTOOL_REQUIRE_NOTE", "1")
    world.kill("a")
    assert world.run("dlq", "redrive", "--dry-run").status == 0
    assert world.run("dlq", "list").status == 0
    assert world.run("dlq", "move-tasks").status == 0
    assert world.run("dlq", "redrive", "--yes", "--note", "ticket 4711").status == 0
    assert world.run("dlq", "redrive", "--yes", "--require-note").status == 4


@pytest.mark.parametrize(("answer", "status"), [("ticket 4711\ny\n", 0), ("\ny\n", 4), ("", 4)])
def test_a_person_is_asked_for_the_note(world: World, answer: str, status: int) -> None:
    """At a terminal, before anything else; an empty answer is none."""
    world.kill("a")
    ended = world.run("dlq", "redrive", "--require-note", stdin=answer, terminal=True)
    assert (ended.status, "why? " in ended.err) == (status, True)
    notes = [each["note"] for each in world.run("history", "--output", "json").document["runs"]]
    assert notes == (["ticket 4711"] if status == 0 else [])


def test_who_says_yes_is_not_asked_why(world: World) -> None:
    """A script at a terminal must not hang."""
    ended = world.run("dlq", "redrive", "--require-note", "--yes", stdin="why not\n", terminal=True)
    assert (ended.status, "why?" in ended.err) == (4, False)


@pytest.mark.parametrize("argv", CHANGING, ids=" ".join)
def test_a_note_has_its_bound(world: World, argv: list[str]) -> None:
    """What is longer is refused before AWS is asked anything."""
    ended = world.run(*argv, "--note", "x" * (MOST_CHARACTERS + 1), "--output", "json")
    assert (ended.status, ended.document["code"], world.kits) == (2, "note_too_long", [])


def test_a_hostile_note_is_kept_and_shown_harmlessly(world: World) -> None:
    """Escapes of a terminal are shown as such, and bytes that are no text do not stop the run."""
    world.kill("a")
    assert world.run("dlq", "redrive", "--yes", "--note", "\x1b[2J\udcff" + "x" * 900).status == 0
    for argv in (["history"], ["history", the_run(world)]):
        assert "\x1b" not in world.run(*argv, terminal=True, columns=200).out.replace("\x1b[1m", "").replace(
            "\x1b[0m", ""
        )
    assert "\\u001b[2J\\udcff" in world.run("history", the_run(world)).out


def test_a_hostile_user_name_is_shown_harmlessly(world: World, tmp_path: Path) -> None:
    """A machine may be called anything."""
    world.patch.setattr("platform.node", lambda: "\x1b]0;host\x07" * 100)
    world.kill("a")
    assert world.run("dlq", "redrive", "--yes").status == 0
    assert "\x1b" not in world.run("history", the_run(world)).out
    audit = world.run("history", the_run(world), "--output", "json").document["run"]["audit"]
    assert len(audit["host"]) == 256
