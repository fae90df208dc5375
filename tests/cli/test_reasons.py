"""Reasons on the command line: they select, they are looked for where one says, and unknown ones stop a change."""

from __future__ import annotations

import pytest

from opstool.words.awserrors import error_for
from tests.cli.world import World, a_reason

DENIED = error_for("FilterLogEvents", "AccessDeniedException", "no", 403)


def test_a_redrive_by_reason_takes_exactly_those(world: World) -> None:
    """The others stay, and are counted as skipped."""
    first, second, third = world.kill("1", "2", "3")
    world.reasons[first] = world.reasons[third] = a_reason("KeyError")
    world.reasons[second] = a_reason("TimeoutError")
    report = world.run("dlq", "redrive", "--reason", "KeyError", "--yes", "--output", "json").document
    assert (report["succeeded"], report["skipped"]) == (2, 1)
    assert world.bodies(world.source) == ["1", "3"]


@pytest.mark.parametrize("verb", [("redrive", "--yes"), ("purge", "--confirm", "orders-dlq")], ids=lambda verb: verb[0])
def test_a_change_by_reason_is_refused_while_a_reason_is_unknown(world: World, verb: tuple[str, ...]) -> None:
    """Whoever cannot be judged might be meant; nothing is touched, and everything is visible again."""
    world.kill("1", "2")
    world.account.denied |= {"StartQuery": DENIED, "FilterLogEvents": DENIED}
    ended = world.run("dlq", *verb, "--reason", "KeyError")
    assert (ended.status, world.depth(world.dlq)) == (4, 2)
    assert "error: the selection asks for reasons, and those of 2 messages are not known" in ended.err
    assert len(world.bodies(world.dlq)) == 2


def test_a_look_by_reason_goes_on_without_those_that_are_unknown(world: World) -> None:
    """It is partial, and says why once."""
    world.kill("1", "2")
    world.account.denied |= {"StartQuery": DENIED, "FilterLogEvents": DENIED}
    ended = world.run("dlq", "list", "--reason", "KeyError")
    assert ended.status == 3
    assert ended.err.count("could not be read") == 1


def test_not_found_is_no_reason_to_refuse(world: World) -> None:
    """The log was read: a message without a line has not died of what is asked for."""
    [known, _] = world.kill("1", "2")
    world.reasons[known] = a_reason("KeyError")
    assert world.run("dlq", "redrive", "--reason", "KeyError", "--yes").status == 0
    assert world.bodies(world.dlq) == ["2"]


def test_an_export_by_reason_writes_the_reason(world: World) -> None:
    """Into each line."""
    [known, _] = world.kill("1", "2")
    world.reasons[known] = a_reason("KeyError")
    [line, *_] = world.run("--quiet", "dlq", "export", "--reason", "KeyError").lines
    assert (line["message_id"], line["reason"]["type"], line["reason_state"]) == (known, "KeyError", "found")


def test_a_named_log_group_is_read_and_no_other(world: World) -> None:
    """`--log-group` overrides the discovery."""
    [message] = world.kill("1")
    world.account.log("ecs/orders", f"ERROR failed {message}: TypeError: total is undefined")
    document = world.run("dlq", "list", "--log-group", "ecs/orders", "--output", "json").document
    assert document["messages"][0]["reason"]["type"] == "TypeError"
    assert world.account.functions.requests["ListEventSourceMappings"] == 0


def test_no_reasons_asks_no_log(world: World) -> None:
    """And says null, not `not_found`: nothing was looked for."""
    world.kill("1")
    document = world.run("dlq", "list", "--no-reasons", "--output", "json").document
    assert [(each["reason"], each["reason_state"]) for each in document["messages"]] == [(None, None)]
    assert not world.account.logs.requests["StartQuery"]


@pytest.mark.parametrize(
    "words",
    [
        ("list", "--no-reasons", "--reason", "KeyError"),
        ("redrive", "--no-reasons", "--where", "reason.type == 'KeyError'", "--yes"),
        ("list", "--no-reasons", "--log-group", "a"),
        ("list", "--scan-limit", "ten"),
        ("list", "--scan-limit", "10"),
    ],
    ids=" ".join,
)
def test_options_that_contradict_themselves_are_wrong_usage(world: World, words: tuple[str, ...]) -> None:
    """Before or after the look, but never with a change."""
    world.kill("1")
    assert world.run("dlq", *words).status == 2
    assert world.depth(world.dlq) == 1


def test_a_second_look_asks_no_log_again(world: World) -> None:
    """What was looked up stands in the state directory."""
    [message] = world.kill("1")
    world.reasons[message] = a_reason()
    world.run("dlq", "list")
    asked = world.account.logs.requests["StartQuery"]
    assert asked == 1
    assert "ValueError" in world.run("dlq", "list").out
    assert world.account.logs.requests["StartQuery"] == asked


@pytest.mark.parametrize("verb", [("list",), ("redrive", "--yes")], ids=lambda verb: verb[0])
def test_a_reason_that_nothing_died_of_is_answered_by_those_there_are(world: World, verb: tuple[str, ...]) -> None:
    """The most frequent first, so that a mistyped one is seen; with a match there is no such note."""
    first, second, third, _ = world.kill("1", "2", "3", "4")
    world.reasons[first] = world.reasons[third] = a_reason("KeyError")
    world.reasons[second] = a_reason("Timeout\x1b[31mError")
    ended = world.run("dlq", *verb, "--reason", "KeyErorr")
    assert (ended.status, world.depth(world.dlq)) == (0, 4)
    assert (
        ended.err.count("nothing matches; the reasons there are: KeyError (2 x), Timeout\\u001b[31mError (1 x)\n") == 1
    )
    assert "nothing matches" not in world.run("dlq", "list", "--reason", "KeyError").err
