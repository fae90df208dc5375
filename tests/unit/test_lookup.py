"""From dead messages to their reasons: in few questions, within bounds, and never more certain than the logs are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from opstool.doors.toolkit import Toolkit
from opstool.engine.dlq import DeadLetterQueue, locate
from opstool.engine.hold import Hold
from opstool.engine.reasons.lookup import look_up
from opstool.engine.survey import survey
from opstool.fake import Faults, LogsBehaviour
from opstool.words.awserrors import error_for
from opstool.words.errors import InterruptedRunError
from opstool.words.logevent import Sought
from opstool.words.logreading import LogReading
from opstool.words.reason import NOT_ASKED, Evidence, Reason, Reasons, ReasonState
from opstool.words.selection import Selection
from tests.account import Account, failure_line
from tests.world import World

GROUP = "/aws/lambda/orders-consumer"
REQUEST = "11111111-2222-3333-4444-55555555555"
MINUTE_MS = 60_000
DENIED = error_for("StartQuery", "AccessDeniedException", "no", 403)
KEY_ERROR = Reason(type="KeyError", message="'total'", fingerprint="0123456789ab", at_ms=0, attempts=3)


@pytest.fixture
def account(world: World) -> Account:
    """Return the other services, where a function consumes the source queue; its log exists."""
    account = Account(world.clock)
    account.functions.add_function("orders-consumer", Timeout=3)
    account.functions.add_mapping(world.source.arn, "orders-consumer")
    month_ago_ms = round((world.clock.wall() - 30 * 86_400) * 1000)
    account.log(GROUP, "INIT_START Runtime Version: python:3.13", at_ms=month_ago_ms)
    return account


@pytest.fixture
def kit(world: World, account: Account) -> Toolkit:
    """Return a toolkit that reaches all of them."""
    kit = world.kit()
    kit.ask = account
    return kit


def sought(world: World, *ids: str, ago_s: float = 600) -> list[Sought]:
    """Return messages that were sent, and first received a second later, that long ago."""
    sent_ms = round((world.clock.wall() - ago_s) * 1000)
    return [
        Sought(message_id=each, sent_at_ms=sent_ms, first_received_at_ms=sent_ms + 1000, source_arn=world.source.arn)
        for each in ids
    ]


def ids(count: int) -> list[str]:
    """Return message ids of SQS's form."""
    return [f"8f14e45f-ceea-467f-a8d2-{number:012x}" for number in range(count)]


def ask(kit: Toolkit, messages: list[Sought]) -> Reasons:
    """Look up why these messages of `orders-dlq` died."""
    return look_up(kit, the_dlq(kit), messages)


def the_dlq(kit: Toolkit) -> DeadLetterQueue:
    """Return the queue that every test here has."""
    return locate(kit, "orders-dlq")


def test_our_consumers_line_is_the_reason_exactly(world: World, account: Account, kit: Toolkit) -> None:
    """Found by discovery alone, with one query."""
    [message] = sought(world, *ids(1))
    account.fail(GROUP, message.message_id, KEY_ERROR, at_ms=message.sent_at_ms + 2000)
    reason = ask(kit, [message]).found[message.message_id]
    assert (reason.type, reason.message, reason.attempts) == ("KeyError", "'total'", 3)
    assert reason.fingerprint == "0123456789ab"
    assert (reason.function, reason.log_group, reason.evidence) == ("orders-consumer", GROUP, Evidence.LINE)
    assert account.logs.requests["StartQuery"] == 1


def test_a_message_that_no_line_names_was_sought_in_vain(world: World, kit: Toolkit) -> None:
    """The log was read to its end, and that is a finding: throttled, timed out or crashed."""
    [message] = sought(world, *ids(1))
    reasons = ask(kit, [message])
    assert reasons.state_of(message.message_id) is ReasonState.NOT_FOUND


def test_what_was_looked_up_is_not_asked_again(world: World, account: Account, kit: Toolkit) -> None:
    """Neither by this process nor by the next."""
    messages = sought(world, *ids(3))
    account.fail(GROUP, messages[0].message_id, KEY_ERROR, at_ms=messages[0].sent_at_ms + 2000)
    first = ask(kit, messages[:1])
    queries = account.logs.requests["StartQuery"]
    again = world.kit()
    again.ask = account
    assert look_up(again, the_dlq(again), messages[:1]).found == first.found
    assert account.logs.requests["StartQuery"] == queries


