"""One message's story: its attempts, and the lines of the invocation in which it failed last."""

from __future__ import annotations

import pytest

from opstool.doors.toolkit import Toolkit
from opstool.engine.dlq import locate
from opstool.engine.reasons.lookup import look_into
from opstool.engine.reasons.story import story_of
from opstool.verbs.show import show
from opstool.words.awserrors import error_for
from opstool.words.logevent import Sought
from opstool.words.message import Message
from opstool.words.reason import Reason
from opstool.words.story import Story
from tests.account import Account, failure_line
from tests.world import World

GROUP = "/aws/lambda/orders-consumer"
ID = "8f14e45f-ceea-467f-a8d2-5a1b9a3c1f2e"
OTHER_ID = "00000000-ceea-467f-a8d2-5a1b9a3c1f2e"
REQUESTS = [f"11111111-2222-3333-4444-55555555555{number}" for number in range(3)]


@pytest.fixture
def account(world: World) -> Account:
    """Return the other services, where a function consumes the source queue."""
    account = Account(world.clock)
    account.functions.add_function("orders-consumer", Timeout=3)
    account.functions.add_mapping(world.source.arn, "orders-consumer")
    return account


@pytest.fixture
def kit(world: World, account: Account) -> Toolkit:
    """Return a toolkit that reaches all of them."""
    kit = world.kit()
    kit.ask = account
    return kit


def message(world: World) -> Message:
    """Return a message that was sent ten minutes ago."""
    return Message(
        message_id=ID, body="", sent_at_ms=round((world.clock.wall() - 600) * 1000), source_arn=world.source.arn
    )


def invocations(account: Account, begins_ms: int) -> None:
    """Write three invocations, a minute apart, each of which fails on two messages."""
    for number, request_id in enumerate(REQUESTS):
        at_ms = begins_ms + number * 60_000
        reason = Reason(
            type="KeyError", message="'total'", fingerprint="0" * 12, at_ms=0, attempts=1, request_id=request_id
        )
        lines = [
            f"START RequestId: {request_id} Version: $LATEST",
            failure_line(OTHER_ID, reason),
            failure_line(ID, reason, receive_count=1, traceback=f'File "app.py", line {number + 1}, in process'),
            "after the failure",
            f"END RequestId: {request_id}",
        ]
        for offset, line in enumerate(lines):
            account.log(GROUP, line, at_ms=at_ms + offset)


def tell(world: World, kit: Toolkit) -> Story:
    """Look the message up, then ask for its story."""
    looked_up = look_into(kit, locate(kit, "orders-dlq"), [Sought.of(message(world))], every_attempt=True)
    return story_of(kit, looked_up, ID)


def test_every_attempt_is_told_oldest_first(world: World, account: Account, kit: Toolkit) -> None:
    """With its invocation, and the traceback of the last."""
    invocations(account, message(world).sent_at_ms + 1000)
    story = tell(world, kit)
    assert [attempt.request_id for attempt in story.attempts] == REQUESTS
    assert story.attempts[-1].traceback == 'File "app.py", line 3, in process'
    assert story.functions == ("orders-consumer",)


def test_the_lines_are_those_of_the_last_invocation_and_of_this_message(
    world: World, account: Account, kit: Toolkit
) -> None:
    """What the consumer said of the other messages of the batch is left out."""
    invocations(account, message(world).sent_at_ms + 1000)
    lines = [line.text for line in tell(world, kit).lines]
    assert lines[0] == f"START RequestId: {REQUESTS[2]} Version: $LATEST"
    assert lines[-2:] == ["after the failure", f"END RequestId: {REQUESTS[2]}"]
    assert [ID in line for line in lines] == [False, True, False, False]
    assert not any(OTHER_ID in line for line in lines)


def test_a_stream_that_says_much_is_read_closer_to_the_failure(world: World, account: Account, kit: Toolkit) -> None:
    """Thousands of lines in the minute before would fill the answer before the failure comes."""
    begins_ms = message(world).sent_at_ms + 1000
    invocations(account, begins_ms)
    for number in range(3_000):
        account.log(GROUP, "chatter", at_ms=begins_ms + 70_000 + 15 * number)
    lines = [line.text for line in tell(world, kit).lines]
    assert [ID in line for line in lines] == [False, True, False, False]


def test_lines_that_may_not_be_read_are_a_note(world: World, account: Account, kit: Toolkit) -> None:
    """GetLogEvents is a permission of its own; the attempts are told all the same."""
    invocations(account, message(world).sent_at_ms + 1000)
    account.denied["GetLogEvents"] = error_for("GetLogEvents", "AccessDeniedException", "no", 403)
    story = tell(world, kit)
    assert (len(story.attempts), story.lines) == (3, ())
    assert story.notes[0].startswith("the lines around the failure could not be read: `GetLogEvents` was denied")


def test_without_a_reason_the_functions_are_named(world: World, account: Account, kit: Toolkit) -> None:
    """Their metrics tell whether they were throttled, timed out or crashed."""
    account.log(GROUP, "INIT_START")
    assert tell(world, kit) == Story(functions=("orders-consumer",))


def asked(account: Account, kit: Toolkit, message_id: str) -> tuple[dict[str, int], int]:
    """Show a message; return how often each operation was asked, and how many attempts were told."""
    account.logs.requests.clear()
    account.functions.requests.clear()
    attempts = show(kit, message_id, "orders-dlq").story.attempts
    requests = account.logs.requests + account.functions.requests
    for paged in ("GetQueryResults", "FilterLogEvents", "GetLogEvents"):
        del requests[paged]  # as often as their answers take
    return requests, len(attempts)


def test_nothing_is_asked_twice_for_one_message(world: World, account: Account, kit: Toolkit) -> None:
    """The reason and the story come of one reading, and the reason that is remembered spares none of its attempts."""
    [dead] = world.die(["a"])
    reason = Reason(type="KeyError", message="'total'", fingerprint="0" * 12, at_ms=0, attempts=2)
    account.fail(GROUP, dead, reason)
    world.clock.advance(3_600)
    asking = ("ListEventSourceMappings", "GetFunctionConfiguration", "DescribeLogGroups", "StartQuery")
    once = dict.fromkeys(asking, 1)
    for _ in ("anew", "remembered"):
        assert asked(account, kit, dead) == (once, 2)


def test_what_was_sought_in_vain_long_enough_is_not_sought_again(world: World, account: Account, kit: Toolkit) -> None:
    """There is no attempt to tell of."""
    [dead] = world.die(["a"])
    account.log(GROUP, "INIT_START")
    for _ in range(2):  # the second look-up settles it
        show(kit, dead, "orders-dlq")
        world.clock.advance(3_600)
    requests, attempts = asked(account, kit, dead)
    assert ("StartQuery" in requests, attempts) == (False, 0)
