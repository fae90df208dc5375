"""The overview of an account: its dead-letter queues as a table, or as documents."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any

import typer

from opstool.cli import words
from opstool.cli.errors import DONE
from opstool.cli.invocation import Invocation
from opstool.cli.lists import NOTHING, urgency
from opstool.cli.options import command
from opstool.cli.reports import look_report
from opstool.cli.screen import safe
from opstool.cli.table import Cell, Column, table
from opstool.cli.tree import dlq
from opstool.verbs import queues
from opstool.verbs.queues import DlqSummary
from opstool.words.document import iso

Paint = Callable[[str, str], str]

_QUEUE_COLUMNS = (
    Column(title="NAME", whole=True),
    Column(title="DEPTH", whole=True, right=True),
    Column(title="IN FLIGHT", whole=True, right=True),
    Column(title="RETENTION", whole=True, right=True),
    Column(title="MOVE TASK", whole=True),
    Column(title="SOONEST EXPIRY", whole=True, right=True),
    Column(title="SOURCES (maxReceiveCount)"),
)
_EXPIRY = 5


@command(dlq, "queues", examples=("opstool dlq queues", "opstool dlq queues --region eu-west-1 --output json"))
def list_queues(
    call: Invocation,
    *,
    expiry: Annotated[
        bool, typer.Option("--expiry", help="Look at messages for the soonest expiry; adds 1 to their receive counts.")
    ] = False,
) -> int:
    """Show every dead-letter queue of the account and region, the deepest first."""
    call.progress.begin("looking for dead-letter queues")
    overview = queues.list_dlqs(call.kit, expiry=expiry)
    found = overview.queues
    if overview.denied:
        call.notices.note(f"{overview.denied} queues may not be read by this identity, and are left out")
    if not call.output.is_text:
        lines = [queue_document(each) for each in found]
        call.output.listing(
            {"version": 1, "type": "queues"}, "queues", lines, look_report("queues", requests=call.kit.sqs.requests)
        )
        return DONE
    if not found:
        call.notices.note(f"there are no dead-letter queues in {call.kit.where()}")
        return DONE
    for line in queue_table(found, call.now_ms, width=call.output.columns, paint=call.output.paint):
        call.output.line(line)
    return DONE


def queue_table(found: Sequence[DlqSummary], now_ms: int, *, width: int | None, paint: Paint) -> list[str]:
    """Return the dead-letter queues as lines of text; expiry has a column when it was looked for and found."""
    rows = [_queue_row(each, now_ms) for each in found]
    shown = [place for place in range(len(_QUEUE_COLUMNS)) if place != _EXPIRY or any(row[place].text for row in rows)]
    columns = [_QUEUE_COLUMNS[place] for place in shown]
    return table(columns, [[row[place] for place in shown] for row in rows], width=width, paint=paint)


def _queue_row(found: DlqSummary, now_ms: int) -> list[Cell]:
    left_s = None if found.soonest_expiry_ms is None else (found.soonest_expiry_ms - now_ms) / 1000
    sources = ", ".join(f"{each.queue.name} ({each.max_receive_count})" for each in found.sources)
    texts = [
        found.queue.name,
        f"~{found.attributes.depth:,}",
        f"~{found.attributes.in_flight:,}",
        words.duration(found.attributes.retention_s),
        found.move_task or NOTHING,
        "" if left_s is None else words.until(left_s),
        sources,
    ]
    styles = {_EXPIRY: None if left_s is None else urgency(left_s)}
    return [Cell(text=safe(text), style=styles.get(place)) for place, text in enumerate(texts)]


def queue_document(found: DlqSummary) -> dict[str, Any]:
    """Return the document of one dead-letter queue."""
    soonest = found.soonest_expiry_ms
    return {
        "version": 1,
        "type": "queue",
        "name": found.queue.name,
        "url": found.queue.url,
        "arn": found.queue.arn,
        "depth": found.attributes.depth,
        "in_flight": found.attributes.in_flight,
        "retention_s": found.attributes.retention_s,
        "sources": [{"name": each.queue.name, "max_receive_count": each.max_receive_count} for each in found.sources],
        "move_task": found.move_task,
        "soonest_expiry": None if soonest is None else iso(soonest),
    }
