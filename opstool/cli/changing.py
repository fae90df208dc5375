"""The options of every verb that changes something, and the order in which each of them goes about it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

import typer

from opstool.cli import account
from opstool.cli.account import Changes
from opstool.cli.confirm import Consent
from opstool.cli.globals import OptionGroup
from opstool.cli.invocation import Invocation
from opstool.cli.signals import check_not_stopped

PANEL = "Plan and consent"


class Uncertainty(StrEnum):
    """What to do with messages whose last send got no answer."""

    RESEND = "resend"
    LEAVE = "leave"


@dataclass(frozen=True, kw_only=True)
class ChangeOptions(OptionGroup):
    """The options of a run."""

    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the plan and change nothing.", rich_help_panel=PANEL)
    ] = False
    note: Annotated[
        str | None,
        typer.Option("--note", metavar="TEXT", help="Why, for the audit trail.", rich_help_panel=PANEL),
    ] = None


Yes = Annotated[bool, typer.Option("--yes", "-y", help="Go on without asking.", rich_help_panel=PANEL)]
Uncertain = Annotated[
    Uncertainty,
    typer.Option(
        "--uncertain",
        metavar="resend|leave",
        help="Messages whose last send got no answer: send again, or leave in the queue.",
        rich_help_panel=PANEL,
    ),
]
Rate = Annotated[
    float | None,
    typer.Option("--rate", metavar="N", help="At most so many messages a second.", rich_help_panel=PANEL),
]
NotADlq = Annotated[
    bool,
    typer.Option("--not-a-dlq", help="Take a queue that is nobody's dead-letter queue.", rich_help_panel=PANEL),
]


def carry_out(
    call: Invocation,
    prepare: Callable[[], AbstractContextManager[Changes]],
    options: ChangeOptions,
    consent: Consent | None,
    *,
    resumed: bool = False,
) -> int:
    """Do what a verb does, in the one order that is safe, and return its exit status.

    Can anybody consent? Plan. Show the plan. Nothing to do, or a dry run, ends here. Ask. Execute. Report.
    A run that is `resumed` is always carried out: what it has sent may still have to be deleted.
    """
    if consent and not options.dry_run:
        consent.check_possible()
    with call.working() as kit:
        prepared = prepare()
    with prepared as changes:
        check_not_stopped(kit)
        account.show_plan(call, changes.plan)
        if options.dry_run:
            return account.end_dry_run(call, changes)
        if changes.plan.count == 0 and not resumed:
            return account.show_report(call, account.nothing_to_do(call, changes), said=changes.plan.notes)
        if consent:
            consent.ask(changes.plan)
        with call.working():
            report = changes.execute(note=options.note)
    return account.show_report(call, report, said=changes.plan.notes)
