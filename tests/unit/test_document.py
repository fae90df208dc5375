from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from opstool.doors.archive.line import LineWriter
from opstool.words.document import (
    dump,
    expires_at_ms,
    filter_document,
    from_document,
    iso,
    message_document,
    parse_iso,
    reason_document,
)
from opstool.words.errors import UsageError
from opstool.words.message import Attribute, Message
from opstool.words.provenance import Kind, Provenance
from opstool.words.reason import Reason

MESSAGE_KEYS = [
    "version",
    "type",
    "message_id",
    "sent_at",
    "first_received_at",
    "expires_at",
    "receive_count",
    "source_queue",
    "group_id",
    "deduplication_id",
    "trace_header",
    "attributes",
    "body",
    "body_sha256",
    "size_bytes",
    "reason",
    "reason_state",
    "origin",
    "s3_pointer",
]
ORIGIN_KEYS = ["kind", "arn", "target", "request_id", "error_code", "error_message", "condition", "retry_attempts"]
REASON_KEYS = ["type", "message", "fingerprint", "at", "attempts", "function", "log_group", "request_id"]
REASON_KEYS += ["log_stream", "trace_id", "permanent", "evidence"]

MESSAGE = Message(
    message_id="11111111-2222-3333-4444-555555555555",
    body='{"order": 7}',
    attributes={
        "kind": Attribute(type="String", value="new"),
        "total": Attribute(type="Number.float", value="1.50"),
        "blob": Attribute(type="Binary.png", value=b"\x00\xff"),
    },
    sent_at_ms=1_735_689_600_123,
    first_received_at_ms=1_735_689_601_000,
    receive_count=4,
    source_arn="arn:aws:sqs:eu-west-1:123456789012:orders",
    group_id="g",
    deduplication_id="d",
    trace_header="Root=1-0-0",
)
REASON = Reason(type="ValueError", message="no", fingerprint="0123456789ab", at_ms=1_735_689_602_000, attempts=3)


def test_the_keys_of_a_message_and_their_order_are_a_contract() -> None:
    """Scripts read these keys."""
    assert list(message_document(MESSAGE, reason=REASON)) == MESSAGE_KEYS
    assert list(reason_document(REASON)) == REASON_KEYS


def test_a_message_becomes_a_document() -> None:
    """Times are ISO 8601, binary values base64, and the source queue is an ARN."""
    document = message_document(MESSAGE, expires_at_ms=expires_at_ms(MESSAGE, 345_600), reason=REASON)
    assert document["sent_at"] == "2025-01-01T00:00:00.123Z"
    assert document["expires_at"] == "2025-01-05T00:00:00.123Z"
    assert document["source_queue"] == "arn:aws:sqs:eu-west-1:123456789012:orders"
    assert document["attributes"]["total"] == {"type": "Number.float", "value": "1.50"}
    assert document["attributes"]["blob"] == {"type": "Binary.png", "value_base64": "AP8="}
    assert document["reason"]["at"] == "2025-01-01T00:00:02.000Z"


def test_what_is_not_known_is_null() -> None:
    """A time that is not known is never 1970."""
    document = message_document(Message(message_id="m", body="b"))
    unknown = ("sent_at", "first_received_at", "expires_at", "source_queue", "group_id", "trace_header", "reason")
    assert [document[key] for key in unknown] == [None] * len(unknown)


def test_a_document_becomes_the_same_message_again() -> None:
    """Every part that can be sent again survives JSON."""
    assert from_document(json.loads(dump(message_document(MESSAGE)))) == MESSAGE


def test_a_body_alone_is_a_message() -> None:
    """That is all a hand-written line needs."""
    assert from_document({"body": "hello"}) == Message(message_id="", body="hello")


