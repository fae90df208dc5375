"""The command that shows one message: in full for a person, as one document for a program."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import typer

from opstool.cli import detail
from opstool.cli.errors import DONE, PARTIAL
from opstool.cli.invocation import Invocation
from opstool.cli.lists import listed_documents
from opstool.cli.logoptions import LogOptions
from opstool.cli.options import command
from opstool.cli.reports import look_report
from opstool.cli.screen import safe
from opstool.cli.seen import say_where
from opstool.cli.selection import DeadLetterQueueName
from opstool.verbs import show
from opstool.verbs.show import Shown
from opstool.words.document import iso
from opstool.words.lineage import Passage
from opstool.words.logevent import Attempt, LogEvent
from opstool.words.reason import ReasonState
from opstool.words.xray import console_url


@command("dlq show", examples=("opstool dlq show 1b2c3d4e-5f60-4718-8a9b-0c1d2e3f4a5b orders-dlq",))
def show_message(
    call: Invocation,
    message_id: Annotated[str, typer.Argument(metavar="ID", help="The message's id, as `list` prints it.")],
    logs: LogOptions,
    queue: DeadLetterQueueName = None,
) -> int:
    """Show one message in full, with why it died and what one might do with it."""
    call.log_reading = logs.reading()
    with call.working() as kit:
        shown = show.show(kit, message_id, queue)
    status = PARTIAL if shown.listing.partial else DONE
    if call.output.is_text:
        _say(call, shown)
    elif call.output.form == "json":
        call.output.document(_document(call, shown))
    else:
        [message] = listed_documents(shown.listing)
        name, partial = shown.listing.dlq.queue.name, shown.listing.partial
        report = look_report("show", requests=kit.sqs.requests, queue=name, looked=shown.listing, partial=partial)
        call.output.document(message)
        call.output.document({**report, "notes": list(shown.notes)})
    return status


def _say(call: Invocation, shown: Shown) -> None:
    """Show the message on stdout, and what one might do next on stderr."""
    say_where(call, shown.listing.dlq)
    for line in detail.message_lines(
        shown, call.now_ms, call.output.paint, width=call.output.columns, linked=_is_linked(call)
    ):
        call.output.line(line)
    said = shown.listing.reasons.notes if shown.reason_state is ReasonState.UNKNOWN else ()  # beside the reason
    for note in (each for each in shown.notes if each not in said):
        call.notices.note(safe(note))
    commands = [f"  {each}" for each in detail.next_commands(call.frame.program, shown)]
    for line in ("", "next:", *commands):
        call.notices.note(safe(line))


def _is_linked(call: Invocation) -> bool:
    """Tell whether AWS's console shows what is looked at; an endpoint of one's own may be a VPC's way to AWS."""
    return not call.options.local


def _document(call: Invocation, shown: Shown) -> dict[str, Any]:
    [message] = listed_documents(shown.listing)
    lineage = shown.lineage
    return {
        "version": 1,
        "type": "show",
        "queue": shown.listing.dlq.queue.name,
        "notes": list(shown.notes),
        "message": message,
        "origin_queue": lineage.origin_arn,
        "attempts": [_attempt(each) for each in shown.story.attempts],
        "log_lines": [_log_line(each) for each in shown.story.lines],
        "trace": next(_traces(call, shown), None),
        "lineage": [_passage(each) for each in lineage.passages] if lineage.known else None,
        "returned": lineage.returned if lineage.known else None,
        "next": list(detail.next_commands(call.frame.program, shown)),
    }


def _attempt(attempt: Attempt) -> dict[str, Any]:
    return {
        "at": iso(attempt.at_ms),
        "type": attempt.type,
        "message": attempt.message,
        "fingerprint": attempt.fingerprint,
        "receive_count": attempt.receive_count,
        "request_id": attempt.request_id,
        "log_group": attempt.log_group,
        "log_stream": attempt.log_stream,
        "traceback": attempt.traceback,
        "trace_id": attempt.trace_id,
        "permanent": attempt.permanent,
    }


def _log_line(event: LogEvent) -> dict[str, Any]:
    return {"at": iso(event.at_ms), "log_group": event.log_group, "log_stream": event.log_stream, "text": event.text}


def _traces(call: Invocation, shown: Shown) -> Iterator[dict[str, Any]]:
    arn = shown.listing.dlq.queue.arn
    for trace_id in shown.trace_ids:
        yield {"id": trace_id, "url": console_url(trace_id, arn=arn) if _is_linked(call) else None}


def _passage(passage: Passage) -> dict[str, Any]:
    return {
        "message_id": passage.message_id,
        "run_id": passage.run_id,
        "verb": passage.verb,
        "at": iso(passage.at_ms),
        "archive": passage.archive,
    }
