"""A body never reaches the log through an error's text, whatever the code put into it."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from consumer_under_test import Consumer, RecordFactory
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

SECRET = {"name": "Zoë Abernathy", "card": "4111111111111111", "age": 37, "note": "lives in\nLiège", "tags": ["vip"]}


def error_of(consumer: Consumer, record: RecordFactory, rule: Any, body: str, **changes: Any) -> str:
    """Return the text that is logged when `rule` fails on a message with this body."""
    error = failure_of(consumer, record, rule, body, **changes)["error"]
    assert isinstance(error, str)
    return error


def failure_of(consumer: Consumer, record: RecordFactory, rule: Any, body: str, **changes: Any) -> dict[str, Any]:
    """Return the line that is logged when `rule` fails on a message with this body."""
    consumer.processing.process = rule
    consumer.invoke({**record(body), **changes})
    return consumer.failure()


def _quotes_body(message: Any) -> None:
    raise ValueError(f"cannot handle {message.body}")


def _quotes_document(message: Any) -> None:
    raise ValueError(f"cannot handle {message.json_body}")


def _quotes_values(message: Any) -> None:
    values = ", ".join(str(value) for value in message.json_body.values())
    raise ValueError("cannot handle %s" % values)  # noqa: UP031 - one of the ways to quote


def _quotes_upper_case(message: Any) -> None:
    raise ValueError("cannot handle {}".format(message.json_body["name"].upper()))  # noqa: EM103 - as above


def _quotes_a_key(message: Any) -> None:
    {}[message.json_body["name"]]


def _quotes_ascii(message: Any) -> None:
    raise ValueError(f"cannot handle {message.json_body['name']!a} {message.json_body['note']!r}")


def _glues(message: Any) -> None:
    raise ValueError(f"cannot handle user_{message.json_body['card']}x")


def _parses(message: Any) -> None:
    int(message.json_body["name"])


def _cuts(message: Any) -> None:
    raise ValueError("cannot handle " + message.body[3:40])


@pytest.mark.parametrize(
    "rule",
    [_quotes_body, _quotes_document, _quotes_values, _quotes_upper_case, _quotes_a_key, _quotes_ascii, _glues,
     _parses, _cuts],
)  # fmt: skip
@pytest.mark.parametrize("form", ["plain", "escaped", "wrapped"])
def test_no_part_of_a_body_is_in_the_error(
    consumer: Consumer, record: RecordFactory, rule: Any, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However the text quotes the message, and however the body was written."""
    body = json.dumps(SECRET, ensure_ascii=form != "plain")
    if form == "wrapped":
        body = json.dumps({"Message": body, **SECRET})
    line = failure_of(consumer, record, rule, body)
    error, traceback = line["error"].lower(), line["traceback"].lower()
    for part in ("zo", "abern", "4111", "1111", "37", "lives", "liège", "li\\xe8ge", "vip"):
        assert part not in error
        assert part not in re.sub(r"line \d+", "", traceback)
    assert f"in {rule.__name__}" in traceback


def test_the_program_keeps_its_words_though_the_body_has_them_too(consumer: Consumer, record: RecordFactory) -> None:
    """A text masked beyond reading would be private and useless."""
    body = '{"text": "cannot handle the name of the customer", "name": "Ann"}'

    def process(message: Any) -> None:
        raise ValueError(f"cannot handle the name {message.json_body['name']} of the customer")

    assert error_of(consumer, record, process, body) == "cannot handle the name *** of the customer"


def test_the_shipped_rule_is_readable_for_a_body_of_its_own_words(consumer: Consumer, record: RecordFactory) -> None:
    """Its texts are literals, so nothing of them is masked."""
    consumer.invoke(record('{"message": ["the body is missing or not a string"]}'))
    assert consumer.failure()["error"] == "the `message` of the body is missing or not a string"


