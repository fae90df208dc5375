"""A message given a new body: what changes, what must not, and what is left alone."""

from __future__ import annotations

import json

import pytest

from opstool.words.errors import UsageError
from opstool.words.limits import LARGEST_MESSAGE_BYTES
from opstool.words.mending import Mending, NotMended
from opstool.words.message import Attribute, Message, md5_of_body

OLD = '{"kind": "new", "n": 1.10}'


def message(body: str, **fields: object) -> Message:
    """Return a message as it was received."""
    return Message(message_id="m-1", body=body, md5_of_body=md5_of_body(body), **fields)  # type: ignore[arg-type]


def mended(body: str, *sets: str, transform: str | None = None) -> str:
    """Return the new body."""
    found = Mending(transform=transform, sets=sets).apply(message(body))
    assert isinstance(found, Message), found
    return found.body


def problem(body: str, *sets: str, transform: str | None = None, **fields: object) -> str:
    """Return why a body cannot be mended."""
    found = Mending(transform=transform, sets=sets).apply(message(body, **fields))
    assert isinstance(found, NotMended)
    return found.why


@pytest.mark.parametrize(
    ("transform", "body", "after"),
    [
        ("body.inner", '{"inner": "a text"}', "a text"),
        ("body.inner", '{"inner": {"b": 1, "a": [true, null]}}', '{"b":1,"a":[true,null]}'),
        ("body.inner", '{"inner": 7}', "7"),
        ("body.inner", '{"inner": false}', "false"),
        ("{n: body.name}", '{"name": "J\\u00f6rg"}', '{"n":"Jörg"}'),
        ("merge(body, {kind: 'fine'})", OLD, '{"kind":"fine","n":1.10}'),
        ("join('', ['<', body, '>'])", "no JSON", "<no JSON>"),
        ("{payload: to_string(body)}", '{"n":1.10}', '{"payload":"{\\"n\\":1.10}"}'),
        ("{id: message_id, b: body_sha256 != `null`}", "x", '{"id":"m-1","b":true}'),
    ],
)
def test_a_transform_makes_the_new_body(transform: str, body: str, after: str) -> None:
    """A text is the body as it is, any other value is compact JSON."""
    assert mended(body, transform=transform) == after


def test_settings_are_made_one_after_the_other() -> None:
    """The later sees what the earlier has made."""
    assert mended("{}", "a={}", "a.b=1", "a.b=2", "c=[]", "c[0]=x") == '{"a":{"b":2},"c":["x"]}'


@pytest.mark.parametrize(
    "number",
    [
        "12345678901234567890123456789",
        "0.12345678901234567890123",
        "1.0",
        "1.10",
        "-0",
        "-0.0",
        "1E5",
        "1e400",
        "1e-400",
        "9" * 5_000,
    ],
)
@pytest.mark.parametrize(
    "mending",
    [Mending(sets=("kind=fine",)), Mending(transform="merge(body, {kind: 'fine'})")],
    ids=["set", "transform"],
)
def test_numbers_stay_as_they_were_written(number: str, mending: Mending) -> None:
    """None is rounded, and none becomes infinite."""
    found = mending.apply(message(f'{{"n": {number}, "list": [{number}], "kind": "new"}}'))
    assert isinstance(found, Message)
    assert found.body == f'{{"n":{number},"list":[{number}],"kind":"fine"}}'


def test_numbers_are_written_exactly_within_a_text_too() -> None:
    """A body that is wrapped into a text is that body."""
    assert mended('{"n": 1e400}', transform="[to_string(body)]") == '["{\\"n\\":1e400}"]'


def test_numbers_still_calculate() -> None:
    """They are numbers to the expression."""
    assert mended('{"n": 1.50, "m": 2}', transform="{s: sum([body.n, body.m]), g: body.n > `1`, t: type(body.n)}") == (
        '{"s":3.5,"g":true,"t":"number"}'
    )


def test_characters_that_sqs_refuses_stay_escaped() -> None:
    """A lone surrogate, a control and a non-character were escapes in the body, and are again."""
    body = '{"a": "\\ud800 \\u0000 \\ufffe \\u00e9", "kind": "new"}'
    assert mended(body, "kind=fine") == '{"a":"\\ud800 \\u0000 \\ufffe é","kind":"fine"}'


def test_only_the_body_is_new() -> None:
    """Attributes, group, trace header and all the rest stay; the server's MD5 was of the old body."""
    attributes = {"kind": Attribute(type="String", value="new")}
    old = message(OLD, attributes=attributes, group_id="g", trace_header="t", md5_of_attributes="x", source_arn="arn")
    new = Mending(sets=("kind=fine",)).apply(old)
    assert isinstance(new, Message)
    assert (new.attributes, new.group_id, new.trace_header, new.source_arn) == (attributes, "g", "t", "arn")
    assert (new.md5_of_body, new.md5_of_attributes, new.message_id) == (None, "x", "m-1")


