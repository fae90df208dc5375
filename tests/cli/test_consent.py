"""Consent: who may be asked, what counts as a yes, and that nothing is touched without one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.world import World

CHANGING = [["dlq", "redrive"], ["dlq", "purge"], ["dlq", "purge", "--yes"], ["dlq", "purge", "--no-archive", "--yes"]]


@pytest.fixture
def archive(world: World, tmp_path: Path) -> Path:
    """Return an archive of one message."""
    world.kill("archived")
    file = tmp_path / "archive.jsonl"
    assert world.run("dlq", "export", "--to-file", str(file)).status == 0
    return file


@pytest.mark.parametrize("argv", CHANGING, ids=" ".join)
def test_without_a_terminal_and_a_flag_nothing_is_touched(world: World, argv: list[str]) -> None:
    """A script that did not say yes is refused before the first receive."""
    world.kill("a")
    before = world.receives()
    ended = world.run(*argv, stdin="y\n")
    assert ended.status == 4
    assert "no terminal to confirm on" in ended.err
    assert world.receives() == before
    assert world.kits == []


def test_import_and_resume_want_consent_too(world: World, archive: Path) -> None:
    """What puts messages into a queue is asked for like what takes them out."""
    for argv in (["dlq", "import", str(archive)], ["resume", "2027"]):
        assert world.run(*argv).status == 4
    assert world.depth(world.dlq) == 1


@pytest.mark.parametrize("answer", ["y\n", "yes\n", "Y\n", " YES \n"])
def test_yes_at_the_prompt_goes_on(world: World, answer: str) -> None:
    """The plan is shown, the question is asked on stderr, and a yes is enough."""
    world.kill("a")
    ended = world.run("dlq", "redrive", stdin=answer, terminal=True)
    assert ended.status == 0
    assert ended.err.index("would send approximately 1 message") < ended.err.index("redrive as planned? [y/N]")
    assert "[y/N]" not in ended.out
    assert world.bodies(world.source) == ["a"]


@pytest.mark.parametrize("answer", ["\n", "n\n", "no\n", "orders-dlq\n", "yess\n", ""])
def test_anything_else_declines(world: World, answer: str) -> None:
    """No, nothing, and the end of the input decline: status 4, every message where it was."""
    world.kill("a")
    ended = world.run("dlq", "redrive", stdin=answer, terminal=True)
    assert ended.status == 4
    assert "not confirmed, nothing was changed" in ended.err
    assert world.depth(world.dlq) == 1
    assert world.run("history", "--output", "json").document["runs"] == []


@pytest.mark.parametrize("answer", [None, ""], ids=["Ctrl-C", "end of input"])
def test_leaving_at_the_prompt_releases_everything(world: World, answer: str | None) -> None:
    """Ctrl-C at the question ends with 130, on a line of its own, and every message is visible again."""
    world.kill("a", "b")

    def leave(*_: object) -> str:
        raise KeyboardInterrupt

    if answer is None:
        world.patch.setattr("opstool.cli.confirm._answer", leave)
    ended = world.run("dlq", "redrive", stdin="", terminal=True)
    assert ended.status == (130 if answer is None else 4)
    assert "[y/N] \nerror: " in ended.err
    visible = world.sqs(
        "GetQueueAttributes", {"QueueUrl": world.dlq, "AttributeNames": ["ApproximateNumberOfMessages"]}
    )
    assert visible["Attributes"] == {"ApproximateNumberOfMessages": "2"}


@pytest.mark.parametrize(
    ("answer", "status"), [("orders-dlq\n", 0), ("y\n", 4), ("orders\n", 4), ("ORDERS-DLQ\n", 4), ("", 4)]
)
def test_purge_wants_the_name_of_the_queue(world: World, answer: str, status: int) -> None:
    """Only the queue's own name deletes; a yes does not."""
    world.kill("a")
    assert world.run("dlq", "purge", "--yes", stdin=answer, terminal=True).status == status
    assert world.depth(world.dlq) == (0 if status == 0 else 1)


