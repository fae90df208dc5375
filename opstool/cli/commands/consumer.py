"""The commands that stop and start the consumer of a source queue."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import typer

from opstool.cli.changing import PANEL, ChangeOptions, Yes
from opstool.cli.confirm import Yes as YesConsent
from opstool.cli.errors import DONE, INTERRUPTED, PARTIAL
from opstool.cli.globals import OptionGroup
from opstool.cli.invocation import Invocation
from opstool.cli.lists import NOTHING
from opstool.cli.options import command
from opstool.cli.screen import safe
from opstool.cli.signals import check_not_stopped
from opstool.cli.table import Cell, Column, table
from opstool.verbs import consumer as verb
from opstool.verbs.consumer import Outcome, Switch, Switched, Switching

_STATUSES = {Outcome.UNCONFIRMED: PARTIAL, Outcome.INTERRUPTED: INTERRUPTED}
_COLUMNS = (
    Column(title="MAPPING", whole=True),
    Column(title="FUNCTION"),
    Column(title="SOURCE"),
    Column(title="STATE", whole=True),
    Column(title="BECOMES", whole=True),
)
SourceQueueName = Annotated[
    str | None,
    typer.Argument(
        metavar="QUEUE",
        envvar="OPSTOOL_QUEUE",
        show_default=False,
        help="Name, URL or ARN of the source queue, or of its DLQ (default: OPSTOOL_QUEUE, else the stack's).",
    ),
]


@dataclass(frozen=True, kw_only=True)
class MappingOptions(OptionGroup):
    """Which of the mappings are meant."""

    from_environment: ClassVar[bool] = False

    all: Annotated[
        bool,
        typer.Option("--all", help="The consumers of all sources of a dead-letter queue.", rich_help_panel=PANEL),
    ] = False
    mapping: Annotated[
        list[str] | None,
        typer.Option(
            "--mapping",
            metavar="UUID",
            help="Only this event source mapping; may be given again.",
            rich_help_panel=PANEL,
        ),
    ] = None


@command(
    "consumer pause",
    examples=("opstool consumer pause orders --note 'ticket 4711'", "opstool consumer pause orders-dlq --all --yes"),
)
def pause_consumer(
    call: Invocation,
    *,
    meant: MappingOptions,
    change: ChangeOptions,
    queue: SourceQueueName = None,
    yes: Yes = False,
) -> int:
    """Disable the event source mappings of a source queue, so that no message is consumed; nothing is deleted."""
    return _switch(call, queue, meant, change, yes=yes, enabled=False)


@command("consumer resume", examples=("opstool consumer resume orders", "opstool consumer resume orders --dry-run"))
def resume_consumer(
    call: Invocation,
    *,
    meant: MappingOptions,
    change: ChangeOptions,
    queue: SourceQueueName = None,
    yes: Yes = False,
) -> int:
    """Enable what `consumer pause` has disabled; without a record of it, all mappings that are disabled."""
    return _switch(call, queue, meant, change, yes=yes, enabled=True)


def _switch(
    call: Invocation, queue: str | None, meant: MappingOptions, change: ChangeOptions, *, yes: bool, enabled: bool
) -> int:
    """Plan, show, ask, switch and wait: in this order, as every verb that changes something."""
    consent = YesConsent(notices=call.notices, given=yes)
    if not change.dry_run:
        consent.check_possible()
    change = change.with_reason(call.notices, asks=not yes)
    call.progress.begin("looking for the consumer")
    kit = call.kit
    switching = verb.prepare(kit, queue, enabled=enabled, every_source=meant.all, uuids=meant.mapping or ())
    if not switching.is_needed:
        return _end(call, switching, Switched(outcome=Outcome.NOTHING_TO_DO, switches=switching.switches))
    _show_plan(call, switching)
    if change.dry_run:
        return _end_dry_run(call, switching)
    consent.ask(switching.plan)
    with call.working():
        check_not_stopped(kit)
        switched = switching.execute(note=change.note)
    return _end(call, switching, switched)


def _show_plan(call: Invocation, switching: Switching) -> None:
    """Say on stderr what would be switched, and what that means."""
    if switching.followed_from:
        call.notices.note(f'"{switching.followed_from.name}" is a dead-letter queue; its sources are meant')
    call.notices.note(f"would {'enable' if switching.target == 'Enabled' else 'disable'}")
    rows = [_row(each, switching.target if each.changes else NOTHING) for each in switching.switches]
    for line in table(_COLUMNS, rows, width=None, paint=call.notices.paint):
        call.notices.note(f"  {line}")
    for note in switching.notes:
        call.notices.note(f"  note  {safe(note)}")


def _row(each: Switch, becomes: str) -> list[Cell]:
    source = each.mapping.source_arn.rsplit(":", 1)[-1]
    texts = (each.mapping.uuid, each.mapping.function_name, source, each.mapping.state, becomes)
    return [Cell(text=safe(text)) for text in texts]


def _end_dry_run(call: Invocation, switching: Switching) -> int:
    if call.output.is_text:
        call.notices.note("dry run: nothing was changed")
    else:
        call.output.document(_document(switching, "planned", switching.switches, None))
    return DONE


def _end(call: Invocation, switching: Switching, switched: Switched) -> int:
    """Say what became of it, and return the exit status."""
    if not call.output.is_text:
        call.output.document(_document(switching, switched.outcome.value, switched.switches, switched.run_id))
    else:
        for line in _lines(switching, switched):
            call.output.line(line)
        if switched.outcome is Outcome.UNCONFIRMED:
            call.notices.note("\nhint: the same command again goes on waiting; what is done is not done again")
    return _STATUSES.get(switched.outcome, DONE)


def _lines(switching: Switching, switched: Switched) -> Iterator[str]:
    if switched.outcome is Outcome.NOTHING_TO_DO:
        names = ", ".join(f'"{each.name}"' for each in switching.sources)
        yield f"nothing to do: the mappings of {names} are {switching.target} already"
    for each in switched.switches:
        if each.changes:
            state = f"{each.mapping.state} -> {each.state_after or NOTHING}"
            error = f"  {each.error.code}: {each.error.message}" if each.error else ""
            yield safe(f"{each.mapping.function_name}  {state}  {each.mapping.uuid}{error}")
    if switched.run_id:
        yield f"  run       {switched.run_id}, {switched.outcome.value}"


def _document(switching: Switching, status: str, switches: Sequence[Switch], run_id: str | None) -> dict[str, Any]:
    """Return the JSON document of type `consumer`."""
    return {
        "version": 1,
        "type": "consumer",
        "run_id": run_id,
        "action": "resume" if switching.target == "Enabled" else "pause",
        "queue": switching.plan.queue.name,
        "sources": [each.name for each in switching.sources],
        "status": status,
        "mappings": [_mapping_document(each) for each in switches],
        "notes": list(switching.notes),
    }


def _mapping_document(each: Switch) -> dict[str, Any]:
    return {
        "uuid": each.mapping.uuid,
        "function": each.mapping.function_name,
        "function_arn": each.mapping.function_arn,
        "source_queue": each.mapping.source_arn,
        "state_before": each.mapping.state,
        "state_after": each.state_after or each.mapping.state,
        "changes": each.changes,
        "paused_here": each.paused_here,
        "error": each.error.code if each.error else None,
    }
