from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from opstool.words.document import from_document
from opstool.words.message import Attribute, Message
from opstool.words.provenance import LONGEST_ERROR, Kind, provenance_of
from opstool.words.reason import Evidence
from opstool.words.toldreason import told_reason

RECORDED: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[1] / "recorded" / "origins.json").read_text(encoding="utf-8")
)
NAMES = [case["name"] for case in RECORDED]
SOURCE = "arn:aws:sqs:eu-west-1:123456789012:orders"
RULE = "arn:aws:events:eu-west-1:123456789012:rule/orders"
TARGET = "arn:aws:lambda:eu-west-1:123456789012:function:orders"


def recorded(name: str) -> Message:
    """Return the recorded message of that name."""
    [case] = [case for case in RECORDED if case["name"] == name]
    return from_document({"message_id": "m", "body": case["body"], "attributes": case["attributes"]})


def having(message: Message, **attributes: Attribute | None) -> Message:
    """Return the message with some attributes in place of its own, and without those that are None."""
    changed = {**message.attributes, **attributes}
    return replace(message, attributes={name: each for name, each in changed.items() if each is not None})


def text(value: str) -> Attribute:
    """Return a String."""
    return Attribute(type="String", value=value)


@pytest.mark.parametrize("case", RECORDED, ids=NAMES)
def test_what_a_service_writes_is_read(case: dict[str, Any]) -> None:
    """Every fact, and null for what is not told."""
    provenance = provenance_of(recorded(case["name"]))
    assert provenance is not None
    assert json.loads(json.dumps(provenance.document)) == case["origin"]


def test_every_kind_is_recorded() -> None:
    """A kind without a sample would be a guess."""
    assert {case["origin"]["kind"] for case in RECORDED} == {str(kind) for kind in Kind}


@pytest.mark.parametrize("case", RECORDED, ids=NAMES)
def test_what_died_in_sqs_did_so_whatever_stands_in_it(case: dict[str, Any]) -> None:
    """A consumer may write such attributes, and a queue may be subscribed to a topic."""
    message = replace(recorded(case["name"]), source_arn=SOURCE)
    assert (provenance_of(message), told_reason(message)) == (None, None)


@pytest.mark.parametrize(
    ("name", "attribute"),
    [(case["name"], attribute) for case in RECORDED for attribute in case["attributes"]],
)
def test_less_than_all_of_it_is_nothing(name: str, attribute: str) -> None:
    """What somebody wrote by hand looks alike; only what is not always there may be missing."""
    provenance = provenance_of(having(recorded(name), **{attribute: None}))
    optional = {"EXHAUSTED_RETRY_CONDITION", "EXECUTION_ID", "IS_PAYLOAD_TRUNCATED", "SCHEDULED_TIME"}
    assert (provenance is None) == (attribute not in optional)


@pytest.mark.parametrize(
    ("name", "attributes"),
    [
        ("lambda async", {"ErrorCode": text("200")}),
        ("lambda async", {"ErrorCode": Attribute(type="Number", value="-1")}),
        ("lambda async", {"ErrorCode": Attribute(type="Number", value="2000")}),
        ("lambda async", {"ErrorCode": Attribute(type="Number", value="\u0662\u0660\u0660")}),
        ("lambda async", {"RequestID": Attribute(type="Binary", value=b"1")}),
        ("lambda async", {"RequestID": Attribute(type="String.uuid", value="1")}),
        ("lambda async", {"tenant": text("acme")}),
        ("eventbridge, not retried", {"RULE_ARN": text("orders")}),
        ("eventbridge, not retried", {"RULE_ARN": text("arn:aws:events:eu-west-1:123456789012:")}),
        ("eventbridge, not retried", {"RULE_ARN": text(TARGET)}),
        ("eventbridge, not retried", {"RULE_ARN": text(RULE + "x" * 2_048)}),
        ("eventbridge, not retried", {"TARGET_ARN": text("the function")}),
        ("eventbridge, not retried", {"RETRY_ATTEMPTS": text("none")}),
        ("eventbridge, not retried", {"RETRY_ATTEMPTS": text("1" * 400)}),
        ("eventbridge, not retried", {"RETRY_ATTEMPTS": Attribute(type="Binary", value=b"1")}),
        ("scheduler", {"SCHEDULE_ARN": text(RULE)}),
    ],
)
def test_what_only_looks_alike_is_nothing(name: str, attributes: dict[str, Attribute]) -> None:
    """Another type, a value of another form, or an attribute more than Lambda writes."""
    assert provenance_of(having(recorded(name), **attributes)) is None


def changed(name: str, *path: str, to: Any) -> Message:
    """Return the recorded message with one value of its body changed, or taken out when it is None."""
    message = recorded(name)
    body = inner = json.loads(message.body)
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = to
    if to is None:
        del inner[path[-1]]
    return replace(message, body=json.dumps(body))


