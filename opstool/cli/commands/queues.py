"""The overview of an account: its dead-letter queues, and the queues without one, as a table or as documents."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Annotated, Any

import typer

from opstool.cli import words
from opstool.cli.errors import DONE, PARTIAL
from opstool.cli.invocation import Invocation
from opstool.cli.lists import NOTHING, urgency
from opstool.cli.options import command
from opstool.cli.reports import look_report
from opstool.cli.screen import safe
from opstool.cli.table import Cell, Column, table
from opstool.verbs import queues
from opstool.verbs.queues import DlqSummary, Overview
from opstool.words.document import iso
from opstool.words.queuerole import Role

Paint = Callable[[str, str], str]

_QUEUE_COLUMNS = (
    Column(title="NAME", whole=True),
    Column(title="ROLE", whole=True),
    Column(title="DEPTH", whole=True, right=True),
    Column(title="IN FLIGHT", whole=True, right=True),
    Column(title="RETENTION", whole=True, right=True),
    Column(title="MOVE TASK", whole=True),
    Column(title="SOONEST EXPIRY", whole=True, right=True),
    Column(title="DEAD-LETTER QUEUE (maxReceiveCount)"),
    Column(title="SOURCES (maxReceiveCount)"),
)
_ROLE, _EXPIRY, _TARGET, _SOURCES = 1, 6, 7, 8
_SOMETIMES = {_ROLE, _EXPIRY, _TARGET, _SOURCES}
_ROLES = {Role.DLQ: "DLQ", Role.ORPHAN: "orphan", Role.NO_DLQ: "no DLQ", Role.SOURCE: "source"}
PANEL = "Which queues"


@command(
    "dlq queues",
    examples=(
        "opstool dlq queues",
        "opstool dlq queues 'orders-*' payments --expiry",
        "opstool dlq queues --without-dlq --region eu-west-1 --output json",
    ),
)
def list_queues(
    call: Invocation,
    *,
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="NAME...",
            show_default=False,
            help="Only queues named so, or with a source named so: a part of the name, or a pattern with * and ?.",
        ),
    ] = None,
    name_prefix: Annotated[
        str | None,
        typer.Option(
            "--name-prefix",
            metavar="TEXT",
            help="Read only queues whose names begin so: quicker in a large account.",
            rich_help_panel=PANEL,
        ),
    ] = None,
    orphans: Annotated[
        bool,
        typer.Option(
            "--orphans", help="Those that look like a DLQ, and no redrive policy points to.", rich_help_panel=PANEL
        ),
    ] = False,
    without_dlq: Annotated[
        bool, typer.Option("--without-dlq", help="Those that have no dead-letter queue.", rich_help_panel=PANEL)
    ] = False,
    every: Annotated[bool, typer.Option("--all", help="Every queue, with its role.", rich_help_panel=PANEL)] = False,
    expiry: Annotated[
        bool, typer.Option("--expiry", help="Look at messages for the soonest expiry; adds 1 to their receive counts.")
    ] = False,
) -> int:
    """Show every dead-letter queue of the account and region, the deepest first."""
    call.progress.begin("looking for dead-letter queues")
    chosen = {Role.ORPHAN: orphans, Role.NO_DLQ: without_dlq}
    roles = set(Role) if every else {role for role, wanted in chosen.items() if wanted} or {Role.DLQ}
    overview = queues.list_dlqs(call.kit, names=names or (), prefix=name_prefix, roles=roles, expiry=expiry)
    status, gaps, notes = PARTIAL if overview.unread else DONE, list(_gaps(overview)), list(_notes(overview, roles))
    for gap in gaps:
        call.notices.note(gap)
    if not call.output.is_text:
        _write_documents(call, overview, [*gaps, *notes])
        return status
    if not overview.queues:
        call.notices.note(f"there are no {_sought(roles, names or [], name_prefix)} in {call.kit.where()}")
    else:
        for line in queue_table(overview.queues, call.now_ms, width=call.output.columns, paint=call.output.paint):
            call.output.line(line)
    for note in notes:
        call.notices.note(note)
    return status


def _sought(roles: set[Role], names: Sequence[str], prefix: str | None) -> str:
    """Return what was looked for, in words."""
    kinds = {Role.ORPHAN: "orphans", Role.NO_DLQ: "queues without a dead-letter queue", Role.DLQ: "dead-letter queues"}
    what = "queues" if len(roles) == len(Role) else " and no ".join(kinds[each] for each in kinds if each in roles)
    return what + (" of such a name" if names or prefix else "")


def _gaps(overview: Overview) -> Iterator[str]:
    """Yield what could not be seen."""
    if overview.denied:
        yield f"{words.count(overview.denied, 'queue')} may not be read by this identity: left out"
    if overview.unread:
        yield f"{words.count(overview.unread, 'queue')} could not be read, SQS gave no answer: left out"


def _notes(overview: Overview, roles: set[Role]) -> Iterator[str]:
    """Yield what is not in the list, and how to see it."""
    without, orphans = (0 if each in roles else overview.counts[each] for each in (Role.NO_DLQ, Role.ORPHAN))
    hidden = []
    if without:
        hidden.append(f"{_some(without, 'has', 'have')} no dead-letter queue (--without-dlq lists them)")
    if orphans:
        hidden.append(f"{_some(orphans, 'looks', 'look')} like a DLQ and no redrive policy points there (--orphans)")
    if hidden:
        yield ", ".join(hidden)
    if overview.targets_missing:
        missing = _some(overview.targets_missing, "has", "have")
        yield f"{missing} a redrive policy to a queue that does not exist: where failures go is not documented"
    if Role.ORPHAN in roles and overview.counts[Role.ORPHAN]:
        yield "Lambda, SNS or EventBridge may fill an orphan all the same: SQS does not tell"


def _some(number: int, one: str, more: str) -> str:
    return f"{words.count(number, 'queue')} {one if number == 1 else more}"


def queue_table(found: Sequence[DlqSummary], now_ms: int, *, width: int | None, paint: Paint) -> list[str]:
    """Return the queues as lines of text; what tells nothing of any of them has no column."""
    rows = [_queue_row(each, now_ms) for each in found]
    told = {place for place in _SOMETIMES if any(row[place].text for row in rows)}
    if all(each.role is Role.DLQ for each in found):
        told -= {_ROLE}
    shown = [place for place in range(len(_QUEUE_COLUMNS)) if place not in _SOMETIMES or place in told]
    columns = [_QUEUE_COLUMNS[place] for place in shown]
    cells = [[replace(row[place], text=row[place].text or NOTHING) for place in shown] for row in rows]
    return table(columns, cells, width=width, paint=paint)


def _queue_row(found: DlqSummary, now_ms: int) -> list[Cell]:
    left_s = None if found.soonest_expiry_ms is None else (found.soonest_expiry_ms - now_ms) / 1000
    texts = [
        found.queue.name,
        _ROLES[found.role],
        f"~{found.attributes.depth:,}",
        f"~{found.attributes.in_flight:,}",
        words.duration(found.attributes.retention_s),
        found.move_task or NOTHING,
        "" if left_s is None else words.until(left_s),
        _target(found),
        ", ".join(f"{each.queue.name} ({each.max_receive_count})" for each in found.sources),
    ]
    styles = {_EXPIRY: None if left_s is None else urgency(left_s)}
    return [Cell(text=safe(text), style=styles.get(place)) for place, text in enumerate(texts)]


def _target(found: DlqSummary) -> str:
    """Return where the queue's own failures go, and whether they can."""
    policy = found.attributes.redrive_policy
    if policy is None:
        return ""
    name = f"{policy.dlq_arn.rsplit(':', 1)[-1]} ({policy.max_receive_count})"
    return name + {True: " does not exist", None: " not known here", False: ""}[found.redrive_target_missing]


