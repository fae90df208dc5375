"""Where a message came from when no SQS queue sent it here, and where its payload lies: what stands on the screen."""

from __future__ import annotations

from collections.abc import Iterator

from opstool.cli import words
from opstool.cli.screen import safe
from opstool.words.message import Message
from opstool.words.provenance import Kind, Provenance, provenance_of
from opstool.words.s3pointer import S3Pointer

_NAMES = {
    Kind.LAMBDA_ASYNC: "lambda async",
    Kind.LAMBDA_DESTINATION: "lambda destination",
    Kind.SNS: "sns",
    Kind.EVENTBRIDGE: "eventbridge",
    Kind.SCHEDULER: "scheduler",
    Kind.PIPES: "pipes",
}
_DID = {
    Kind.LAMBDA_ASYNC: "a function's asynchronous invocation failed, and Lambda put its event here",
    Kind.LAMBDA_DESTINATION: "Lambda put its record of an invocation here",
    Kind.SNS: "SNS put a topic's notification here",
    Kind.EVENTBRIDGE: "EventBridge could not deliver a rule's event, and put it here",
    Kind.SCHEDULER: "EventBridge Scheduler could not deliver a schedule's event, and put it here",
    Kind.PIPES: "EventBridge Pipes gave up on a batch of a stream, and put its record here",
}
_ARN_OF = {
    Kind.LAMBDA_DESTINATION: "function",
    Kind.SNS: "topic",
    Kind.EVENTBRIDGE: "rule",
    Kind.SCHEDULER: "schedule",
    Kind.PIPES: "pipe",
}


def origin_name(message: Message) -> str | None:
    """Return the service that put a message here, in the words of a list; None when it died in SQS or does not say."""
    provenance = provenance_of(message)
    return None if provenance is None else _NAMES[provenance.kind]


def origin_lines(provenance: Provenance) -> Iterator[str]:
    """Yield what a message tells of the service that put it here; all of it but our own words is made safe."""
    yield f"origin: {_NAMES[provenance.kind]}: {_DID[provenance.kind]}"
    yield "  it did not die in an SQS queue, so `redrive` takes it only with --to"
    retries = provenance.retry_attempts
    for name, value in (
        (_ARN_OF.get(provenance.kind, ""), provenance.arn),
        ("target", provenance.target),
        ("error code", provenance.error_code),
        ("error message", provenance.error_message),
        ("request", provenance.request_id),
        ("condition", provenance.condition),
        ("tried again", None if retries is None else words.count(retries, "time")),
    ):
        if value:
            yield f"  {name} {safe(value)}"


def pointer_text(pointer: S3Pointer) -> str:
    """Return where a payload lies, its size first since an address may be long; not safe yet."""
    size = "size unknown" if pointer.size_bytes is None else words.size(pointer.size_bytes)
    return f"s3 pointer, {size}: {pointer.url}"
