from __future__ import annotations

import inspect
import json
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import jmespath  # type: ignore[import-untyped]
import pytest
from jmespath import exceptions, visitor

from opstool.words.expressions.budget import Budget, OverBudgetError
from opstool.words.expressions.compiledpath import compiled

DOCUMENT: Mapping[str, Any] = {
    "kind": "new",
    "zero": 0,
    "one": 1,
    "yes": True,
    "no": False,
    "none": None,
    "empty": [],
    "order": {"total": 12.5, "id": "A-1"},
    "items": [{"sku": "B", "n": 2}, {"sku": "A", "n": 1}, {"n": 3}],
    "nested": [[1, 2], 3, [[4]]],
}
CASES: Mapping[str, list[tuple[str, object]]] = {
    "field": [("kind", "new"), ('"kind"', "new"), ("nothing", None)],
    "subexpression": [("order.total", 12.5), ("order.nothing.id", None), ("kind.id", None), ("items.sku", None)],
    "current": [("@.kind", "new"), ("one | @", 1)],
    "literal": [('`{"a": [1]}`', {"a": [1]}), ("'raw'", "raw")],
    "index_expression": [("items[0].sku", "B"), ("items[-1].n", 3), ("nested[0][1]", 2)],
    "index": [("items[7]", None), ("kind[0]", None), ("order[0]", None), ("[0]", None)],
    "slice": [("nested[0][:1]", [1]), ("items[::-1].n", [3, 1, 2]), ("items[5:]", []), ("kind[1:]", None)],
    "identity": [("[*]", None), ("nested[0][*]", [1, 2])],
    "projection": [("items[*].sku", ["B", "A"]), ("order[*].id", None), ("empty[*].id", [])],
    "value_projection": [("order.*", [12.5, "A-1"]), ("items.*", None), ("order.*.id", [])],
    "filter_projection": [
        ("items[?n > `1`].sku", ["B"]),
        ("items[?sku]", [{"sku": "B", "n": 2}, {"sku": "A", "n": 1}]),
        ("nested[?@ == `3`]", [3]),
        ("order[?id]", None),
    ],
    "flatten": [("nested[]", [1, 2, 3, [4]]), ("nested[][]", [1, 2, 3, 4]), ("kind[]", None), ("items[].n", [2, 1, 3])],
    "comparator": [
        ("kind == 'new'", True),
        ("zero == no", False),
        ("one == yes", False),
        ("one != yes", True),
        ("one == `1.0`", True),
        ("`[1]` == `[true]`", True),
        ("none == nothing", True),
        ("one < `2`", True),
        ("one >= `1`", True),
        ("kind > 'a'", True),
        ("kind <= 'a'", False),
        ("yes > zero", None),
        ("none < one", None),
    ],
    "or_expression": [("empty || kind", "new"), ("zero || kind", 0), ("nothing || no", False)],
    "and_expression": [("kind && one", 1), ("empty && kind", []), ("zero && kind", "new")],
    "not_expression": [("!empty", True), ("!zero", False), ("!kind", False), ("!none", True), ("!(&kind)", False)],
    "pipe": [("items[*].n | [0]", 2), ("nothing | @", None)],
    "multi_select_list": [("[kind, one]", ["new", 1]), ("order.[id, nothing]", ["A-1", None]), ("nothing.[id]", None)],
    "multi_select_dict": [("{k: kind, o: one}", {"k": "new", "o": 1}), ("nothing.{k: kind}", None)],
    "key_val_pair": [("{k: one, k: kind}", {"k": "new"})],
    "function_expression": [
        ("contains(kind, 'e')", True),
        ("join('-', items[*].sku)", "B-A"),
        ("not_null(nothing, none, one)", 1),
        ("merge(order, {id: kind})", {"total": 12.5, "id": "new"}),
        ("length(items)", 3),
        ("sum(items[*].n)", 6),
        ("type(&kind)", None),
    ],
    "expref": [
        ("sort_by(items, &n)[*].n", [1, 2, 3]),
        ("max_by(items, &n).n", 3),
        ("map(&sku, items)", ["B", "A", None]),
        ("map(&contains(@, `1`), [nested[0], empty])", [True, False]),
        ("(&kind) == (&kind)", False),
    ],
}
ERRORS = [
    ("length(one)", exceptions.JMESPathTypeError),
    ("sum(items)", exceptions.JMESPathTypeError),
    ("contains(one, `1`)", exceptions.JMESPathTypeError),
    ("sort_by(items, &sku)", exceptions.JMESPathTypeError),
    ("sort_by(items, 'n')", exceptions.JMESPathTypeError),
    ("one < kind", TypeError),
    ("items[::0]", ValueError),
]


