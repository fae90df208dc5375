"""One message in full, safe to look at, and the commands one might run next."""

from __future__ import annotations

import base64
import shlex
from collections.abc import Callable, Iterator

from opstool.cli import words
from opstool.cli.evidence import attempt_lines, log_lines, reason_lines
from opstool.cli.indent import indented
from opstool.cli.lists import source_name, urgency
from opstool.cli.origin import origin_lines, pointer_text
from opstool.cli.screen import safe
from opstool.verbs.show import Shown
from opstool.words.document import iso
from opstool.words.lineage import Lineage, Passage
from opstool.words.message import Attribute
from opstool.words.s3pointer import s3_pointer_of
from opstool.words.xray import console_url

Paint = Callable[[str, str], str]


def message_lines(
    shown: Shown, now_ms: int, paint: Paint, *, width: int | None = None, linked: bool = True
) -> Iterator[str]:
    """Yield everything that is known of a message: why it died before what was in it, for a body may be long.

    Lines of logs are cut to `width` columns; `linked` is false where there is no console that shows a trace.
    """
    for name, value in _facts(shown, now_ms, paint, linked=linked):
        yield f"{name:14} {value}"
    for block in (
        origin_lines(shown.provenance) if shown.provenance else (),
        reason_lines(shown),
        attempt_lines(shown.story.attempts, width=width),
        log_lines(shown, width=width),
        _lineage_lines(shown.lineage),
        _attribute_lines(shown),
        _body_lines(shown),
    ):
        lines = list(block)
        yield from (["", *lines] if lines else [])


def _facts(shown: Shown, now_ms: int, paint: Paint, *, linked: bool) -> Iterator[tuple[str, str]]:
    message, listing = shown.message, shown.listing
    expires_ms = listing.expires_at_ms(message)
    left_s = (expires_ms - now_ms) / 1000
    left = words.until(left_s)
    style = urgency(left_s)
    yield "message", safe(message.message_id)
    yield "queue", safe(listing.dlq.queue.name)
    yield "source", source_name(message, listing.origins)
    yield "sent", f"{iso(message.sent_at_ms)} ({words.duration((now_ms - message.sent_at_ms) / 1000)} ago)"
    yield "expires", f"{iso(expires_ms)} ({paint(left, style) if style else left})"
    yield "receive count", f"{message.receive_count:,} (looking adds to it)"
    if message.group_id:
        yield "group", safe(message.group_id)
    if message.deduplication_id:
        yield "deduplication", safe(message.deduplication_id)
    if message.trace_header:
        yield "trace", safe(message.trace_header)
    if pointer := s3_pointer_of(message):
        yield "payload", safe(pointer_text(pointer))
    for trace_id in shown.trace_ids:
        yield "x-ray", (console_url(trace_id, arn=listing.dlq.queue.arn) if linked else None) or trace_id


def _lineage_lines(lineage: Lineage) -> Iterator[str]:
    if lineage.passages:
        returned = f": came back {words.count(lineage.returned, 'time')}" if lineage.returned else ""
        yield f"lineage{returned}, as far as this journal knows"
    for each in lineage.passages:
        yield f"  {iso(each.at_ms)}  {safe(each.verb or 'sent')} in run {safe(each.run_id)}"
        yield f"    {_before(each)}"


def _before(passage: Passage) -> str:
    name = f"message {safe(passage.message_id)}" if passage.message_id else "a line without a message id"
    return f"from {name}" + (f" of archive {safe(passage.archive)}" if passage.archive else "")


def _attribute_lines(shown: Shown) -> Iterator[str]:
    if shown.message.attributes:
        yield "attributes"
    for name, attribute in sorted(shown.message.attributes.items()):
        yield f"  {safe(name)} ({safe(attribute.type)}) = {_value(attribute)}"


def _body_lines(shown: Shown) -> Iterator[str]:
    message = shown.message
    yield f"body ({words.size(len(message.body_bytes))}, sha256 {message.body_sha256})"
    for line in indented(message.body):
        yield f"  {safe(line)}"


def _value(attribute: Attribute) -> str:
    if isinstance(attribute.value, bytes):
        return f"{base64.b64encode(attribute.value).decode()} (base64)"
    return safe(attribute.value)


def next_commands(program: str, shown: Shown) -> Iterator[str]:
    """Yield the commands that act on this message, and on those that died of the same."""
    dlq, message_id = shown.listing.dlq, shown.message.message_id
    queue, reason = shlex.quote(dlq.queue.name), shown.reason
    which = f"{queue} --id {shlex.quote(message_id)}"
    insist = "" if dlq.is_dlq else " --not-a-dlq"
    if shown.provenance is None:  # else there is no queue to send it back to
        yield f"{program} dlq redrive {which}{insist}"
    if reason and shown.provenance is None:
        yield f"{program} dlq redrive {queue} --reason {shlex.quote(reason.fingerprint)}{insist}"
    yield f"{program} dlq export {which} --to-file {shlex.quote(message_id)}.jsonl"
    yield f"{program} dlq purge {which}{insist}"
    yield f"{program} dlq groups {queue}"
