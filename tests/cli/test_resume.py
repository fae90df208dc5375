"""A run that was interrupted, and what `resume` makes of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from opstool.fake import Faults
from tests.cli.world import Ended, World

ALL = sorted(str(number) for number in range(40))


class StopAt(Faults):
    """Sets the toolkit's stop at a certain call, as the first Ctrl-C does."""

    def __init__(self, world: World, operation: str, call: int) -> None:
        self.world, self.operation, self.left = world, operation, call

    def before(self, operation: str, request: Mapping[str, Any]) -> None:
        """Count down."""
        self.left -= operation == self.operation
        if self.left == 0:
            self.world.kits[-1].stop.set()


def interrupted(world: World, *argv: str, operation: str = "SendMessageBatch", call: int = 2) -> Ended:
    """Run a command that is interrupted in the middle."""
    world.sqs.faults = StopAt(world, operation, call)
    ended = world.run("--workers", "1", *argv, "--output", "json")
    world.sqs.faults = Faults()
    return ended


@pytest.mark.parametrize("selection", [[], ["--older-than", "0s"]], ids=["everything", "selected"])
def test_a_redrive_goes_on_where_it_was(world: World, selection: list[str]) -> None:
    """Every message is at the source exactly once, over both halves of the run."""
    world.kill(*ALL)
    world.clock.advance(1)
    first = interrupted(world, "dlq", "redrive", "--yes", *selection)
    assert (first.status, first.document["status"]) == (130, "interrupted")
    run = first.document["run_id"]
    assert 0 < first.document["succeeded"] < len(ALL)
    second = world.run("resume", run, "--yes", "--output", "json")
    assert second.status == 0, second.out
    assert (second.document["run_id"], second.document["status"]) == (run, "done")
    assert first.document["succeeded"] + second.document["succeeded"] == len(ALL)
    assert (world.bodies(world.source), world.depth(world.dlq)) == (ALL, 0)


def test_what_was_sent_and_not_deleted_is_deleted_by_resume(world: World) -> None:
    """When every copy was sent and no original could be deleted, a resume only deletes."""
    world.kill(*ALL[:5])
    world.fail("DeleteMessageBatch", "AccessDenied", "not allowed", 403)
    first = world.run("--workers", "1", "dlq", "redrive", "--yes", "--output", "json")
    assert (first.status, world.depth(world.dlq), world.depth(world.source)) == (1, 5, 5)
    world.sqs.faults = Faults()
    second = world.run("resume", first.document["run_id"], "--yes")
    assert (second.status, world.depth(world.dlq)) == (0, 0), second.err
    assert world.bodies(world.source) == ALL[:5]


def test_a_purge_goes_on_with_its_archive(world: World) -> None:
    """The archive holds every message once, and is imported whole."""
    world.kill(*ALL)
    first = interrupted(world, "dlq", "purge", "--confirm", "orders-dlq", operation="DeleteMessageBatch")
    assert first.status == 130
    second = world.run("resume", first.document["run_id"], "--yes", "--output", "json")
    assert (second.status, world.depth(world.dlq)) == (0, 0)
    assert world.run("dlq", "import", first.document["archive"], "--yes").status == 0
    assert world.bodies(world.dlq) == ALL


def test_an_import_goes_on_with_its_file(world: World, tmp_path: Any) -> None:
    """What was imported before the interruption is skipped."""
    world.kill(*ALL)
    file = str(tmp_path / "archive.jsonl")
    assert world.run("dlq", "export", "--to-file", file).status == 0
    first = interrupted(world, "dlq", "import", file, "--to", "orders", "--yes")
    assert first.status == 130
    second = world.run("resume", first.document["run_id"], "--yes")
    assert second.status == 0, second.err
    assert world.bodies(world.source) == ALL


def test_the_text_report_of_an_interrupted_run_says_how_to_go_on(world: World) -> None:
    """The hint is the command to paste."""
    world.kill(*ALL)
    world.sqs.faults = StopAt(world, "SendMessageBatch", 2)
    ended = world.run("--workers", "1", "dlq", "redrive", "--yes")
    run = ended.out.split("run       ")[1].split(",")[0]
    assert f"hint: opstool --state-dir {world.state_dir} resume {run}" in ended.err


def test_resuming_a_run_that_is_done_is_refused(world: World) -> None:
    """There is nothing to go on with."""
    world.kill("a")
    run = world.run("dlq", "redrive", "--yes", "--output", "json").document["run_id"]
    ended = world.run("resume", run, "--yes")
    assert ended.status == 4
    assert "is done" in ended.err


def test_a_dry_run_of_resume_changes_nothing(world: World) -> None:
    """The plan says what was dealt with; nothing is sent."""
    world.kill(*ALL)
    first = interrupted(world, "dlq", "redrive", "--yes")
    left = world.depth(world.dlq)
    ended = world.run("resume", first.document["run_id"], "--dry-run")
    assert (ended.status, world.depth(world.dlq)) == (0, left)
    assert "were dealt with before this run was interrupted" in ended.err


def test_a_test_batch_cannot_be_resumed(world: World) -> None:
    """Sending test messages again is one command; nothing to take up."""
    first = interrupted(world, "send-test-batch", "--count", "40", operation="SendMessageBatch")
    assert first.status == 130
    assert world.run("resume", first.document["run_id"], "--yes").status == 4
