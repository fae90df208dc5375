"""The command that lists messages and changes nothing."""

from __future__ import annotations

from typing import Any

from opstool.cli.errors import DONE, PARTIAL
from opstool.cli.invocation import Invocation
from opstool.cli.lists import listed_documents, message_table
from opstool.cli.logoptions import LogOptions
from opstool.cli.options import command
from opstool.cli.reports import look_report
from opstool.cli.seen import say_what_was_seen
from opstool.cli.selection import DeadLetterQueueName, Limit, SelectionOptions
from opstool.verbs import browse
from opstool.verbs.browse import DEFAULT_LIMIT, Listing

_MANY = 3_000
"""Messages from which on it is worth while to know of SQS's own move task: minutes from one machine."""


@command(
    "dlq list",
    examples=(
        "opstool dlq list orders-dlq",
        "opstool dlq list orders-dlq --older-than 2h --body-contains customer-17",
        'opstool dlq list orders-dlq --where "body.total > `100`" --output jsonl',
    ),
)
def list_messages(
    call: Invocation,
    selection: SelectionOptions,
    logs: LogOptions,
    queue: DeadLetterQueueName = None,
    limit: Limit = None,
) -> int:
    """Show messages (50 unless --limit): when each expires, where it came from, why it died as far as a log tells."""
    call.log_reading = logs.reading()
    with call.working() as kit:
        selected = selection.at(call.now_ms)
        if limit is None and selected.ids is None:  # whoever names the messages wants all of them
            limit = DEFAULT_LIMIT
        listing = browse.list_messages(kit, queue, selected, limit=limit)
    status = PARTIAL if listing.partial or listing.missing_ids else DONE
    if not call.output.is_text:
        report = look_report(
            "list", requests=kit.sqs.requests, queue=listing.dlq.queue.name, looked=listing, partial=status == PARTIAL
        )
        call.output.listing(_listing_document(listing), "messages", listed_documents(listing), report)
        return status
    say_what_was_seen(
        call,
        dlq=listing.dlq,
        seen=listing.seen,
        shown=len(listing.messages),
        notes=listing.notes,
        missing_ids=listing.missing_ids,
        soonest_expiry_ms=listing.soonest_expiry_ms,
    )
    _hint_at_native(call, listing, is_everything=selected.is_everything)
    if listing.messages:
        for line in message_table(listing, call.now_ms, width=call.output.columns, paint=call.output.paint):
            call.output.line(line)
    return status


def _hint_at_native(call: Invocation, listing: Listing, *, is_everything: bool) -> None:
    """Say that there is another engine, where a large queue was listed as a whole."""
    found = listing.dlq
    if is_everything and found.is_dlq and found.attributes.depth >= _MANY:
        command = f"{call.frame.program} dlq redrive {found.queue.name} --engine native --dry-run"
        call.notices.note(f"hint: {command} tells what SQS's own move task would do, and what it does not promise")


def _listing_document(listing: Listing) -> dict[str, Any]:
    return {
        "version": 1,
        "type": "messages",
        "queue": listing.dlq.queue.name,
        "depth": listing.dlq.attributes.depth,
        "seen": listing.seen,
        "partial": listing.partial,
        "missing_ids": list(listing.missing_ids),
        "notes": list(listing.notes),
    }
