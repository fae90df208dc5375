"""A batch between SQS and the function: the event Lambda makes of it, and what the answer means for each message.

Nothing here does I/O. The rules are those of the Lambda developer guide, "Handling errors for an SQS event source".
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MAXIMUM_PAYLOAD_BYTES = 6 * 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Which messages the mapping deletes; all others stay in flight until their visibility timeout ends."""

    delete: frozenset[str]
    reason: str
    """Why, in a few words: for a person who reads the log of the embedded AWS."""


def record(message: Mapping[str, Any], *, queue_arn: str, region: str) -> dict[str, Any]:
    """Return one record of the event, as Lambda writes it, from a message as ReceiveMessage returns it."""
    made = {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": dict(message.get("Attributes", {})),
        "messageAttributes": {
            name: _attribute(attribute) for name, attribute in message.get("MessageAttributes", {}).items()
        },
        "md5OfBody": message["MD5OfBody"],
        "eventSource": "aws:sqs",
        "eventSourceARN": queue_arn,
        "awsRegion": region,
    }
    if "MD5OfMessageAttributes" in message:
        made["md5OfMessageAttributes"] = message["MD5OfMessageAttributes"]
    return made


def _attribute(attribute: Mapping[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {"dataType": attribute["DataType"]}
    if "StringValue" in attribute:
        made["stringValue"] = attribute["StringValue"]
    if "BinaryValue" in attribute:
        made["binaryValue"] = base64.b64encode(attribute["BinaryValue"]).decode()
    return {"stringListValues": [], "binaryListValues": [], **made}


def judge(message_ids: Sequence[str], payload: str, *, failed: bool, reports_item_failures: bool) -> Verdict:
    """Decide about a batch by what the function answered: `payload` is JSON text, `failed` an error instead of one."""
    everything = frozenset(message_ids)
    if failed:
        return Verdict(delete=frozenset(), reason="the function failed")
    if not reports_item_failures:
        return Verdict(delete=everything, reason="the function returned")
    try:
        returned = json.loads(payload)
    except ValueError:
        return Verdict(delete=frozenset(), reason="the response is not JSON")
    return _judge_response(everything, returned)


def _judge_response(everything: frozenset[str], returned: Any) -> Verdict:
    if returned in (None, "", {}):
        return Verdict(delete=everything, reason="the response is empty")
    if not isinstance(returned, dict):
        return Verdict(delete=frozenset(), reason="the response is not an object")
    failures = returned.get("batchItemFailures")
    if failures is None:  # missing or null: an object without the key reports no failures
        return Verdict(delete=everything, reason="no failures are reported")
    if not isinstance(failures, list):
        return Verdict(delete=frozenset(), reason="batchItemFailures is not a list")
    return _judge_items(everything, failures)


def _judge_items(everything: frozenset[str], failures: list[Any]) -> Verdict:
    named = set()
    for failure in failures:
        identifier = failure.get("itemIdentifier") if isinstance(failure, dict) else None
        if not isinstance(identifier, str) or not identifier:
            return Verdict(delete=frozenset(), reason="an itemIdentifier is missing, empty or null")
        if identifier not in everything:
            return Verdict(delete=frozenset(), reason="an itemIdentifier is not of this batch")
        named.add(identifier)
    return Verdict(delete=everything - named, reason=f"{len(named)} failures are reported")
