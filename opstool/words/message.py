"""One SQS message as it was received: every part that can be sent again, and what only the queue knew about it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

# A lone surrogate cannot come from SQS, but an emulator or a hand-written archive may hold one; it must survive a copy.
ENCODING_ERRORS = "surrogatepass"


@dataclass(frozen=True, kw_only=True, slots=True)
class Attribute:
    """One message attribute: `type` is String, Number or Binary with an optional custom label (`Number.float`)."""

    type: str
    value: str | bytes

    @property
    def is_binary(self) -> bool:
        """Tell whether the value is bytes on the wire."""
        return self.type.startswith("Binary")

    @property
    def value_bytes(self) -> bytes:
        """Return the value as SQS counts and hashes it."""
        return self.value if isinstance(self.value, bytes) else _encoded(self.value)


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """A message with its body, its attributes and the system attributes SQS gave it; times in epoch milliseconds.

    `md5_of_body` and `md5_of_attributes` are what the server said at the receive, None where there was no receive.
    `source_arn` is SQS's DeadLetterQueueSourceArn: the queue the message died in.
    """

    message_id: str
    body: str = field(repr=False)
    attributes: Mapping[str, Attribute] = field(default_factory=dict, repr=False)
    sent_at_ms: int = 0
    first_received_at_ms: int | None = None
    receive_count: int = 0
    source_arn: str | None = None
    group_id: str | None = None
    deduplication_id: str | None = None
    trace_header: str | None = None
    md5_of_body: str | None = None
    md5_of_attributes: str | None = None

    @property
    def body_bytes(self) -> bytes:
        """Return the body as SQS counts and hashes it."""
        return _encoded(self.body)

    @property
    def body_sha256(self) -> str:
        """Return the hex SHA-256 of the body: how a body is named where it must not be shown."""
        return hashlib.sha256(self.body_bytes).hexdigest()

    @property
    def is_intact(self) -> bool:
        """Tell whether body and attributes have the MD5s that the server named when it gave them to us."""
        return self.md5_of_body in {None, md5_of_body(self.body)} and self.md5_of_attributes in {
            None,
            md5_of_attributes(self.attributes),
        }

    @property
    def size_bytes(self) -> int:
        """Return the size that counts against SQS's limits: body, attribute names, types and values.

        https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
        """
        body = len(self.body) if self.body.isascii() else len(self.body_bytes)  # most are, and need not be encoded
        if not self.attributes:
            return body
        return body + sum(
            len(_encoded(name)) + len(_encoded(attribute.type)) + len(attribute.value_bytes)
            for name, attribute in self.attributes.items()
        )


def md5_of_body(body: str) -> str:
    """Return the MD5 that SQS answers as MD5OfBody and MD5OfMessageBody."""
    return hashlib.md5(_encoded(body), usedforsecurity=False).hexdigest()


def md5_of_trace_header(trace_header: str | None) -> str | None:
    """Return the MD5 that SQS answers as MD5OfMessageSystemAttributes, by the same rules; None without a header."""
    return md5_of_attributes({"AWSTraceHeader": Attribute(type="String", value=trace_header)}) if trace_header else None


def md5_of_attributes(attributes: Mapping[str, Attribute]) -> str | None:
    """Return the MD5 that SQS answers as MD5OfMessageAttributes; None when there are no attributes.

    Name, type, one transport byte and value, each length-prefixed, in the order of the names:
    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-metadata.html
    """
    if not attributes:
        return None
    digest = hashlib.md5(usedforsecurity=False)
    for name in sorted(attributes):
        attribute = attributes[name]
        for part in (_encoded(name), _encoded(attribute.type)):
            digest.update(len(part).to_bytes(4, "big") + part)
        value = attribute.value_bytes
        digest.update((b"\x02" if attribute.is_binary else b"\x01") + len(value).to_bytes(4, "big") + value)
    return digest.hexdigest()


def _encoded(text: str) -> bytes:
    """Return the text as SQS counts and hashes it."""
    return text.encode(errors=ENCODING_ERRORS)
