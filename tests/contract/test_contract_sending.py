"""What is sent arrives exactly, and what SQS does not take is refused."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from opstool.words.message import Attribute, md5_of_attributes, md5_of_body
from tests.contract.cases import cases
from tests.servers.server import Server, aws_code, bodies, entries

ATTRIBUTES: dict[str, dict[str, Any]] = {
    "text": {"DataType": "String", "StringValue": "plain"},
    "labelled": {"DataType": "String.json", "StringValue": '{"a": [1, 2]}'},
    "planes": {"DataType": "String", "StringValue": "é € 漢字 \U0001f600 \U00020000"},
    "number": {"DataType": "Number", "StringValue": "-12.50"},
    "precise": {"DataType": "Number.decimal", "StringValue": "12345678901234567890123456789012345678"},
    "bytes": {"DataType": "Binary", "BinaryValue": b"\x00\x01\xff\x00"},
    "zeros": {"DataType": "Binary.raw", "BinaryValue": b"\x00" * 17},
    "dots.and-dashes_1": {"DataType": "String", "StringValue": " "},
}
TRACE_HEADER = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"
TRACE = {"AWSTraceHeader": {"DataType": "String", "StringValue": TRACE_HEADER}}


def _md5(attributes: dict[str, dict[str, Any]]) -> str | None:
    return md5_of_attributes(
        {
            name: Attribute(type=raw["DataType"], value=raw.get("BinaryValue") or raw["StringValue"])
            for name, raw in attributes.items()
        }
    )


@pytest.mark.parametrize(
    "body",
    [
        pytest.param("x", id="one character"),
        pytest.param(" \t\r\n lines \n\n", id="white space"),
        pytest.param("<a>&amp;\"quotes\" 'and' \\ back</a>", id="markup"),
        pytest.param("é ß ÿ", id="latin"),
        pytest.param("漢字 한국어 \ud7ff \ue000 \ufffd", id="basic plane and its edges"),
        pytest.param("\U00010000 \U0001f600 \U00020000 \U0010ffff", id="higher planes"),
        pytest.param("\x7f\x80\x85\x9f\u2028\u2029", id="controls that SQS takes"),
        pytest.param('{"message": "Test message-1"}', id="JSON"),
        pytest.param("0" * 200_000, id="long"),
    ],
)
@pytest.mark.parametrize("in_batch", [False, True], ids=["single", "batch"])
def test_a_body_arrives_byte_for_byte(server: Server, body: str, in_batch: bool) -> None:
    """The body that is received is the body that was sent, and both answers carry its MD5."""
    queue = server.make_queue()
    sent = queue.send_batch(body)["Successful"][0] if in_batch else queue.send(body)
    message = queue.receive_one()
    assert message["Body"] == body
    expected = hashlib.md5(body.encode()).hexdigest()
    assert (sent["MD5OfMessageBody"], message["MD5OfBody"]) == (expected, expected)
    assert message["MessageId"] == sent["MessageId"]


@pytest.mark.parametrize("name", cases(ATTRIBUTES, "its MD5 counts characters and not bytes", local_aws_sqs={"planes"}))
def test_an_attribute_arrives_exactly(server: Server, name: str) -> None:
    """Type, label and value survive, and the MD5s of the send and of the receive agree with AWS's algorithm."""
    queue = server.make_queue()
    attributes = {name: ATTRIBUTES[name]}
    sent = queue.send("body", MessageAttributes=attributes)
    message = queue.receive_one()
    assert message["MessageAttributes"] == attributes
    assert sent["MD5OfMessageAttributes"] == message["MD5OfMessageAttributes"] == _md5(attributes)


@pytest.mark.departs(local_aws_sqs="its MD5 counts characters and not bytes")
def test_all_attributes_arrive_together_in_a_batch(server: Server) -> None:
    """Eight attributes of all types survive a batch, and their common MD5 is AWS's."""
    queue = server.make_queue()
    [sent] = queue.send_batch("body", MessageAttributes=ATTRIBUTES)["Successful"]
    message = queue.receive_one()
    assert message["MessageAttributes"] == ATTRIBUTES
    assert sent["MD5OfMessageAttributes"] == message["MD5OfMessageAttributes"] == _md5(ATTRIBUTES)


def test_a_message_without_attributes_has_no_md5_of_them(server: Server) -> None:
    """Neither answer names attributes that are not there."""
    queue = server.make_queue()
    sent = queue.send("body")
    message = queue.receive_one()
    assert not sent.get("MD5OfMessageAttributes")
    assert not message.get("MessageAttributes")
    assert not message.get("MD5OfMessageAttributes")


