from __future__ import annotations

import shlex
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from opstool.words.document import parse_iso
from opstool.words.errors import UsageError
from opstool.words.filters import Selection, select
from opstool.words.message import Message
from opstool.words.reason import Reason
from tests.properties.strategies import hostile_bodies, json_bodies, messages, reasons, refusal, times_ms

RETENTION_S = 345_600
words = st.text(min_size=1, max_size=20)
printable = words.filter(str.isprintable)
expressions = st.sampled_from(
    ["body", "receive_count > `10`", "group_id == 'a'", "attributes.*.type", "reason.type", "length(body) > `3`"]
)


def _selections(texts: st.SearchStrategy[str]) -> st.SearchStrategy[Selection]:
    return st.builds(
        Selection,
        ids=st.none() | st.frozensets(st.uuids().map(str), min_size=1, max_size=10),
        reason=st.none() | texts,
        sent_before_ms=st.none() | times_ms,
        sent_after_ms=st.none() | times_ms,
        expires_before_ms=st.none() | times_ms,
        source=st.none() | texts,
        group_id=st.none() | texts,
        attributes=st.lists(st.tuples(texts.filter(lambda name: "=" not in name), texts), max_size=3).map(tuple),
        body_contains=st.none() | texts,
        body_matches=st.none() | st.sampled_from(["^a", "[0-9]+", "b|c"]),
        where=st.none() | expressions,
    )


@given(_selections(words))
def test_the_journal_gives_every_selection_back(selection: Selection) -> None:
    """Whatever was typed, a resumed run selects the same."""
    assert Selection.from_json(selection.to_json()) == selection


@given(_selections(words))
def test_the_text_of_every_selection_is_one_harmless_line(selection: Selection) -> None:
    """It is shown in plans and in the history."""
    assert selection.text.isprintable()


@given(_selections(printable))
def test_the_text_typed_again_gives_the_same_selection(selection: Selection) -> None:
    """What the history shows is the selection itself, and not a description of it."""
    typed = shlex.split(selection.text)
    options: dict[str, Any] = {"ids": [], "attr": []}
    for option, value in zip(typed[::2], typed[1::2], strict=True):
        name = option.removeprefix("--").replace("-", "_")
        if name in {"id", "attr"}:
            options["ids" if name == "id" else "attr"].append(value)
        else:
            options[name] = value
    assert select(now_ms=0, **options) == selection


@given(_selections(words), messages(), st.none() | reasons)
def test_a_selection_is_the_conjunction_of_its_filters(
    selection: Selection, message: Message, reason: Reason | None
) -> None:
    """A message is selected exactly when each filter on its own selects it."""
    each_alone = [
        Selection(**{name: getattr(selection, name)})
        for name in Selection.__dataclass_fields__
        if getattr(selection, name) not in (None, ())
    ]
    together = selection.compile(retention_s=RETENTION_S)(message, reason)
    assert together is all(one.compile(retention_s=RETENTION_S)(message, reason) for one in each_alone)


@given(messages(), times_ms)
def test_older_and_newer_than_one_time_share_the_messages_out(message: Message, at_ms: int) -> None:
    """Every message is in exactly one of the two."""
    older = Selection(sent_before_ms=at_ms).compile(retention_s=1)(message)
    newer = Selection(sent_after_ms=at_ms).compile(retention_s=1)(message)
    assert older is not newer


@given(messages(), st.none() | reasons)
def test_a_message_is_selected_by_everything_it_has(message: Message, reason: Reason | None) -> None:
    """Options made from a message find it again."""
    selection = Selection(
        ids=frozenset({message.message_id}),
        reason=reason.fingerprint[:4] if reason else None,
        sent_after_ms=message.sent_at_ms,
        sent_before_ms=message.sent_at_ms + 1,
        source=message.source_arn,
        group_id=message.group_id,
        attributes=tuple(
            (name, each.value) for name, each in message.attributes.items() if isinstance(each.value, str)
        ),
        body_contains=message.body[1:3] or None,
        where=f"receive_count == `{message.receive_count}`",
    )
    assert selection.compile(retention_s=1)(message, reason)


@given(st.text(max_size=40) | st.text("body.[]?'`\"@&|<>=!(),{}:*0 ", max_size=20))
def test_an_expression_is_compiled_or_refused_and_never_crashes(where: str) -> None:
    """Whatever is typed: one kind of error, which shows where, on three lines that a terminal can print."""
    message = Message(message_id="m", body='{"a": [1, {"b": "c"}]}')
    problem = refusal(lambda: select(now_ms=0, where=where).compile(retention_s=1)(message))
    assert len(problem.split("\n")) in {1, 3}
    assert problem.replace("\n", "").isprintable()


@given(st.text(max_size=40) | st.text("()[]{}*+?|^$.\\dwa0,-:<>=!P", max_size=12))
def test_a_regular_expression_is_compiled_or_refused(pattern: str) -> None:
    """Whatever is typed: compiled, or one kind of error."""
    problem = refusal(lambda: select(now_ms=0, body_matches=pattern).compile(retention_s=1))
    assert problem.replace("\n", "").isprintable()


@given(st.text(max_size=10) | st.text("0123456789wdhms ", max_size=8))
def test_a_duration_is_a_time_or_refused(text: str) -> None:
    """No duration takes the clock out of its bounds."""
    try:
        text_of_selection = select(now_ms=10**12, older_than=text).text
    except UsageError:
        return
    assert parse_iso(text_of_selection.split()[1]) <= 10**12


@given(hostile_bodies | json_bodies.map(str), st.sampled_from(["body.a.b", "body[0]", "to_string(body)", "sort(body)"]))
def test_no_body_makes_a_filter_crash(body: str, where: str) -> None:
    """Bodies are hostile."""
    message = Message(message_id="m", body=body)
    matcher = select(now_ms=0, where=where, body_matches="a|b|[^c]", body_contains=body[:1] or "x")
    assert matcher.compile(retention_s=1)(message) in {True, False}