@pytest.mark.parametrize(
    "operations",
    [("StartQuery", "FilterLogEvents"), ("ListEventSourceMappings",)],
    ids=["the log may not be read", "the consumer is not known"],
)
def test_what_may_not_be_read_is_unknown_and_said_once(
    world: World, account: Account, kit: Toolkit, operations: tuple[str, ...]
) -> None:
    """Unknown is not the same as not found: nothing may be concluded from it."""
    messages = sought(world, *ids(3))
    account.denied |= dict.fromkeys(operations, DENIED)
    reasons = ask(kit, messages)
    assert {reasons.state_of(each.message_id) for each in messages} == {ReasonState.UNKNOWN}
    assert len(reasons.notes) >= 1
    assert len(set(reasons.notes)) == len(reasons.notes)


def test_without_insights_the_log_is_filtered(world: World, account: Account, kit: Toolkit) -> None:
    """Slower, and as good."""
    account.denied["StartQuery"] = DENIED
    found, vain = sought(world, *ids(2))
    account.fail(GROUP, found.message_id, KEY_ERROR, at_ms=found.sent_at_ms + 2000)
    reasons = ask(kit, [found, vain])
    assert reasons.state_of(found.message_id) is ReasonState.FOUND
    assert reasons.state_of(vain.message_id) is ReasonState.NOT_FOUND


def test_a_log_that_is_not_there_leaves_its_messages_unknown(world: World, account: Account, kit: Toolkit) -> None:
    """The function may log elsewhere, and the note says how to name it."""
    account.functions.add_function("orders-consumer", LoggingConfig={"LogGroup": "gone"})
    [message] = sought(world, *ids(1))
    reasons = ask(kit, [message])
    assert reasons.state_of(message.message_id) is ReasonState.UNKNOWN
    assert "`gone`" in reasons.notes[0]
    assert "--log-group" in reasons.notes[0]


def test_a_log_that_keeps_less_than_the_queue_cannot_tell_of_old_messages(
    world: World, account: Account, kit: Toolkit
) -> None:
    """Their lines may have gone, so not found would claim too much."""
    account.logs("logs", "PutRetentionPolicy", {"logGroupName": GROUP, "retentionInDays": 3})
    [old] = sought(world, *ids(1), ago_s=5 * 86_400)
    [young] = sought(world, ids(2)[1])
    reasons = ask(kit, [old, young])
    assert reasons.state_of(old.message_id) is ReasonState.UNKNOWN
    assert reasons.state_of(young.message_id) is ReasonState.NOT_FOUND
    assert reasons.notes == (f"the log group `{GROUP}` keeps its lines for 3 days; some are gone",)


def test_how_long_a_log_keeps_its_lines_is_not_guessed(world: World, account: Account, kit: Toolkit) -> None:
    """Who may not ask knows only of the last day, which every log keeps."""
    account.denied["DescribeLogGroups"] = DENIED
    [old] = sought(world, *ids(1), ago_s=2 * 86_400)
    [young] = sought(world, ids(2)[1])
    reasons = ask(kit, [old, young])
    assert reasons.state_of(old.message_id) is ReasonState.UNKNOWN
    assert reasons.state_of(young.message_id) is ReasonState.NOT_FOUND
    assert reasons.notes == (f"how long the log group `{GROUP}` keeps its lines may not be asked; some may be gone",)


def test_beyond_the_scan_limit_nothing_is_concluded(world: World, account: Account, kit: Toolkit) -> None:
    """The note names the option that lifts the bound."""
    [message] = sought(world, *ids(1))
    for _ in range(50):
        account.log(GROUP, "x" * 100_000, at_ms=message.sent_at_ms + 1)
    kit.log_reading = LogReading(scan_limit_bytes=1000)
    reasons = ask(kit, [message])
    assert reasons.state_of(message.message_id) is ReasonState.UNKNOWN
    assert any("--scan-limit" in note for note in reasons.notes)


