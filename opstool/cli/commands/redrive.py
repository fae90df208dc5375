"""The command that sends what lies in a dead-letter queue back."""

from __future__ import annotations

from typing import Annotated

import typer

from opstool.cli.changing import ChangeOptions, NotADlq, Rate, Uncertain, Uncertainty, Yes, carry_out
from opstool.cli.confirm import TargetAccount
from opstool.cli.engineoptions import EngineOptions, given_words
from opstool.cli.invocation import Invocation
from opstool.cli.logoptions import LogOptions
from opstool.cli.mendoptions import MendOptions
from opstool.cli.options import command
from opstool.cli.placeoptions import PlaceOptions
from opstool.cli.selection import DeadLetterQueueName, Limit, SelectionOptions
from opstool.cli.watchoptions import PoisonOptions, WatchOptions
from opstool.verbs import native, redrive


@command(
    "dlq redrive",
    examples=(
        "opstool dlq redrive orders-dlq --dry-run",
        "opstool dlq redrive orders-dlq --canary 10 --wait",
        "opstool dlq redrive orders-dlq --older-than 2h --limit 10",
        "opstool dlq redrive orders-dlq --set body.customer.country=DE --dry-run",
        "opstool dlq redrive orders-dlq --reason TimeoutError --rate 20 --yes --note 'ticket 4711'",
    ),
)
def redrive_messages(  # noqa: PLR0913 - one parameter for each option of the command
    call: Invocation,
    *,
    selection: SelectionOptions,
    logs: LogOptions,
    watch: WatchOptions,
    poison: PoisonOptions,
    mend: MendOptions,
    engine: EngineOptions,
    place: PlaceOptions,
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
    left = uncertain.value if uncertain is Uncertainty.LEAVE else None
    beside = given_words(selection, watch, poison, mend, place, limit=limit, uncertain=left, not_a_dlq=not_a_dlq)
    engine.check(queue, rate, beside, to=to)
    elsewhere = place.elsewhere(to)
    consent = TargetAccount(notices=call.notices, given=yes, account=place.confirm)
    if engine.is_native:
        whole_rate = None if rate is None else int(rate)
        return carry_out(
            call,
            lambda: native.prepare(call.kit, queue, to=to, rate=whole_rate, detach=engine.detach),
            change,
            consent,
        )
    return carry_out(
        call,
        lambda: redrive.prepare(
            call.kit,
            queue,
            selection.at(call.now_ms),
            to=to,
            elsewhere=elsewhere,
            check_target=(lambda _dlq, _target: None) if change.dry_run else consent.check_target,
            limit=limit,
            not_a_dlq=not_a_dlq,
            uncertain=uncertain.value,
            rate=rate,
            watching=watch.watching(),
            poison=poison.rule(),
            mending=mend.mending(),
        ),
        change,
        consent,
    )
