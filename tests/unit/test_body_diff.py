"""The difference of two bodies: right, short, and cheap whatever they hold."""

from __future__ import annotations

import json

import pytest

from opstool.words.bodydiff import LONGEST_VALUE, MOST_DIFFERENCES, change_of


def told(before: str, after: str) -> list[tuple[str, str | None, str | None]]:
    """Return the differences as tuples."""
    return [(each.path, each.before, each.after) for each in change_of("id", before, after).differences]


@pytest.mark.parametrize(
    ("before", "after", "differences"),
    [
        ('{"a":1}', '{"a":1}', []),
        ('{"a":1, "b":2}', '{"b":2,"a":1}', []),
        ('{"a":1}', '{"a":2}', [("body.a", "1", "2")]),
        ('{"a":1}', '{"a":1.0}', [("body.a", "1", "1.0")]),
        ('{"a":1}', '{"a":true}', [("body.a", "1", "true")]),
        ('{"a":1}', '{"a":null}', [("body.a", "1", "null")]),
        ('{"a":null}', "{}", [("body.a", "null", None)]),
        ("{}", '{"a":{"b":[1]}}', [("body.a", None, '{"b":[1]}')]),
        ('{"a":[1,2]}', '{"a":[1,3,4]}', [("body.a[1]", "2", "3"), ("body.a[2]", None, "4")]),
        ('{"a":{}}', '{"a":[]}', [("body.a", "{}", "[]")]),
        ("one\ntwo\nthree", "one\n2\nthree", [("line 2", "two", "2")]),
        ("one", "one\ntwo", [("line 2", None, "two")]),
        ("text", '{"a":1}', [("line 1", "text", '{"a":1}')]),
        ('{"a":1,"a":2}', "x", [("line 1", '{"a":1,"a":2}', "x")]),
    ],
)
def test_what_differs_is_named_with_its_place(
    before: str, after: str, differences: list[tuple[str, str | None, str | None]]
) -> None:
    """JSON by paths, everything else by lines."""
    assert told(before, after) == differences


def test_a_few_differences_are_shown_and_the_rest_is_counted() -> None:
    """Of a body that is new from end to end."""
    change = change_of("id", json.dumps(list(range(1_000))), json.dumps(list(range(1, 1_001))))
    assert (len(change.differences), change.more) == (MOST_DIFFERENCES, 1_000 - MOST_DIFFERENCES)


def test_of_a_long_value_the_part_that_differs_is_shown() -> None:
    """Not its beginning, which is the same."""
    [(_, before, after)] = told(json.dumps({"a": "x" * 5_000 + "old"}), json.dumps({"a": "x" * 5_000 + "new"}))
    assert before is not None
    assert after is not None
    assert before.startswith("...xxx")
    assert (before[-4:], after[-4:]) == ('old"', 'new"')
    assert len(before) < LONGEST_VALUE


@pytest.mark.parametrize("long", ["x" * 1_000_000, "\\u0000" * 100_000], ids=["letters", "escapes"])
def test_no_part_of_a_difference_is_long(long: str) -> None:
    """Neither a key nor a value."""
    [(path, _, after)] = told("{}", f'{{"{long}":"{long}"}}')
    assert max(len(path), len(after or "")) <= LONGEST_VALUE + 6


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param("[" * 400 + "]" * 400, "[" * 400 + "1" + "]" * 400, id="deep"),
        pytest.param("[" * 100_000, "[" * 100_001, id="deeper than can be read"),
        pytest.param("\n" * 300_000, "x\n" * 300_000 + "y", id="lines"),
    ],
)
def test_hostile_bodies_have_a_difference_too(before: str, after: str) -> None:
    """Found in a moment, and without a stack that ends."""
    assert told(before, after)
