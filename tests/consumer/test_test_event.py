"""The test event is what Lambda would send: tools and people invoke the function with it."""

from __future__ import annotations

import base64
import hashlib
import json
import struct
import uuid
from typing import Any

import pytest
from consumer_under_test import QUEUE_ARN, ROOT, Consumer

RECORDS: list[dict[str, Any]] = json.loads((ROOT / "events" / "test-event.json").read_text(encoding="utf-8"))["Records"]


def md5_of_attributes(attributes: dict[str, Any]) -> str:
    """Return the MD5 that the SQS developer guide describes for message attributes."""
    digest = hashlib.md5(usedforsecurity=False)

    def add(data: bytes) -> None:
        digest.update(struct.pack(">I", len(data)) + data)

    for name, attribute in sorted(attributes.items()):
        add(name.encode())
        add(attribute["dataType"].encode())
        binary = attribute["dataType"].startswith("Binary")
        digest.update(b"\x02" if binary else b"\x01")
        add(base64.b64decode(attribute["binaryValue"]) if binary else attribute["stringValue"].encode())
    return digest.hexdigest()


def test_the_md5_of_attributes_is_computed_as_sqs_does() -> None:
    """The reference value is the one that other SQS clients test with."""
    attributes = {"timestamp": {"dataType": "Number", "stringValue": "1493147359900"}}
    assert md5_of_attributes(attributes) == "235c5c510d26fb653d073faed50ae77c"


def test_there_are_the_ten_test_messages() -> None:
    """The bodies are the original pattern's."""
    assert [record["body"] for record in RECORDS] == [f'{{"message": "Test message-{n}"}}' for n in range(1, 11)]
    assert len({record["messageId"] for record in RECORDS}) == 10
    assert len({record["receiptHandle"] for record in RECORDS}) == 10


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record["body"])
def test_a_record_has_the_shape_that_lambda_sends(record: dict[str, Any]) -> None:
    """Keys, types and checksums."""
    expected = {
        "messageId", "receiptHandle", "body", "attributes", "messageAttributes", "md5OfBody", "eventSource",
        "eventSourceARN", "awsRegion",
    }  # fmt: skip
    assert set(record) == expected | ({"md5OfMessageAttributes"} if record["messageAttributes"] else set())
    assert str(uuid.UUID(record["messageId"])) == record["messageId"]
    assert {type(value) for value in record["attributes"].values()} == {str}
    assert set(record["attributes"]) == {
        "ApproximateReceiveCount", "SentTimestamp", "SenderId", "ApproximateFirstReceiveTimestamp",
    }  # fmt: skip
    assert (record["eventSource"], record["eventSourceARN"], record["awsRegion"]) == ("aws:sqs", QUEUE_ARN, "us-east-1")
    assert record["md5OfBody"] == hashlib.md5(record["body"].encode(), usedforsecurity=False).hexdigest()
    if record["messageAttributes"]:
        assert record["md5OfMessageAttributes"] == md5_of_attributes(record["messageAttributes"])


def test_attributes_of_every_type_are_in_it() -> None:
    """String, Number, Binary and a custom label."""
    types = {a["dataType"] for record in RECORDS for a in record["messageAttributes"].values()}
    assert types == {"String", "Number", "Binary", "String.name"}


def test_the_consumer_handles_all_ten(consumer: Consumer) -> None:
    """Nothing is returned, and each text is logged once, in order."""
    assert consumer.invoke(*RECORDS) == []
    assert [line["text"] for line in consumer.lines("message_processed")] == [f"Test message-{n}" for n in range(1, 11)]
