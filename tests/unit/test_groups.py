"""Groups of a whole queue: exact counts, everything released, no body kept."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from opstool.doors.toolkit import Toolkit
from opstool.engine import tallying
from opstool.engine.dlq import DeadLetterQueue
from opstool.fake import Faults
from opstool.verbs import groups
from opstool.words.errors import InterruptedRunError, UsageError
from opstool.words.groups.group import BUCKETS
from opstool.words.logevent import Sought
from opstool.words.logreading import LogReading
from opstool.words.message import md5_of_body
from opstool.words.reason import NOT_ASKED, Reason, Reasons, ReasonState
from opstool.words.selection import Selection
from tests.world import World

MEBIBYTE = 1_048_576
MESSAGES, KINDS, BODY_CHARACTERS = 10_000, 50, 20_000
MOST_GROWTH_BYTES = 20 * MEBIBYTE
"""Eight are for leases and records; the bodies would take 190."""

Answer = Callable[[Sequence[Sought]], Reasons]


def a_reason(kind: str, **changes: Any) -> Reason:
    """Return a reason whose fingerprint is its type."""
    reason = Reason(type=kind, message="text", fingerprint=f"{kind:0>12}", at_ms=1_800_000_000_000, attempts=1)
    return replace(reason, **changes)


@pytest.fixture
def logs(monkeypatch: pytest.MonkeyPatch) -> Callable[[Answer], list[Sought]]:
    """Return what puts a log into the world; it returns the list of those who will have been sought."""

    def put(answer: Answer) -> list[Sought]:
        asked: list[Sought] = []

        def look_up(kit: Toolkit, dlq: DeadLetterQueue, sought: Sequence[Sought]) -> Reasons:
            asked.extend(sought)
            return answer(sought) if kit.log_reading.wanted else NOT_ASKED

        monkeypatch.setattr(tallying, "look_up", look_up)
        return asked

    put(lambda _: Reasons())
    return put


def told(reasons: Mapping[str, Reason], unread: Sequence[str] = (), notes: Sequence[str] = ()) -> Answer:
    """Return the answer of a log that tells these reasons."""
    return lambda _: Reasons(found=reasons, unread=frozenset(unread), notes=tuple(notes))


Put = Callable[[Answer], list[Sought]]


def test_no_line_and_no_log_are_never_mixed(world: World, logs: Put) -> None:
    """Two fingerprints, those without a line, and those whose log could not be read: four groups."""
    ids = world.die(map(str, range(10)))
    reasons = {each: a_reason("a") for each in ids[:4]} | {each: a_reason("b") for each in ids[4:7]}
    logs(told(reasons, unread=ids[7:8], notes=["a log was too large"]))
    found = groups.group_messages(world.kit(), "orders-dlq")
    shown = [(each.reason and each.reason.type, each.reason_state, set(each.message_ids)) for each in found.groups]
    assert shown == [
        ("a", ReasonState.FOUND, set(ids[:4])),
        ("b", ReasonState.FOUND, set(ids[4:7])),
        (None, ReasonState.NOT_FOUND, set(ids[8:])),
        (None, ReasonState.UNKNOWN, {ids[7]}),
    ]
    assert [each.share for each in found.groups] == [0.4, 0.3, 0.2, 0.1]
    assert (found.seen, found.shown, found.partial) == (10, 10, False)
    assert found.notes == ("looking added 1 to the receive count of 10 messages", "a log was too large")


def test_everything_is_released_before_the_log_is_asked(world: World, logs: Put) -> None:
    """A query may take minutes; the queue does not look empty meanwhile."""
    world.die(map(str, range(25)))
    visible: list[int] = []

    def ask(_: Sequence[Sought]) -> Reasons:
        visible.append(world.visible(world.dlq))
        return Reasons()

    logs(ask)
    groups.group_messages(world.kit(), "orders-dlq")
    assert visible == [25]


def test_a_group_knows_its_times_and_receives(world: World, logs: Put) -> None:
    """First and last by SentTimestamp, the expiry by the retention of the DLQ, the sample is the newest failure."""
    [first] = world.die(["a"])
    world.clock.advance(86_400)
    world.ask("ReceiveMessage", world.dlq, VisibilityTimeout=0)
    [last] = world.die(["b"])
    sent = {each.message_id: each.sent_at_ms for each in _sought(world, logs)}
    at_ms = sent[first] + 60_000
    logs(told({first: a_reason("x", at_ms=at_ms, message="new"), last: a_reason("x", at_ms=at_ms - 1, message="old")}))
    [group] = groups.group_messages(world.kit(), "orders-dlq").groups
    assert (group.first_sent_ms, group.last_sent_ms) == (sent[first], sent[last])
    assert group.soonest_expiry_ms == sent[first] + 14 * 86_400_000
    assert (group.sample_id, group.reason and group.reason.message) == (first, "new")
    assert group.most_receives == group.least_receives + 1
    assert (group.source_arn, group.source_arns) == (world.source.arn, (world.source.arn,))


def _sought(world: World, logs: Put) -> list[Sought]:
    asked = logs(lambda _: Reasons())
    groups.group_messages(world.kit(), "orders-dlq")
    return asked


def test_arrivals_share_one_span(world: World, logs: Put) -> None:
    """By the time of the failure where it is known, else by SentTimestamp; every group over the same time."""
    early = world.die(["a"])
    start_ms = _sought(world, logs)[0].sent_at_ms
    world.clock.advance(3600)
    late = world.die(["b", "c"])
    end_ms = start_ms + 7_200_000
    logs(told({early[0]: a_reason("x", at_ms=start_ms), late[0]: a_reason("x", at_ms=end_ms)}))
    known, unknown = groups.group_messages(world.kit(), "orders-dlq").groups
    assert (known.arrivals.from_ms, known.arrivals.to_ms) == (start_ms, end_ms)
    assert known.arrivals.counts == (1, *[0] * (BUCKETS - 2), 1)
    assert (unknown.arrivals.from_ms, unknown.arrivals.to_ms) == (start_ms, end_ms)
    assert unknown.arrivals.counts[BUCKETS // 2 - 1 : BUCKETS // 2 + 1] in {(1, 0), (0, 1)}


def test_one_moment_is_one_part_of_the_time(world: World, logs: Put) -> None:
    """A span of nothing can be cut too."""
    world.die(["a"])
    [group] = groups.group_messages(world.kit(), "orders-dlq").groups
    assert sum(group.arrivals.counts) == group.arrivals.counts[0] == 1


def test_our_own_look_is_no_attempt(world: World, logs: Put) -> None:
    """A message that nobody received before has its first receive from us: the log is not searched there."""
    world.send(world.dlq, ["by hand"])
    [sought] = _sought(world, logs)
    assert sought.first_received_at_ms is None


def test_by_source(world: World, logs: Put) -> None:
    """Each source queue is a group, and what was put in by hand is one of its own."""
    other = world.add_queue("payments", dlq=world.dlq)
    dead = [*world.die(["a", "b", "c"]), *world.die(["d", "e"], source=other), *world.send(world.dlq, ["f"])]
    found = groups.group_messages(world.kit(), "orders-dlq", by="source")
    shown = [(each.key and each.key.text, each.source_arn, each.count) for each in found.groups]
    assert shown == [(world.source.arn, world.source.arn, 3), (other.arn, other.arn, 2), (None, None, 1)]
    [whole] = groups.group_messages(world.kit(), "orders-dlq", Selection(ids=frozenset(dead))).groups
    assert (whole.source_arn, whole.source_arns) == (None, tuple(sorted((world.source.arn, other.arn))))


def test_by_attribute(world: World, logs: Put) -> None:
    """By its text, Binary as base64; without it they are a group too."""
    world.die(["a", "b"], MessageAttributes={"kind": {"DataType": "String", "StringValue": "new"}})
    world.die(["c"], MessageAttributes={"kind": {"DataType": "Binary", "BinaryValue": b"\xff"}})
    world.die(["d", "e", "f"])
    found = groups.group_messages(world.kit(), "orders-dlq", by="attr:kind")
    assert [(each.key and each.key.text, each.count) for each in found.groups] == [(None, 3), ("new", 2), ("/w==", 1)]


def test_by_expression(world: World, logs: Put) -> None:
    """A text is shown as it is, anything else as JSON; a number and its text are two groups."""
    world.die(['{"a": 5}', '{"a": "5"}', '{"a": "5"}', '{"a": {"y": 1, "x": [true]}}', '{"a": {"x": [true], "y": 1}}'])
    world.die(['{"a": null}', "no JSON", "{}"])
    found = groups.group_messages(world.kit(), "orders-dlq", by="body.a")
    shown = sorted((each.key.text if each.key else "", each.count) for each in found.groups)
    assert shown == [("", 3), ("5", 1), ("5", 2), ('{"x": [true], "y": 1}', 2)]


def test_what_cannot_be_evaluated_is_grouped_without_a_value_and_counted(world: World, logs: Put) -> None:
    """The note says why, without a word of the body."""
    world.die(["secret", "{}"])
    found = groups.group_messages(world.kit(), "orders-dlq", by="keys(body)")
    assert sorted((each.key.text if each.key else "", each.count) for each in found.groups) == [("", 1), ("[]", 1)]
    [note] = [each for each in found.notes if "told apart" in each]
    assert note == "1 messages could not be told apart: `--by`: keys() got string and wants object"


def test_a_long_value_is_cut_and_still_told_apart(world: World, logs: Put) -> None:
    """Every message may have a value of its own: what a key keeps of it is bounded."""
    world.die(["x" * 5_000 + "1", "x" * 5_000 + "2", "x" * 5_000 + "2"])
    found = groups.group_messages(world.kit(), "orders-dlq", by="body")
    assert [(each.count, len(each.key.text) if each.key else 0) for each in found.groups] == [(2, 1_003), (1, 1_003)]


def test_an_expression_may_look_at_body_and_reason(world: World, logs: Put) -> None:
    """Bodies are held until the reasons are known."""
    ids = world.die(['{"a": 1}', '{"a": 2}', '{"a": 2}'])
    logs(told({each: a_reason("x") for each in ids[:2]}))
    found = groups.group_messages(world.kit(), "orders-dlq", by="[body.a, reason.type]")
    assert {each.key.text for each in found.groups if each.key} == {'[1, "x"]', '[2, "x"]', "[2, null]"}


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        (Selection(reason="x"), {"0", "1", "2", "3"}),
        (Selection(reason="x", body_contains='"b": 1'), {"1", "3"}),
        (Selection(where="reason.type == 'x' && body.b == `0`"), {"0", "2"}),
        (Selection(where="!reason"), {"4", "5"}),
        (Selection(reason="x", where="body.b == `0`"), {"0", "2"}),
    ],
    ids=["reason", "reason and body", "where with both", "no reason", "reason and where"],
)
def test_a_selection_that_needs_the_reason(world: World, logs: Put, selection: Selection, expected: set[str]) -> None:
    """What can be decided before is, the rest afterwards; the others are counted as skipped."""
    ids = world.die(f'{{"n": {number}, "b": {number % 2}}}' for number in range(6))
    logs(told({each: a_reason("x") for each in ids[:4]}))
    found = groups.group_messages(world.kit(), "orders-dlq", selection)
    chosen = {each for group in found.groups for each in group.message_ids}
    assert chosen == {ids[int(each)] for each in expected}
    assert (found.counts.skipped, found.counts.received) == (6 - len(expected), 6)


def test_a_reason_that_could_not_be_read_is_not_selected_and_the_look_is_partial(world: World, logs: Put) -> None:
    """It may be the one that was meant: that is said, and the status of the command tells."""
    ids = world.die(["a", "b"])
    logs(told({ids[0]: a_reason("x")}, unread=ids[1:], notes=["no"]))
    found = groups.group_messages(world.kit(), "orders-dlq", Selection(reason="x"))
    assert (found.shown, found.partial, "no" in found.notes) == (1, True, True)
    assert groups.group_messages(world.kit(), "orders-dlq").partial is False


def test_a_limit_bounds_what_is_grouped(world: World, logs: Put) -> None:
    """Before or after the reasons are known."""
    ids = world.die(map(str, range(30)))
    assert groups.group_messages(world.kit(), "orders-dlq", limit=12).shown == 12
    logs(told({each: a_reason("x") for each in ids[:20]}))
    found = groups.group_messages(world.kit(), "orders-dlq", Selection(reason="x"), limit=12)
    assert (found.shown, found.seen, found.counts.skipped) == (12, 30, 10)


def test_a_named_id_that_was_not_seen_is_missing(world: World, logs: Put) -> None:
    """Also where the reasons are asked for first, and where the limit is smaller than what was seen."""
    ids = world.die(["a", "b", "c"])
    wanted = frozenset([*ids, "nobody"])
    logs(told({each: a_reason("x") for each in ids}))
    for selection in (Selection(ids=wanted), Selection(ids=wanted, reason="x")):
        assert groups.group_messages(world.kit(), "orders-dlq", selection).missing_ids == ("nobody",)
    some = Selection(ids=wanted, reason="x")
    assert groups.group_messages(world.kit(), "orders-dlq", some, limit=2).missing_ids == ("nobody",)


@pytest.mark.parametrize(
    ("by", "selection"),
    [("reason", Selection()), ("reason.type", Selection()), ("source", Selection(reason="x"))],
    ids=["by reason", "by an expression over it", "selected by it"],
)
def test_reasons_that_are_not_wanted_cannot_be_grouped_by(
    world: World, logs: Put, by: str, selection: Selection
) -> None:
    """A usage error, before anything is received."""
    world.die(["a"])
    kit = world.kit()
    kit.log_reading = LogReading(wanted=False)
    with pytest.raises(UsageError, match="--no-reasons"):
        groups.group_messages(kit, "orders-dlq", selection, by=by)
    [message] = world.stored(world.dlq)
    assert message.receipts == 0
    [group] = groups.group_messages(kit, "orders-dlq", by="source").groups
    assert (group.reason, group.reason_state) == (None, None)


def test_an_interruption_is_no_result(world: World, logs: Put) -> None:
    """While looking, or while the log is asked: nothing is shown as if it were whole, and everything is released."""
    world.die(map(str, range(25)))
    kit = world.kit()

    def stopped(_: Sequence[Sought]) -> Reasons:
        kit.stop.set()
        return Reasons()

    logs(stopped)
    with pytest.raises(InterruptedRunError):
        groups.group_messages(kit, "orders-dlq")
    with pytest.raises(InterruptedRunError):
        groups.group_messages(kit, "orders-dlq")
    assert world.visible(world.dlq) == 25


class FreshBodies(Faults):
    """Answers each receive with bodies that nobody else holds, as a network does."""

    def after(self, operation: str, request: Mapping[str, Any], response: dict[str, Any]) -> dict[str, Any]:
        """Make each body long."""
        if operation != "ReceiveMessage":
            return response
        return {"Messages": [_grown(each) for each in response.get("Messages", [])]}


def _grown(message: dict[str, Any]) -> dict[str, Any]:
    body = message["Body"] + " " * BODY_CHARACTERS
    return {**message, "Body": body, "MD5OfBody": md5_of_body(body)}


@pytest.mark.parametrize("by", ["reason", "body.kind"])
def test_ten_thousand_messages_in_fifty_groups_fit_the_memory(world: World, logs: Put, by: str) -> None:
    """Exact counts, and no more memory than ids, handles and times take."""
    kinds = [number % KINDS if number % 3 else number % 7 for number in range(MESSAGES)]
    ids: list[str] = []
    for kind in kinds:
        ids += world.send(world.dlq, [f'{{"kind": "{kind}"}}'])
    expected = {str(kind): kinds.count(kind) for kind in set(kinds)}
    reasons = {each: a_reason(str(kind)) for each, kind in zip(ids, kinds, strict=True)}
    logs(told(reasons))
    world.fake.faults = FreshBodies()
    tracemalloc.start()
    try:
        found = groups.group_messages(world.kit(workers=2), "orders-dlq", by=by)
        growth = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    shown = {each.reason.type: each.count for each in found.groups if each.reason}
    assert (len(found.groups), shown) == (KINDS, expected)
    assert sum(each.count for each in found.groups) == found.seen == MESSAGES
    assert growth < MOST_GROWTH_BYTES, f"{growth / MEBIBYTE:.0f} MiB"