@pytest.mark.parametrize(
    ("body", "mending"),
    [
        (OLD, Mending(sets=("kind=new",))),
        (OLD, Mending(sets=('kind="new"', "n=1.10"))),
        (OLD, Mending(transform="body")),
        (OLD, Mending(transform="to_string(body)")),
        ("text", Mending(transform="body")),
    ],
)
def test_what_would_not_change_is_the_very_same_message(body: str, mending: Mending) -> None:
    """White space alone is no change."""
    old = message(body)
    assert mending.apply(old) is old


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("text", "not a JSON object or array"),
        ('"text"', "not a JSON object or array"),
        ("17", "not a JSON object or array"),
        ('{"n": NaN}', "not a JSON object or array"),
        ('{"a": {"b": 1, "b": 1}}', "the same key twice"),
        ("[" * 100_000, "nested too deeply"),
        ('{"kind": {}, "a": ' + "[" * 700 + "]" * 700 + "}", "nested too deeply"),
        ('["software.amazon.payloadoffloading.PayloadS3Pointer",{"s3BucketName":"b","s3Key":"k"}]', "S3"),
        ('["com.amazon.sqs.javamessaging.MessageS3Pointer",{"s3BucketName":"b","s3Key":"k"}]', "S3"),
    ],
)
def test_a_body_that_is_not_certain_is_not_set(body: str, why: str) -> None:
    """And the reason quotes nothing of it."""
    assert why in problem(body, "kind=fine")


def test_a_pointer_is_known_by_its_attribute_too() -> None:
    """The extended client goes by it."""
    size = {"ExtendedPayloadSize": Attribute(type="Number", value="300000")}
    assert "S3" in problem("{}", "kind=fine", attributes=size)


@pytest.mark.parametrize(
    ("transform", "why"),
    [
        ("body.nothing", "null"),
        ("body.kind.x", "null"),
        ("sum(body.kind)", "sum() got string"),
        ("body.empty", "the body is empty"),
        ("&body", "a value that JSON does not have"),
        ("to_number('1e999')", "a value that JSON does not have"),
        (" | ".join(["[@, @]"] * 40), "larger than SQS admits"),
        (" | ".join(["[@, @]"] * 40) + " | to_string(@)", "steps"),
        ("body.control", "U+0007"),
    ],
)
def test_what_cannot_be_transformed_says_why(transform: str, why: str) -> None:
    """Without quoting the body."""
    body = '{"kind": "secret", "empty": "", "control": "\\u0007"}'
    found = problem(body, transform=transform)
    assert why in found
    assert "secret" not in found


@pytest.mark.parametrize("body", ["text", "17", "null", '"{}"'])
@pytest.mark.parametrize("transform", ["{id: body.id, m: message_id}", "[body[0]]", "[body[].a, body.*]"])
def test_what_only_takes_parts_of_a_body_leaves_one_without_parts_alone(body: str, transform: str) -> None:
    """An object of nulls would take its place."""
    assert "not a JSON object or array" in problem(body, transform=transform)


@pytest.mark.parametrize("transform", ["{id: body.id, m: body}", "body.id || body", "{m: message_id}", "{b: body | @}"])
def test_a_transform_that_knows_of_other_bodies_gets_them(transform: str) -> None:
    """It takes the body itself, or nothing of it."""
    assert isinstance(Mending(transform=transform).apply(message("text")), Message)


def test_attributes_that_are_none_of_our_business_do_not_matter() -> None:
    """An emulator's queue has held them."""
    attributes = {"AWS.\u0001": Attribute(type="x", value="\u0001")}
    assert isinstance(Mending(sets=("a=1",)).apply(message("{}", attributes=attributes)), Message)


def test_a_body_that_grows_beyond_the_limit_is_not_sent() -> None:
    """Attributes count too."""
    body = json.dumps({"a": "x" * (LARGEST_MESSAGE_BYTES - 40)}, separators=(",", ":"))
    assert len(mended(body, "kind=fine")) < LARGEST_MESSAGE_BYTES
    attributes = {"kind": Attribute(type="String", value="x" * 40)}
    assert "more than 1048576" in problem(body, "kind=fine", attributes=attributes)


@pytest.mark.parametrize(
    ("transform", "caret", "text"),
    [
        ("body.a |", 8, "incomplete"),
        ("bodi.a", 0, "no key bodi"),
        ("nosuch(body)", 0, "no function"),
        ("{a: body.a, why: reason.type}", 17, "reason may be another"),
        ("receive_count", 0, "receive_count may be another"),
        ("[expires_at]", 1, "expires_at may be another"),
    ],
)
def test_a_wrong_transform_is_pointed_at(transform: str, caret: int, text: str) -> None:
    """So is one that asks for what is another at the next look: what was shown is what is sent."""
    with pytest.raises(UsageError) as refused:
        Mending(transform=transform)
    first, _, pointer = refused.value.message.split("\n")
    assert first.startswith("`--transform`: ")
    assert text in first
    assert pointer.index("^") == caret + 2


def test_a_transform_of_the_whole_message_depends_on_nothing_that_passes() -> None:
    """Received once more, and asked again: the same body."""
    mending = Mending(transform="@")
    one = mending.apply(message("{}", receive_count=4, first_received_at_ms=1))
    two = mending.apply(message("{}", receive_count=9, first_received_at_ms=2))
    assert one.body == two.body  # type: ignore[union-attr]


def test_a_mending_is_one_or_the_other() -> None:
    """And never nothing."""
    for fields in ({"transform": "body.a", "sets": ("a=1",)}, {}):
        with pytest.raises(UsageError):
            Mending(**fields)  # type: ignore[arg-type]


@pytest.mark.parametrize("mending", [Mending(transform="body.a"), Mending(sets=("a=1", "b=it's"))])
def test_a_mending_survives_the_journal(mending: Mending) -> None:
    """A run that is resumed mends in the same way."""
    assert Mending.from_json(json.loads(json.dumps(mending.to_json()))) == mending
    assert Mending.from_json(None) is None


def test_a_mending_reads_as_it_was_typed() -> None:
    """Quoted for a shell."""
    assert Mending(sets=("a=1", "b=it's")).text == "--set a=1 --set 'b=it'\"'\"'s'"
    assert Mending(transform="body.a").text == "--transform body.a"
