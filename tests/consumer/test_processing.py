"""The business rule as shipped: it logs test messages, and refuses what is not one."""

from __future__ import annotations

import json

import pytest
from consumer_under_test import Consumer, RecordFactory


def test_a_test_message_is_logged(consumer: Consumer, record: RecordFactory) -> None:
    """The text is a field of the line, beside the message's id."""
    item = record('{"message": "Test message-1"}')
    assert consumer.invoke(item) == []
    (line,) = consumer.lines("message_processed")
    assert (line["text"], line["message_id"], line["level"]) == ("Test message-1", item["messageId"], "INFO")


def test_a_long_text_is_cut_in_the_log(consumer: Consumer, record: RecordFactory) -> None:
    """A message may be a megabyte; a line may not."""
    consumer.invoke(record(json.dumps({"message": "x" * 1000})))
    assert consumer.lines("message_processed")[0]["text"] == "x" * 200


@pytest.mark.parametrize(
    "text", ["half \\ud800 a pair", "\\u0000 \\u001b[31m", "[bold]markup[/]", "caf\\u00e9 \\ud83d\\ude00"]
)
def test_any_text_can_be_logged(consumer: Consumer, record: RecordFactory, text: str) -> None:
    """A line that cannot be written is a line lost."""
    consumer.invoke(record(f'{{"message": "{text}"}}'))
    printed = consumer.printed()
    printed.encode("utf-8")
    assert "\x1b" not in printed
    assert json.loads(printed.splitlines()[0])["text"] == json.loads(f'"{text}"')


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ("", "the body is not JSON"),
        ("{", "the body is not JSON"),
        ("[" * 100_000, "the body is not JSON"),
        ("9" * 5000, "the body is not JSON"),
        ("null", "the body is JSON, but not an object"),
        ('["message"]', "the body is JSON, but not an object"),
        ("{}", "the `message` of the body is missing or not a string"),
        ('{"message": null}', "the `message` of the body is missing or not a string"),
        ('{"message": {"message": "nested"}}', "the `message` of the body is missing or not a string"),
    ],
    ids=lambda value: value[:40],
)
def test_what_is_not_a_test_message_is_refused_for_good(
    consumer: Consumer, record: RecordFactory, body: str, error: str
) -> None:
    """No later attempt can read it either."""
    item = record(body)
    assert consumer.invoke(item) == [item["messageId"]]
    line = consumer.failure()
    assert (line["error_type"], line["error"], line["permanent"]) == ("PermanentError", error, True)