def _write_documents(call: Invocation, overview: Overview, notes: Sequence[str]) -> None:
    whole = {
        "version": 1,
        "type": "queues",
        "counts": {role.value: overview.counts[role] for role in Role},
        "denied": overview.denied,
        "unread": overview.unread,
        "notes": list(notes),
    }
    last = look_report("queues", requests=call.kit.sqs.requests, partial=bool(overview.unread))
    lines = [queue_document(each) for each in overview.queues]
    call.output.listing(whole, "queues", lines, {**last, "notes": list(notes)})


def queue_document(found: DlqSummary) -> dict[str, Any]:
    """Return the document of one queue."""
    soonest, policy = found.soonest_expiry_ms, found.attributes.redrive_policy
    return {
        "version": 1,
        "type": "queue",
        "name": found.queue.name,
        "role": found.role.value,
        "url": found.queue.url,
        "arn": found.queue.arn,
        "depth": found.attributes.depth,
        "in_flight": found.attributes.in_flight,
        "retention_s": found.attributes.retention_s,
        "sources": [{"name": each.queue.name, "max_receive_count": each.max_receive_count} for each in found.sources],
        "redrive_target": policy.dlq_arn if policy else None,
        "redrive_target_missing": found.redrive_target_missing if policy else None,
        "move_task": found.move_task,
        "soonest_expiry": None if soonest is None else iso(soonest),
    }
