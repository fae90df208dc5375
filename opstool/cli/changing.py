"""The options of every verb that changes something, and the order in which each of them goes about it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Annotated, Self

import typer

from opstool.cli import account
from opstool.cli.account import Changes
from opstool.cli.confirm import Consent, ask_why, can_ask
from opstool.cli.globals import OptionGroup
from opstool.cli.invocation import Invocation
from opstool.cli.notices import Notices
from opstool.cli.signals import check_not_stopped
from opstool.words.errors import RefusedError
from opstool.words.note import checked_note

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
    require_note: Annotated[
        bool,
        typer.Option(
            "--require-note",
            help="Change nothing without --note; for a team: OPSTOOL_REQUIRE_NOTE=1.",
            rich_help_panel=PANEL,
        ),
    ] = False

    def with_reason(self, notices: Notices, *, asks: bool) -> Self:
        """Return the options with the note as the journal can hold it, asked for where one is required.

        Comes before anything that asks AWS. A person is asked only if `asks`: who has said yes wants no questions.
        Raises RefusedError when a note is required and there is none, UsageError when it is too long.
        """
        note = checked_note(self.note)
        if self.dry_run or not self.require_note or note is not None:
            return replace(self, note=note)
        if asks and can_ask():
            note = checked_note(ask_why(notices))
        if note is None:
            raise RefusedError(
                "a note that says why is required here, and there is none",
                code="note_required",
                hint="--note 'ticket 4711'; --dry-run needs none",
            )
        return replace(self, note=note)


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

    Can anybody consent? Why is it done? Plan. Show the plan. Nothing to do, or a dry run, ends here. Ask. Execute.
    Report.
    A run that is `resumed` is always carried out: what it has sent may still have to be deleted.
    """
    if consent and not options.dry_run:
        consent.check_possible()
    options = options.with_reason(call.notices, asks=consent is not None and not consent.is_given)
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
