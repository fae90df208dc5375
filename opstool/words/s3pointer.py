"""The pointer to S3 that stands in a body where the extended client library has put the payload into a bucket."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from opstool.words.message import Attribute, Message

CLASSES = frozenset(
    {
        "software.amazon.payloadoffloading.PayloadS3Pointer",
        "com.amazon.sqs.javamessaging.MessageS3Pointer",  # version 1 of the Java library
    }
)
"""What the library calls its pointer; the libraries for Java and Python, and those of third parties, write the same:
https://github.com/awslabs/amazon-sqs-python-extended-client-lib/blob/main/src/sqs_extended_client/client.py
"""
SIZE_ATTRIBUTES = ("ExtendedPayloadSize", "SQSLargePayloadSize")
"""The attribute, of type Number, by which the library knows a pointer and that holds the payload's size in bytes: the
name it has now, then the older one (same file).
"""
_LONGEST_BODY = 8_192
"""A class of 50 characters, a bucket of 63 and a key of 1,024 bytes, of which JSON may write each as six:
https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html
"""
_SIZE = re.compile(r"[0-9]{1,15}", re.ASCII)


@dataclass(frozen=True, kw_only=True, slots=True)
class S3Pointer:
    """Where the payload of a message lies. `size_bytes` is None without the attribute: no library fetches it."""

    bucket: str
    key: str
    size_bytes: int | None = None

    @property
    def url(self) -> str:
        """Return it as S3's tools write it; untrusted, like the body."""
        return f"s3://{self.bucket}/{self.key}"

    @property
    def document(self) -> dict[str, Any]:
        """Return it as it stands under `s3_pointer` in a message's document."""
        return {"bucket": self.bucket, "key": self.key, "size_bytes": self.size_bytes}


def s3_pointer_of(message: Message) -> S3Pointer | None:
    """Return where a message's payload lies in S3, None when the payload is the body itself."""
    if len(message.body) > _LONGEST_BODY or "S3Pointer" not in message.body:
        return None
    try:
        value = json.loads(message.body)
    except (ValueError, RecursionError):
        return None
    match value:
        case [str(name), {"s3BucketName": str(bucket), "s3Key": str(key), **rest}] if name in CLASSES and not rest:
            return S3Pointer(bucket=bucket, key=key, size_bytes=_size(message.attributes)) if bucket and key else None
    return None


def pointer_notes(messages: Iterable[Message], consequence: str) -> tuple[str, ...]:
    """Return the note for a plan that some of these messages are pointers, and what follows from it; none without."""
    count = sum(1 for each in messages if s3_pointer_of(each))
    return (f"{count} of those seen are pointers to a payload in S3: {consequence}",) if count else ()


def _size(attributes: Mapping[str, Attribute]) -> int | None:
    for name in SIZE_ATTRIBUTES:
        attribute = attributes.get(name)
        if attribute and attribute.type == "Number" and _SIZE.fullmatch(str(attribute.value)):
            return int(str(attribute.value))
    return None
