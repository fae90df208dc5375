"""`consumer pause` and `consumer resume` as a person and a script see them."""

from __future__ import annotations

import pytest

from opstool.fake import FailCalls
from opstool.fake.mappings import FakeLambda
from opstool.words.awserrors import error_for
from tests.cli.test_golden import check
from tests.cli.world import ACCOUNT, REGION, World

DOCUMENT = {"version", "type", "run_id", "action", "queue", "sources", "status", "mappings", "notes"}
MAPPING = {"uuid", "function", "function_arn", "source_queue", "state_before", "state_after", "changes", "paused_here"}
MAPPING |= {"error"}
SOURCE_ARN = f"arn:aws:sqs:{REGION}:{ACCOUNT}:orders"


@pytest.fixture
def aws(world: World) -> FakeLambda:
    """Let the world have a Lambda with one consumer of `orders`."""
    made = FakeLambda(world.clock)
    made.add_mapping(SOURCE_ARN, "orders-consumer")
    world.on_connect = lambda kit: setattr(kit, "ask", made)
    return made


def states(aws: FakeLambda) -> list[str]:
    """Return the states of all mappings."""
    return [each["State"] for each in aws("lambda", "ListEventSourceMappings", {})["EventSourceMappings"]]


def test_a_pause_and_the_resumption_after_it(world: World, aws: FakeLambda) -> None:
    """The plan with its warnings, what became of it, and the way back; repeated, there is nothing to do."""
    check("consumer-pause-dry-run", world, world.run("consumer", "pause", "--dry-run"))
    assert states(aws) == ["Enabled"]
    check("consumer-pause", world, world.run("consumer", "pause", "--yes", "--note", "ticket 4711"))
    check("consumer-pause-again", world, world.run("consumer", "pause", "--yes"))
    aws.add_mapping(SOURCE_ARN, "retired", state="Disabled")
    check("consumer-resume", world, world.run("consumer", "resume", "orders-dlq", "--yes"))
    assert states(aws) == ["Enabled", "Disabled"]


@pytest.mark.parametrize(("answer", "status", "state"), [("y\n", 0, "Disabled"), ("n\n", 4, "Enabled")])
def test_the_question_is_answered_at_a_terminal(
    world: World, aws: FakeLambda, answer: str, status: int, state: str
) -> None:
    """Anything but yes leaves it running."""
    ended = world.run("consumer", "pause", stdin=answer, terminal=True)
    assert (ended.status, states(aws)) == (status, [state])
    assert "consumer-pause as planned? [y/N]" in ended.err


@pytest.mark.parametrize("action", ["pause", "resume"])
def test_without_a_terminal_and_a_flag_nothing_is_asked_of_aws(world: World, aws: FakeLambda, action: str) -> None:
    """Status 4, before anything is touched."""
    assert world.run("consumer", action).status == 4
    assert sum(aws.requests.values()) == 0


@pytest.mark.parametrize("form", ["json", "jsonl"])
def test_the_document_has_what_the_text_has(world: World, aws: FakeLambda, form: str) -> None:
    """Mappings before and after, as a plan and as what was done."""
    planned = world.run("consumer", "pause", "--dry-run", "--output", form).document
    assert (set(planned), planned["status"], planned["run_id"]) == (DOCUMENT, "planned", None)
    done = world.run("consumer", "pause", "--yes", "--output", form).document
    assert (set(done), done["type"], done["action"], done["status"]) == (DOCUMENT, "consumer", "pause", "done")
    [mapping] = done["mappings"]
    assert (set(mapping), mapping["function"]) == (MAPPING, "orders-consumer")
    assert (mapping["state_before"], mapping["state_after"]) == ("Enabled", "Disabled")
    back = world.run("consumer", "resume", "--yes", "--output", form).document
    assert (back["action"], back["mappings"][0]["paused_here"], back["status"]) == ("resume", True, "done")
    [resumed, paused] = world.run("history", "--output", "json").document["runs"]
    assert {resumed["verb"], paused["verb"]} == {"consumer-resume", "consumer-pause"}


def test_what_did_not_arrive_in_time_is_status_3(world: World, aws: FakeLambda) -> None:
    """The hint says that the same command goes on."""
    aws.settle_s = 3_600
    ended = world.run("consumer", "pause", "--yes")
    assert ended.status == 3
    assert "Enabled -> Disabling" in ended.out
    assert "the same command again goes on waiting" in ended.err
    aws.settle_s = 0
    world.clock.advance(3_600)
    assert world.run("consumer", "pause", "--yes").out.startswith("nothing to do")


def test_a_missing_permission_is_status_1_and_names_the_action(world: World, aws: FakeLambda) -> None:
    """So that it can be asked for."""
    operation = "UpdateEventSourceMapping"
    aws.faults = FailCalls(operation, error_for(operation, "AccessDeniedException", "not authorized", 403))
    ended = world.run("consumer", "pause", "--yes")
    assert (ended.status, ended.out) == (1, "")
    assert f"allow the action `{operation}`" in ended.err


def test_several_sources_are_not_paused_by_accident(world: World, aws: FakeLambda) -> None:
    """The environment does not widen what is meant either."""
    world.make_queue("payments", RedrivePolicy=world.policy("orders-dlq", 3))
    world.patch.setenv("OPSTOOL_ALL", "1")
    ended = world.run("consumer", "pause", "orders-dlq", "--yes")
    assert (ended.status, states(aws)) == (4, ["Enabled"])
    assert '"orders", "payments"' in ended.err
    assert world.run("consumer", "pause", "orders-dlq", "--all", "--yes").status == 0
    assert states(aws) == ["Disabled"]