def test_a_line_that_insights_does_not_know_yet_is_found_all_the_same(
    world: World, account: Account, kit: Toolkit
) -> None:
    """The last minute is asked for where events are known first."""
    account.logs.behaviour = LogsBehaviour(indexing_delay_s=30)
    [message] = sought(world, *ids(1), ago_s=20)
    account.fail(GROUP, message.message_id, KEY_ERROR, at_ms=message.sent_at_ms + 2000)
    assert ask(kit, [message]).state_of(message.message_id) is ReasonState.FOUND


def test_an_emulator_that_ignores_filters_changes_nothing(world: World, account: Account, kit: Toolkit) -> None:
    """What it answers too much is left out on our side."""
    account.logs.behaviour = LogsBehaviour(ignores_filters=True)
    found, vain = sought(world, *ids(2))
    account.fail(GROUP, found.message_id, KEY_ERROR, at_ms=found.sent_at_ms + 2000)
    account.fail(GROUP, "somebody-else", KEY_ERROR, at_ms=found.sent_at_ms + 2000)
    reasons = ask(kit, [found, vain])
    assert set(reasons.found) == {found.message_id}


def invocation(account: Account, at_ms: int, *lines: str, request_id: str = REQUEST + "0") -> None:
    """Write an invocation of a plain Python function into the log."""
    start, end = f"START RequestId: {request_id} Version: $LATEST", f"END RequestId: {request_id}"
    report = f"REPORT RequestId: {request_id}\tDuration: 12.00 ms\tBilled Duration: 12 ms\tMemory Size: 128 MB"
    for number, line in enumerate((start, *lines, end, report)):
        account.log(GROUP, line, at_ms=at_ms + number)


ESCAPED = """[ERROR] ValueError: no total
Traceback (most recent call last):
  File "/var/task/app.py", line 5, in handler"""


def test_an_error_beside_the_line_that_names_the_message_is_its_reason(
    world: World, account: Account, kit: Toolkit
) -> None:
    """A print of the id, then an exception that escapes: one invocation."""
    [message] = sought(world, *ids(1))
    invocation(account, message.sent_at_ms + 1100, f"handling {message.message_id}", ESCAPED)
    reason = ask(kit, [message]).found[message.message_id]
    assert (reason.type, reason.message, reason.evidence) == ("ValueError", "no total", Evidence.REQUEST)


def test_an_error_at_the_time_of_the_first_receive_is_probably_the_reason(
    world: World, account: Account, kit: Toolkit
) -> None:
    """A handler that says nothing and lets exceptions escape."""
    [message] = sought(world, *ids(1))
    invocation(account, message.sent_at_ms + 1100, ESCAPED)
    reason = ask(kit, [message]).found[message.message_id]
    assert (reason.type, reason.evidence) == ("ValueError", Evidence.TIME)


def test_a_timeout_is_told_in_lambdas_own_words(world: World, account: Account, kit: Toolkit) -> None:
    """By the request id of the invocation that named the message."""
    [message] = sought(world, *ids(1))
    timed_out = f"2025-01-01T00:00:00.000Z {REQUEST}0 Task timed out after 3.00 seconds"
    invocation(account, message.sent_at_ms + 1100, f"handling {message.message_id}", timed_out)
    reason = ask(kit, [message]).found[message.message_id]
    assert (reason.type, reason.message) == ("Sandbox.Timedout", "Task timed out after 3.00 seconds")


def test_named_log_groups_are_read_whoever_writes_them(world: World, account: Account, kit: Toolkit) -> None:
    """A consumer that is no function has a log too."""
    account.denied["ListEventSourceMappings"] = DENIED
    kit.log_reading = LogReading(log_groups=("ecs/orders",))
    [message] = sought(world, *ids(1))
    line = f"ERROR could not handle {message.message_id}: TypeError: total is undefined"
    account.log("ecs/orders", line, at_ms=message.sent_at_ms + 2000)
    assert ask(kit, [message]).found[message.message_id].type == "TypeError"


def test_nothing_is_asked_when_no_reasons_are_wanted(world: World, account: Account, kit: Toolkit) -> None:
    """Not even who consumes the queue."""
    kit.log_reading = LogReading(wanted=False)
    assert ask(kit, sought(world, *ids(1))) is NOT_ASKED
    assert not account.functions.requests


