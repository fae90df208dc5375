"""The command that raises a dead-letter queue's retention."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import typer

from opstool.cli import words
from opstool.cli.changing import PANEL, ChangeOptions, NotADlq, Yes
from opstool.cli.confirm import Yes as YesConsent
from opstool.cli.errors import DONE, PARTIAL
from opstool.cli.invocation import Invocation
from opstool.cli.options import command
from opstool.cli.screen import safe
from opstool.cli.selection import DeadLetterQueueName
from opstool.cli.signals import check_not_stopped
from opstool.verbs import extend
from opstool.verbs.extend import DAY_S, LONGEST_S, Extended, Extension, Outcome
from opstool.words.times import iso

_MOST_DAYS = LONGEST_S // DAY_S


@command(
    "dlq extend",
    examples=("opstool dlq extend orders-dlq", "opstool dlq extend orders-dlq --to-days 7 --expiry --dry-run"),
)
def extend_retention(
    call: Invocation,
    *,
    change: ChangeOptions,
    queue: DeadLetterQueueName = None,
    to_days: Annotated[
        int,
        typer.Option(
            "--to-days",
            metavar="N",
            min=1,
            max=_MOST_DAYS,
            show_default=False,
            help=f"Keep messages for so many days ({_MOST_DAYS}).",
            rich_help_panel=PANEL,
        ),
    ] = _MOST_DAYS,
    expiry: Annotated[
        bool,
        typer.Option(
            "--expiry",
            help="Look at messages for the soonest expiry; adds 1 to their receive counts.",
            rich_help_panel=PANEL,
        ),
    ] = False,
    not_a_dlq: NotADlq = False,
    yes: Yes = False,
) -> int:
    """Let a dead-letter queue keep its messages longer (14 days unless --to-days); never shorter."""
    consent = YesConsent(notices=call.notices, given=yes)
    if not change.dry_run:
        consent.check_possible()
    change = change.with_reason(call.notices, asks=not yes)
    with call.working() as kit:
        extension = extend.prepare(kit, queue, to_s=to_days * DAY_S, not_a_dlq=not_a_dlq, expiry=expiry)
    check_not_stopped(kit)
    if not extension.is_needed:
        return _end(call, extension, Extended(outcome=Outcome.NOTHING_TO_DO, retention_s=extension.from_s))
    for line in _plan_lines(extension, call.now_ms):
        call.notices.note(line)
    if change.dry_run:
        return _end_dry_run(call, extension)
    consent.ask(extension.plan)
    with call.working():
        extended = extension.execute(note=change.note)
    return _end(call, extension, extended)


def _plan_lines(extension: Extension, now_ms: int) -> Iterator[str]:
    """Yield what would be changed, and what it saves."""
    dlq_found, then_ms = extension.dlq, extension.soonest_expiry_then_ms
    if dlq_found.followed_from:
        yield f'"{dlq_found.followed_from.name}" is a source queue; its dead-letter queue is "{dlq_found.queue.name}"'
    yield f'would raise the retention of "{dlq_found.queue.name}"'
    yield f"  from      {words.duration(extension.from_s)}"
    yield f"  to        {words.duration(extension.to_s)}"
    held = dlq_found.attributes.depth + dlq_found.attributes.in_flight
    longer = words.duration(extension.to_s - extension.from_s)
    saved = words.count(held, "message", exact=False)
    yield f"  saves     {saved}, each for {longer} more; it may take 15 minutes to hold"
    if extension.soonest_expiry_ms is not None and then_ms is not None:
        soonest, then = (words.until((each - now_ms) / 1000) for each in (extension.soonest_expiry_ms, then_ms))
        yield f"  expiry    the first of those seen in {soonest}, then in {then}"
    for note in _notes(extension):
        yield f"  note      {safe(note)}"


def _notes(extension: Extension) -> Iterator[str]:
    """Yield what stays to be done elsewhere."""
    setting = f"MessageRetentionPeriod: {extension.to_s}"
    made_by = extension.template
    if made_by:
        yield f"stack {made_by.stack} will have drifted: write {setting} into its template too, at {made_by.resource}"
    else:
        yield f"if a template made this queue, write {setting} there too"


def _end_dry_run(call: Invocation, extension: Extension) -> int:
    if call.output.is_text:
        call.notices.note("dry run: nothing was changed")
    else:
        call.output.document(_document(extension, "planned", extension.from_s, None))
    return DONE


def _end(call: Invocation, extension: Extension, extended: Extended) -> int:
    """Say what became of it, and return the exit status."""
    if not call.output.is_text:
        call.output.document(_document(extension, extended.outcome.value, extended.retention_s, extended.run_id))
    else:
        for line in _lines(extension, extended):
            call.output.line(line)
    return PARTIAL if extended.outcome is Outcome.UNCONFIRMED else DONE


def _lines(extension: Extension, extended: Extended) -> Iterator[str]:
    name, kept = extension.dlq.queue.name, words.duration(extended.retention_s)
    if extended.outcome is Outcome.NOTHING_TO_DO:
        yield f'nothing to do: "{name}" keeps messages for {kept}'
    elif extended.outcome is Outcome.UNCONFIRMED:
        yield f'SQS accepted {words.duration(extension.to_s)} for "{name}", and still tells {kept}: look again later'
    else:
        yield f'"{name}" keeps messages for {kept}; for those already there it may take 15 minutes to hold'
    if extended.run_id:
        yield f"  run       {extended.run_id}"


def _document(extension: Extension, status: str, retention_s: int, run_id: str | None) -> dict[str, Any]:
    """Return the JSON document of type `extend`."""
    soonest, then = extension.soonest_expiry_ms, extension.soonest_expiry_then_ms
    made_by = extension.template
    return {
        "version": 1,
        "type": "extend",
        "run_id": run_id,
        "queue": extension.dlq.queue.name,
        "status": status,
        "from_s": extension.from_s,
        "to_s": extension.to_s,
        "retention_s": retention_s,
        "depth": extension.dlq.attributes.depth,
        "in_flight": extension.dlq.attributes.in_flight,
        "soonest_expiry": None if soonest is None else iso(soonest),
        "soonest_expiry_then": None if then is None else iso(then),
        "stack": made_by.stack if made_by else None,
        "resource": made_by.resource if made_by else None,
        "notes": list(_notes(extension)) if extension.is_needed else [],
    }
