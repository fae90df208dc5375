"""The command that sends test messages to a source queue."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from typing import Annotated

import typer

from opstool.cli import account, words
from opstool.cli.changing import PANEL, ChangeOptions, Rate, Uncertain, Uncertainty
from opstool.cli.errors import DONE, PARTIAL, report_status
from opstool.cli.invocation import Invocation
from opstool.cli.options import command
from opstool.cli.screen import safe
from opstool.cli.selection import read_text
from opstool.cli.signals import check_not_stopped
from opstool.verbs import testbatch
from opstool.verbs.testbatch import DEFAULT_COUNT, Fate
from opstool.words.errors import UsageError
from opstool.words.message import Message

_MOST_MESSAGES = 100_000


@command(
    "send-test-batch",
    examples=(
        "opstool send-test-batch --poison 3 --wait",
        "opstool send-test-batch orders --file events/test-event.json",
        'opstool send-test-batch orders --body \'{"message": "hello"}\' --count 100 --rate 10',
    ),
)
def send_test_batch(  # noqa: PLR0913 - one parameter for each option of the command
    call: Invocation,
    *,
    change: ChangeOptions,
    queue: Annotated[
        str | None,
        typer.Argument(
            metavar="QUEUE", show_default=False, help="Name, URL or ARN of the source queue (default: the stack's)."
        ),
    ] = None,
    count: Annotated[
        int | None,
        typer.Option("--count", metavar="N", min=1, max=_MOST_MESSAGES, help=f"So many messages ({DEFAULT_COUNT})."),
    ] = None,
    poison: Annotated[
        int, typer.Option("--poison", metavar="N", min=0, show_default=False, help="So many that the consumer rejects.")
    ] = 0,
    body: Annotated[
        str | None, typer.Option("--body", metavar="TEXT", help="The body of the message; of each, with --count.")
    ] = None,
    file: Annotated[
        str | None,
        typer.Option("--file", metavar="FILE", help="Bodies as JSON Lines, or a Lambda event; - for stdin."),
    ] = None,
    attr: Annotated[
        list[str] | None, typer.Option("--attr", metavar="NAME=VALUE", help="Add this String attribute.")
    ] = None,
    group_id: Annotated[str | None, typer.Option("--group-id", metavar="ID", help="Put them into this group.")] = None,
    rate: Rate = None,
    uncertain: Uncertain = Uncertainty.RESEND,
    wait: Annotated[bool, typer.Option("--wait", help="Follow each until it is consumed or dead.")] = False,
    yes: Annotated[
        bool,
        typer.Option("--yes", "-y", help="Not needed: this is sent without asking.", rich_help_panel=PANEL),
    ] = False,
) -> int:
    """Send test messages to a source queue, some of them such that the consumer rejects them."""
    change = change.with_reason(call.notices, asks=not yes)  # nothing else is asked: --yes is there for scripts
    messages = _messages(count=count, poison=poison, body=body, file=file)
    with call.working() as kit:
        batch = testbatch.prepare(
            kit,
            queue,
            messages=messages,
            attributes=_attributes(attr or ()),
            group_id=group_id,
            uncertain=uncertain.value,
            rate=rate,
        )
        check_not_stopped(kit)
        account.show_plan(call, batch.plan)
        if change.dry_run:
            return account.end_dry_run(call, batch)
        report = batch.execute(note=change.note)
        fate = batch.follow() if wait and not kit.stop.is_set() else None
    status = report_status(report, interrupted=kit.stop.is_set())
    if call.output.is_text:
        account.show_report(call, report)
        _show_fate(call, fate, queue)
    else:
        call.output.document({**report.document(), **({"fate": _fate_document(fate)} if fate else {})})
    return status or (PARTIAL if fate and fate.unknown else DONE)


def _messages(*, count: int | None, poison: int, body: str | None, file: str | None) -> Sequence[Message]:
    if file is not None and (body is not None or count is not None or poison):
        raise UsageError("`--file` goes with none of `--body`, `--count` and `--poison`")
    if body is not None and poison:
        raise UsageError("`--body` and `--poison` exclude each other")
    if file is not None:
        return _read(file)
    if body is not None:
        return testbatch.with_bodies([body] * (count or 1))
    return testbatch.made_up(DEFAULT_COUNT if count is None else count, poison=poison)


def _read(file: str) -> list[Message]:
    """Return the messages of a Lambda event, or of JSON Lines."""
    text = read_text(file)
    try:
        event = json.loads(text)
    except (ValueError, RecursionError):
        event = None
    if isinstance(event, dict) and isinstance(event.get("Records"), list):
        return testbatch.from_event(event)
    return testbatch.from_lines(text.split("\n"))


def _attributes(pairs: Sequence[str]) -> dict[str, str]:
    split = [each.partition("=") for each in pairs]
    if not all(name and value for name, _, value in split):
        raise UsageError("`--attr`: an attribute is given as NAME=VALUE")
    return {name: value for name, _, value in split}


def _show_fate(call: Invocation, fate: Fate | None, queue: str | None) -> None:
    if fate is None:
        return
    call.output.line(f"consumed  {words.count(len(fate.consumed), 'message')}")
    call.output.line(f"dead      {words.count(len(fate.dead), 'message')}")
    for each in fate.dead:
        call.output.line(f"  {safe(each)}")
    if fate.unknown:
        call.output.line(f"unknown   {words.count(len(fate.unknown), 'message')}, still on their way")
    if fate.dead:
        named = f" {safe(shlex.quote(queue))}" if queue else ""
        call.notices.note(f"\nhint: {call.frame.program} dlq list{named}")


def _fate_document(fate: Fate) -> dict[str, list[str]]:
    return {"consumed": list(fate.consumed), "dead": list(fate.dead), "unknown": list(fate.unknown)}