@pytest.mark.parametrize(
    "in_batch",
    [False, pytest.param(True, marks=pytest.mark.departs(ministack="loses the trace header of a batch's entry"))],
    ids=["single", "batch"],
)
def test_the_trace_header_arrives(server: Server, in_batch: bool) -> None:
    """AWSTraceHeader is a system attribute, beside the sender's own ten."""
    queue = server.make_queue()
    if in_batch:
        queue.send_batch("body", MessageSystemAttributes=TRACE)
    else:
        queue.send("body", MessageSystemAttributes=TRACE)
    assert queue.receive_one()["Attributes"]["AWSTraceHeader"] == TRACE_HEADER


@pytest.mark.departs(
    localstack="MD5OfMessageSystemAttributes is not answered", ministack="MD5OfMessageSystemAttributes is not answered"
)
def test_a_batch_answers_the_md5_of_the_trace_header(server: Server) -> None:
    """MD5OfMessageSystemAttributes lets a sender check the header too."""
    [sent] = server.make_queue().send_batch("body", MessageSystemAttributes=TRACE)["Successful"]
    assert sent["MD5OfMessageSystemAttributes"] == _md5(TRACE)


@pytest.mark.parametrize("in_batch", [False, True], ids=["single", "batch"])
def test_a_group_id_arrives_on_a_standard_queue(server: Server, in_batch: bool) -> None:
    """Fair queues: a standard queue takes a message group id and shows it."""
    queue = server.make_queue()
    if in_batch:
        queue.send_batch("body", MessageGroupId="tenant-1")
    else:
        queue.send("body", MessageGroupId="tenant-1")
    assert queue.receive_one()["Attributes"]["MessageGroupId"] == "tenant-1"


@pytest.mark.departs(moto="takes it and ignores it", ministack="takes it and ignores it")
def test_a_deduplication_id_is_refused_on_a_standard_queue(server: Server) -> None:
    """Deduplication is a matter of FIFO queues."""
    error = server.make_queue().refusal("SendMessage", MessageBody="x", MessageDeduplicationId="d")
    assert aws_code(error) == "InvalidParameterValue"


REFUSED_MESSAGES: dict[str, tuple[str, dict[str, Any]]] = {
    "an empty body": ("", {}),
    "a NUL": ("a\x00b", {}),
    "an escape": ("a\x1b[31mb", {}),
    "a noncharacter": ("a\ufffeb", {}),
    "eleven attributes": (
        "body",
        {f"a{index}": {"DataType": "String", "StringValue": "x"} for index in range(11)},
    ),
    "an empty attribute": ("body", {"a": {"DataType": "String", "StringValue": ""}}),
    "an unknown type": ("body", {"a": {"DataType": "Text", "StringValue": "x"}}),
    "a number that is none": ("body", {"a": {"DataType": "Number", "StringValue": "twelve"}}),
    "a reserved name": ("body", {"AWS.a": {"DataType": "String", "StringValue": "x"}}),
    "a reserved name in other case": ("body", {"amazon.a": {"DataType": "String", "StringValue": "x"}}),
    "a name with a space": ("body", {"a b": {"DataType": "String", "StringValue": "x"}}),
    "a name that ends in a dot": ("body", {"a.": {"DataType": "String", "StringValue": "x"}}),
    "a name with two dots": ("body", {"a..b": {"DataType": "String", "StringValue": "x"}}),
    "a NUL in an attribute": ("body", {"a": {"DataType": "String", "StringValue": "\x00"}}),
    "a message over the limit": ("x" * 1_048_577, {}),
    "a message over the limit by its attribute": (
        "x" * 1_048_576,
        {"a": {"DataType": "String", "StringValue": "x"}},
    ),
}


UNCHECKED = {
    "moto": {
        "an empty attribute",
        "a number that is none",
        "a reserved name",
        "a reserved name in other case",
        "a name with a space",
        "a name that ends in a dot",
        "a name with two dots",
        "a NUL in an attribute",
    },
    "local_aws_sqs": {"a NUL", "an escape", "a noncharacter", "a NUL in an attribute", "a name with a space"},
    "localstack": {"eleven attributes", "a number that is none", "a name with two dots"},
    "ministack": set(REFUSED_MESSAGES)
    - {"an empty body", "a NUL", "an escape", "a noncharacter", "a message over the limit"},
}


@pytest.mark.parametrize("case", cases(REFUSED_MESSAGES, "does not check this", **UNCHECKED))
def test_a_message_that_sqs_does_not_take_is_refused(server: Server, case: str) -> None:
    """What is wrong with a message is said at the send, and nothing is stored."""
    queue = server.make_queue()
    body, attributes = REFUSED_MESSAGES[case]
    queue.refusal("SendMessage", MessageBody=body, MessageAttributes=attributes)
    assert queue.counts() == (0, 0, 0)


