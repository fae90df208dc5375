"""The command that examines the configuration around a dead-letter queue: doctor."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from opstool.cli.errors import DONE, PARTIAL
from opstool.cli.findings import lines_of, summary
from opstool.cli.fixing import Paste, script
from opstool.cli.invocation import Invocation
from opstool.cli.options import command
from opstool.cli.screen import safe
from opstool.cli.selection import DeadLetterQueueName
from opstool.verbs import doctor
from opstool.verbs.doctor import Diagnosis
from opstool.words.check import Check


@command(
    "doctor",
    examples=("opstool doctor orders-dlq", "opstool doctor orders-dlq --expiry", "opstool doctor orders-dlq --fix"),
)
def examine(
    call: Invocation,
    queue: DeadLetterQueueName = None,
    *,
    expiry: Annotated[
        bool, typer.Option("--expiry", help="Look at messages for the soonest expiry; adds 1 to their receive counts.")
    ] = False,
    fix: Annotated[
        bool, typer.Option("--fix", help="Print a script that mends what failed; nothing is changed.")
    ] = False,
) -> int:
    """Check the settings that make incidents of dead-letter queues, and say how to mend them (status 3: one failed)."""
    with call.working() as kit:
        call.progress.begin("examining")
        diagnosis = doctor.diagnose(kit, queue, expiry=expiry)
    paste = _paste(call, diagnosis)
    if not call.output.is_text:
        lines = [check_document(each, paste) for each in diagnosis.checks]
        whole = doctor_document(diagnosis)
        call.output.listing(whole, "checks", lines, whole)
    else:
        _show(call, diagnosis, paste, fix=fix)
    return PARTIAL if diagnosis.failed else DONE


def _show(call: Invocation, diagnosis: Diagnosis, paste: Paste, *, fix: bool) -> None:
    if diagnosis.followed_from:
        call.notices.note(f'"{diagnosis.followed_from.name}" is a source queue; examined "{diagnosis.queue.name}"')
    for note in diagnosis.notes:
        call.notices.note(safe(note))
    if fix:
        for line in script(diagnosis.failed, paste):
            call.output.line(line)
        call.notices.note(summary(diagnosis))
        call.notices.note("nothing was changed: read the script, then run it")
        return
    passes = bool(call.options.verbose)
    for line in lines_of(diagnosis, paste, width=call.output.columns, paint=call.output.paint, passes=passes):
        call.output.line(line)
    if diagnosis.failed:
        call.notices.note(f"\nhint: {call.frame.program} doctor {diagnosis.queue.name} --fix prints a script of these")


def _paste(call: Invocation, diagnosis: Diagnosis) -> Paste:
    return Paste(call.options, diagnosis.queue, program=call.frame.program, endpoint_url=_local_endpoint(call))


def _local_endpoint(call: Invocation) -> str | None:
    """Return the address of the embedded AWS when it is meant: its options do not hold it, and the AWS CLI needs it."""
    if not call.options.local:
        return None
    from opstool.local.state import status  # noqa: PLC0415 - only with --local

    running = status(call.state_dir)
    return running.endpoint_url if running else None


def doctor_document(diagnosis: Diagnosis) -> dict[str, Any]:
    """Return the document of a diagnosis but for its checks."""
    return {
        "version": 1,
        "type": "doctor",
        "queue": diagnosis.queue.name,
        "arn": diagnosis.queue.arn,
        "sources": [each.name for each in diagnosis.sources],
        "followed_from": diagnosis.followed_from.name if diagnosis.followed_from else None,
        "counts": dict(diagnosis.counts),
        "notes": list(diagnosis.notes),
    }


def check_document(check: Check, paste: Paste) -> dict[str, Any]:
    """Return the document of one check, its fix as commands to paste and lines for the template."""
    fix = {"commands": paste.lines(check), "template": list(check.fix.template)} if check.fix else None
    return {**check.document(), "fix": fix}
