"""What SQS asks of a message before it takes it: body, attributes, size.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from opstool.fake.refusal import RefusalError
from opstool.words.message import Attribute

MAX_ATTRIBUTES = 10
_MAX_NAME = 256
# Everything but tab, line feed, carriage return, U+0020..U+D7FF, U+E000..U+FFFD and U+10000..U+10FFFF.
_INVALID_CHARACTER = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ATTRIBUTE_NAME = re.compile(r"(?!.*\.\.)(?!\.)[A-Za-z0-9_.-]+(?<!\.)")
_RESERVED = ("aws.", "amazon.")
_TYPE = re.compile(r"(String|Number|Binary)(\..+)?", re.DOTALL)
_GROUP_ID = re.compile(r"[A-Za-z0-9!-/:-@\[-`{-~]{1,128}")
_MAX_DIGITS = 38


def admit_body(body: str) -> None:
    """Refuse an empty body and characters that SQS does not take."""
    if not body:
        raise RefusalError("MissingParameter", "The request must contain the parameter MessageBody.")
    if _INVALID_CHARACTER.search(body):
        raise RefusalError(
            "InvalidMessageContents",
            "Invalid characters found. Valid unicode characters are #x9 | #xA | #xD | #x20 to #xD7FF | "
            "#xE000 to #xFFFD | #x10000 to #x10FFFF",
        )


def admit_attributes(raw: Mapping[str, Mapping[str, Any]]) -> dict[str, Attribute]:
    """Return the message attributes in our words, or refuse them."""
    if len(raw) > MAX_ATTRIBUTES:
        raise _invalid(f"Number of message attributes [{len(raw)}] exceeds the allowed maximum [{MAX_ATTRIBUTES}].")
    return {name: _attribute(name, value) for name, value in raw.items()}


def admit_trace_header(raw: Mapping[str, Mapping[str, Any]]) -> str | None:
    """Return the X-Ray trace header, the only system attribute that can be sent."""
    for name, value in raw.items():
        if name != "AWSTraceHeader":
            raise _invalid(f"Message system attribute name '{name}' is invalid.")
        if value.get("DataType") != "String" or not value.get("StringValue"):
            raise _invalid(f"The message system attribute '{name}' must be a non-empty String.")
        return str(value["StringValue"])
    return None


def admit_id(value: str, parameter: str) -> str:
    """Return a message group id or a deduplication id, or refuse it."""
    if not _GROUP_ID.fullmatch(value):
        raise _invalid(f"{parameter} can only include alphanumeric and punctuation characters. 1 to 128 in length.")
    return value


def size_bytes(body: str, attributes: Mapping[str, Attribute]) -> int:
    """Return what counts against the size limits: body, and names, types and values of the attributes."""
    return len(body.encode(errors="surrogatepass")) + sum(
        len(name.encode(errors="surrogatepass"))
        + len(attribute.type.encode(errors="surrogatepass"))
        + len(attribute.value_bytes)
        for name, attribute in attributes.items()
    )


def _attribute(name: str, raw: Mapping[str, Any]) -> Attribute:
    if len(name) > _MAX_NAME or not _ATTRIBUTE_NAME.fullmatch(name) or name.lower().startswith(_RESERVED):
        raise _invalid(f"The message attribute name '{name}' is invalid.")
    data_type = raw.get("DataType") or ""
    matched = _TYPE.fullmatch(data_type)
    if not matched or len(data_type) > _MAX_NAME:
        raise _invalid(
            f"The message attribute '{name}' has an invalid message attribute type, the set of supported type "
            "prefixes is Binary, Number, and String."
        )
    value = raw.get("BinaryValue" if matched[1] == "Binary" else "StringValue")
    if not value:
        raise _invalid(
            f"The message attribute '{name}' must contain non-empty message attribute value for message attribute "
            f"type '{data_type}'."
        )
    if matched[1] == "Binary":
        return Attribute(type=data_type, value=bytes(value))
    return Attribute(type=data_type, value=_text(name, value, is_number=matched[1] == "Number"))


def _text(name: str, value: str, *, is_number: bool) -> str:
    if _INVALID_CHARACTER.search(value):
        raise _invalid(f"The message attribute '{name}' contains invalid characters.")
    if is_number and not _is_number(value):
        raise _invalid(f"Can't cast the value of message attribute '{name}' to a number.")
    return value


def _is_number(value: str) -> bool:
    try:
        number = Decimal(value)
    except InvalidOperation:
        return False
    return number.is_finite() and len(number.as_tuple().digits) <= _MAX_DIGITS


def _invalid(text: str) -> RefusalError:
    return RefusalError("InvalidParameterValue", text)
