"""Whatever messages are grouped by: each of them is in exactly one group, and the counts add up."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st

from opstool.cli.sparkline import ASCII, BLOCKS, sparkline
from opstool.engine import tallying
from opstool.verbs import groups
from opstool.words.groups.group import Member, grouped
from opstool.words.groups.groupdocument import group_document
from opstool.words.groups.grouping import grouping_of
from opstool.words.groups.suggestion import Situation, suggest
from opstool.words.logevent import Sought
from opstool.words.message import Message
from opstool.words.reason import Reason, Reasons, ReasonState
from opstool.words.selection import Selection
from tests.properties.strategies import attribute_names, messages, reasons
from tests.world import make_world

RETENTION_S = 345_600
# Python's lists take True for 1, and JMESPath's equality is theirs.
values = st.recursive(
    st.none() | st.booleans() | st.integers(2, 9) | st.text("ab`'\"\\5 ", max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
    max_leaves=4,
)
few_attributes = st.dictionaries(
    st.sampled_from(["a", "b.c"]),
    st.sampled_from("xy=").map(lambda value: {"DataType": "String", "StringValue": value}),
    max_size=2,
)
ways = st.sampled_from(
    ["reason", "source", "attr:a", "attr:b.c", "body.a", "body", "[body.a, reason.type]", "keys(body)", "*", "@"]
)
states = st.sampled_from(ReasonState)
bodies = values.map(lambda value: json.dumps({"a": value})) | st.sampled_from(["no JSON", "{}", "[]", '"a"'])


@st.composite
def _incidents(draw: st.DrawFn) -> list[tuple[str, dict[str, dict[str, str]], ReasonState]]:
    return draw(st.lists(st.tuples(bodies, few_attributes, states), max_size=15))


@given(_incidents(), ways, st.none() | st.sampled_from(["a", "JSON"]), st.data())
def test_every_message_is_in_one_group_and_the_counts_add_up(
    incident: Sequence[tuple[str, dict[str, dict[str, str]], ReasonState]],
    by: str,
    part: str | None,
    data: st.DataObject,
) -> None:
    """Seen is what is in the groups and what was skipped; shares add up to one; arrivals are the counts."""
    with tempfile.TemporaryDirectory() as folder:
        world = make_world(Path(folder))
        ids = [world.die([body], MessageAttributes=sent)[0] for body, sent, _ in incident]
        states_of = {each: state for each, (_, _, state) in zip(ids, incident, strict=True)}
        known = {each: data.draw(reasons) for each, state in states_of.items() if state is ReasonState.FOUND}
        unread = frozenset(each for each, state in states_of.items() if state is ReasonState.UNKNOWN)
        with patch.object(tallying, "look_up", lambda *_: Reasons(found=known, unread=unread)):
            found = groups.group_messages(world.kit(), "orders-dlq", Selection(body_contains=part), by=by)
        world.close()
    chosen = [each for group in found.groups for each in group.message_ids]
    assert sorted(chosen) == sorted(
        each for each, (body, _, _) in zip(ids, incident, strict=True) if (part or "") in body
    )
    assert found.shown + found.counts.skipped == found.seen == len(ids)
    assert [group.count for group in found.groups] == sorted((group.count for group in found.groups), reverse=True)
    if found.groups:
        assert abs(sum(group.share for group in found.groups) - 1) < 1e-9
    for group in found.groups:
        assert sum(group.arrivals.counts) == group.count
        assert group.sample_id in group.message_ids
        assert len({states_of[each] for each in group.message_ids} | {group.reason_state}) == 1 or by != "reason"


@given(st.lists(messages(bodies), max_size=8, unique_by=lambda each: each.message_id), st.data())
def test_the_options_of_a_group_select_it_and_nothing_else(found: list[Message], data: st.DataObject) -> None:
    """What a suggested command acts on is what was shown."""
    names = sorted({name for each in found for name in each.attributes}) or ["a"]
    by = data.draw(st.sampled_from(["source", "body.a", "body", "group_id", f"attr:{names[0]}"]))
    grouping = grouping_of(by)
    keys = {each.message_id: grouping.key(each, retention_s=RETENTION_S) for each in found}
    for key in set(keys.values()):
        selection = grouping.narrowed(Selection(), key)
        if selection is not None:
            matcher = selection.compile(retention_s=RETENTION_S)
            selected = {each.message_id for each in found if matcher(each)}
            assert selected == {each for each, value in keys.items() if value == key}


def _member(message: Message, reason: Reason | None) -> Member:
    return Member(
        sought=Sought.of(message),
        expires_at_ms=message.sent_at_ms + RETENTION_S * 1000,
        reason=reason,
        state=ReasonState.FOUND if reason else ReasonState.NOT_FOUND,
    )


@given(
    st.lists(st.tuples(messages(), st.none() | reasons), max_size=8, unique_by=lambda each: each[0].message_id),
    st.integers(10**12, 10**13),
    st.sampled_from([60, RETENTION_S, 1_209_600]),
)
def test_every_group_has_a_document_and_one_printable_command(
    dead: list[tuple[Message, Reason | None]], now_ms: int, retention_s: int
) -> None:
    """Whatever is known of it."""
    at = Situation(
        queue_name="orders-dlq",
        retention_s=retention_s,
        is_dlq=True,
        selection=Selection(),
        grouping=grouping_of("reason"),
        now_ms=now_ms,
    )
    for group in grouped([_member(*each) for each in dead], by_reason=True):
        suggestion = suggest(group, at)
        assert suggestion.command.isprintable()
        document = group_document(group, suggestion)
        assert document["count"] == len(group.message_ids)
        assert (document["reason"] is None) is (document["reason_state"] != "found")


@given(st.lists(st.integers(0, 10**6), max_size=20), st.sampled_from([ASCII, BLOCKS]))
def test_a_sparkline_rises_and_falls_with_its_counts(counts: list[int], levels: str) -> None:
    """One character each; more is never lower; only none is a blank."""
    heights = [f" {levels}".index(char) for char in sparkline(counts, levels)]
    assert [height > 0 for height in heights] == [count > 0 for count in counts]
    by_count = sorted(zip(counts, heights, strict=True))
    assert [height for _, height in by_count] == sorted(heights)
    assert not counts or max(counts) == 0 or max(heights) == len(levels)


@given(attribute_names)
def test_every_attribute_can_be_grouped_by(name: str) -> None:
    """And typed again."""
    assert grouping_of(f"attr:{name}").text == f"attr:{name}"
