"""The commands that look at messages and change nothing: list, show."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import typer

from opstool.cli import detail, words
from opstool.cli.errors import DONE, PARTIAL
from opstool.cli.invocation import Invocation
from opstool.cli.lists import message_table
from opstool.cli.options import command
from opstool.cli.reports import look_report
from opstool.cli.screen import safe
from opstool.cli.selection import DeadLetterQueueName, Limit, SelectionOptions
from opstool.cli.tree import dlq
from opstool.verbs import browse
from opstool.verbs.browse import DEFAULT_LIMIT, Listing
from opstool.words.document import message_document


@command(
    dlq,
    "list",
    examples=(
        "opstool dlq list orders-dlq",
        "opstool dlq list orders-dlq --older-than 2h --body-contains customer-17",
        'opstool dlq list orders-dlq --where "body.total > `100`" --output jsonl',
    ),
)
def list_messages(
    call: Invocation, selection: SelectionOptions, queue: DeadLetterQueueName = None, limit: Limit = None
) -> int:
    """Show messages (50 unless --limit): when each expires, where it came from, why it died as far as a log tells."""
    with call.working() as kit:
        selected = selection.at(call.now_ms)
        if limit is None and selected.ids is None:  # whoever names the messages wants all of them
            limit = DEFAULT_LIMIT
        listing = browse.list_messages(kit, queue, selected, limit=limit)
    status = PARTIAL if listing.partial or listing.missing_ids else DONE
    if not call.output.is_text:
        report = look_report(
            "list", requests=kit.sqs.requests, queue=listing.dlq.queue.name, listing=listing, partial=status == PARTIAL
        )
        call.output.listing(_listing_document(listing), "messages", _documents(listing), report)
        return status
    if listing.messages:
        for line in message_table(listing, call.now_ms, width=call.output.columns, paint=call.output.paint):
            call.output.line(line)
    _say_what_was_seen(call, listing)
    return status


@command(dlq, "show", examples=("opstool dlq show 1b2c3d4e-5f60-4718-8a9b-0c1d2e3f4a5b orders-dlq",))
def show_message(
    call: Invocation,
    message_id: Annotated[str, typer.Argument(metavar="ID", help="The message's id, as `list` prints it.")],
    queue: DeadLetterQueueName = None,
) -> int:
    """Show one message in full, with why it died and what one might do with it."""
    with call.working() as kit:
        listing = browse.show(kit, message_id, queue)
    status = PARTIAL if listing.partial else DONE
    if not call.output.is_text:
        report = look_report(
            "show", requests=kit.sqs.requests, queue=listing.dlq.queue.name, listing=listing, partial=listing.partial
        )
        [document] = _documents(listing)
        if call.output.form == "json":
            whole = {"version": 1, "type": "show", "queue": listing.dlq.queue.name, "notes": list(listing.notes)}
            call.output.document({**whole, "message": document})
        else:
            call.output.document(document)
            call.output.document(report)
        return status
    for line in detail.message_lines(listing, call.now_ms, call.output.paint):
        call.output.line(line)
    for line in (*listing.notes, "", *detail.next_commands(call.frame.program, listing)):
        call.notices.note(safe(line))
    return status


def _documents(listing: Listing) -> Iterator[dict[str, Any]]:
    for each in listing.messages:
        yield message_document(
            each,
            expires_at_ms=listing.expires_at_ms(each),
            reason=listing.reasons.get(each.message_id),
            reason_state=listing.reasons.state_of(each.message_id),
        )


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


def _say_what_was_seen(call: Invocation, listing: Listing) -> None:
    """Say on stderr how much of the queue was seen, and what looking has changed."""
    dlq_found, shown = listing.dlq, len(listing.messages)
    if dlq_found.followed_from:
        call.notices.note(f'"{dlq_found.followed_from.name}" is a source queue; looked into "{dlq_found.queue.name}"')
    if not dlq_found.is_dlq:
        call.notices.note(f'"{dlq_found.queue.name}" is not a dead-letter queue: no redrive policy points to it')
    approximately = words.count(max(dlq_found.attributes.depth, listing.seen), "message", exact=False)
    matched = f", {shown:,} shown" if shown != listing.seen else ""
    call.notices.note(f'{listing.seen:,} of {approximately} in "{dlq_found.queue.name}" seen{matched}')
    for missing in listing.missing_ids:
        call.notices.line(f"not found: {safe(missing)}")
    for note in listing.notes:
        call.notices.note(safe(note))