def test_a_missing_key_is_named(consumer: Consumer, record: RecordFactory) -> None:
    """The key is a literal of the code, so it may be shown though the body has the word elsewhere."""

    def process(message: Any) -> None:
        message.json_body["order"]["total"]

    assert error_of(consumer, record, process, '{"order": {"note": "total unknown"}}') == "'total'"


def test_pythons_own_sentences_stay(consumer: Consumer, record: RecordFactory) -> None:
    """They are written in C, where no literal can be looked up."""
    body = '{"x": "invalid literal for int() with base"}'
    assert error_of(consumer, record, lambda message: int("ten"), body) == (
        "invalid literal for int() with base 10: 'ten'"
    )


def test_attributes_are_as_private_as_the_body(consumer: Consumer, record: RecordFactory) -> None:
    """Customers put names and tokens there too."""

    def process(message: Any) -> None:
        raise ValueError(f"no tenant {message.message_attributes['tenant'].string_value}")

    attributes = {"tenant": {"stringValue": "Abernathy", "dataType": "String"}}
    assert error_of(consumer, record, process, "{}", messageAttributes=attributes) == "no tenant ***"


def test_beside_a_huge_body_only_the_programs_words_are_shown(consumer: Consumer, record: RecordFactory) -> None:
    """Comparing would cost too much of the function's time, so nothing is risked."""

    def process(message: Any) -> None:
        raise ValueError(f"not handled: {'anything'}")

    body = "x" * (consumer.masking.MAX_COMPARED_CHARACTERS + 1)
    assert error_of(consumer, record, process, body) == "not handled: ***"


def test_powertools_is_not_given_the_text_either(
    consumer: Consumer, record: RecordFactory, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Its debug log would print the error as it was."""
    caplog.set_level("DEBUG", logger="aws_lambda_powertools.utilities.batch.base")
    error_of(consumer, record, _quotes_body, "Abernathy")
    assert "Record processing exception" in caplog.text
    assert "Abernathy" not in caplog.text


WORDS = re.compile(r"[\w\u0080-\U0010ffff]+")


@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_is_quoted_from_any_body_is_masked(
    consumer: Consumer, record: RecordFactory, data: st.DataObject
) -> None:
    """No word of the error is a word of the body, and no run that would tell one."""
    values = st.recursive(st.text() | st.integers() | st.floats(allow_nan=False), _nest)
    body = data.draw(st.text(max_size=60) | values.map(json.dumps))
    start = data.draw(st.integers(0, len(body)))
    quote = data.draw(st.sampled_from([str, repr, ascii, str.upper, json.dumps]))(
        body[start : start + data.draw(st.integers(0, 60))]
    )

    assume(not consumer.masking._sentence(quote))  # a body may be a sentence of Python's, which is then shown

    def fail() -> None:
        raise ValueError(quote)

    try:
        fail()
    except ValueError as error:
        shown = consumer.failures.describe({"body": body}, error, request_id="", permanent=False).error
    folded = body.casefold()
    of_the_body = set(WORDS.findall(folded))
    for word in WORDS.findall(shown.casefold()):
        assert word not in of_the_body
        assert not any(word[at : at + 5] in folded for at in range(len(word) - 4))
        pairs = {word[at : at + 2] for at in range(len(word) - 1)}
        assert not any(pair in folded for pair in pairs if not re.fullmatch(r"[a-z_]+", pair))


def _nest(values: Any) -> Any:
    return st.lists(values, max_size=4) | st.dictionaries(st.text(max_size=8), values, max_size=4)


@settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    record=st.dictionaries(
        st.sampled_from(["messageId", "body", "attributes", "messageAttributes", "eventSourceARN"]),
        st.none() | st.integers() | st.text() | st.lists(st.text()) | st.dictionaries(st.text(), st.text() | st.none()),
    ),
    text=st.text(),
)
def test_describing_a_failure_never_fails(consumer: Consumer, record: dict[str, Any], text: str) -> None:
    """It runs where an exception would cost the whole batch."""
    failure = consumer.failures.describe(record, ValueError(text), request_id="r", permanent=False)
    json.dumps(failure.line())
