from __future__ import annotations

import json
import time
import tracemalloc
from collections.abc import Mapping
from typing import Any

import pytest

from opstool.words.document import filter_document
from opstool.words.errors import UsageError
from opstool.words.expressions.budget import MOST_STEPS, Budget, OverBudgetError
from opstool.words.expressions.where import EvaluationError, compile_where
from opstool.words.message import Message
from tests.cli.world import World
from tests.hostile.corpus import EVERYTHING
from tests.hostile.harmless import assert_harmless

EVALUATION_S = 10.0
"""Processor time of one evaluation; the budget takes about two seconds where nothing measures it."""
EVALUATION_BYTES = 400_000_000
"""Python's memory during one evaluation, beyond the message itself."""


def piped(step: str, times: int) -> str:
    """Return an expression whose value grows with each of many steps."""
    return " | ".join([step] * times)


DOUBLED = piped("[@, @]", 40)
NUMBERS = list(range(100_000))
WORDS = [f"word {number}" for number in range(50_000)]
BOMBS: Mapping[str, tuple[str, object]] = {
    "a doubled list, compared": (f"(body | {DOUBLED}) == (body | {DOUBLED})", [1]),
    "a doubled list, not equal": (f"(body | {DOUBLED}) != (body | {DOUBLED})", [1]),
    "a doubled list, written out": (f"to_string(body | {DOUBLED})", "x"),
    "a doubled list, searched": (f"contains(body | {DOUBLED}, body)", "x"),
    "a doubled object, written out": (f"to_string(body | {piped('{a: @, b: @}', 40)})", "x"),
    "lists flattened, doubling": (f"body | {piped('[@, @][]', 40)}", [1]),
    "lists flattened, growing fast": (f"body | {piped('[@, @, @, @, @, @, @, @][]', 12)}", [1, 2, 3]),
    "texts joined, doubling": (f"[body] | {piped(chr(91) + 'join(``, [@[0], @[0]])]', 40)}".replace("``", "''"), "xyz"),
    "a long separator between many": ("join(to_string(body), body[*].to_string(@))", NUMBERS),
    "a key that stands everywhere": (f"to_string(body | {piped('[@, @][]', 17)})", [{"k" * 100_000: 1}]),
    "a number that stands everywhere": (f"to_string(body | {piped('[@, @][]', 18)})", [10**4_000]),
    "everything for each": ("map(&sort(values(@)), [body, body])", [dict.fromkeys(WORDS, 1)]),
    "a list in a list for each": (
        "body[*].[@, @, @, @][].[@, @, @, @][] | sort(@) | reverse(@) | to_string(@)",
        NUMBERS,
    ),
    "sorted by itself, again and again": (f"body | {piped('sort_by(@, &@)', 40)}", NUMBERS),
    "filtered again and again": (f"body{'[?@ >= `0`]' * 40}", NUMBERS),
    "projected again and again": (f"body{'[*]' * 60}", [[[[]]]] * 100_000),
    "functions in functions": (f"{'map(&' * 20}@{', body)' * 20}", [[0] * 300]),
    "mapped over itself": ("map(&contains(`" + json.dumps(NUMBERS[:5_000]) + "`, @), body)", NUMBERS),
    "merged again and again": (f"body | {piped('merge(@, @)', 90)}", dict.fromkeys(WORDS, 1)),
    "a wide choice of everything": (f"[{', '.join(['body[*].[@, @]'] * 300)}]", NUMBERS[:10_000]),
}
SOUND = {
    "body.order.total > `100` && receive_count >= `4`",
    "body.items[?sku == 'B2' && !(gift)] | length(@) > `0`",
    "contains(body.note, 'x') || starts_with(group_id, 'a')",
    "sort_by(body.items, &price)[-1].sku == 'A1'",
    "join(',', body.items[*].sku) == 'A1,B2'",
    "length(body.items[].tags[]) >= `1`",
}


def spent(where: str, body: object, *, memory: bool = False) -> tuple[bool | str, float, int]:
    """Evaluate once; return the value or why there is none, the seconds, and the peak of memory when asked for."""
    document = filter_document(Message(message_id="m", body=body if isinstance(body, str) else json.dumps(body)))
    expression = compile_where(where)
    if memory:
        tracemalloc.start()
    began = time.process_time()
    try:
        value: bool | str = expression.holds(document)
    except EvaluationError as error:
        value = str(error)
    seconds, peak = time.process_time() - began, tracemalloc.get_traced_memory()[1] if memory else 0
    tracemalloc.stop()
    return value, seconds, peak


@pytest.mark.parametrize(("where", "body"), BOMBS.values(), ids=list(BOMBS))
def test_no_expression_takes_more_than_its_budget(where: str, body: object) -> None:
    """Time and memory of one evaluation are bounded, whatever is asked of whatever body."""
    value, seconds, _ = spent(where, body)
    assert seconds < EVALUATION_S
    assert isinstance(value, bool) or value.startswith("`--where`: ")


