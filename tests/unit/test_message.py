from __future__ import annotations

import hashlib
import struct

import pytest
from moto.sqs.models import Message as MotoMessage

from opstool.words.message import Attribute, Message, md5_of_attributes, md5_of_body

ATTRIBUTES = {
    "zeta": Attribute(type="String", value="grüße \N{GRINNING FACE}"),
    "Alpha": Attribute(type="Number.float", value="1.50"),
    "blob": Attribute(type="Binary.png", value=b"\x00\xff\x10"),
}


def published_md5(attributes: dict[str, Attribute]) -> str:
    """Compute what AWS documents: name, type, transport byte and value, lengths in four bytes, sorted by name."""
    plain = b""
    for name, attribute in sorted(attributes.items()):
        value = attribute.value if isinstance(attribute.value, bytes) else attribute.value.encode()
        plain += struct.pack("!I", len(name)) + name.encode()
        plain += struct.pack("!I", len(attribute.type)) + attribute.type.encode()
        plain += (b"\x02" if isinstance(attribute.value, bytes) else b"\x01") + struct.pack("!I", len(value)) + value
    return hashlib.md5(plain).hexdigest()


def test_the_md5_of_attributes_is_the_published_one() -> None:
    """The check before a delete compares our MD5 with the server's, so it is computed as AWS documents it."""
    assert md5_of_attributes(ATTRIBUTES) == published_md5(ATTRIBUTES)


def test_the_md5_of_attributes_is_moto_s() -> None:
    """A second implementation, not ours, agrees for every type and for custom labels."""
    moto = MotoMessage("id", "body", {})
    moto.message_attributes = {
        name: {"DataType": each.type, "BinaryValue" if each.is_binary else "StringValue": each.value}
        for name, each in ATTRIBUTES.items()
    }
    assert md5_of_attributes(ATTRIBUTES) == moto.attribute_md5


def test_the_order_of_the_attributes_does_not_change_their_md5() -> None:
    """SQS sorts by name, and gives attributes back in any order."""
    assert md5_of_attributes(dict(reversed(ATTRIBUTES.items()))) == md5_of_attributes(ATTRIBUTES)


def test_no_attributes_have_no_md5() -> None:
    """SQS leaves MD5OfMessageAttributes out of the answer then."""
    assert md5_of_attributes({}) is None


@pytest.mark.parametrize(
    ("body", "size"),
    [("ascii", 5), ("ü", 2), ("€", 3), ("\N{GRINNING FACE}", 4), ("\ud800", 3)],
    ids=["ascii", "two bytes", "three bytes", "four bytes", "a lone surrogate"],
)
def test_the_size_counts_bytes_and_not_characters(body: str, size: int) -> None:
    """The limits of SQS are in bytes."""
    assert Message(message_id="m", body=body).size_bytes == size


def test_the_size_counts_names_types_and_values_of_attributes() -> None:
    """They share the limit with the body."""
    message = Message(message_id="m", body="12345", attributes={"name": Attribute(type="Binary", value=b"\x00" * 7)})
    assert message.size_bytes == 5 + len("name") + len("Binary") + 7


def test_a_body_with_a_lone_surrogate_can_be_hashed() -> None:
    """No body makes the tool fall over, not even one that only an emulator accepts."""
    assert len(Message(message_id="m", body="\udfff").body_sha256) == 64
    assert len(md5_of_body("\udfff")) == 32


def test_a_message_does_not_show_its_content_in_tracebacks() -> None:
    """A body never reaches a log by way of repr."""
    message = Message(message_id="m", body="SECRET", attributes={"a": Attribute(type="String", value="HIDDEN")})
    assert "SECRET" not in repr(message)
    assert "HIDDEN" not in repr(message)
