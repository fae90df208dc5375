"""One message in full, safe to look at, and the commands one might run next."""

from __future__ import annotations

import base64
import shlex
from collections.abc import Callable, Iterator

from opstool.cli import words
from opstool.cli.indent import indented
from opstool.cli.lists import source_name, urgency
from opstool.cli.screen import safe
from opstool.verbs.browse import Listing
from opstool.words.document import iso
from opstool.words.message import Attribute, Message
from opstool.words.reason import Reason

Paint = Callable[[str, str], str]


def message_lines(listing: Listing, now_ms: int, paint: Paint) -> Iterator[str]:
    """Yield everything that is known of the one message of a listing."""
    [message] = listing.messages
    for name, value in _facts(listing, message, now_ms, paint):
        yield f"{name:14} {value}"
    reason = listing.reasons.get(message.message_id)
    yield ""
    yield from _reason_lines(reason)
    if message.attributes:
        yield ""
        yield "attributes"
        for name, attribute in sorted(message.attributes.items()):
            yield f"  {safe(name)} ({safe(attribute.type)}) = {_value(attribute)}"
    yield ""
    yield f"body ({words.size(len(message.body_bytes))}, sha256 {message.body_sha256})"
    for line in indented(message.body):
        yield f"  {safe(line)}"


def _facts(listing: Listing, message: Message, now_ms: int, paint: Paint) -> Iterator[tuple[str, str]]:
    expires_ms = listing.expires_at_ms(message)
    left_s = (expires_ms - now_ms) / 1000
    left = words.until(left_s)
    style = urgency(left_s)
    yield "message", safe(message.message_id)
    yield "queue", safe(listing.dlq.queue.name)
    yield "source", source_name(message)
    yield "sent", f"{iso(message.sent_at_ms)} ({words.duration((now_ms - message.sent_at_ms) / 1000)} ago)"
    yield "expires", f"{iso(expires_ms)} ({paint(left, style) if style else left})"
    yield "receive count", f"{message.receive_count:,} (looking adds to it)"
    if message.group_id:
        yield "group", safe(message.group_id)
    if message.deduplication_id:
        yield "deduplication", safe(message.deduplication_id)
    if message.trace_header:
        yield "trace", safe(message.trace_header)


def _reason_lines(reason: Reason | None) -> Iterator[str]:
    if reason is None:
        yield "reason: not known; no failure of this message was found in a log"
        return
    yield f"reason: {safe(reason.type)}: {safe(reason.message)}"
    yield f"  last of {words.count(reason.attempts, 'logged attempt')}, at {iso(reason.at_ms)}"
    yield f"  fingerprint {safe(reason.fingerprint)}"
    for name, value in (
        ("function", reason.function),
        ("log group", reason.log_group),
        ("request", reason.request_id),
    ):
        if value:
            yield f"  {name} {safe(value)}"


def _value(attribute: Attribute) -> str:
    if isinstance(attribute.value, bytes):
        return f"{base64.b64encode(attribute.value).decode()} (base64)"
    return safe(attribute.value)


def next_commands(program: str, listing: Listing) -> Iterator[str]:
    """Yield the commands that act on this message."""
    [message] = listing.messages
    which = f"{shlex.quote(listing.dlq.queue.name)} --id {shlex.quote(message.message_id)}"
    insist = "" if listing.dlq.is_dlq else " --not-a-dlq"
    yield "next:"
    yield f"  {program} dlq redrive {which}{insist}"
    yield f"  {program} dlq export {which} --to-file {shlex.quote(message.message_id)}.jsonl"
    yield f"  {program} dlq purge {which}{insist}"
