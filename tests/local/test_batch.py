"""What an answer of the function means for each message of its batch, and the event it is given."""

from __future__ import annotations

import json
from typing import Any

import pytest

from opstool.local.batch import judge, record

IDS = ("a", "b", "c")


def deleted(payload: str, *, failed: bool = False, reports: bool = True) -> set[str]:
    """Return the ids that the mapping deletes."""
    return set(judge(IDS, payload, failed=failed, reports_item_failures=reports).delete)


@pytest.mark.parametrize(
    "returned",
    [None, {}, "", {"batchItemFailures": []}, {"batchItemFailures": None}, {"statusCode": 200}],
    ids=["null", "empty object", "empty text", "empty list", "null list", "no list"],
)
def test_an_answer_without_failures_handles_the_whole_batch(returned: Any) -> None:
    """Nothing reported as failed means that everything was handled."""
    assert deleted(json.dumps(returned)) == set(IDS)


@pytest.mark.parametrize(
    "payload",
    [
        "{not json",
        "",
        '"text"',
        "[]",
        "true",
        '{"batchItemFailures": "a"}',
        '{"batchItemFailures": {"itemIdentifier": "a"}}',
        '{"batchItemFailures": ["a"]}',
        '{"batchItemFailures": [null]}',
        '{"batchItemFailures": [{"itemIdentifier": ""}]}',
        '{"batchItemFailures": [{"itemIdentifier": null}]}',
        '{"batchItemFailures": [{"itemIdentifier": 7}]}',
        '{"batchItemFailures": [{"messageId": "a"}]}',
        '{"batchItemFailures": [{"itemIdentifier": "unknown"}]}',
        '{"batchItemFailures": [{"itemIdentifier": "a"}, {"itemIdentifier": "unknown"}]}',
    ],
)
def test_a_malformed_answer_fails_the_whole_batch(payload: str) -> None:
    """Lambda takes no half of an answer that it does not understand."""
    assert deleted(payload) == set()


def test_the_named_messages_stay_and_the_others_go() -> None:
    """A partial batch response keeps what it names; naming one twice is naming it."""
    failures = [{"itemIdentifier": "b"}, {"itemIdentifier": "b"}]
    assert deleted(json.dumps({"batchItemFailures": failures})) == {"a", "c"}


def test_a_failed_function_handles_nothing() -> None:
    """An exception, a timeout or a crash fails the whole batch."""
    assert deleted("", failed=True) == set()
    assert deleted("", failed=True, reports=False) == set()


def test_without_report_batch_item_failures_a_return_handles_everything() -> None:
    """A partial response is ignored when the mapping does not ask for one."""
    payload = json.dumps({"batchItemFailures": [{"itemIdentifier": "a"}]})
    assert deleted(payload, reports=False) == set(IDS)


def test_a_record_has_the_shape_that_lambda_sends() -> None:
    """Names are in camel case, binary values in base64, and the empty lists are there."""
    message = {
        "MessageId": "id",
        "ReceiptHandle": "handle",
        "Body": "body",
        "MD5OfBody": "5d",
        "Attributes": {"ApproximateReceiveCount": "1", "AWSTraceHeader": "Root=1", "MessageGroupId": "g"},
        "MD5OfMessageAttributes": "6e",
        "MessageAttributes": {
            "text": {"DataType": "String.label", "StringValue": "v"},
            "data": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
        },
    }
    empty = {"stringListValues": [], "binaryListValues": []}
    assert record(message, queue_arn="arn:aws:sqs:eu-west-1:123456789012:q", region="eu-west-1") == {
        "messageId": "id",
        "receiptHandle": "handle",
        "body": "body",
        "attributes": {"ApproximateReceiveCount": "1", "AWSTraceHeader": "Root=1", "MessageGroupId": "g"},
        "messageAttributes": {
            "text": {**empty, "dataType": "String.label", "stringValue": "v"},
            "data": {**empty, "dataType": "Binary", "binaryValue": "AP8="},
        },
        "md5OfBody": "5d",
        "md5OfMessageAttributes": "6e",
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:eu-west-1:123456789012:q",
        "awsRegion": "eu-west-1",
    }
