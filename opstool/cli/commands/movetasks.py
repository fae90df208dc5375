"""The command that comes back to the move tasks of SQS: lists them, follows the one under way, or cancels it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import typer

from opstool.cli import words
from opstool.cli.changing import PANEL, ChangeOptions, Yes
from opstool.cli.confirm import Yes as YesConsent
from opstool.cli.errors import DONE, FAILED, PARTIAL
from opstool.cli.globals import OptionGroup
from opstool.cli.invocation import Invocation
from opstool.cli.options import command
from opstool.cli.reports import look_report
from opstool.cli.screen import safe
from opstool.cli.selection import DeadLetterQueueName
from opstool.cli.signals import check_not_stopped
from opstool.cli.table import Cell, Column, table
from opstool.verbs import movetasks
from opstool.verbs.movetasks import MoveTasks
from opstool.words import movetask
from opstool.words.errors import InterruptedRunError, UsageError
from opstool.words.movetask import MoveTask
from opstool.words.times import iso

_COLUMNS = (
    Column(title="STARTED", whole=True),
    Column(title="STATUS", whole=True),
    Column(title="MOVED", whole=True, right=True),
    Column(title="OF", whole=True, right=True),
    Column(title="RATE", whole=True, right=True),
    Column(title="TO"),
)


@dataclass(frozen=True, kw_only=True)
class UnderWayOptions(OptionGroup):
    """What to do with the task that is under way; nothing in the environment cancels one."""

    from_environment: ClassVar[bool] = False

    follow: Annotated[
        bool, typer.Option("--follow", help="Follow the one under way to its end; Ctrl-C only stops looking.")
    ] = False
    cancel: Annotated[
        bool, typer.Option("--cancel", help="Cancel the one under way; what has moved stays.", rich_help_panel=PANEL)
    ] = False


@command(
    "dlq move-tasks",
    examples=(
        "opstool dlq move-tasks orders-dlq",
        "opstool dlq move-tasks orders-dlq --follow",
        "opstool dlq move-tasks orders-dlq --cancel --yes --note 'ticket 4711'",
    ),
)
def move_tasks(
    call: Invocation,
    *,
    under_way: UnderWayOptions,
    change: ChangeOptions,
    queue: DeadLetterQueueName = None,
    yes: Yes = False,
) -> int:
    """Show the last ten native move tasks of a dead-letter queue; follow or cancel the one that is under way."""
    cancel, follow = under_way.cancel, under_way.follow
    if cancel and follow:
        raise UsageError("`--cancel` and `--follow` exclude each other", hint="--cancel waits for its end too")
    consent = YesConsent(notices=call.notices, given=yes)
    if cancel and not change.dry_run:
        consent.check_possible()
    if cancel:
        change = change.with_reason(call.notices, asks=not yes)
    found = movetasks.list_move_tasks(call.kit, queue)
    if found.dlq.followed_from:
        name = found.dlq.followed_from.name
        call.notices.note(f'"{name}" is a source queue; its dead-letter queue is "{found.dlq.queue.name}"')
    if (cancel or follow) and found.active is None:
        call.notices.note(f'no move task of "{found.dlq.queue.name}" is under way')
        return _show(call, found, DONE)
    if cancel:
        return _cancel(call, found, change, consent)
    return _follow(call, found) if follow else _show(call, found, DONE)


def _cancel(call: Invocation, found: MoveTasks, change: ChangeOptions, consent: YesConsent) -> int:
    """Say what would be cancelled, ask, cancel, and say what has moved."""
    cancellation = movetasks.prepare_cancel(call.kit, found)
    assert cancellation  # noqa: S101 - there is one under way
    task = cancellation.task
    call.notices.note(f'would cancel {safe(cancellation.plan.target)} of "{found.dlq.queue.name}"')
    call.notices.note(f"  moved     {_progress(task)}, which does not come back")
    if change.dry_run:
        call.notices.note("dry run: nothing was changed")
        return _show(call, found, DONE)
    consent.ask(cancellation.plan)
    check_not_stopped(call.kit)
    with call.working():
        ended = cancellation.execute(note=change.note)
    call.notices.note(f"{safe(ended.status.lower())}: {_progress(ended)} moved, and do not come back")
    return _show(call, _now(found, ended), PARTIAL if ended.is_active else DONE)


def _follow(call: Invocation, found: MoveTasks) -> int:
    """Follow to the end; Ctrl-C, which is not for the task, ends only the looking."""
    try:
        task = movetasks.follow(call.kit, found)
    except KeyboardInterrupt:
        task = None
    if task is None or task.is_active:
        raise InterruptedRunError(
            f'interrupted; the move task of "{found.dlq.queue.name}" goes on',
            hint=f"opstool dlq move-tasks {found.dlq.queue.name} --cancel ends it",
        )
    return _show(call, _now(found, task), _status_of(task))


def _status_of(task: MoveTask) -> int:
    """Return the exit status of a task that was followed to its end."""
    if task.status == movetask.FAILED:
        return PARTIAL if task.moved else FAILED
    return DONE if task.status == movetask.COMPLETED else PARTIAL


def _now(found: MoveTasks, ended: MoveTask) -> MoveTasks:
    """Return the tasks with the one that was under way as it stands now."""
    return MoveTasks(dlq=found.dlq, tasks=tuple(ended if each.is_active else each for each in found.tasks))


def _progress(task: MoveTask) -> str:
    of = "" if task.to_move is None else f" of {task.to_move:,}"
    return f"{words.count(task.moved, 'message', exact=False)}{of}"


def _show(call: Invocation, found: MoveTasks, status: int) -> int:
    """Write the tasks to stdout and return the exit status."""
    queue = found.dlq.queue.name
    if not call.output.is_text:
        whole = {"version": 1, "type": "move_tasks", "queue": queue}
        report = look_report("move-tasks", requests=call.kit.sqs.requests, queue=queue, partial=status == PARTIAL)
        call.output.listing(whole, "tasks", _documents(found), report)
        return status
    if not found.tasks:
        call.notices.note(f'SQS remembers no move task of "{queue}"')
        return status
    rows = [_row(each) for each in found.tasks]
    for line in table(_COLUMNS, rows, width=call.output.columns, paint=call.output.paint):
        call.output.line(line)
    for line in _failures(found.tasks):
        call.output.line(line)
    if found.active:
        call.notices.note(f"\nhint: {call.frame.program} dlq move-tasks {queue} --follow, or --cancel")
    return status


def _documents(found: MoveTasks) -> list[dict[str, Any]]:
    return [{**each.document(), "source": each.source_arn or found.dlq.queue.arn} for each in found.tasks]


def _row(task: MoveTask) -> list[Cell]:
    texts = (
        "-" if task.started_at_ms is None else f"{iso(task.started_at_ms)[:19]}Z",
        task.status,
        f"~{task.moved:,}",
        "-" if task.to_move is None else f"{task.to_move:,}",
        "-" if task.rate is None else f"{task.rate}/s",
        (task.destination_arn or "each one's own source").rsplit(":", 1)[-1],
    )
    return [Cell(text=safe(text)) for text in texts]


def _failures(tasks: Sequence[MoveTask]) -> Iterator[str]:
    """Yield why tasks failed, each reason once."""
    seen = {each.failure_reason: each.failure for each in tasks if each.failure}
    for reason, failure in seen.items():
        yield f"  {safe(reason or 'FAILED')}: {safe(failure.message)}"
