"""The JSON of requests and answers: bytes are base64 there, and bytes here."""

from __future__ import annotations

import base64
import json
from typing import Any

_write = json.JSONEncoder(check_circular=False).encode
"""As botocore writes it: ASCII, so that a lone surrogate survives."""
_ATTRIBUTES = ("MessageAttributes", "MessageSystemAttributes")


class NotWrittenError(Exception):
    """The request holds what has no place in JSON; nothing was sent."""


def written(request: dict[str, Any]) -> bytes:
    """Return the body of a request; raise NotWrittenError."""
    try:
        return _written(request)
    except (AttributeError, TypeError, ValueError, RecursionError) as error:
        raise NotWrittenError from error


def _written(request: dict[str, Any]) -> bytes:
    entries = request.get("Entries", ())
    if [entry for entry in entries if "MessageAttributes" in entry or "MessageSystemAttributes" in entry]:
        request = {**request, "Entries": [_without_bytes(entry) for entry in entries]}
    return _write(request).encode()


def _without_bytes(entry: dict[str, Any]) -> dict[str, Any]:
    texts = {kind: {name: _text(value) for name, value in entry[kind].items()} for kind in _ATTRIBUTES if kind in entry}
    return {**entry, **texts}


def _text(value: dict[str, Any]) -> dict[str, Any]:
    if "BinaryValue" not in value:
        return value
    content = value["BinaryValue"]
    content = content.encode() if isinstance(content, str) else content
    return {**value, "BinaryValue": base64.b64encode(content).decode()}


def read(content: bytes) -> dict[str, Any]:
    """Return the answer in these bytes, in boto3's types: a null is left out, and a binary value is bytes.

    Raises ValueError, TypeError or AttributeError when it is no answer of SQS.
    """
    answer: Any = json.loads(content.decode())
    if not isinstance(answer, dict):
        raise TypeError
    return _checked(_without_nulls(answer) if b"null" in content else answer)


def _checked(answer: dict[str, Any]) -> dict[str, Any]:
    """Return an answer whose parts have the types of SQS's, with bytes in the place of base64."""
    for each in answer.get("Messages", ()):
        if each is not None:  # as boto3, which has it stand there
            _check_message(each)
    for name in ("Successful", "Failed"):
        for each in answer.get(name, ()):
            if each is not None and not isinstance(each, dict):
                raise TypeError
    return answer


def _check_message(message: dict[str, Any]) -> None:
    """Make bytes of binary values, in place."""
    message.get("Attributes", {}).items()
    if "MessageAttributes" not in message:
        return
    for value in message["MessageAttributes"].values():
        if "BinaryValue" in value:
            value["BinaryValue"] = base64.b64decode(value["BinaryValue"])


def _without_nulls(value: Any) -> Any:
    """Return the same without the members of objects that are null."""
    if isinstance(value, dict):
        return {name: _without_nulls(each) for name, each in value.items() if each is not None}
    return [_without_nulls(each) for each in value] if isinstance(value, list) else value
