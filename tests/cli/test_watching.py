"""A few back, look, then the rest: the canary and its kin on the command line."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from opstool.words.reason import Reason
from tests.cli.test_golden import check
from tests.cli.world import LOG_GROUP, World, a_reason


def consume(world: World, *, bad: Callable[[str], bool] = lambda body: "bad" in body) -> None:
    """Let a consumer work on the source queue each second of virtual time; its log tells of each failure."""
    world.sqs("SetQueueAttributes", {"QueueUrl": world.source, "Attributes": {"VisibilityTimeout": "10"}})

    def work() -> None:
        request = {"QueueUrl": world.source, "MaxNumberOfMessages": 10, "WaitTimeSeconds": 0}
        while messages := world.sqs("ReceiveMessage", request).get("Messages"):
            for each in messages:
                if bad(each["Body"]):
                    world.account.fail(LOG_GROUP, each["MessageId"], _reason(world))
                else:
                    world.sqs("DeleteMessage", {"QueueUrl": world.source, "ReceiptHandle": each["ReceiptHandle"]})

    world.clock.every(1, work)


def _reason(world: World) -> Reason:
    reason = a_reason("PermanentError", "no such customer")
    return Reason(
        type=reason.type,
        message=reason.message,
        fingerprint=reason.fingerprint,
        at_ms=round(world.clock.wall() * 1000),
        attempts=1,
        function="orders-consumer",
    )


def test_a_canary_that_comes_back_ends_with_status_5_and_names_the_reason(world: World) -> None:
    """And the rest is where it was."""
    world.kill(*(json.dumps({"bad": number}) for number in range(30)))
    consume(world)
    ended = world.run(
        "--output", "json", "dlq", "redrive", "orders-dlq", "--canary", "4", "--canary-wait", "60s", "--yes"
    )
    assert ended.status == 5, ended.err
    report = ended.document
    assert report["stopped"]["code"] == "canary_returned"
    assert "PermanentError (4)" in report["stopped"]["message"]
    assert (report["succeeded"], report["released"], report["returned"]) == (4, 26, 4)
    assert report["outcome"]["reasons"] == [{"type": "PermanentError", "fingerprint": "0123456789ab", "count": 4}]
    assert len(world.bodies(world.dlq)) == 30


def test_the_screen_says_it_too(world: World) -> None:
    """With the new id of what came back, and what to do next."""
    world.kill(*(json.dumps({"bad": number}) for number in range(8)))
    consume(world)
    ended = world.run("dlq", "redrive", "orders-dlq", "--canary", "2", "--yes")
    assert ended.status == 5
    assert "2 of 8 go first; their outcome is awaited for up to" in ended.err
    assert "2 came back: PermanentError: no such customer" in ended.out
    assert "6 messages not sent" in ended.out
    assert "opstool" in ended.err.splitlines()[-1]


def test_a_canary_that_is_fine_lets_the_rest_go(world: World) -> None:
    """Status 0, and with --wait the outcome of all."""
    world.kill(*(json.dumps({"fine": number}) for number in range(12)))
    consume(world)
    ended = world.run("--output", "json", "dlq", "redrive", "orders-dlq", "--canary", "3", "--wait", "--yes")
    assert ended.status == 0, ended.err
    assert ended.document["outcome"]["succeeded"] == 12


def test_what_came_back_after_all_is_status_5(world: World) -> None:
    """With --wait alone nothing is kept back, and the end is told."""
    world.kill(*(json.dumps({"bad" if number < 2 else "fine": number}) for number in range(6)))
    consume(world)
    ended = world.run("--output", "json", "dlq", "redrive", "orders-dlq", "--wait", "--yes")
    assert ended.status == 5
    outcome = ended.document["outcome"]
    assert (outcome["succeeded"], outcome["returned"], outcome["unknown"]) == (4, 2, 0)


def test_a_canary_without_an_outcome_is_status_3(world: World) -> None:
    """Nobody consumes; resume looks again."""
    world.kill("a", "b", "c")
    ended = world.run("dlq", "redrive", "orders-dlq", "--canary", "1", "--canary-wait", "5s", "--yes")
    assert ended.status == 3
    assert "have no outcome" in ended.out
    assert "resume" in ended.err


def test_a_canary_of_everything_leaves_nothing_to_resume(world: World) -> None:
    """All of it was sent: the hint names no command that would be refused."""
    world.kill("a", "b")
    ended = world.run("dlq", "redrive", "orders-dlq", "--canary", "5", "--canary-wait", "5s", "--yes")
    assert ended.status == 3
    assert "have no outcome" in ended.out
    assert "resume" not in ended.err


def test_the_history_has_the_outcome(world: World) -> None:
    """Of the run, and of each message."""
    world.kill(*(json.dumps({"bad": number}) for number in range(3)))
    consume(world)
    run_id = world.run(
        "--output", "json", "dlq", "redrive", "orders-dlq", "--canary", "1", "--canary-wait", "1m", "--yes"
    ).document["run_id"]
    shown = world.run("--output", "json", "history", run_id).document
    assert shown["run"]["report"]["outcome"]["returned"] == 1
    assert [each["outcome"] for each in shown["moves"]] == ["returned"]
    text = world.run("history", run_id).out
    assert "1 returned" in text
    assert "1 of the 1 messages of the canary came back" in text


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--canary", "0"), "--canary"),
        (("--canary-wait", "60s"), "`--canary-wait` needs `--canary`"),
        (("--canary", "3", "--canary-wait", "soon"), "--canary-wait"),
        (("--canary", "3", "--canary-wait", "0s"), "nothing would be known"),
        (("--stop-on-returned", "100"), "a percentage"),
        (("--include-poison", "--only-poison"), "exclude each other"),
        (("--only-poison",), "needs `--to`"),
    ],
    ids=["no canary", "no canary to wait for", "no time", "no wait", "all", "both", "back where it died"],
)
def test_what_cannot_be_watched_is_a_usage_error(world: World, words: tuple[str, ...], said: str) -> None:
    """Before anything is received."""
    world.kill("a")
    ended = world.run("dlq", "redrive", "orders-dlq", "--yes", *words)
    assert ended.status == 2
    assert said in ended.err
    assert world.depth(world.dlq) == 1


def test_a_canary_that_comes_back_as_a_person_sees_it(world: World) -> None:
    """Word for word: what was planned, what came back, why, and what one might do."""
    world.kill(*(json.dumps({"bad": number}) for number in range(8)))
    consume(world)
    ended = world.run("--workers", "1", "dlq", "redrive", "orders-dlq", "--canary", "2", "--yes")
    check("redrive-canary-returned", world, ended)
