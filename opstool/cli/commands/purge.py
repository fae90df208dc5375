"""The command that archives and deletes what lies in a dead-letter queue."""

from __future__ import annotations

from typing import Annotated

import typer

from opstool.cli.changing import PANEL, ChangeOptions, NotADlq, Rate, Uncertain, Uncertainty, carry_out
from opstool.cli.confirm import QueueName
from opstool.cli.invocation import Invocation
from opstool.cli.logoptions import LogOptions
from opstool.cli.options import command
from opstool.cli.selection import DeadLetterQueueName, Limit, SelectionOptions
from opstool.engine.dlq import locate_to_change
from opstool.verbs import purge
from opstool.words.errors import UsageError
from opstool.words.s3address import place_of


@command(
    "dlq purge",
    examples=(
        "opstool dlq purge orders-dlq --older-than 7d",
        "opstool dlq purge orders-dlq --confirm orders-dlq --archive before-purge.jsonl.gz",
        "opstool dlq purge orders-dlq --archive s3://incidents/orders/",
    ),
)
def purge_messages(  # noqa: PLR0913 - one parameter for each option of the command
    call: Invocation,
    *,
    selection: SelectionOptions,
    logs: LogOptions,
    change: ChangeOptions,
    queue: DeadLetterQueueName = None,
    archive: Annotated[
        str | None,
        typer.Option(
            "--archive",
            metavar="FILE",
            help="Archive here or in s3://bucket/key (default: a file in the state directory).",
        ),
    ] = None,
    no_archive: Annotated[bool, typer.Option("--no-archive", help="Keep no copy at all.")] = False,
    limit: Limit = None,
    rate: Rate = None,
    uncertain: Uncertain = Uncertainty.RESEND,
    confirm: Annotated[
        str | None,
        typer.Option(
            "--confirm", metavar="NAME", help="The queue's name, instead of typing it.", rich_help_panel=PANEL
        ),
    ] = None,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Not enough to purge: see --confirm.", rich_help_panel=PANEL)
    ] = False,
    not_a_dlq: NotADlq = False,
) -> int:
    """Archive messages, then delete them; the report prints the command that brings them back."""
    del yes  # taken, so that a script may give it to every verb; deleting wants the queue's name
    if archive and no_archive:
        raise UsageError("`--archive` and `--no-archive` exclude each other")
    place = place_of(archive) if archive else None
    call.log_reading = logs.reading()
    consent = QueueName(notices=call.notices, given=confirm)
    change = change.with_reason(call.notices, asks=confirm is None)
    if confirm is not None and not change.dry_run:
        consent.check_name(locate_to_change(call.kit, queue, not_a_dlq=not_a_dlq).queue.name)
    return carry_out(
        call,
        lambda: purge.prepare(
            call.kit,
            queue,
            selection.at(call.now_ms),
            archive=place,
            no_archive=no_archive,
            limit=limit,
            not_a_dlq=not_a_dlq,
            uncertain=uncertain.value,
            rate=rate,
        ),
        change,
        consent,
    )