def test_keys_that_are_not_known_are_ignored() -> None:
    """Documents only grow, so an older opstool reads what a newer one wrote."""
    assert from_document({"body": "hello", "colour": "blue"}).body == "hello"


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        ({}, "`body` is missing"),
        ({"body": {"a": 1}}, "`body` is not a string"),
        ({"body": "b", "version": 2}, "version is not 1"),
        ({"body": "b", "type": "report"}, "type is not `message`"),
        ({"body": "b", "sent_at": "yesterday"}, "`sent_at` is not an ISO 8601 time"),
        ({"body": "b", "sent_at": 5}, "`sent_at` is not a string"),
        ({"body": "b", "receive_count": "4"}, "`receive_count` is not a whole number"),
        ({"body": "b", "receive_count": True}, "`receive_count` is not a whole number"),
        ({"body": "b", "attributes": ["a"]}, "`attributes` is not an object"),
        ({"body": "b", "attributes": {"a": "x"}}, 'attribute "a" has no `type`'),
        ({"body": "b", "attributes": {"a": {"type": "String"}}}, 'attribute "a" of type "String" has no `value`'),
        ({"body": "b", "attributes": {"a": {"type": "Binary", "value": "x"}}}, "has no `value_base64`"),
        ({"body": "b", "attributes": {"a": {"type": "Binary", "value_base64": "?"}}}, "is not base64"),
        ({"body": "b", "attributes": {"a": {"type": "Binary", "value_base64": "\u00e9"}}}, "is not base64"),
    ],
)
def test_a_document_that_is_wrong_is_refused_with_the_key(document: dict[str, Any], problem: str) -> None:
    """The error names the key and never quotes the body."""
    with pytest.raises(UsageError, match=re.escape(problem)):
        from_document(document)


def test_documents_are_ascii_on_one_line() -> None:
    """Nothing in a body can break a line of JSON Lines, act on a terminal, or fail to be encoded."""
    line = dump(message_document(Message(message_id="m", body="a\nb\x1b[31m\ud800\N{GRINNING FACE}\u2028")))
    assert line.isascii()
    assert line.isprintable()


@pytest.mark.parametrize(
    ("body", "parsed"),
    [
        ('{"a": [1]}', {"a": [1]}),
        ("7", 7),
        ("null", None),
        ("plain text", "plain text"),
        ('{"a": NaN}', '{"a": NaN}'),
        ("9" * 5_000, "9" * 5_000),
        ("[" * 200_000, "[" * 200_000),
        ('{"a": 1} trailing', '{"a": 1} trailing'),
    ],
    ids=["object", "number", "null", "text", "NaN", "huge number", "deep nesting", "trailing text"],
)
def test_filters_see_a_body_parsed_when_it_is_json(body: str, parsed: Any) -> None:
    """Whatever cannot be parsed stays the text it is, and nothing crashes."""
    assert filter_document(Message(message_id="m", body=body))["body"] == parsed


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("2025-01-01T00:00:00.123Z", 1_735_689_600_123),
        ("2025-01-01T01:00:00.123+01:00", 1_735_689_600_123),
        ("2025-01-01T00:00:00.123999Z", 1_735_689_600_123),
        ("2025-01-01T00:00:00", 1_735_689_600_000),
        ("2025-01-01", 1_735_689_600_000),
    ],
)
def test_times_are_read_with_any_offset(text: str, ms: int) -> None:
    """Without an offset a time is UTC."""
    assert parse_iso(text) == ms


@pytest.mark.parametrize("text", ["", "now", "2025-13-01", "2025-01-01T25:00:00Z", "\N{ARABIC-INDIC DIGIT TWO}"])
def test_a_text_that_is_no_time_is_a_usage_error(text: str) -> None:
    """It is never taken for another time."""
    with pytest.raises(UsageError):
        parse_iso(text)


def test_times_beyond_the_calendar_become_its_end() -> None:
    """A hostile timestamp does not crash a listing."""
    assert iso(10**30) == "9999-12-31T23:59:59.999Z"
    assert iso(-(10**30)) == "0001-01-01T00:00:00.000Z"


def documented_keys(heading: str) -> list[str]:
    """Return the keys in the first column of the table under a heading of docs/documents.md."""
    text = (Path(__file__).parents[2] / "docs" / "documents.md").read_text(encoding="utf-8")
    section = text.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    return re.findall(r"^\| `(\w+)`", section, re.MULTILINE)


def test_the_documentation_names_every_key() -> None:
    """docs/documents.md lists the keys of a message, of its reason and of an archive's line, in their order."""
    line = json.loads(LineWriter(queue_arn="arn:aws:sqs:eu-west-1:123456789012:q", archive_id="a").encode([MESSAGE]))
    envelope = ["version", "type"]
    assert envelope + documented_keys("message") == MESSAGE_KEYS
    assert documented_keys("reason") == REASON_KEYS
    assert documented_keys("origin") == ORIGIN_KEYS == list(Provenance(kind=Kind.SNS).document)
    assert documented_keys("A line of an archive") == [key for key in line if key not in MESSAGE_KEYS]
