"""`dlq redrive --engine native` as a person asks for it: never silently, refused with the reason, and told honestly."""

from __future__ import annotations

from pathlib import Path

import pytest

from opstool.fake import Behaviour
from tests.cli.test_documents import PLAN, REPORT
from tests.cli.test_golden import check
from tests.cli.world import World

NATIVE = ("dlq", "redrive", "orders-dlq", "--engine", "native")


def dead(world: World, count: int) -> None:
    """Let messages die."""
    world.kill(*(f'{{"order": {number}}}' for number in range(count)))


def test_the_plan_and_the_report_as_they_are_read(world: World) -> None:
    """The plan lists what is not promised; the report says approximately."""
    dead(world, 3)
    world.patch.setattr(
        "opstool.engine.native.preflight.peek",
        lambda hold: sorted(hold.leases.receive(wait_s=1), key=lambda each: each.content.body),
    )
    check("redrive-native-dry-run", world, world.run(*NATIVE, "--dry-run"))
    check("redrive-native", world, world.run(*NATIVE, "--yes", "--rate", "20", "-q"))
    assert world.depth(world.source) == 3


def test_the_documents_name_the_engine(world: World) -> None:
    """Plan and report have the keys that they always have."""
    dead(world, 30)
    plan = world.run(*NATIVE, "--dry-run", "--output", "json").document
    assert (set(plan), plan["engine"], plan["exact"]) == (PLAN, "native", False)
    assert world.run("dlq", "redrive", "--dry-run", "--output", "json").document["engine"] == "client"
    report = world.run(*NATIVE, "--yes", "--output", "json").document
    assert set(report) >= REPORT
    assert (report["engine"], report["status"]) == ("native", "done")
    assert (report["received"], report["succeeded"]) == (30, 30)


def test_nothing_in_the_environment_chooses_it(world: World) -> None:
    """Nor leaves it to itself."""
    dead(world, 1)
    world.patch.setenv("OPSTOOL_ENGINE", "native")
    world.patch.setenv("OPSTOOL_DETACH", "true")
    assert world.run("dlq", "redrive", "--yes", "--output", "json").document["engine"] == "client"
    assert world.sqs.requests["StartMessageMoveTask"] == 0


