"""An SQS that stores anything, as some emulators do: hostile messages in its answers, and no questions at a send."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from opstool.fake import Faults
from opstool.words.message import Attribute, md5_of_attributes, md5_of_body, md5_of_trace_header

PLACEHOLDER = "planted "
_LONGEST = 256


class Planted(Faults):
    """Turns each message whose body is a placeholder into a hostile one: body, attributes, group, trace header.

    What is sent is taken as it is, and kept in `sent`; the answer has the MD5s that SQS would give. With `dressed`
    False only the body is hostile.
    """

    def __init__(self, texts: Sequence[str], *, dressed: bool = True) -> None:
        self.texts = texts
        self.dressed = dressed
        self.sent: list[dict[str, Any]] = []

    @property
    def placeholders(self) -> list[str]:
        """Return the bodies to be sent to the fake."""
        return [f"{PLACEHOLDER}{number}" for number in range(len(self.texts))]

    def before(self, operation: str, request: Mapping[str, Any]) -> dict[str, Any] | None:
        """Take a batch without looking at it."""
        if operation != "SendMessageBatch":
            return None
        self.sent += request["Entries"]
        return {"Successful": [_answer(entry, len(self.sent)) for entry in request["Entries"]], "Failed": []}

    def after(self, operation: str, request: Mapping[str, Any], response: dict[str, Any]) -> dict[str, Any]:
        """Put the hostile messages in the place of their placeholders."""
        if operation != "ReceiveMessage":
            return response
        return {"Messages": [self._planted(message) for message in response.get("Messages", [])]}

    def _planted(self, message: dict[str, Any]) -> dict[str, Any]:
        if not message["Body"].startswith(PLACEHOLDER):
            return message
        text = self.texts[int(message["Body"].removeprefix(PLACEHOLDER))]
        planted = {**message, "Body": text, "MD5OfBody": md5_of_body(text)}
        if not self.dressed:
            return planted
        short = text[:_LONGEST]
        attributes = hostile_attributes(text)
        named = {"MessageGroupId": short, "AWSTraceHeader": short, "MessageDeduplicationId": short}
        return {
            **planted,
            "Attributes": {**message.get("Attributes", {}), **named},
            "MessageAttributes": {name: _on_the_wire(each) for name, each in attributes.items()},
            "MD5OfMessageAttributes": md5_of_attributes(attributes),
        }


def hostile_attributes(text: str) -> dict[str, Attribute]:
    """Return attributes whose name, type and value are a hostile text."""
    short = text[:_LONGEST]
    return {
        short: Attribute(type=f"String.{short}", value=short),
        "bytes": Attribute(type="Binary", value=b"\x00\xff\x9b31m\x1b[2J\xc3\x28"),
    }


def _on_the_wire(attribute: Attribute) -> dict[str, Any]:
    return {"DataType": attribute.type, "BinaryValue" if attribute.is_binary else "StringValue": attribute.value}


def _answer(entry: Mapping[str, Any], number: int) -> dict[str, Any]:
    attributes = {
        name: Attribute(type=each["DataType"], value=each.get("BinaryValue", each.get("StringValue")))
        for name, each in entry.get("MessageAttributes", {}).items()
    }
    trace = entry.get("MessageSystemAttributes", {}).get("AWSTraceHeader", {}).get("StringValue")
    return {
        "Id": entry["Id"],
        "MessageId": f"00000000-0000-4000-8000-{number:012}",
        "MD5OfMessageBody": md5_of_body(entry["MessageBody"]),
        "MD5OfMessageAttributes": md5_of_attributes(attributes),
        "MD5OfMessageSystemAttributes": md5_of_trace_header(trace) if trace else None,
    }
