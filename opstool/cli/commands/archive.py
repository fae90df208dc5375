"""The commands that copy messages into a file and bring them back: export and import."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from opstool.cli import account
from opstool.cli.changing import ChangeOptions, Rate, Uncertain, Uncertainty, Yes, carry_out
from opstool.cli.confirm import Yes as YesConsent
from opstool.cli.errors import DONE, report_status
from opstool.cli.invocation import Invocation
from opstool.cli.logoptions import LogOptions
from opstool.cli.options import command
from opstool.cli.selection import DeadLetterQueueName, Limit, SelectionOptions
from opstool.verbs import importing
from opstool.verbs.export import export
from opstool.words.document import dump
from opstool.words.errors import UsageError
from opstool.words.s3address import place_of


@command(
    "dlq export",
    examples=(
        "opstool dlq export orders-dlq --to-file orders.jsonl.gz",
        "opstool dlq export orders-dlq --source orders | jq .body",
        "opstool dlq export orders-dlq --to-file s3://incidents/orders/",
    ),
)
def export_messages(
    call: Invocation,
    *,
    selection: SelectionOptions,
    logs: LogOptions,
    queue: DeadLetterQueueName = None,
    to_file: Annotated[
        str | None,
        typer.Option(
            "--to-file", metavar="FILE", help="Write here or to s3://bucket/key, compressed as .gz (default: stdout)."
        ),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what is there, once it is whole.")] = False,
    limit: Limit = None,
) -> int:
    """Copy messages into a file, S3 or to stdout as JSON Lines, and leave them where they are."""
    to = None if to_file is None else place_of(to_file)
    call.log_reading = logs.reading()
    if to is not None:
        with call.working() as kit:
            report = export(kit, queue, selection.at(call.now_ms), to=to, overwrite=overwrite, limit=limit)
        return account.show_report(call, report)
    if call.output.is_terminal:
        call.notices.quiet = True  # a bar between the lines of the data would help nobody
    with call.working() as kit:
        call.notices.clear()
        report = export(kit, queue, selection.at(call.now_ms), to=sys.stdout.buffer, limit=limit)
    status = report_status(report, interrupted=kit.stop.is_set())
    if not call.output.is_text:
        call.notices.line(dump(report.document()))
    elif status != DONE or not call.options.quiet:
        account.show_notes(call, report)
        for line in account.report_lines(report):
            call.notices.line(line)
    return status


@command(
    "dlq import",
    examples=(
        "opstool dlq import orders.jsonl.gz",
        "opstool dlq import orders.jsonl.gz --to-source --dry-run",
        "grep customer-17 orders.jsonl | opstool dlq import - --to orders --yes",
    ),
)
def import_messages(  # noqa: PLR0913 - one parameter for each option of the command
    call: Invocation,
    *,
    file: Annotated[str, typer.Argument(metavar="FILE", help="The archive: a file, s3://bucket/key, or - for stdin.")],
    change: ChangeOptions,
    to: Annotated[
        str | None, typer.Option("--to", metavar="QUEUE", help="Send to this queue, not where they were archived.")
    ] = None,
    to_source: Annotated[
        bool, typer.Option("--to-source", help="Send each message to the queue that it died in.")
    ] = False,
    again: Annotated[bool, typer.Option("--again", help="Send also what was imported from it before.")] = False,
    rate: Rate = None,
    uncertain: Uncertain = Uncertainty.RESEND,
    yes: Yes = False,
) -> int:
    """Send an archive's messages into the queue they were archived from, each of them once."""
    if to and to_source:
        raise UsageError("`--to` and `--to-source` exclude each other")
    source = sys.stdin.buffer if file == "-" else place_of(file)
    return carry_out(
        call,
        lambda: importing.prepare(
            call.kit,
            source,
            to=to,
            to_source=to_source,
            again=again,
            uncertain=uncertain.value,
            rate=rate,
        ),
        change,
        YesConsent(notices=call.notices, given=yes),
    )
