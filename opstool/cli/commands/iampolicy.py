"""The command that writes an IAM policy: what whoever runs the other commands has to be allowed."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from opstool.cli.errors import DONE
from opstool.cli.invocation import Invocation
from opstool.cli.options import command
from opstool.cli.screen import safe
from opstool.cli.selection import DeadLetterQueueName
from opstool.verbs import iampolicy
from opstool.words.errors import UsageError
from opstool.words.iam.permissions import Purpose
from opstool.words.s3address import parse

PURPOSES = "|".join(Purpose)


@command(
    "iam-policy",
    examples=(
        "opstool iam-policy orders-dlq --for inspect",
        "opstool iam-policy orders-dlq --for redrive --for import > operators.json",
        "opstool iam-policy arn:aws:sqs:eu-west-1:123456789012:orders-dlq --for redrive --no-lookup",
    ),
)
def iam_policy(
    call: Invocation,
    *,
    purposes: Annotated[
        list[Purpose] | None,
        typer.Option(
            "--for", metavar=PURPOSES, help="What the policy is to allow; again for more. All but inspect look too."
        ),
    ] = None,
    queue: DeadLetterQueueName = None,
    to: Annotated[
        str | None,
        typer.Option("--to", metavar="QUEUE", help="The queue that `redrive --to` or `import --to` sends to."),
    ] = None,
    archive: Annotated[
        str | None,
        typer.Option("--archive", metavar="S3", help="Where archives lie: s3://bucket/folder/, or one object."),
    ] = None,
    no_lookup: Annotated[
        bool, typer.Option("--no-lookup", help="Ask AWS nothing: patterns for all but the queue, named by its ARN.")
    ] = False,
) -> int:
    """Print the least IAM policy that the commands need, as a bare JSON document on stdout."""
    if not purposes:
        raise UsageError("`--for` has to say what the policy is to allow", hint=f"--for {PURPOSES}")
    written = iampolicy.iam_policy(
        call.kit, queue, purposes=purposes, to=to, look_up=not no_lookup, archive=parse(archive) if archive else None
    )
    for note in written.notes:
        call.notices.note(safe(note))
    if call.output.is_text:
        for line in json.dumps(written.document, indent=2).splitlines():
            call.output.line(line)
    else:
        call.output.document(written.document)
    return DONE
