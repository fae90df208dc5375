"""The messages of the endpoint's dead-letter queue, and the book that tells whether each was moved exactly once."""

from __future__ import annotations

import base64
import hashlib
import json
import random
import uuid
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

SOURCE_ARN = "arn:aws:sqs:eu-west-1:123456789012:orders"
DLQ_ARN = "arn:aws:sqs:eu-west-1:123456789012:orders-dlq"
BODY_BYTES = 200
HANDLE_CHARACTERS = 360
MATCHING, OTHER = "match", "other"
_FIRST_COUNT = b'"ApproximateReceiveCount":"1"'
_SENT_AT_MS = 1_790_000_000_000


@dataclass(slots=True)
class Held:
    """One message of the pool, with its two encoded forms and what became of it."""

    bare: bytes
    full: bytes
    receives: int = 0
    hidden_until: float = 0.0
    is_match: bool = True
    sent: int = 0
    is_deleted: bool = False


class Pool:
    """`size` messages of 200 B; every answer is encoded before the first request, so that the endpoint stays cheap."""

    def __init__(self, size: int, match: float, sent_at_ms: int = _SENT_AT_MS) -> None:
        chance = random.Random(size)  # noqa: S311 - the same queue for each contestant
        self.held: list[Held] = []
        self.by_handle: dict[str, int] = {}
        self.by_body: dict[str, int] = {}
        self.waiting: deque[int] = deque(range(size))
        self.in_flight: set[int] = set()
        self.size, self.matching = size, 0
        self.deleted = self.sent = self.sent_again = self.strange_bodies = 0
        self.strange_handles = self.deleted_again = self.deleted_unsent = 0
        matched = 0.0
        for index in range(size):
            matched += match
            is_match = matched >= 1 - 1e-9
            matched -= is_match
            self.matching += is_match
            self._add(index, MATCHING if is_match else OTHER, chance, sent_at_ms + index)

    def _add(self, index: int, kind: str, chance: random.Random, sent_at_ms: int) -> None:
        body = body_of(index, kind)
        noise = base64.b64encode(chance.randbytes(HANDLE_CHARACTERS)).decode()[: HANDLE_CHARACTERS - 14]
        handle = f"AQEB{noise}{index:010d}"
        bare = {
            "MessageId": str(uuid.UUID(int=chance.getrandbits(128), version=4)),
            "ReceiptHandle": handle,
            "MD5OfBody": md5(body),
            "Body": body,
        }
        attributes = {
            "SenderId": "AIDAIENQZJOLO23YVJ4VO",
            "SentTimestamp": str(sent_at_ms),
            "ApproximateReceiveCount": "1",
            "ApproximateFirstReceiveTimestamp": str(sent_at_ms + 5),
            "DeadLetterQueueSourceArn": SOURCE_ARN,
        }
        full = {**bare, "Attributes": attributes}
        self.held.append(Held(_encoded(bare), _encoded(full), is_match=kind == MATCHING))
        self.by_handle[handle] = index
        self.by_body[body] = index

    def receive(self, most: int, *, wants_all: bool, until: float) -> bytes:
        """Take up to `most` waiting messages until the time `until`; return the encoded answer."""
        found: list[bytes] = []
        while self.waiting and len(found) < most:
            index = self.waiting.popleft()
            held = self.held[index]
            if held.is_deleted:
                continue
            held.receives += 1
            held.hidden_until = until
            self.in_flight.add(index)
            encoded = held.full if wants_all else held.bare
            if held.receives > 1:
                encoded = encoded.replace(_FIRST_COUNT, b'"ApproximateReceiveCount":"%d"' % held.receives)
            found.append(encoded)
        return b'{"Messages":[' + b",".join(found) + b"]}" if found else b"{}"

    def hide(self, handle: str, until: float, now: float) -> bool:
        """Hide a message until then, or let it wait at the end of the queue; tell whether it was in flight."""
        index = self.by_handle.get(handle)
        if index is None:
            self.strange_handles += 1
            return False
        if index not in self.in_flight:
            return False
        if until > now:
            self.held[index].hidden_until = until
        else:
            self._release(index)
        return True

    def lapse(self, now: float) -> bool:
        """Let every message wait again whose visibility timeout has passed; tell whether there was one."""
        lapsed = [index for index in self.in_flight if self.held[index].hidden_until <= now]
        for index in lapsed:
            self._release(index)
        return bool(lapsed)

    def _release(self, index: int) -> None:
        self.in_flight.discard(index)
        self.waiting.append(index)

    def note_sent(self, body: str) -> None:
        """Enter a sent body in the book."""
        index = self.by_body.get(body)
        if index is None:
            self.strange_bodies += 1
            return
        held = self.held[index]
        held.sent += 1
        if held.sent == 1:
            self.sent += 1
        else:
            self.sent_again += 1

    def delete(self, handle: str) -> bool:
        """Delete the message of this handle; tell whether the handle is one of ours."""
        index = self.by_handle.get(handle)
        if index is None:
            self.strange_handles += 1
            return False
        held = self.held[index]
        if held.is_deleted:
            self.deleted_again += 1
            return True
        held.is_deleted = True
        self.in_flight.discard(index)
        self.deleted += 1
        if not held.sent:
            self.deleted_unsent += 1
        return True

    def book(self) -> dict[str, int]:
        """Return what became of the messages; those of `FAULTS` are faults of the client, if not 0."""
        return {
            "messages": self.size,
            "matching": self.matching,
            "received": sum(held.receives for held in self.held),
            "sent": self.sent,
            "deleted": self.deleted,
            "left": self.size - self.deleted,
            "sent_unmatched": sum(bool(held.sent) and not held.is_match for held in self.held),
            "sent_again": self.sent_again,
            "sent_and_kept": sum(bool(held.sent) and not held.is_deleted for held in self.held),
            "deleted_unsent": self.deleted_unsent,
            "deleted_again": self.deleted_again,
            "strange_bodies": self.strange_bodies,
            "strange_handles": self.strange_handles,
        }


FAULTS = (
    "sent_unmatched",
    "sent_again",
    "sent_and_kept",
    "deleted_unsent",
    "deleted_again",
    "strange_bodies",
    "strange_handles",
)


def body_of(index: int, kind: str) -> str:
    """Return a JSON body of 200 bytes that no other message has."""
    start = (
        f'{{"type":"{kind}","order":{index},"customer":{{"id":{index % 997},"country":"DE"}},"total":{index % 500}.5,'
    )
    return start + '"note":"' + "x" * (BODY_BYTES - len(start) - 10) + '"}'


def md5(text: str) -> str:
    """Return the MD5 that SQS answers for a body."""
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def attributes_md5(attributes: dict[str, dict[str, str]]) -> str:
    """Return the MD5 of message attributes as SQS computes it.

    Each name, type and value in the order of the names, each with its length before it; binary values arrive as base64.
    Source: Amazon SQS Developer Guide, "Calculating the MD5 message digest for message attributes".
    """
    digest = hashlib.md5(usedforsecurity=False)
    for name in sorted(attributes):
        value = attributes[name]
        is_binary = value["DataType"].startswith("Binary")
        content = base64.b64decode(value["BinaryValue"]) if is_binary else value["StringValue"].encode()
        for part in (name.encode(), value["DataType"].encode()):
            digest.update(len(part).to_bytes(4, "big") + part)
        digest.update((b"\2" if is_binary else b"\1") + len(content).to_bytes(4, "big") + content)
    return digest.hexdigest()


def _encoded(value: Mapping[str, object]) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
