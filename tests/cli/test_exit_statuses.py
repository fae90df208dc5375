"""The exit statuses: a script can rely on each of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from opstool.cli.errors import EXIT_STATUSES, exit_status, report_status
from opstool.fake import EntryFault, Faults
from opstool.words.errors import (
    AccessError,
    InterruptedRunError,
    NotFoundError,
    OpstoolError,
    RefusedError,
    ServiceError,
    StorageError,
    UsageError,
)
from opstool.words.report import Counts, Report, Status
from tests.cli.world import World


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (UsageError("x"), 2),
        (RefusedError("x"), 4),
        (NotFoundError("x"), 1),
        (NotFoundError("x", code="message_not_found"), 3),
        (AccessError("x"), 1),
        (ServiceError("x"), 1),
        (StorageError("x"), 1),
        (InterruptedRunError("x"), 130),
        (OpstoolError("x"), 1),
    ],
    ids=lambda value: getattr(value, "code", value),
)
def test_every_error_has_its_status(error: OpstoolError, status: int) -> None:
    """Each class of error ends with the status that the contract gives it."""
    assert exit_status(error) == status


def test_no_class_of_error_is_forgotten() -> None:
    """A new subclass of OpstoolError has to choose its status in the table."""
    assert set(OpstoolError.__subclasses__()) | {OpstoolError} == set(EXIT_STATUSES)


def _report(status: Status, *, error_code: str | None = None) -> Report:
    return Report(
        run_id="r", verb="redrive", queue="q", target="t", status=status, counts=Counts(), error_code=error_code
    )


@pytest.mark.parametrize(
    ("report", "interrupted", "status"),
    [
        (_report(Status.DONE), False, 0),
        (_report(Status.PARTIAL), False, 3),
        (_report(Status.REFUSED), False, 4),
        (_report(Status.INTERRUPTED), False, 130),
        (_report(Status.DETACHED), False, 0),
        (_report(Status.PARTIAL, error_code="access_denied"), False, 1),
        (_report(Status.PARTIAL, error_code="access_denied"), True, 130),
        (_report(Status.PARTIAL), True, 130),
    ],
    ids=[
        "done",
        "partial",
        "refused",
        "interrupted",
        "detached",
        "error",
        "interrupted and error",
        "interrupted and partial",
    ],
)
def test_a_report_has_its_status(report: Report, interrupted: bool, status: int) -> None:
    """Where several hold, an interruption counts before an error, and an error before a part."""
    assert report_status(report, interrupted=interrupted) == status


@pytest.mark.parametrize(
    "argv",
    [
        ["dlq", "list", "orders-dlq"],
        ["dlq", "groups", "orders-dlq"],
        ["dlq", "queues"],
        ["dlq", "extend", "--yes"],
        ["dlq", "watch", "--until-empty"],
        ["dlq", "move-tasks"],
        ["dlq", "redrive", "--engine", "native", "--yes"],
        ["dlq", "redrive", "--yes"],
        ["dlq", "purge", "--confirm", "orders-dlq"],
        ["dlq", "export"],
        ["history"],
        ["iam-policy", "--for", "all"],
    ],
    ids=" ".join,
)
def test_an_empty_queue_is_success(world: World, argv: list[str]) -> None:
    """Nothing to do is status 0."""
    ended = world.run(*argv)
    assert ended.status == 0, ended.err


@pytest.mark.parametrize(
    "argv",
    [
        ["dlq", "list", "--id", "nobody"],
        ["dlq", "groups", "--id", "nobody"],
        ["dlq", "show", "nobody"],
        ["dlq", "export", "--id", "nobody"],
        ["dlq", "redrive", "--id", "nobody", "--yes"],
        ["dlq", "redrive", "--id", "nobody", "--dry-run"],
        ["dlq", "purge", "--id", "nobody", "--confirm", "orders-dlq"],
    ],
    ids=" ".join,
)
def test_a_named_id_that_is_not_found_is_status_3(world: World, argv: list[str]) -> None:
    """Every command that is given an id says when there is no such message."""
    world.kill('{"message": "hello"}')
    ended = world.run(*argv)
    assert ended.status == 3
    assert "nobody" in ended.err + ended.out


@pytest.mark.parametrize(
    "argv", [["dlq", "list"], ["dlq", "export"], ["dlq", "redrive", "--dry-run"]], ids=["list", "export", "redrive"]
)
def test_an_id_that_was_seen_is_not_missing(world: World, argv: list[str]) -> None:
    """An id that another filter keeps out, or that a limit leaves unseen, was not looked for in vain."""
    ids = world.kill(*map(str, range(30)))
    named = [word for each in ids for word in ("--id", each)]
    assert world.run(*argv, *named, "--body-contains", "7").status == 0
    assert world.run("--workers", "1", *argv, *named, "--limit", "1").status == 0


def test_ids_that_are_named_are_all_listed(world: World) -> None:
    """The fifty of a listing are a default for browsing, not for a list of ids."""
    ids = world.kill(*map(str, range(60)))
    assert len(world.run("dlq", "list", "--output", "json").document["messages"]) == 50
    ended = world.run("dlq", "list", "--ids-from", "-", "--output", "json", stdin="\n".join(ids))
    assert (len(ended.document["messages"]), ended.status) == (60, 0)


def test_a_queue_that_cannot_be_seen_whole_is_status_3(world: World) -> None:
    """A FIFO queue shows ten of a group at most; the output says so."""
    url = world.make_queue("events-dlq.fifo", FifoQueue="true", ContentBasedDeduplication="true")
    for number in range(15):
        world.send(url, str(number), MessageGroupId="one")
    ended = world.run("dlq", "list", "events-dlq.fifo")
    assert ended.status == 3
    assert "10 of approximately 15 messages were seen" in ended.err


@pytest.mark.parametrize(
    "argv",
    [
        [],
        ["dlq"],
        ["local"],
        ["nothing"],
        ["dlq", "nothing"],
        ["dlq", "list", "--nothing"],
        ["dlq", "list", "--limit", "0"],
        ["dlq", "list", "--limit", "-1"],
        ["dlq", "list", "--limit", "many"],
        ["dlq", "list", "--output", "xml"],
        ["dlq", "list", "--older-than", "2"],
        ["dlq", "list", "--where", "body ="],
        ["dlq", "groups", "--by", "body ="],
        ["dlq", "list", "--body-matches", "("],
        ["dlq", "show"],
        ["dlq", "redrive", "--rate", "0", "--yes"],
        ["dlq", "redrive", "--rate", "nan", "--yes"],
        ["dlq", "redrive", "--rate", "inf", "--yes"],
        ["dlq", "redrive", "--uncertain", "maybe"],
        ["dlq", "redrive", "--workers", "0"],
        ["dlq", "redrive", "--lease", "1"],
        ["dlq", "purge", "--archive", "x", "--no-archive", "--confirm", "orders-dlq"],
        ["dlq", "purge", "--archive", "s3:/bucket/key", "--confirm", "orders-dlq"],
        ["dlq", "export", "--to-file", "s3://Bucket/key"],
        ["dlq", "import", "s3://Bucket/key"],
        ["dlq", "list", "--ids-from", "s3://bucket/key"],
        ["dlq", "import", "x", "--to", "a", "--to-source"],
        ["iam-policy"],
        ["iam-policy", "orders-dlq", "--for", "inspect", "--no-lookup"],
        ["dlq", "extend", "--to-days", "15", "--yes"],
        ["dlq", "watch", "--interval", "0"],
        ["dlq", "watch", "--for", "10"],
        ["dlq", "watch", "--output", "text", "--for", "-1s"],
        ["dlq", "redrive", "--engine", "both"],
        ["dlq", "redrive", "--detach", "--yes"],
        ["dlq", "redrive", "--engine", "native", "--rate", "501", "--yes"],
        ["dlq", "move-tasks", "--follow", "--cancel"],
        ["consumer"],
        ["consumer", "stop"],
        ["send-test-batch", "--poison", "11"],
        ["send-test-batch", "--count", "0"],
        ["send-test-batch", "--attr", "x"],
        ["send-test-batch", "--file", "x", "--body", "y"],
        ["send-test-batch", "--body", "y", "--poison", "1"],
    ],
    ids=lambda argv: " ".join(argv) or "(nothing)",
)
def test_a_wrong_command_line_is_status_2(world: World, argv: list[str]) -> None:
    """Wrong usage is said on stderr with a hint, and nothing is received."""
    ended = world.run(*argv)
    assert (ended.status, ended.out) == (2, "")
    assert ended.err.startswith(("error: ", "Usage: "))
    assert world.receives() == 0


def test_a_message_without_a_target_refuses_the_run(world: World) -> None:
    """When a message's source queue is gone, nothing is sent, and --to is named as the way out."""
    world.make_queue("other", RedrivePolicy=world.policy("orders-dlq", 3))
    [dead] = world.kill('{"message": "hello"}')
    world.sqs("DeleteQueue", {"QueueUrl": world.source})
    ended = world.run("dlq", "redrive", "--yes")
    assert ended.status == 4
    assert dead in ended.err
    assert "--to" in ended.err
    assert world.depth(world.dlq) == 1


