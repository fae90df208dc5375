"""Filter criteria: what reaches the function, and what is refused because it is not understood."""

from __future__ import annotations

import json
from typing import Any

import pytest

from opstool.local.pattern import Patterns
from opstool.words.errors import UsageError


def passes(pattern: Any, body: str) -> bool:
    """Tell whether a message with this body passes one pattern."""
    return Patterns({"Filters": [{"Pattern": json.dumps(pattern)}]}).match({"body": body, "messageId": "id"})


@pytest.mark.parametrize(
    ("rules", "value", "expected"),
    [
        (["x"], "x", True),
        (["x", "y"], "z", False),
        ([1], 1, True),
        ([1], True, False),
        ([True], True, True),
        ([None], None, True),
        ([{"prefix": "ord"}], "order", True),
        ([{"suffix": "er"}], "order", True),
        ([{"prefix": "x"}], 5, False),
        ([{"equals-ignore-case": "ABC"}], "abc", True),
        ([{"anything-but": ["a", "b"]}], "c", True),
        ([{"anything-but": ["a", "b"]}], "a", False),
        ([{"anything-but": {"prefix": "x"}}], "xy", False),
        ([{"numeric": [">", 0, "<=", 5]}], 5, True),
        ([{"numeric": [">", 0, "<=", 5]}], 6, False),
        ([{"numeric": ["=", 1]}], "1", False),
        ([{"exists": True}], "anything", True),
        ([{"exists": False}], "anything", False),
        (["x"], ["y", "x"], True),
    ],
)
def test_a_rule_decides_about_a_value(rules: list[Any], value: Any, expected: bool) -> None:
    """Each supported rule matches what an event pattern matches."""
    assert passes({"body": {"key": rules}}, json.dumps({"key": value})) is expected


def test_a_missing_key_matches_only_its_absence() -> None:
    """A rule wants its key, but for `exists: false`."""
    assert not passes({"body": {"key": ["x"]}}, "{}")
    assert passes({"body": {"key": [{"exists": False}]}}, "{}")


def test_all_keys_must_match_and_one_of_an_or() -> None:
    """Keys are joined by and, `$or` by or."""
    pattern = {"body": {"a": [1], "$or": [{"b": [1]}, {"c": [1]}]}}
    assert passes(pattern, '{"a": 1, "c": 1}')
    assert not passes(pattern, '{"a": 1, "c": 2}')
    assert not passes(pattern, '{"b": 1, "c": 1}')


def test_a_json_pattern_never_matches_a_plain_body_nor_the_other_way_round() -> None:
    """The body's form must be the pattern's."""
    assert not passes({"body": {"a": [1]}}, "plain")
    assert passes({"body": ["plain"]}, "plain")
    assert not passes({"body": [{"exists": True}]}, '{"a": 1}')


def test_no_filters_let_everything_pass() -> None:
    """A mapping without criteria gives everything to its function."""
    assert Patterns(None).match({"body": "x"})


@pytest.mark.parametrize(
    "text",
    ["not json", "[]", '{"body": {"a": [{"wildcard": "x*"}]}}', '{"body": {"a": "x"}}', '{"body": {"$or": 1}}'],
)
def test_a_pattern_that_is_not_understood_is_refused(text: str) -> None:
    """A message that does not match is deleted, so nothing may be guessed."""
    with pytest.raises(UsageError):
        Patterns({"Filters": [{"Pattern": text}]})
