"""A redrive that mends, as a person and a script see it."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from opstool.words.story import Story
from tests.cli.test_golden import check
from tests.cli.world import World

OLD = '{"kind": "new", "customer": {"id": 17}, "total": 12.50}'
FINE = '{"kind":"fine","customer":{"id":17},"total":12.50}'


def redrive(*argv: str) -> tuple[str, ...]:
    """Return the command line of a redrive by one worker, which takes the messages in the same order each time."""
    return ("--workers", "1", "dlq", "redrive", *argv)


def test_a_mending_from_its_plan_to_its_report(world: World) -> None:
    """What is shown before, and after."""
    world.kill(OLD, "no JSON", '{"kind": "fine"}', '{"kind": "new", "note": "\\u001b[31m' + "x" * 100 + '"}')
    check("redrive-set-dry-run", world, world.run(*redrive("--set", "kind=fine", "--dry-run")))
    transform = "{customer: body.customer.id, kind: body.kind, note: body.note}"
    check("redrive-transform-dry-run", world, world.run(*redrive("--transform", transform, "--dry-run")))
    check("redrive-set", world, world.run(*redrive("--set", "kind=fine", "--set", "body.seen=true", "--yes")))
    assert '{"kind":"fine","customer":{"id":17},"total":12.50,"seen":true}' in world.bodies(world.source)
    assert world.bodies(world.dlq) == ["no JSON"]


def test_a_dry_run_as_json_has_the_changes(world: World) -> None:
    """Three of them, with what was before and what comes after; nothing is written."""
    ids = world.kill(*[json.dumps({"kind": "new", "n": number}) for number in range(5)])
    ended = world.run(*redrive("--set", "kind=fine", "--dry-run", "--output", "json"))
    assert ended.status == 0
    changes = ended.document["changes"]
    assert len({each["message_id"] for each in changes} & set(ids)) == len(changes) == 3
    assert changes[0]["differences"] == [{"path": "body.kind", "before": '"new"', "after": '"fine"'}]
    assert ended.document["facts"]["mending"] == "--set kind=fine"
    assert not (world.state_dir / "archives").exists()


def test_a_plan_without_a_mending_has_no_changes(world: World) -> None:
    """The key is there, and empty."""
    world.kill(OLD)
    assert world.run(*redrive("--dry-run", "--output", "json")).document["changes"] == []


def test_the_archive_stands_in_the_report_and_brings_an_original_back(world: World) -> None:
    """One of them, by its id: as it was."""
    [one, _] = world.kill(OLD, '{"kind": "other"}')
    report = world.run(*redrive("--set", "kind=fine", "--yes", "--output", "json"))
    assert report.status == 0
    with gzip.open(Path(report.document["archive"]), "rt") as archive:
        [line] = [line for line in archive if one in line]
    assert world.run("dlq", "import", "-", "--yes", stdin=line).status == 0
    assert world.bodies(world.dlq) == [OLD]


def test_what_was_mended_is_followed_back_to_its_original(world: World) -> None:
    """`dlq show` of a message that came back names the id that it had before, and shows the body that it has now."""
    [first] = world.kill(OLD)
    world.run(*redrive("--set", "kind=fine", "--yes"))
    world.kill()
    [again] = world.run("dlq", "list", "--output", "json").document["messages"]
    world.patch.setattr("opstool.verbs.show.story_of", lambda *_: Story())
    shown = world.run("dlq", "show", again["message_id"], "--output", "json").document
    assert shown["message"]["body"] == FINE
    assert [each["message_id"] for each in shown["lineage"]] == [first]


@pytest.mark.parametrize(
    ("options", "status", "code"),
    [
        (("--transform", "body", "--yes"), 4, "nothing_mended"),
        (("--set", "kind=new", "--dry-run"), 4, "nothing_mended"),
        (("--transform", "body.a", "--set", "a=1", "--dry-run"), 2, "usage"),
        (("--transform", "body.a ||", "--dry-run"), 2, "usage"),
        (("--set", "group_id=a", "--dry-run"), 2, "usage"),
        (("--set", "kind", "--dry-run"), 2, "usage"),
    ],
)
def test_a_mending_that_cannot_be_meant_is_refused(
    world: World, options: tuple[str, ...], status: int, code: str
) -> None:
    """Before anything is sent, with its own code."""
    world.kill(OLD)
    ended = world.run(*redrive(*options, "--output", "json"))
    assert (ended.status, ended.document["code"]) == (status, code)
    assert world.bodies(world.dlq) == [OLD]


def test_what_cannot_be_mended_makes_it_status_3(world: World) -> None:
    """In the dry run, in the run, and where there is nothing else: named, and left where it is."""
    [dead] = world.kill("no JSON")
    for options in (("--dry-run",), ("--yes",)):
        ended = world.run(*redrive("--set", "kind=fine", *options))
        assert ended.status == 3
        assert "not_mended" in ended.out + ended.err
        assert dead in ended.out + ended.err
    world.kill(OLD)
    assert world.run(*redrive("--set", "kind=fine", "--yes")).status == 3
    assert world.bodies(world.dlq) == ["no JSON"]
    assert world.bodies(world.source) == [FINE]


def test_the_environment_changes_no_body(world: World) -> None:
    """What is set there is forgotten about."""
    world.patch.setenv("OPSTOOL_TRANSFORM", "'all the same'")
    world.patch.setenv("OPSTOOL_SET", "kind=fine")
    world.kill(OLD)
    assert world.run(*redrive("--yes")).status == 0
    assert world.bodies(world.source) == [OLD]


def test_a_run_that_was_resumed_mends_as_it_began(world: World) -> None:
    """The command line of `resume` says nothing of it."""
    world.kill(OLD)
    world.fail("SendMessageBatch", "AccessDenied", status=403)
    run = world.run(*redrive("--set", "kind=fine", "--yes", "--output", "json")).document["run_id"]
    world.fail("nothing", "x")
    world.clock.advance(60)
    resumed = world.run("resume", run, "--yes", "--output", "json")
    assert resumed.status == 0, resumed.err
    assert world.bodies(world.source) == [FINE]
    with gzip.open(Path(resumed.document["archive"]), "rt") as archive:
        assert [json.loads(line)["body"] for line in archive] == [OLD]


def test_what_was_set_aside_is_not_hinted_at_again(world: World) -> None:
    """A resume would skip it once more."""
    world.kill('{"a": 1}', "no JSON")
    ended = world.run("dlq", "redrive", "orders-dlq", "--set", "a=2", "--yes")
    assert ended.status == 3
    assert "not_mended" in ended.out
    assert "resume" not in ended.err