@pytest.mark.parametrize(
    "name",
    [
        "texts joined, doubling",
        "lists flattened, growing fast",
        "a key that stands everywhere",
    ],
)
def test_no_expression_takes_more_memory_than_its_budget(name: str) -> None:
    """What an expression makes is paid for before it is made."""
    value, _, peak = spent(*BOMBS[name], memory=True)
    assert value == f"`--where`: more than {MOST_STEPS:,} steps"
    assert peak < EVALUATION_BYTES


PAID = {
    "compared": f"(body | {piped('[@, @]', 10)}) == (body | {piped('[@, @]', 10)})",
    "written out": f"to_string(body | {piped('[@, @]', 10)})",
    "flattened": f"body | {piped('[@, @][]', 10)}",
    "joined": "join(body, to_array(body))",
    "visited": " || ".join(["no"] * 3 + ["body[*].[@]"] * 60).replace("no", "body.no"),
    "sliced": "to_array(body)[:]" + "[:]" * 60,
}


@pytest.mark.parametrize("where", PAID.values(), ids=list(PAID))
def test_everything_that_costs_is_paid_for(where: str) -> None:
    """With a small budget the smallest of bombs are stopped, each by what it does."""
    expression = compile_where(where)
    with pytest.raises(OverBudgetError):
        expression.run({"body": "x" * 800}, Budget(most_steps=90))


@pytest.mark.parametrize("where", sorted(SOUND))
def test_what_people_write_is_decided_on_large_messages(where: str) -> None:
    """The budget is far away: a mebibyte of ordinary items is judged."""
    items = [{"sku": f"B{number}", "price": number, "gift": False, "tags": ["a", "b"]} for number in range(14_000)]
    value, _, _ = spent(where, {"order": {"total": 1}, "items": items, "note": "x" * 100_000})
    assert isinstance(value, bool) or "got" in value


@pytest.mark.parametrize("text", EVERYTHING.values(), ids=list(EVERYTHING))
def test_no_body_is_a_bomb_for_what_people_write(text: str) -> None:
    """Hostile bodies under ordinary filters: decided, or left alone, in bounded time."""
    for where in ("body.order.total > `100`", "contains(to_string(body), 'x')", "body == body", "length(body) > `1`"):
        _, seconds, _ = spent(where, text)
        assert seconds < EVALUATION_S


LONG = 100_000
TOO_MUCH = {
    "deep brackets": "[" * LONG,
    "deep and closed": "[" * LONG + "body" + "]" * LONG,
    "deep functions": "not_null(" * LONG + "body" + ")" * LONG,
    "deep objects": "{a: " * LONG + "body" + "}" * LONG,
    "many nots": "!" * LONG + "(body)",
    "many pipes": piped("body", LONG // 10),
    "many ors": " || ".join(["body"] * (LONG // 10)),
    "a deep literal": "`" + "[" * LONG + "]" * LONG + "` == body",
    "a long index": f"body[{'9' * LONG}]",
    "a long name": "a" * LONG,
    "never closed": "'" + "a" * LONG,
    "a literal never closed": "`" + "\\`" * (LONG // 2),
    "many arguments": f"not_null({', '.join(['group_id'] * (LONG // 10))}, reciept)",
}


@pytest.mark.parametrize("where", TOO_MUCH.values(), ids=list(TOO_MUCH))
def test_an_expression_that_is_too_much_is_refused_at_once(where: str) -> None:
    """Bounded time to say so, with a caret, on lines that a terminal can show."""
    began = time.process_time()
    with pytest.raises(UsageError) as refused:
        compile_where(where)
    assert time.process_time() - began < EVALUATION_S
    *_, shown, caret = refused.value.message.split("\n")
    assert len(shown) < 100
    assert caret.strip() == "^"


def test_what_cannot_be_judged_is_left_alone_and_said(world: World) -> None:
    """A bomb selects nothing, in every output and verb; the messages are counted with the reason, and stay."""
    world.kill("[1]")
    where, _ = BOMBS["a doubled list, compared"]
    said = f"1 messages could not be judged: `--where`: more than {MOST_STEPS:,} steps"
    for argv in (["list"], ["redrive", "--yes"], ["purge", "--confirm", "orders-dlq"], ["export", "--to-file", "none"]):
        ended = world.run("dlq", *argv, "--where", where)
        assert_harmless(ended)
        assert said in ended.err, argv
        assert world.depth(world.dlq) == 1
    document: dict[str, Any] = world.run("dlq", "list", "--where", where, "--output", "json").document
    assert said in document["notes"]
    assert document["messages"] == []