@pytest.mark.parametrize(
    ("name", "path", "value"),
    [
        ("sns", ["Type"], "SubscriptionConfirmation"),
        ("sns", ["TopicArn"], SOURCE),
        *(("sns", [key], value) for key in ("Message", "MessageId", "Timestamp", "Signature") for value in (None, 7)),
        ("lambda destination, failure", ["version"], "2.0"),
        ("lambda destination, failure", ["timestamp"], None),
        ("lambda destination, failure", ["requestContext"], "none"),
        ("lambda destination, failure", ["requestContext", "functionArn"], "invoices"),
        ("lambda destination, failure", ["requestContext", "condition"], None),
        ("lambda destination, failure", ["requestContext", "requestId"], 1),
        ("lambda destination, failure", ["requestContext", "approximateInvokeCount"], True),
        ("lambda destination, failure", ["requestContext", "approximateInvokeCount"], -1),
        ("lambda destination, failure", ["requestContext", "approximateInvokeCount"], 10**4_000),
        ("pipes", ["version"], 1.0),
        ("pipes", ["context"], []),
        ("pipes", ["context", "partnerResourceArn"], SOURCE),
        ("pipes", ["context", "condition"], None),
    ],
)
def test_a_body_that_only_looks_alike_is_nothing(name: str, path: list[str], value: Any) -> None:
    """Bodies are anybody's: each part has to be there, in its type."""
    assert provenance_of(changed(name, *path, to=value)) is None


@pytest.mark.parametrize(
    "body",
    ['"TopicArn"', '["TopicArn"]', '{"TopicArn": ', "[" * 100_000 + '"TopicArn"', '{"TopicArn": ' + "9" * 5_000 + "}"],
    ids=["text", "list", "cut off", "nested", "a long number"],
)
def test_a_hostile_body_is_nothing(body: str) -> None:
    """Whatever cannot be parsed says nothing."""
    assert provenance_of(Message(message_id="m", body=body)) is None


def test_what_a_function_answered_is_no_fact_unless_it_is_one() -> None:
    """Its answer is free in form."""
    for payload in ("text", ["list"], {"errorType": 7, "errorMessage": ["x"]}, {"errorType": "", "errorMessage": ""}):
        message = changed("lambda destination, failure", "responsePayload", to=payload)
        provenance = provenance_of(message)
        assert provenance is not None
        assert (provenance.error_code, provenance.error_message, told_reason(message)) == (None, None, None)


def test_errors_are_cut() -> None:
    """A body can hold a mebibyte of them."""
    long = "x" * 5_000
    for message in (
        having(recorded("lambda async"), ErrorMessage=text(long)),
        having(recorded("eventbridge, not retried"), ERROR_MESSAGE=text(long)),
        changed("lambda destination, failure", "responsePayload", "errorMessage", to=long),
    ):
        reason = told_reason(message)
        assert reason is not None
        assert reason.message == "x" * LONGEST_ERROR


@pytest.mark.parametrize("case", RECORDED, ids=NAMES)
def test_the_error_it_tells_is_its_reason(case: dict[str, Any]) -> None:
    """Told by the message, put here when it was sent; what tells no error has no reason."""
    reason = told_reason(replace(recorded(case["name"]), sent_at_ms=1_738_315_800_000))
    if case["reason"] is None:
        assert reason is None
        return
    assert reason is not None
    assert [reason.type, reason.message] == case["reason"]
    assert (reason.evidence, reason.at_ms) == (Evidence.ATTRIBUTE, 1_738_315_800_000)
    assert reason.attempts == 1 + (case["origin"]["retry_attempts"] or 0)
    assert (reason.request_id, reason.log_group) == (case["origin"]["request_id"], None)


def test_the_function_of_a_destination_is_named() -> None:
    """As it is called, not by its ARN; a dead-letter queue does not tell it."""
    told = {name: told_reason(recorded(name)) for name in ("lambda destination, failure", "lambda async")}
    assert [reason.function for reason in told.values() if reason] == ["invoices", None]


def test_the_same_failure_has_the_same_fingerprint() -> None:
    """Numbers and ids in its text do not matter; another code does."""
    base = recorded("eventbridge, not retried")
    texts = ["order 17 is locked", "order 18 is locked"]
    codes = ["CONFLICT", "CONFLICT", "THROTTLING"]
    told = [
        told_reason(having(base, ERROR_MESSAGE=text(said), ERROR_CODE=text(code)))
        for said, code in zip([*texts, texts[0]], codes, strict=True)
    ]
    first, second, other = [reason.fingerprint for reason in told if reason]
    assert first == second != other
