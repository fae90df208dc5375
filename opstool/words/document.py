"""A message as a JSON document, and back: the one form that is shown, filtered, exported and imported.

The keys are a contract (docs/documents.md). Dumped as ASCII, every body and attribute survives, lone surrogates too.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable, Mapping
from operator import attrgetter
from typing import Any, NoReturn

from opstool.words.errors import UsageError
from opstool.words.message import Attribute, Message
from opstool.words.provenance import provenance_of
from opstool.words.reason import Reason, ReasonState
from opstool.words.s3pointer import s3_pointer_of
from opstool.words.times import iso, parse_iso

__all__ = [
    "MESSAGE_KEYS",
    "dump",
    "expires_at_ms",
    "filter_document",
    "from_document",
    "iso",
    "message_document",
    "parse_iso",
    "reason_document",
]

VERSION = 1


def expires_at_ms(message: Message, retention_s: int) -> int:
    """Return when the message expires at the latest promise SQS makes: SentTimestamp plus the queue's retention.

    That is exact on a standard queue, whose dead letters keep their first SentTimestamp. On a FIFO queue the clock
    starts again at the move, so the true time may be later, never earlier:
    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-dead-letter-queues.html
    """
    return message.sent_at_ms + retention_s * 1000


def message_document(
    message: Message,
    *,
    expires_at_ms: int | None = None,
    reason: Reason | None = None,
    reason_state: ReasonState | None = None,
    keys: Iterable[str] | None = None,
) -> dict[str, Any]:
    """Return the message as a document; what is not known is null, and so is the reason that was not asked for.

    Of the `keys` alone, if they are given, in their order: most of a document costs more than it is to read a body.
    """
    document = {key: _PARTS[key](message) for key in (_PARTS if keys is None else keys)}
    if expires_at_ms is not None and "expires_at" in document:
        document["expires_at"] = iso(expires_at_ms)
    if reason is not None and "reason" in document:
        document["reason"] = reason_document(reason)
    if "reason_state" in document:
        document["reason_state"] = reason_state if reason is None else ReasonState.FOUND
    return document


def reason_document(reason: Reason) -> dict[str, Any]:
    """Return why a message died, as it stands under `reason` in its document."""
    return {
        "type": reason.type,
        "message": reason.message,
        "fingerprint": reason.fingerprint,
        "at": iso(reason.at_ms),
        "attempts": reason.attempts,
        "function": reason.function,
        "log_group": reason.log_group,
        "request_id": reason.request_id,
        "log_stream": reason.log_stream,
        "trace_id": reason.trace_id,
        "permanent": reason.permanent,
        "evidence": reason.evidence,
    }


def filter_document(
    message: Message,
    *,
    expires_at_ms: int | None = None,
    reason: Reason | None = None,
    keys: Iterable[str] | None = None,
) -> dict[str, Any]:
    """Return the document that filters see: the body parsed when it is JSON, the text itself when it is not."""
    document = message_document(message, expires_at_ms=expires_at_ms, reason=reason, keys=keys)
    if "body" in document:
        try:
            document["body"] = parse_json(message.body)
        except (ValueError, RecursionError):  # not JSON, a number of thousands of digits, or nested too deeply
            document["body"] = message.body
    return document


def parse_json(text: str) -> Any:
    """Return the value of a JSON text; NaN and Infinity, which JSON does not have, are a ValueError."""
    return _JSON.decode(text)


def dump(document: Mapping[str, Any]) -> str:
    """Return the document on one line of ASCII."""
    return json.dumps(document, ensure_ascii=True, separators=(",", ":"))


def from_document(document: Mapping[str, Any]) -> Message:
    """Return the message of a document; only `body` has to be there, and keys that are not known are ignored.

    Raises UsageError that names the key. What was computed (`body_sha256`, `size_bytes`, `expires_at`) is not read.
    """
    if document.get("version", VERSION) != VERSION:
        raise UsageError(f"the document's version is not {VERSION}: a newer opstool may have written it")
    if document.get("type", "message") != "message":
        raise UsageError("the document's type is not `message`")
    if "body" not in document:
        raise UsageError("`body` is missing")
    text = _Texts(document)
    return Message(
        message_id=text.optional("message_id") or "",
        body=text.required("body"),
        attributes=_attributes(document.get("attributes")),
        sent_at_ms=text.time("sent_at") or 0,
        first_received_at_ms=text.time("first_received_at"),
        receive_count=_count(document.get("receive_count")),
        source_arn=text.optional("source_queue"),
        group_id=text.optional("group_id"),
        deduplication_id=text.optional("deduplication_id"),
        trace_header=text.optional("trace_header"),
    )


class _Texts:
    """The string values of a document, each checked when it is asked for."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._document = document

    def required(self, key: str) -> str:
        value = self._document.get(key)
        if not isinstance(value, str):
            raise UsageError(f"`{key}` is not a string")
        return value

    def optional(self, key: str) -> str | None:
        return None if self._document.get(key) is None else self.required(key)

    def time(self, key: str) -> int | None:
        text = self.optional(key)
        if text is None:
            return None
        try:
            return parse_iso(text)
        except UsageError as error:
            raise UsageError(f"`{key}` is {error.message}") from None