NOT_BLAMED = {
    "local_aws_sqs": {"a NUL"},
    "localstack": {"a NUL", "eleven attributes"},
    "ministack": {"eleven attributes"},
}


@pytest.mark.parametrize(
    "case",
    cases(["an empty body", "a NUL", "eleven attributes"], "takes it, or does not blame the sender", **NOT_BLAMED),
)
def test_a_bad_entry_fails_alone(server: Server, case: str) -> None:
    """An entry that SQS does not take stands in Failed as the sender's fault; the others are sent."""
    queue = server.make_queue()
    body, attributes = REFUSED_MESSAGES[case]
    response = queue.ask(
        "SendMessageBatch",
        Entries=[
            {"Id": "good", "MessageBody": "good"},
            {"Id": "bad", "MessageBody": body, "MessageAttributes": attributes},
            {"Id": "too", "MessageBody": "too"},
        ],
    )
    assert [each["Id"] for each in response["Successful"]] == ["good", "too"]
    assert [(each["Id"], each["SenderFault"]) for each in response["Failed"]] == [("bad", True)]
    assert sorted(bodies(queue.receive())) == ["good", "too"]


def test_the_largest_message_is_taken(server: Server) -> None:
    """1,048,576 bytes of body and attributes together are allowed."""
    queue = server.make_queue()
    queue.send("x" * (1_048_576 - 8), MessageAttributes={"a": {"DataType": "String", "StringValue": "b"}})
    assert len(queue.receive_one()["Body"]) == 1_048_568


@pytest.mark.departs(local_aws_sqs="counts characters")
def test_a_queue_may_take_smaller_messages_only(server: Server) -> None:
    """MaximumMessageSize counts bytes, not characters."""
    queue = server.make_queue(MaximumMessageSize="1024")
    queue.send("é" * 512)
    assert aws_code(queue.refusal("SendMessage", MessageBody="é" * 513)) == "InvalidParameterValue"


REFUSED_BATCHES: dict[str, tuple[str, list[dict[str, Any]]]] = {
    "no entries": ("EmptyBatchRequest", []),
    "eleven entries": ("TooManyEntriesInBatchRequest", entries("x" * 11)),
    "an id twice": ("BatchEntryIdsNotDistinct", [*entries("x"), *entries("y")]),
    "an id with a space": ("InvalidBatchEntryId", [{"Id": "a b", "MessageBody": "x"}]),
    "an id of 81 characters": ("InvalidBatchEntryId", [{"Id": "a" * 81, "MessageBody": "x"}]),
    "over 1,048,576 bytes": ("BatchRequestTooLong", entries(["x" * 524_289, "y" * 524_288])),
    "over the limit in bytes, not characters": ("BatchRequestTooLong", entries(["é" * 262_145, "é" * 262_144])),
    "over the limit by attributes": (
        "BatchRequestTooLong",
        entries(["x" * 524_288] * 2, MessageAttributes={"a": {"DataType": "String", "StringValue": "x"}}),
    ),
}


MISCOUNTED = {
    "local_aws_sqs": {"over the limit in bytes, not characters"},
    "ministack": {"over the limit by attributes"},
}


@pytest.mark.parametrize("case", cases(REFUSED_BATCHES, "counts neither as SQS does", **MISCOUNTED))
def test_a_batch_that_breaks_the_rules_of_batches_is_refused_whole(server: Server, case: str) -> None:
    """AWS's own code says which rule, and no entry is sent."""
    queue = server.make_queue()
    code, batch = REFUSED_BATCHES[case]
    assert aws_code(queue.refusal("SendMessageBatch", Entries=batch)) == code
    assert queue.counts() == (0, 0, 0)


def test_a_batch_of_exactly_the_limit_is_taken(server: Server) -> None:
    """Ten entries and 1,048,576 bytes are allowed."""
    queue = server.make_queue()
    batch = entries(["x" * 104_858] * 5 + ["y" * 104_857] * 5)
    batch[0]["MessageBody"] += "z"
    assert sum(len(entry["MessageBody"]) for entry in batch) == 1_048_576
    assert len(queue.ask("SendMessageBatch", Entries=batch)["Successful"]) == 10


def test_a_send_to_a_queue_that_is_not_there_says_so(server: Server) -> None:
    """The error has the stable code of a missing queue."""
    queue = server.make_queue()
    missing = queue.url.replace(queue.name, "contract-missing")
    assert server.refusal("SendMessage", QueueUrl=missing, MessageBody="x").code == "queue_not_found"


def test_the_md5_of_a_body_is_that_of_our_words(server: Server) -> None:
    """Opstool's own MD5, which guards every delete, is the server's."""
    queue = server.make_queue()
    assert queue.send("größer \U0001f600")["MD5OfMessageBody"] == md5_of_body("größer \U0001f600")
