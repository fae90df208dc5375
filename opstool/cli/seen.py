"""Say on stderr how much of a queue was seen, and what looking has changed.

It stands before the table, so that whoever reads the rows knows already how many are missing from them, and what a
cell without a reason means.
"""

from __future__ import annotations

from collections.abc import Iterable

from opstool.cli import words
from opstool.cli.invocation import Invocation
from opstool.cli.lists import urgency
from opstool.cli.screen import safe
from opstool.engine.dlq import DeadLetterQueue


def say_what_was_seen(
    call: Invocation,
    *,
    dlq: DeadLetterQueue,
    seen: int,
    shown: int,
    notes: Iterable[str] = (),
    missing_ids: Iterable[str] = (),
    soonest_expiry_ms: int | None = None,
) -> None:
    """Say which queue it was, its depth, how many of it were `seen` and are `shown`, and when the first of them goes.

    `seen` counts distinct messages received; `soonest_expiry_ms` (epoch ms) is that of those shown, None without any.
    """
    say_where(call, dlq)
    parts = [
        f'{seen:,} of {words.count(max(dlq.attributes.depth, seen), "message", exact=False)} in "{dlq.queue.name}" seen'
    ]
    if shown != seen:
        parts.append(f"{shown:,} shown")
    if soonest_expiry_ms is not None:
        parts.append(_soonest(call, (soonest_expiry_ms - call.now_ms) / 1000))
    call.notices.note(", ".join(parts))
    for missing in missing_ids:
        call.notices.line(f"not found: {safe(missing)}")
    for note in notes:
        call.notices.note(safe(note))


def say_where(call: Invocation, dlq: DeadLetterQueue) -> None:
    """Say so when the queue that was looked into is not the one that was named, or is nobody's dead-letter queue."""
    if dlq.followed_from:
        call.notices.note(f'"{dlq.followed_from.name}" is a source queue; looked into "{dlq.queue.name}"')
    if not dlq.is_dlq:
        call.notices.note(f'"{dlq.queue.name}" is not a dead-letter queue: no redrive policy points to it')


def _soonest(call: Invocation, left_s: float) -> str:
    """Return when the first of the messages goes, in the colour of its urgency."""
    left = words.until(left_s)
    style = urgency(left_s)
    shown = call.notices.paint(left, style) if style else left
    return f"soonest expiry in {shown}" if left_s > 0 else f"the soonest has {shown}"