def test_many_messages_take_few_queries(world: World, account: Account, kit: Toolkit) -> None:
    """Our own consumer's lines are asked for as such, so that the ids need not be named."""
    messages = sought(world, *ids(3_000))
    for each in messages[:-1]:
        account.log(GROUP, failure_line(each.message_id, KEY_ERROR), at_ms=each.sent_at_ms + 2000)
    reasons = ask(kit, messages)
    assert len(reasons.found) == 2_999
    assert reasons.state_of(messages[-1].message_id) is ReasonState.NOT_FOUND
    assert account.logs.requests["StartQuery"] <= 4


def test_what_is_probable_needs_the_whole_log(world: World, account: Account, kit: Toolkit) -> None:
    """A second consumer whose log is gone may have failed at the same time, in another way."""
    account.functions.add_function("second")
    account.functions.add_mapping(world.source.arn, "second")
    [message] = sought(world, *ids(1))
    invocation(account, message.sent_at_ms + 1100, ESCAPED)
    assert ask(kit, [message]).state_of(message.message_id) is ReasonState.UNKNOWN


def test_a_reason_of_half_a_log_is_told_but_not_remembered(world: World, account: Account, kit: Toolkit) -> None:
    """The other half may tell of a later attempt; when it can be read, it is."""
    account.functions.add_function("second")
    account.functions.add_mapping(world.source.arn, "second")
    [message] = sought(world, *ids(1))
    line = f"ERROR could not handle {message.message_id}: "
    account.log(GROUP, line + "KeyError: total", at_ms=message.sent_at_ms + 2000)
    assert ask(kit, [message]).found[message.message_id].type == "KeyError"
    account.log("/aws/lambda/second", line + "TypeError: total", at_ms=message.sent_at_ms + 9000)
    assert ask(kit, [message]).found[message.message_id].type == "TypeError"


def test_an_interruption_while_the_logs_are_read_is_one(world: World, account: Account, kit: Toolkit) -> None:
    """It is no refusal because reasons are unknown, and no answer that only looks whole."""
    for by_reason in (None, "KeyError"):
        kit = world.kit()
        kit.ask = account
        world.die(["a body"])

        class Interrupt(Faults):
            def before(self, operation: str, request: Mapping[str, Any], kit: Toolkit = kit) -> None:
                kit.stop.set()

        account.logs.faults = Interrupt()
        dlq = the_dlq(kit)
        with pytest.raises(InterruptedRunError), Hold(kit, dlq, exclusive=False) as hold:
            survey(kit, hold, dlq, Selection(reason=by_reason), limit=None, to_change=by_reason is not None)


def test_what_was_probable_gives_way_to_a_line_that_comes_later(world: World, account: Account, kit: Toolkit) -> None:
    """Within the time in which a log may grow."""
    [message] = sought(world, *ids(1), ago_s=60)
    invocation(account, message.sent_at_ms + 1100, ESCAPED)
    assert ask(kit, [message]).found[message.message_id].evidence is Evidence.TIME
    account.fail(GROUP, message.message_id, KEY_ERROR, at_ms=message.sent_at_ms + 50_000)
    assert ask(kit, [message]).found[message.message_id].evidence is Evidence.LINE


def test_as_many_messages_are_sought_as_there_are_where_the_size_of_the_log_is_not_known(
    world: World, account: Account, kit: Toolkit
) -> None:
    """So many ids in patterns would pass the bound of pages; then the last minute is read whole."""
    account.denied["DescribeLogGroups"] = DENIED
    messages = sought(world, *ids(3_000))
    reasons = ask(kit, messages)
    assert {reasons.state_of(each.message_id) for each in messages} == {ReasonState.NOT_FOUND}


def test_errors_that_may_be_anybodys_are_named_in_a_note(world: World, account: Account, kit: Toolkit) -> None:
    """A plain handler failed in two ways at the time: nothing is claimed of a message, and both are told."""
    [message] = sought(world, *ids(1))
    other = ESCAPED.replace("ValueError: no total", "KeyError: 'customer'")
    invocation(account, message.sent_at_ms + 1100, ESCAPED)
    invocation(account, message.sent_at_ms + 1200, other, request_id=REQUEST + "1")
    reasons = ask(kit, [message])
    assert reasons.state_of(message.message_id) is ReasonState.NOT_FOUND
    [note] = [note for note in reasons.notes if "without a message id" in note]
    assert "ValueError: no total (1 x)" in note
    assert "KeyError: 'customer' (1 x)" in note
