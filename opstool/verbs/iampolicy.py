"""Write the least IAM policy that the commands need on one dead-letter queue and what is around it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from opstool.doors.stack import DLQ_OUTPUT
from opstool.doors.toolkit import Toolkit
from opstool.engine.access.resources import Surroundings, look_around, unread
from opstool.engine.dlq import locate
from opstool.words.errors import AccessError, UsageError
from opstool.words.iam.archivepolicy import archive_statements
from opstool.words.iam.iampolicy import MOST_CHARACTERS, length, policy_document
from opstool.words.iam.permissions import Kind, Purpose
from opstool.words.queue import Queue
from opstool.words.s3address import S3Address

# A name as CreateQueue takes it: a pattern in its place would be a grant on every queue.
_ARN = re.compile(r"arn:[a-z-]+:sqs:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]{1,80}(\.fifo)?")


@dataclass(frozen=True, kw_only=True)
class Policy:
    """A policy document as IAM takes it, and what a person should know of it."""

    document: Mapping[str, Any]
    notes: tuple[str, ...] = ()


def iam_policy(
    kit: Toolkit,
    name: str | None = None,
    *,
    purposes: Sequence[Purpose],
    to: str | None = None,
    look_up: bool = True,
    archive: S3Address | None = None,
) -> Policy:
    """Return the least policy for a dead-letter queue (the stack's when none is named).

    A pattern stands for what may not be read, and for everything but the queue without `look_up`; then, and where AWS
    does not let the queue itself be read, it has to be named by its ARN. `to` is where a redrive or an import sends,
    `archive` where archives lie in S3.
    Raises UsageError, NotFoundError, AccessError, and RefusedError when the queue has a redrive policy of its own.
    """
    found = _read(kit, name, to) if look_up else unread(kit, _literal(name), to=_literal(to) if to else None)
    document = policy_document(purposes, found.resources)
    if archive:
        document["Statement"] += archive_statements(archive, partition=found.resources.of(Kind.DLQ)[0].split(":")[1])
    notes = found.notes
    if length(document) > MOST_CHARACTERS:
        notes += (f"it has {length(document):,} characters, and a managed policy may have {MOST_CHARACTERS:,}",)
    return Policy(document=document, notes=notes)


def _read(kit: Toolkit, name: str | None, to: str | None) -> Surroundings:
    name = name or kit.stack.output(DLQ_OUTPUT)
    target, _ = _resolve(kit, to) if to else (None, None)
    queue, why_not = _resolve(kit, name)
    if why_not:
        return unread(kit, queue, to=target, why=why_not)
    try:
        dlq = locate(kit, queue.arn)
    except AccessError:
        return look_around(kit, queue, to=target)
    return look_around(kit, dlq.queue, [each.queue for each in dlq.sources], to=target)


def _resolve(kit: Toolkit, name: str) -> tuple[Queue, str | None]:
    """Return the queue of this name; of one that is named by its ARN and may not be read, without URL, also why."""
    try:
        return kit.sqs.resolve(name), None
    except AccessError as error:
        if not name.startswith("arn:"):
            error.hint = "name the queue by its ARN; nothing of it has to be read then"
            raise
        return _literal(name), error.message


def _literal(arn: str | None) -> Queue:
    """Return the queue that an ARN names, without asking whether it exists."""
    if not _ARN.fullmatch(arn or ""):
        raise UsageError(
            "without looking anything up, a queue has to be named by its ARN",
            code="invalid_queue",
            hint="opstool iam-policy arn:aws:sqs:REGION:ACCOUNT:NAME --for inspect --no-lookup",
        )
    return Queue(url="", arn=str(arn))