def types_in(node: Any) -> Iterator[str]:
    """Yield the type of every node of a tree."""
    if isinstance(node, dict):
        yield node["type"]
        for child in node["children"]:
            yield from types_in(child)


@pytest.mark.parametrize(("where", "value"), [case for cases in CASES.values() for case in cases])
def test_every_form_of_the_language_has_its_value(where: str, value: object) -> None:
    """As the specification has it, and jmespath."""
    found = compiled(jmespath.compile(where).parsed)(DOCUMENT, Budget())
    assert (found, type(found)) == (value, type(value))
    assert jmespath.search(where, DOCUMENT) == value


@pytest.mark.parametrize(("where", "error"), ERRORS)
def test_what_has_no_value_is_the_error_of_jmespath(where: str, error: type[Exception]) -> None:
    """To the words: whoever looks at them cannot tell which of the two it was."""
    with pytest.raises(error) as raised:
        compiled(jmespath.compile(where).parsed)(DOCUMENT, Budget())
    with pytest.raises(error) as raised_by_jmespath:
        jmespath.search(where, DOCUMENT)
    assert str(raised.value) == str(raised_by_jmespath.value)


def test_no_form_of_the_language_is_left_out() -> None:
    """A jmespath with a new one is noticed here, and not by somebody who types it."""
    known = {name.removeprefix("visit_") for name in dir(visitor.TreeInterpreter) if name.startswith("visit_")}
    assert set(CASES) == known
    for form, cases in CASES.items():
        assert form in {each for where, _ in cases for each in types_in(jmespath.compile(where).parsed)}, form


@pytest.mark.parametrize(
    ("where", "steps"),
    [
        ("kind", 1),
        ("order.total", 3),
        ("kind == 'new'", 7),
        ("empty || kind", 3),
        ("kind || order.total", 2),
        ("items[*].n", 5),
        ("items[:2]", 8),
        ("nested[]", 11),
        ("order.*", 4),
        ("items[?n > `1`].sku", 25),
        ("[kind, one]", 3),
        ("nothing.[kind, one]", 3),
        ("{k: kind}", 3),
        ("length(nested)", 10),
        ("join('-', items[*].sku)", 11),
        ("join('sixteen letters.', items[*].sku)", 17),
        ("'eight letters, three times' == kind", 10),
        ('`{"a key of sixteen": 1}` == kind', 10),
        ("kind == `[[1, 2], 3]`", 11),
        (f"`{2**256}` == kind", 9),
        ("map(&n, items)", 16),
        ("!(items[0])", 4),
        ("kind && one", 3),
        ("nothing && one", 2),
    ],
)
def test_the_steps_of_an_expression_are_counted(where: str, steps: int) -> None:
    """Exactly so many: one less is not enough. What does not run, as the right side of ||, is not paid for."""
    run = compiled(jmespath.compile(where).parsed)
    budget = Budget(steps)
    run(DOCUMENT, budget)
    assert budget.left == 0
    with pytest.raises(OverBudgetError):
        run(DOCUMENT, Budget(steps - 1))


@pytest.mark.parametrize(
    ("form", "levels"),
    [("[?{}]", 98), ("[*].[{}]", 48), ("*.[{}]", 48), ("map(&{}, @)", 48), ("[{}]", 98), ("not_null({})", 98)],
)
def test_an_expression_as_deep_as_is_admitted_has_room_on_the_stack(form: str, levels: int) -> None:
    """A level of the tree takes no more than four frames of Python's thousand."""
    where, value = "@", json.loads('{"a":' * 100 + "1" + "}" * 100 if form[0] == "*" else "[" * 100 + "]" * 100)
    for _ in range(levels):
        where = form.format(where)
    run, before = compiled(jmespath.compile(where).parsed), sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack(0)) + 4 * 100)
    try:
        run(value, Budget())
    finally:
        sys.setrecursionlimit(before)


def test_one_compiled_expression_serves_many_messages() -> None:
    """What it makes for one of them is not seen by the next."""
    run = compiled(jmespath.compile("[`[]`, sort(n)]").parsed)
    first, second = ({"n": [2, 1]}, {"n": [4, 3]})
    assert [run(first, Budget()), run(second, Budget())] == [[[], [1, 2]], [[], [3, 4]]]
    assert first == {"n": [2, 1]}
