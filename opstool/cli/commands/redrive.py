"""The command that sends what lies in a dead-letter queue back."""

from __future__ import annotations

from typing import Annotated

import typer

from opstool.cli.changing import ChangeOptions, NotADlq, Rate, Uncertain, Uncertainty, Yes, carry_out
from opstool.cli.confirm import Yes as YesConsent
from opstool.cli.invocation import Invocation
from opstool.cli.logoptions import LogOptions
from opstool.cli.options import command
from opstool.cli.selection import DeadLetterQueueName, Limit, SelectionOptions
from opstool.cli.tree import dlq
from opstool.verbs import redrive


@command(
    dlq,
    "redrive",
    examples=(
        "opstool dlq redrive orders-dlq --dry-run",
        "opstool dlq redrive orders-dlq --older-than 2h --limit 10",
        "opstool dlq redrive orders-dlq --reason TimeoutError --rate 20 --yes --note 'ticket 4711'",
    ),
)
def redrive_messages(  # noqa: PLR0913 - one parameter for each option of the command
    call: Invocation,
    *,
    selection: SelectionOptions,
    logs: LogOptions,
    change: ChangeOptions,
    queue: DeadLetterQueueName = None,
    to: Annotated[
        str | None, typer.Option("--to", metavar="QUEUE", help="Send to this queue instead of each one's own source.")
    ] = None,
    limit: Limit = None,
    rate: Rate = None,
    uncertain: Uncertain = Uncertainty.RESEND,
    yes: Yes = False,
    not_a_dlq: NotADlq = False,
) -> int:
    """Send messages back to their own source queue, each copy confirmed before the original is deleted."""
    call.log_reading = logs.reading()
    return carry_out(
        call,
        lambda: redrive.prepare(
            call.kit,
            queue,
            selection.at(call.now_ms),
            to=to,
            limit=limit,
            not_a_dlq=not_a_dlq,
            uncertain=uncertain.value,
            rate=rate,
        ),
        change,
        YesConsent(notices=call.notices, given=yes),
    )