@pytest.mark.parametrize(
    ("words", "option"),
    [
        (["--older-than", "2h"], "--older-than"),
        (["--id", "x"], "--id"),
        (["--reason", "ValueError"], "--reason"),
        (["--where", "body"], "--where"),
        (["--limit", "3"], "--limit"),
        (["--canary", "3"], "--canary"),
        (["--stop-on-returned", "5.5"], "--stop-on-returned"),
        (["--wait"], "--wait"),
        (["--include-poison"], "--include-poison"),
        (["--poison-after", "5"], "--poison-after"),
        (["--transform", "body"], "--transform"),
        (["--set", "body.a=1"], "--set"),
        (["--uncertain", "leave"], "--uncertain"),
        (["--to", "orders", "--to-profile", "x"], "--to-profile"),
        (["--to", "orders", "--to-region", "eu-west-1"], "--to-region"),
        (["--not-a-dlq"], "--not-a-dlq"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_needs_the_client_engine_is_refused_by_name(world: World, words: list[str], option: str) -> None:
    """With the command that does it, and before anything is asked of AWS."""
    dead(world, 1)
    ended = world.run(*NATIVE, *words, "--yes", "--output", "json")
    error = ended.document
    assert (ended.status, error["code"]) == (4, "needs_client_engine")
    assert error["message"].startswith(f"`{option}` needs the client engine: ")
    assert error["hint"].endswith(f" dlq redrive orders-dlq {' '.join(words)}")
    assert world.sqs.requests["StartMessageMoveTask"] == 0


@pytest.mark.parametrize("rate", ["0", "0.5", "501"])
def test_a_rate_that_sqs_does_not_take_is_wrong_usage(world: World, rate: str) -> None:
    """A whole number from 1 to 500."""
    assert world.run(*NATIVE, "--rate", rate, "--yes").status == 2


def test_to_detach_needs_the_native_engine(world: World) -> None:
    """There is nothing else that would go on."""
    assert world.run("dlq", "redrive", "--detach", "--yes").status == 2


def test_without_a_terminal_it_needs_a_yes(world: World) -> None:
    """Like every redrive."""
    dead(world, 1)
    assert world.run(*NATIVE).status == 4
    assert world.run(*NATIVE, stdin="n\n", terminal=True).status == 4
    assert world.sqs.requests["StartMessageMoveTask"] == 0


def test_an_empty_queue_is_success(world: World) -> None:
    """Nothing is started."""
    assert world.run(*NATIVE, "--yes").status == 0
    assert world.sqs.requests["StartMessageMoveTask"] == 0


def test_ctrl_c_cancels_it(world: World) -> None:
    """Status 130, and what has moved is said."""
    dead(world, 100)

    def press(kit: object) -> None:
        world.clock.every(6, world.kits[-1].stop.set)

    world.on_connect = press
    ended = world.run(*NATIVE, "--yes", "--rate", "10")
    assert ended.status == 130
    assert f"sent approximately {world.depth(world.source)} messages" in ended.out
    assert "does not come back" in ended.err
    assert "resume" not in ended.err.split("hint: ")[1]


def test_detached_it_says_how_to_come_back(world: World) -> None:
    """Status 0, and a status of its own in the report."""
    dead(world, 100)
    ended = world.run(*NATIVE, "--yes", "--rate", "10", "--detach")
    assert (ended.status, "goes on in SQS" in ended.out) == (0, True)
    assert "dlq move-tasks orders-dlq" in ended.err
    run = world.run("history", "--output", "json").document["runs"][0]
    assert (run["status"], run["report"]["engine"]) == ("detached", "native")
    assert world.run("history").out.splitlines()[1].split()[-2:] == ["detached", "-"]


def test_a_task_that_moved_nothing_is_status_1(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In words."""
    monkeypatch.chdir(tmp_path)
    world = World(state_dir=tmp_path, patch=monkeypatch, behaviour=Behaviour(move_tasks_fail_of="AccessDenied"))
    dead(world, 3)
    ended = world.run(*NATIVE, "--yes")
    assert (ended.status, "access_denied: the move task failed" in ended.out) == (1, True)
    assert "iam-policy" in ended.out


def test_a_task_that_failed_half_way_is_status_3(world: World) -> None:
    """A message that was sent here by hand, behind the sample."""
    dead(world, 100)
    world.patch.setattr("opstool.engine.native.preflight._refuse_sourceless", lambda *_: None)
    world.clock.every(4, lambda: world.send(world.dlq, "by hand"))
    ended = world.run(*NATIVE, "--yes", "--rate", "5", "--output", "json")
    report = ended.document
    assert report["succeeded"] == world.depth(world.source) > 0
    assert (ended.status, report["status"], report["failures"][0]["code"]) == (3, "partial", "no_certain_target")


def test_a_run_of_it_cannot_be_resumed(world: World) -> None:
    """With the way to the tasks instead."""
    dead(world, 100)
    world.run(*NATIVE, "--yes", "--rate", "10", "--detach")
    run_id = world.run("history", "--output", "json").document["runs"][0]["run_id"]
    error = world.run("resume", run_id, "--yes", "--output", "json").document
    assert (error["code"], error["exit_status"]) == ("not_resumable", 4)
    assert "engine     native" in world.run("history", run_id).out


def test_the_list_of_a_large_queue_hints_at_it(world: World) -> None:
    """Only where everything was listed, and there is much of it."""
    dead(world, 5)
    assert "--engine native" not in world.run("dlq", "list").err
    world.patch.setattr("opstool.cli.commands.listing._MANY", 5)
    assert "dlq redrive orders-dlq --engine native --dry-run" in world.run("dlq", "list").err
    assert "--engine native" not in world.run("dlq", "list", "--newer-than", "2h").err
    assert "--engine native" not in world.run("dlq", "list", "--output", "json").err
