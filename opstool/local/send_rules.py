"""What SQS refuses to be sent, and moto accepts: the rules, without the emulator."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MAXIMUM_BATCH_BYTES = 1_048_576
MAXIMUM_ATTRIBUTES = 10

_ALLOWED = "#x9 | #xA | #xD | [#x20-#xD7FF] | [#xE000-#xFFFD] | [#x10000-#x10FFFF]"
_INVALID = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """An error of SQS: its code and its text."""

    code: str
    message: str


def size_bytes(body: str, attributes: Mapping[str, Mapping[str, Any]]) -> int:
    """Return the size that SQS counts: the body, and each attribute's name, type and value."""
    total = len(body.encode("utf-8", "surrogatepass"))
    for name, attribute in attributes.items():
        value = attribute.get("StringValue") or attribute.get("BinaryValue") or b""
        data = value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value
        total += len(name.encode()) + len(attribute.get("DataType", "").encode()) + len(data)
    return total


def refusal(body: str, attributes: Mapping[str, Mapping[str, Any]], *, maximum_bytes: int) -> Refusal | None:
    """Return why SQS would refuse this one message, or None."""
    if not body:
        return Refusal(code="MissingParameter", message="The request must contain the parameter MessageBody.")
    if found := _INVALID.search(body):
        return Refusal(
            code="InvalidMessageContents",
            message=f"Invalid binary character '#x{ord(found[0]):X}' was found in the message body, "
            f"the set of allowed characters is {_ALLOWED}",
        )
    if len(attributes) > MAXIMUM_ATTRIBUTES:
        return Refusal(
            code="InvalidParameterValue",
            message=f"Number of message attributes [{len(attributes)}] exceeds the allowed maximum "
            f"[{MAXIMUM_ATTRIBUTES}].",
        )
    if size_bytes(body, attributes) > maximum_bytes:
        return Refusal(
            code="InvalidParameterValue",
            message=f"One or more parameters are invalid. Reason: Message must be shorter than {maximum_bytes} bytes.",
        )
    return None