def test_a_wrong_confirm_is_refused_before_anything_is_touched(world: World) -> None:
    """--confirm with another name does not even receive."""
    world.kill("a")
    before = world.receives()
    ended = world.run("dlq", "purge", "--confirm", "orders")
    assert ended.status == 4
    assert 'the queue is "orders-dlq"' in ended.err
    assert world.receives() == before


def test_confirm_wants_the_queue_that_a_source_led_to(world: World) -> None:
    """Naming the source queue reads its DLQ, says so, and wants the DLQ's name."""
    world.kill("a")
    assert world.run("dlq", "purge", "orders", "--confirm", "orders").status == 4
    ended = world.run("dlq", "purge", "orders", "--confirm", "orders-dlq")
    assert ended.status == 0
    assert '"orders" is a source queue' in ended.err


def test_a_guard_is_not_overruled_by_yes(world: World) -> None:
    """A queue that is nobody's DLQ is refused with --yes, and taken with --not-a-dlq."""
    url = world.make_queue("plain")
    world.send(url, "a")
    refused = world.run("dlq", "redrive", "plain", "--to", "orders", "--yes")
    assert (refused.status, world.depth(url)) == (4, 1)
    assert "--not-a-dlq" in refused.err
    assert world.run("dlq", "redrive", "plain", "--to", "orders", "--yes", "--not-a-dlq").status == 0
    assert world.bodies(world.source) == ["a"]


@pytest.mark.parametrize(
    "argv",
    [
        ["dlq", "redrive", "--dry-run"],
        ["dlq", "redrive", "--dry-run", "--body-contains", "a"],
        ["dlq", "purge", "--dry-run"],
        ["dlq", "purge", "--dry-run", "--body-contains", "a"],
    ],
    ids=" ".join,
)
def test_a_dry_run_needs_no_consent_and_changes_nothing(world: World, argv: list[str]) -> None:
    """A dry run only looks: nothing is sent or deleted, no run is written, no archive made, everything released."""
    world.kill("a", "b")
    world.sqs.requests.clear()
    ended = world.run(*argv)
    assert ended.status == 0
    assert "dry run: nothing was changed" in ended.err
    asked = set(world.sqs.requests)
    assert asked.isdisjoint({"SendMessage", "SendMessageBatch", "DeleteMessage", "DeleteMessageBatch", "PurgeQueue"})
    visible = world.sqs(
        "GetQueueAttributes", {"QueueUrl": world.dlq, "AttributeNames": ["ApproximateNumberOfMessages"]}
    )
    assert visible["Attributes"] == {"ApproximateNumberOfMessages": "2"}
    assert not list(world.state_dir.glob("archives/*"))
    assert world.run("history", "--output", "json").document["runs"] == []


def test_a_dry_run_of_import_and_of_a_test_batch_sends_nothing(world: World, archive: Path) -> None:
    """The other verbs' dry runs send nothing either."""
    world.sqs.requests.clear()
    assert world.run("dlq", "import", str(archive), "--dry-run").status == 0
    assert world.run("send-test-batch", "--dry-run").status == 0
    assert world.sqs.requests["SendMessageBatch"] == 0


def test_nothing_to_do_asks_nothing(world: World) -> None:
    """An empty plan ends with 0, unasked, and is no run."""
    ended = world.run("dlq", "redrive", terminal=True, stdin="")
    assert (ended.status, "[y/N]" in ended.err) == (0, False)
    assert "nothing to do" in ended.out


def test_the_plan_is_kept_quiet_but_the_question_is_not(world: World) -> None:
    """--quiet leaves out the plan, never the question."""
    world.kill("a")
    ended = world.run("dlq", "redrive", "-q", terminal=True, stdin="n\n")
    assert "would send" not in ended.err
    assert "[y/N]" in ended.err
