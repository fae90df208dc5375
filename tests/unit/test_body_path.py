"""The path of --set: what it means, where it leads in a body, and what is wrong with it."""

from __future__ import annotations

from typing import Any

import pytest

from opstool.words import exactjson
from opstool.words.bodypath import PathError, parse_setting, path_text
from opstool.words.errors import UsageError


@pytest.mark.parametrize(
    ("text", "steps", "value"),
    [
        ("body.kind=fine", ("kind",), "fine"),
        ("kind=fine", ("kind",), "fine"),
        ("customer.id=17", ("customer", "id"), "17"),
        ("body.items[0].sku=A1", ("items", 0, "sku"), "A1"),
        ("body[2]=x", (2,), "x"),
        ('body."a.b"=x', ("a.b",), "x"),
        ('"a=b".c=x', ("a=b", "c"), "x"),
        (r'body."\"\u00e9"=x', ('"é',), "x"),
        ("item-id=x", ("item-id",), "x"),
        ("body.body=x", ("body",), "x"),
        ("body.type=x", ("type",), "x"),
        ("a.type=x", ("a", "type"), "x"),
        ("a=", ("a",), ""),
        ("a=b=c", ("a",), "b=c"),
    ],
)
def test_a_path_is_read_up_to_its_first_equals_sign(text: str, steps: tuple[str | int, ...], value: str) -> None:
    """With or without `body.`, with quoted keys and with indices."""
    setting = parse_setting(text)
    assert (setting.steps, setting.value) == (steps, value)


@pytest.mark.parametrize(
    ("text", "caret", "problem"),
    [
        ("", 0, "the name of a key is missing"),
        ("=x", 0, "the name of a key is missing"),
        ("a.=x", 2, "the name of a key is missing"),
        ("a", 1, "PATH=VALUE"),
        ("a b=x", 1, "PATH=VALUE"),
        ("body=x", 4, "the name of a field is missing"),
        ("$.a=1", 0, "$ is not the body here"),
        ("$[0]=1", 0, "$ is not the body here"),
        ("a[x]=1", 2, "an index is a whole number"),
        ("a[-1]=1", 2, "an index is a whole number"),
        ("a[12345678]=1", 2, "an index is a whole number"),
        ('a."b=1', 2, "the quoted key does not end here"),
        ("group_id=x", 0, "group_id is a key of the message"),
        ("attributes.kind=x", 0, "attributes is a key of the message"),
        ('a={"b":1,"b":2}', 2, "the same key twice"),
        ("a=\udc80", 2, "not UTF-8"),
    ],
)
def test_a_wrong_path_is_pointed_at(text: str, caret: int, problem: str) -> None:
    """Before anything is read."""
    with pytest.raises(UsageError) as refused:
        parse_setting(text)
    first, _, pointer = refused.value.message.split("\n")
    assert problem in first
    assert pointer.index("^") == caret + 2


def test_what_stands_beside_the_body_is_refused_with_the_way_to_the_bodys_own_field() -> None:
    """The hint can be pasted."""
    with pytest.raises(UsageError) as refused:
        parse_setting("group_id.a=x")
    assert (refused.value.hint or "").startswith("body.group_id.a=...")


@pytest.mark.parametrize(
    ("body", "setting", "after"),
    [
        ('{"a":1}', "a=2", '{"a":2}'),
        ('{"a":1}', "b=2", '{"a":1,"b":2}'),
        ("{}", "a.b.c=true", '{"a":{"b":{"c":true}}}'),
        ('{"a":[1,2]}', "a[1]=x", '{"a":[1,"x"]}'),
        ('{"a":[1,2]}', "a[2]=3", '{"a":[1,2,3]}'),
        ('{"a":[]}', "a[0].b=null", '{"a":[{"b":null}]}'),
        ("[1]", "body[0]=[]", "[[]]"),
        ("{}", "a=NaN", '{"a":"NaN"}'),
        ("{}", 'a="1"', '{"a":"1"}'),
        ("{}", "a= 1.10", '{"a":1.10}'),
        ("{}", "a={", '{"a":"{"}'),
    ],
)
def test_the_value_stands_where_the_path_leads(body: str, setting: str, after: str) -> None:
    """JSON as JSON, everything else as text; what is missing on the way is made."""
    value = exactjson.read(body)
    parse_setting(setting).apply(value)
    assert exactjson.write(value) == after


@pytest.mark.parametrize(
    ("body", "setting", "problem"),
    [
        ('{"a":1}', "a.b=2", "`body.a` is not an object in it"),
        ('{"a":null}', "a.b=2", "`body.a` is not an object in it"),
        ('{"a":{}}', "a[0]=2", "`body.a` is not an array in it"),
        ("{}", "a[0]=2", "`body.a` is not an array in it"),
        ('{"a":[1]}', "a[2]=2", "`body.a` has no element 2"),
        ('{"a":[1]}', "a.b=2", "`body.a` is not an object in it"),
        ("[]", "a=2", "`body` is not an object in it"),
    ],
)
def test_a_path_that_leads_nowhere_is_no_guess(body: str, setting: str, problem: str) -> None:
    """Nothing is replaced by an object to make it fit, and no gap in an array is filled."""
    with pytest.raises(PathError) as refused:
        parse_setting(setting).apply(exactjson.read(body))
    assert problem in str(refused.value)


def test_a_value_is_not_shared_between_messages() -> None:
    """What a later setting puts into an object does not stand in the next message's."""
    first, then = parse_setting("a={}"), parse_setting("a.b=1")
    values: list[dict[str, Any]] = [{}, {}]
    first.apply(values[0])
    then.apply(values[0])
    first.apply(values[1])
    assert values == [{"a": {"b": 1}}, {"a": {}}]


def test_a_path_is_shown_as_it_is_typed() -> None:
    """Keys that are no words are quoted, in ASCII."""
    assert path_text(("a", 0, "b.c", "é\x1b")) == 'body.a[0]."b.c"."\\u00e9\\u001b"'
