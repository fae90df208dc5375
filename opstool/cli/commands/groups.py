"""The command that groups messages by why they died: as a table, or as documents."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Annotated, Any

import typer

from opstool.cli import words
from opstool.cli.errors import DONE, PARTIAL
from opstool.cli.evidence import NO_LOG_LINE
from opstool.cli.invocation import Invocation
from opstool.cli.lists import NOTHING, urgency
from opstool.cli.logoptions import LogOptions
from opstool.cli.options import command
from opstool.cli.reports import look_report
from opstool.cli.screen import cut, safe, start_of
from opstool.cli.seen import say_what_was_seen
from opstool.cli.selection import DeadLetterQueueName, Limit, SelectionOptions
from opstool.cli.sparkline import levels_for, sparkline
from opstool.cli.table import Cell, Column, table
from opstool.verbs import groups
from opstool.verbs.groups import Groups
from opstool.words.groups.group import Group
from opstool.words.groups.groupdocument import group_document
from opstool.words.groups.grouping import ByReason, BySource
from opstool.words.groups.suggestion import Situation, Suggestion, suggest
from opstool.words.reason import ReasonState

Paint = Callable[[str, str], str]

_LONGEST_CELL = 100
_LONGEST_TITLE = 30
_ONE_LINE_COLUMNS = 130
"""The numbers, a source, and enough of the reason to tell groups apart; the same as for lists."""
_NO_KEY = "(none)"
_WITHOUT_REASON = {
    ReasonState.NOT_FOUND: NO_LOG_LINE,
    ReasonState.UNKNOWN: "the log could not be read",
}
_COLUMNS = (
    Column(title="COUNT", whole=True, right=True),
    Column(title="SHARE", whole=True, right=True),
    Column(title="EXPIRES IN", whole=True, right=True),
    Column(title="OLDEST", whole=True, right=True),
    Column(title="NEWEST", whole=True, right=True),
    Column(title="RECEIVES", whole=True, right=True),
    Column(title="TREND", whole=True),
    Column(title="SOURCE"),
)


@command(
    "dlq groups",
    examples=(
        "opstool dlq groups orders-dlq",
        "opstool dlq groups orders-dlq --by attr:tenant --newer-than 1d",
        "opstool dlq groups orders-dlq --by body.order.kind --output json",
    ),
)
def group_messages(
    call: Invocation,
    selection: SelectionOptions,
    logs: LogOptions,
    queue: DeadLetterQueueName = None,
    by: Annotated[
        str, typer.Option("--by", metavar="WHAT", help="By reason, source, attr:NAME or a JMESPath expression.")
    ] = "reason",
    limit: Limit = None,
) -> int:
    """Show what the messages of the whole queue died of: how many each, since when, and what to do next."""
    call.log_reading = logs.reading()
    with call.working() as kit:
        selected = selection.at(call.now_ms)
        found = groups.group_messages(kit, queue, selected, by=by, limit=limit)
    now_ms = call.now_ms
    situation = Situation(
        queue_name=found.dlq.queue.name,
        retention_s=found.dlq.attributes.retention_s,
        is_dlq=found.dlq.is_dlq,
        selection=selected,
        grouping=found.grouping,
        now_ms=now_ms,
        log_groups=kit.log_reading.log_groups,
    )
    rows = [(group, _pasted(call, suggest(group, situation))) for group in found.groups]
    status = PARTIAL if found.partial or found.missing_ids else DONE
    if not call.output.is_text:
        documents = (group_document(*row) for row in rows)
        report = look_report(
            "groups", requests=kit.sqs.requests, queue=found.dlq.queue.name, looked=found, partial=status == PARTIAL
        )
        call.output.listing(_groups_document(found), "groups", documents, report)
        return status
    say_what_was_seen(
        call,
        dlq=found.dlq,
        seen=found.seen,
        shown=found.shown,
        notes=found.notes,
        missing_ids=found.missing_ids,
        soonest_expiry_ms=min((each.soonest_expiry_ms for each in found.groups), default=None),
    )
    for line in _group_lines(found, rows, now_ms, width=call.output.columns, paint=call.output.paint):
        call.output.line(line)
    return status


def _pasted(call: Invocation, suggestion: Suggestion) -> Suggestion:
    """Return the suggestion with the program and the options that choose the AWS before its command."""
    return Suggestion(command=f"{call.frame.program} {suggestion.command}", why=suggestion.why)


def _groups_document(found: Groups) -> dict[str, Any]:
    return {
        "version": 1,
        "type": "groups",
        "queue": found.dlq.queue.name,
        "by": found.grouping.text,
        "depth": found.dlq.attributes.depth,
        "seen": found.seen,
        "partial": found.partial,
        "missing_ids": list(found.missing_ids),
        "notes": list(found.notes),
    }


def _group_lines(
    found: Groups, rows: list[tuple[Group, Suggestion]], now_ms: int, *, width: int | None, paint: Paint
) -> Iterator[str]:
    """Yield the table, each group with the lines that belong to it below; a narrow one has its reason there too."""
    if not rows:
        return
    wide = width is None or width >= _ONE_LINE_COLUMNS
    levels = levels_for(getattr(sys.stdout, "encoding", None))
    labels = [_labels(found, group, wide=wide) for group, _ in rows]
    columns = [*_COLUMNS, *(Column(title=title) for title in _titles(found) if wide)]
    cells = [
        [*_cells(group, now_ms, levels), *(Cell(text=text) for text in texts if wide)]
        for (group, _), texts in zip(rows, labels, strict=True)
    ]
    header, *lines = table(columns, cells, width=width, paint=paint)
    yield header
    for line, (group, suggestion), texts in zip(lines, rows, labels, strict=True):
        yield line
        if not wide:
            yield from (cut(f"  {text}", width or _LONGEST_CELL) for text in texts)
        fingerprint = f"fingerprint {safe(group.reason.fingerprint)}  " if group.reason else ""
        yield f"  {fingerprint}sample {safe(group.sample_id)}"
        yield f"  next: {suggestion.why}"
        yield f"    {safe(suggestion.command)}"


def _cells(group: Group, now_ms: int, levels: str) -> list[Cell]:
    left_s = (group.soonest_expiry_ms - now_ms) / 1000
    receives = f"{group.least_receives:,}"
    if group.most_receives != group.least_receives:
        receives += f"-{group.most_receives:,}"
    sources = ", ".join(safe(each.rsplit(":", 1)[-1]) for each in group.source_arns)
    return [
        Cell(text=f"{group.count:,}"),
        Cell(text=f"{group.share:.1%}"),
        Cell(text=words.until(left_s), style=urgency(left_s)),
        Cell(text=words.duration((now_ms - group.first_sent_ms) / 1000)),
        Cell(text=words.duration((now_ms - group.last_sent_ms) / 1000)),
        Cell(text=receives),
        Cell(text=sparkline(group.arrivals.counts, levels)),
        Cell(text=sources or NOTHING),
    ]


def _titles(found: Groups) -> list[str]:
    """Return what the labels of a group are: what it was grouped by, unless a column has it, and the reason."""
    by = [] if isinstance(found.grouping, ByReason | BySource) else [start_of(found.grouping.text, _LONGEST_CELL)]
    return [*by, *(["REASON"] if found.asked else [])]


def _labels(found: Groups, group: Group, *, wide: bool) -> list[str]:
    """Return what the group has in common, and why its messages died, each safe and on one line."""
    labels = [_reason_text(group)] if found.asked else []
    if isinstance(found.grouping, ByReason | BySource):
        return labels
    key = start_of(group.key.text, _LONGEST_CELL) if group.key else _NO_KEY
    return [key if wide else f"{start_of(found.grouping.text, _LONGEST_TITLE)}: {key}", *labels]


def _reason_text(group: Group) -> str:
    if group.reason_state in _WITHOUT_REASON:
        return _WITHOUT_REASON[group.reason_state]
    if group.reason is None:
        return "several reasons" if group.reason_state else "several reasons, or none that is known"
    probably = f"probably for {group.probable:,} of {group.count:,}: " if group.probable else ""
    if group.probable == group.count:
        probably = "probably "
    return probably + start_of(f"{group.reason.type}: {group.reason.message}", _LONGEST_CELL)
