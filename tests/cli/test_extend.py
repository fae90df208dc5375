"""`dlq extend` as a person and a script see it: the plan, the question, the guards, the documents."""

from __future__ import annotations

from typing import Any

import pytest

from opstool.doors.ask import refuse
from opstool.doors.toolkit import Toolkit
from tests.cli.test_golden import check
from tests.cli.world import World

DAY_S = 86_400
DOCUMENT = {"version", "type", "run_id", "queue", "status", "from_s", "to_s", "retention_s", "depth", "in_flight"}
DOCUMENT |= {"soonest_expiry", "soonest_expiry_then", "stack", "resource", "notes"}


@pytest.fixture
def four_days(world: World) -> World:
    """Let the DLQ keep messages for four days, with one in it for three of them."""
    retention = {"QueueUrl": world.dlq, "Attributes": {"MessageRetentionPeriod": str(4 * DAY_S)}}
    world.sqs("SetQueueAttributes", retention)
    world.kill("dead")
    world.clock.advance(3 * DAY_S)
    world.on_connect = of_no_stack
    return world


def kept_s(world: World) -> int:
    """Return the retention of the dead-letter queue."""
    answer = world.sqs("GetQueueAttributes", {"QueueUrl": world.dlq, "AttributeNames": ["MessageRetentionPeriod"]})
    return int(answer["Attributes"]["MessageRetentionPeriod"])


def of_no_stack(kit: Toolkit) -> None:
    """Let CloudFormation say no, as it does to who may not ask."""
    kit.ask = refuse


def of_a_stack(kit: Toolkit) -> None:
    """Let CloudFormation know who made every queue."""

    def ask(_service: str, _operation: str, request: dict[str, Any]) -> dict[str, Any]:
        made = {"StackName": "orders-stack", "LogicalResourceId": "ProcessingDLQ"}
        return {"StackResources": [{**made, "PhysicalResourceId": request["PhysicalResourceId"]}]}

    kit.ask = ask


def test_the_plan_and_what_became_of_it(four_days: World) -> None:
    """From, to, what it saves, what stays to be done; the change is one line."""
    four_days.on_connect = of_a_stack
    check("extend-dry-run", four_days, four_days.run("dlq", "extend", "orders", "--expiry", "--dry-run"))
    assert kept_s(four_days) == 4 * DAY_S
    check("extend", four_days, four_days.run("dlq", "extend", "--to-days", "7", "--yes", "--note", "ticket 4711"))
    assert kept_s(four_days) == 7 * DAY_S


@pytest.mark.parametrize(("answer", "status", "days"), [("y\n", 0, 14), ("n\n", 4, 4), ("\n", 4, 4), ("", 4, 4)])
def test_the_question_is_answered_at_a_terminal(four_days: World, answer: str, status: int, days: int) -> None:
    """Anything but yes leaves it as it is."""
    ended = four_days.run("dlq", "extend", stdin=answer, terminal=True)
    assert (ended.status, kept_s(four_days)) == (status, days * DAY_S)
    assert "extend as planned? [y/N]" in ended.err


def test_without_a_terminal_and_a_flag_nothing_is_asked_of_aws(four_days: World) -> None:
    """Status 4, before anything is touched."""
    before = sum(four_days.sqs.requests.values())
    ended = four_days.run("dlq", "extend")
    assert (ended.status, sum(four_days.sqs.requests.values())) == (4, before)
    assert "there is no terminal to confirm on" in ended.err


def test_nothing_to_do_is_success(world: World) -> None:
    """14 days already."""
    ended = world.run("dlq", "extend", "--yes")
    assert (ended.status, ended.out) == (0, 'nothing to do: "orders-dlq" keeps messages for 14d\n')


def test_less_than_now_is_refused(four_days: World) -> None:
    """It could delete messages at once."""
    ended = four_days.run("dlq", "extend", "--to-days", "3", "--yes")
    assert (ended.status, kept_s(four_days)) == (4, 4 * DAY_S)
    assert "keeps messages for 4 days: 3 days would be less, which can delete messages at once" in ended.err


@pytest.mark.parametrize("form", ["json", "jsonl"])
def test_the_document_has_what_the_text_has(four_days: World, form: str) -> None:
    """As a plan, as what was done, and as nothing to do."""
    planned = four_days.run("dlq", "extend", "--expiry", "--dry-run", "--output", form).document
    assert (set(planned), planned["type"], planned["status"]) == (DOCUMENT, "extend", "planned")
    assert (planned["from_s"], planned["to_s"], planned["run_id"]) == (4 * DAY_S, 14 * DAY_S, None)
    assert (planned["soonest_expiry"], planned["soonest_expiry_then"]) == (
        "2027-01-19T08:00:00.000Z",
        "2027-01-29T08:00:00.000Z",
    )
    done = four_days.run("dlq", "extend", "--yes", "--output", form).document
    assert (set(done), done["status"], done["retention_s"]) == (DOCUMENT, "done", 14 * DAY_S)
    nothing = four_days.run("dlq", "extend", "--yes", "--output", form).document
    assert (set(nothing), nothing["status"], nothing["run_id"]) == (DOCUMENT, "nothing_to_do", None)
    [run] = four_days.run("history", "--output", "json").document["runs"]
    assert (run["run_id"], run["verb"]) == (done["run_id"], "extend")


@pytest.mark.parametrize(("days", "bound"), [("99", "may be at most 14"), ("0", "has to be at least 1")])
def test_the_bound_that_a_number_passes_is_told(world: World, days: str, bound: str) -> None:
    """In words and not in those of a validator."""
    assert f"it {bound}\n" in world.run("dlq", "extend", "--to-days", days, "--yes").err


@pytest.mark.parametrize("days", ["0", "15", "-1", "x", "1.5"])
def test_days_that_sqs_does_not_have_are_wrong_usage(world: World, days: str) -> None:
    """Before anything is asked."""
    assert world.run("dlq", "extend", "--to-days", days, "--yes").status == 2
