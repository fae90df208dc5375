"""Messages that are hard to copy: everything SQS admits, by name, as SendMessage takes it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from opstool.words.message import Attribute, md5_of_attributes

MIB = 1_048_576
TRACE_HEADER = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"

# SendMessage: #x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF
BOUNDARIES = "\t \ud7ff\ue000\ufffd\U00010000\U0010ffff"
EVERY_PLANE = "".join(chr((plane << 16) + low) for plane in range(1, 17) for low in (0x10, 0xFFFD, 0xFFFE, 0xFFFF))
CONTROLS = "\x7f\x80\x85\x9f\xa0\xad\u2028\u2029\ufeff\ufdd0\ufdef"

Fields = Mapping[str, Any]


def text(value: str, label: str = "") -> dict[str, str]:
    """Return a String attribute."""
    return {"DataType": f"String{label}", "StringValue": value}


def number(value: str, label: str = "") -> dict[str, str]:
    """Return a Number attribute, whose text is part of the message."""
    return {"DataType": f"Number{label}", "StringValue": value}


def binary(value: bytes, label: str = "") -> dict[str, Any]:
    """Return a Binary attribute."""
    return {"DataType": f"Binary{label}", "BinaryValue": value}


def bodies(**named: str) -> dict[str, Fields]:
    """Return messages of a body only."""
    return {name.replace("_", " "): {"MessageBody": body} for name, body in named.items()}


def attributed(**named: Mapping[str, Any]) -> dict[str, Fields]:
    """Return messages with these attributes, and a body that tells which one it is."""
    return {
        name.replace("_", " "): {"MessageBody": name, "MessageAttributes": attributes}
        for name, attributes in named.items()
    }


CHARACTERS = bodies(
    boundaries=BOUNDARIES,
    every_plane=EVERY_PLANE,
    controls_and_separators=CONTROLS,
    byte_order_mark_first="\ufeffbody",
    combining="e\u0301 is not \u00e9, \u1100\u1161 is not \uac00, \u212b is not \u00c5",
    bidirectional="\u202eabc\u2066\u2069",
    joined="\U0001f469\u200d\U0001f469\u200d\U0001f467 \U0001f1e9\U0001f1ea",
)
WHITE_SPACE = bodies(
    leading="  \t body",
    trailing="body \t  ",
    line_ends="one\r\ntwo\rthree\nfour\r\n",
    empty_lines="\n\n\r\n\r\n",
    only_a_space=" ",
    only_a_tab="\t",
    only_a_line_feed="\n",
    only_a_carriage_return="\r",
    next_line="\x85",
    line_separator="\u2028",
)
LOOKS_LIKE = bodies(
    an_object='{"b": 1.0, "a" :1e3, "a": -0, "big": 123456789012345678901234567890.10}',
    a_string='"text"',
    a_number="1.0",
    null="null",
    escapes='{"a": "\\u0000\\ud83d\\ude00\\/\\n"}',
    a_lone_escape="\\u0000 \\ud800 \\x00",
    xml='<?xml version="1.0"?><a b="&quot;">&amp;&#13;<![CDATA[]]></a>',
    a_form="a=1&b=%20+%2B&Action=DeleteQueue",
    a_batch='[{"Id": "0", "MessageBody": "x"}]',
    base64="eyJhIjogMX0=",
)
SMALL = bodies(one_byte="x", two_bytes="\u00e9", three_bytes="\u2028", four_bytes="\U0001f600")
LARGE = bodies(a_mebibyte="x" * MIB, a_mebibyte_of_four="\U0001f600" * (MIB // 4)) | {
    "a mebibyte with its attributes": {
        "MessageBody": "y" * (MIB - len("name") - len("String") - 1_000),
        "MessageAttributes": {"name": text("v" * 1_000)},
    },
    "a mebibyte of attributes": {
        "MessageBody": "z" * (MIB - len("name") - len("Binary") - 900_000),
        "MessageAttributes": {"name": binary(bytes(range(256)) * 3_515 + bytes(160))},
    },
}
ATTRIBUTES = attributed(
    ten_of_all_types={
        "text": text("x"),
        "text.labelled": text("x", ".json"),
        "long-label": text("x", "." + "l" * 100),
        "spaced": text("x", ".a b"),
        "number": number("1"),
        "number_labelled": number("1.50", ".float"),
        "binary": binary(b"\x00"),
        "binary-labelled": binary(b"\x89PNG\r\n\x1a\n\x00", ".png"),
        "0": text("\t"),
        "_": text(" "),
    },
    long_names={letter * 255: text(letter) for letter in "abcdefghij"},
    longest_names={letter * 256: text(letter) for letter in "abcdefghij"},
    longest_type={"a": text("x", "." + "l" * 249)},
    names_with_points={"a.b.c": text("1"), "A": text("2"), "a": text("3"), "-": text("4")},
    text_of_every_kind={
        "planes": text(EVERY_PLANE + BOUNDARIES),
        "controls": text(CONTROLS),
        "lines": text(" one\r\ntwo\rthree\n"),
        "json": text('{"a": 1.0}'),
        "xml": text("<a>&amp;</a>"),
    },
)
_NUMBERS = ["1.0", "1e3", "-0", "+5", "0.10", "00012", "1" * 38, "-" + "9" * 38, "0." + "1" * 37, "-1.5E-100"]
NUMBERS = attributed(exact_text={f"n{index}": number(value) for index, value in enumerate(_NUMBERS)})
BINARY = attributed(
    zero_bytes={"one": binary(b"\x00"), "many": binary(b"\x00" * 1_000)},
    every_byte={"all": binary(bytes(range(256))), "backwards": binary(bytes(reversed(range(256))), ".x")},
    looks_like_text={"text": binary(b"text"), "utf8": binary("\u00e9".encode()), "base64": binary(b"AAEC")},
    line_ends={"lines": binary(b"\r\n\r\n"), "not utf8": binary(b"\xff\xfe\xc3\x28")}
    and {"lines": binary(b"\r\n\xc3(")},
)
SYSTEM = {
    "trace header": {
        "MessageBody": "traced",
        "MessageSystemAttributes": {"AWSTraceHeader": text(TRACE_HEADER)},
        "MessageAttributes": {"beside": text("x")},
    },
}
GROUPS = {
    "a group": {"MessageBody": "of a fair queue", "MessageGroupId": "tenant-1"},
    "the longest group": {
        "MessageBody": "of a fair queue, too",
        "MessageGroupId": "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~" + "g" * 96,
    },
}


GROUPS_OF_CASES: dict[str, dict[str, Fields]] = {
    "characters": CHARACTERS,
    "white space": WHITE_SPACE,
    "what looks like something": LOOKS_LIKE,
    "sizes": SMALL | LARGE,
    "attributes": ATTRIBUTES,
    "numbers": NUMBERS,
    "bytes": BINARY,
    "trace header": SYSTEM,
    "message groups": GROUPS,
}
_NO_256 = "takes names and types of at most 255 characters: SQS's guide says 256"
CANNOT_STORE: dict[str, dict[str, str]] = {
    "local-aws-sqs": {"a mebibyte of attributes": "counts bytes by their Base64 form"},
    "localstack": {"longest names": _NO_256, "longest type": _NO_256},
    "ministack": {"trace header": "loses the trace header of a batch"},
}
"""What a server refuses or changes when it is sent there directly, and why: it says nothing about a copy."""
CANNOT_CONFIRM: dict[str, dict[str, str]] = {
    "localstack": {"trace header": "answers a batch without MD5OfMessageSystemAttributes"},
}
"""What a server stores, and does not confirm: the report has to say so."""


def stored_by(server_name: str, cases: Mapping[str, Fields]) -> dict[str, Fields]:
    """Return the cases that a server can store and confirm."""
    without = {**CANNOT_STORE.get(server_name, {}), **CANNOT_CONFIRM.get(server_name, {})}
    return {name: fields for name, fields in cases.items() if name not in without}


def md5(data: bytes) -> str:
    """Return the hex MD5."""
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def essence(fields: Fields) -> tuple[Any, ...]:
    """Return what must not change, of a message as it is sent or as it is received."""
    attributes = fields.get("MessageAttributes") or {}
    system = fields.get("Attributes") or {}
    sent_header = (fields.get("MessageSystemAttributes") or {}).get("AWSTraceHeader", {}).get("StringValue")
    return (
        fields.get("MessageBody", fields.get("Body")),
        frozenset(
            (name, each["DataType"], each.get("StringValue"), each.get("BinaryValue"))
            for name, each in attributes.items()
        ),
        sent_header or system.get("AWSTraceHeader"),
        fields.get("MessageGroupId") or system.get("MessageGroupId"),
    )


def our_md5s(received: Fields) -> tuple[str, str | None]:
    """Return the MD5s of body and attributes, computed here over what was received."""
    attributes = {
        name: Attribute(type=each["DataType"], value=each.get("BinaryValue") or each["StringValue"])
        for name, each in (received.get("MessageAttributes") or {}).items()
    }
    return md5(received["Body"].encode()), md5_of_attributes(attributes)


def server_md5s(received: Fields) -> tuple[str, str | None]:
    """Return the MD5s that the server answered."""
    return received["MD5OfBody"], received.get("MD5OfMessageAttributes") or None