def test_a_run_that_fails_in_part_is_status_3(world: World) -> None:
    """An entry that SQS refuses fails alone; the report names it, and a resume is offered."""

    class RefuseB(Faults):
        def entry(self, operation: str, entry: Mapping[str, Any]) -> EntryFault | None:
            refused = operation == "SendMessageBatch" and entry["MessageBody"] == "b"
            return EntryFault(code="InvalidMessageContents", sender_fault=True) if refused else None

    _, refused, _ = world.kill("a", "b", "c")
    world.sqs.faults = RefuseB()
    ended = world.run("dlq", "redrive", "--yes")
    assert ended.status == 3
    assert f"InvalidMessageContents: the service failed: {refused}" in ended.out
    assert "opstool --state-dir" in ended.err
    assert " resume 2" in ended.err
    assert world.bodies(world.dlq) == ["b"]


def test_an_error_in_the_middle_of_a_run_is_status_1(world: World) -> None:
    """When AWS says no to the sends, the run ends with 1, and every message is still there."""
    world.kill(*[f'{{"message": "{number}"}}' for number in range(3)])
    world.fail("SendMessageBatch", "AccessDenied", "not allowed")
    ended = world.run("dlq", "redrive", "--yes")
    assert ended.status == 1
    assert "SendMessage" in ended.out
    assert world.depth(world.dlq) == 3
