from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from opstool.doors.archive import read_archive
from opstool.verbs import export, importing, purge, redrive
from opstool.words.document import message_document
from opstool.words.message import Attribute, Message
from opstool.words.s3pointer import S3Pointer, pointer_notes, s3_pointer_of
from tests.world import World

NEW = "software.amazon.payloadoffloading.PayloadS3Pointer"
OLD = "com.amazon.sqs.javamessaging.MessageS3Pointer"
PLACE = {"s3BucketName": "payloads", "s3Key": "orders/5f1b2c3d.json"}


def body(name: str = NEW, place: Any = PLACE) -> str:
    """Return the body that the library for Python writes."""
    return json.dumps([name, place])


def size(value: str, name: str = "ExtendedPayloadSize", kind: str = "Number") -> dict[str, Attribute]:
    """Return the attribute that tells the size."""
    return {name: Attribute(type=kind, value=value)}


def pointer(text: str, attributes: dict[str, Attribute] | None = None) -> S3Pointer | None:
    """Return the pointer of a message."""
    return s3_pointer_of(Message(message_id="m", body=text, attributes=attributes or {}))


@pytest.mark.parametrize(
    ("text", "attribute"),
    [
        (body(), "ExtendedPayloadSize"),
        (body(OLD), "SQSLargePayloadSize"),
        (body(OLD), "ExtendedPayloadSize"),
        (f'["{NEW}",{{"s3Key":"orders/5f1b2c3d.json","s3BucketName":"payloads"}}]', "ExtendedPayloadSize"),
    ],
    ids=["python", "java 1", "python, older", "java 2"],
)
def test_a_pointer_is_recognised_with_its_size(text: str, attribute: str) -> None:
    """Whichever library wrote it, and whatever order its keys have."""
    found = pointer(text, size("300000", attribute))
    assert found == S3Pointer(bucket="payloads", key="orders/5f1b2c3d.json", size_bytes=300_000)
    assert found.url == "s3://payloads/orders/5f1b2c3d.json"


@pytest.mark.parametrize(
    "attributes",
    [{}, size("300000", kind="String"), size("many"), size("-1"), size("1e6"), size("9" * 38), size("1", name="size")],
    ids=["none", "text", "no number", "negative", "exponent", "too large", "another name"],
)
def test_a_size_that_is_not_told_is_not_known(attributes: dict[str, Attribute]) -> None:
    """The pointer is one all the same."""
    found = pointer(body(), attributes)
    assert found is not None
    assert found.size_bytes is None


@pytest.mark.parametrize(
    "text",
    [
        body("com.example.PayloadS3Pointer"),
        json.dumps({"pointer": [NEW, PLACE]}),
        json.dumps([NEW]),
        json.dumps([NEW, PLACE, PLACE]),
        body(place="s3://payloads/key"),
        body(place={"s3BucketName": "payloads"}),
        body(place={**PLACE, "s3Key": 7}),
        body(place={**PLACE, "s3Key": ""}),
        body(place={**PLACE, "s3BucketName": ""}),
        body(place={**PLACE, "region": "eu-west-1"}),
        body(place={**PLACE, "s3Key": "x" * 9_000}),
        body()[:-1],
        "[" * 5_000 + "S3Pointer",
        f"the library writes {NEW}",
        "",
    ],
)
def test_what_only_looks_alike_is_a_body(text: str) -> None:
    """Nothing but the whole form is a pointer."""
    assert pointer(text, size("1")) is None


def test_a_document_has_the_pointer() -> None:
    """Null where the payload is the body itself."""
    message = Message(message_id="m", body=body(), attributes=size("300000"))
    assert message_document(message)["s3_pointer"] == {
        "bucket": "payloads",
        "key": "orders/5f1b2c3d.json",
        "size_bytes": 300_000,
    }
    assert message_document(Message(message_id="m", body="{}"))["s3_pointer"] is None


def test_a_note_counts_them() -> None:
    """And there is none where there are none."""
    messages = [Message(message_id=str(n), body=text) for n, text in enumerate([body(), "{}", body(OLD)])]
    assert pointer_notes(messages, "so") == ("2 of those seen are pointers to a payload in S3: so",)
    assert pointer_notes(messages[1:2], "so") == ()


WIRE = {
    "ExtendedPayloadSize": {"DataType": "Number", "StringValue": "300000"},
    "S3Key": {"DataType": "String", "StringValue": "orders/5f1b2c3d.json"},
    "kind": {"DataType": "String.label", "StringValue": "n\u00e4w"},
    "blob": {"DataType": "Binary.png", "BinaryValue": b"\x00\xff"},
}
TRACE = {"AWSTraceHeader": {"DataType": "String", "StringValue": "Root=1-5759e988-bd862e3fe1be46a994272793"}}


def dead_pointer(world: World) -> None:
    """Let one pointer die, with an attribute of every type."""
    world.die([body()], MessageAttributes=WIRE, MessageSystemAttributes=TRACE, MessageGroupId="customer-7")


def redriven(world: World, _: Path) -> None:
    """Send it back."""
    with redrive.prepare(world.kit(), world.dlq.arn) as run:
        assert run.execute().counts.succeeded == 1


def exported_and_imported(world: World, folder: Path) -> None:
    """Take a copy, and send that."""
    file = folder / "dead.jsonl"
    export.export(world.kit(), world.dlq.arn, to=file)
    with importing.prepare(world.kit(), file, to=world.source.arn) as run:
        assert run.execute().counts.succeeded == 1


def purged_and_imported(world: World, folder: Path) -> None:
    """Archive and delete it, and send what was archived."""
    file = folder / "purged.jsonl"
    with purge.prepare(world.kit(), world.dlq.arn, archive=file) as run:
        assert run.execute().counts.succeeded == 1
    assert [record.message.body for record in read_archive(file)] == [body()]
    with importing.prepare(world.kit(), file, to=world.source.arn) as run:
        assert run.execute().counts.succeeded == 1


@pytest.mark.parametrize("carry", [redriven, exported_and_imported, purged_and_imported])
def test_a_pointer_is_carried_over_unharmed(world: World, tmp_path: Path, carry: Callable[[World, Path], None]) -> None:
    """Body and every attribute: without its size the library would take the pointer for the payload."""
    dead_pointer(world)
    [before] = world.stored(world.dlq)
    carry(world, tmp_path)
    [after] = world.stored(world.source)
    assert (after.body, after.attributes) == (before.body, before.attributes)
    trace = TRACE["AWSTraceHeader"]["StringValue"]
    assert (after.trace_header, after.group_id) == (before.trace_header, before.group_id) == (trace, "customer-7")


def test_a_redrive_says_that_some_are_pointers(world: World) -> None:
    """The payload is not looked at."""
    dead_pointer(world)
    world.die(["{}"])
    with redrive.prepare(world.kit(), world.dlq.arn) as run:
        [note] = [each for each in run.plan.notes if "S3" in each]
    assert note == (
        "1 of those seen are pointers to a payload in S3: they are sent as they are, and the payload stays where it is"
    )


@pytest.mark.parametrize("no_archive", [False, True])
def test_a_purge_says_that_the_payload_is_not_archived(world: World, no_archive: bool) -> None:
    """Whoever imports it later may find the bucket empty."""
    dead_pointer(world)
    with purge.prepare(world.kit(), world.dlq.arn, no_archive=no_archive) as run:
        [note] = [each for each in run.plan.notes if "S3" in each]
    assert "the payload is not archived, and stays in its bucket until that bucket's lifecycle rules delete it" in note