def _attribute_document(attribute: Attribute) -> dict[str, str]:
    if isinstance(attribute.value, bytes):
        return {"type": attribute.type, "value_base64": base64.b64encode(attribute.value).decode()}
    return {"type": attribute.type, "value": attribute.value}


def _attributes(value: Any) -> dict[str, Attribute]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise UsageError("`attributes` is not an object")
    return {name: _attribute(name, entry) for name, entry in value.items()}


def _attribute(name: str, entry: Any) -> Attribute:
    """Return one attribute; Binary has `value_base64`, the other types have `value`."""
    label = f"attribute {json.dumps(name[:256])}"
    if not isinstance(entry, Mapping) or not isinstance(entry.get("type"), str):
        raise UsageError(f"{label} has no `type`")
    kind = entry["type"]
    key = "value_base64" if Attribute(type=kind, value="").is_binary else "value"
    if not isinstance(entry.get(key), str):
        raise UsageError(f"{label} of type {json.dumps(kind[:256])} has no `{key}`")
    return Attribute(type=kind, value=entry[key] if key == "value" else _base64(entry[key], label))


def _base64(text: str, label: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        raise UsageError(f"{label}: `value_base64` is not base64") from None


def _count(value: Any) -> int:
    if value is None:
        return 0
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise UsageError("`receive_count` is not a whole number")
    return value


def _iso_or_none(ms: int | None) -> str | None:
    return None if ms is None else iso(ms)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _attribute_documents(message: Message) -> dict[str, dict[str, str]]:
    return {name: _attribute_document(attribute) for name, attribute in message.attributes.items()}


def _not_told(_: Message) -> None:
    """Return null: it is known of a message, and not by it."""


_PARTS: Mapping[str, Callable[[Message], Any]] = {
    "version": lambda _: VERSION,
    "type": lambda _: "message",
    "message_id": attrgetter("message_id"),
    "sent_at": lambda message: _iso_or_none(message.sent_at_ms or None),
    "first_received_at": lambda message: _iso_or_none(message.first_received_at_ms),
    "expires_at": _not_told,
    "receive_count": attrgetter("receive_count"),
    "source_queue": attrgetter("source_arn"),
    "group_id": attrgetter("group_id"),
    "deduplication_id": attrgetter("deduplication_id"),
    "trace_header": attrgetter("trace_header"),
    "attributes": _attribute_documents,
    "body": attrgetter("body"),
    "body_sha256": attrgetter("body_sha256"),
    "size_bytes": attrgetter("size_bytes"),
    "reason": _not_told,
    "reason_state": _not_told,
    "origin": lambda message: origin.document if (origin := provenance_of(message)) else None,
    "s3_pointer": lambda message: pointer.document if (pointer := s3_pointer_of(message)) else None,
}
"""How each part of a document is made, in the order of the document."""
MESSAGE_KEYS = tuple(_PARTS)
"""What a filter can ask a message for."""
_JSON = json.JSONDecoder(parse_constant=_refuse_constant)  # json.loads would make one for every text
