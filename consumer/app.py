"""Receive batches of messages from SQS, have each processed, and return those that failed so that only they stay.

What the response means to Lambda decides what is deleted, so each case is settled on the side of keeping:

- A message that failed is named in `batchItemFailures`. All the others are deleted, so no message may be passed over.
- Every message of the batch failing is no different. Raising then would move the function's Errors metric for what is
  the messages' fault, and it would not slow Lambda down: with partial responses Lambda does not scale back on errors.
- An event that is not an SQS batch, or has a record without an id, is refused before anything is processed: the record
  could not be named, so only an exception, which keeps the whole batch, keeps it.
- On a FIFO queue a group stops at its first failure, and the rest of the group is returned unattempted.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from types import AsyncGeneratorType, GeneratorType
from typing import Any

from aws_lambda_powertools.utilities.batch import (
    BatchProcessor,
    EventType,
    ExceptionInfo,
    FailureResponse,
    SqsFifoPartialProcessor,
)
from aws_lambda_powertools.utilities.batch.exceptions import SQSFifoMessageGroupCircuitBreakerError
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

import failures
import pacing
import processing
from log import logger
from pacing import Kind, Retry
from tally import Tally

Record = dict[str, Any]

_PACING = pacing.create()


class MalformedEvent(Exception):  # noqa: N818 - it names what arrived, as SQS's own errors do
    """Say that an event cannot be answered message by message."""


class _Exited(Exception):  # noqa: N818 - never leaves this file
    """Carry an error that Python does not count as an Exception through code that only catches those."""


@logger.inject_lambda_context(log_event=False, clear_state=True)
def lambda_handler(event: Any, context: LambdaContext) -> dict[str, Any]:
    """Process a batch and return the messages that stay in the queue.

    Raises MalformedEvent, which keeps every message, when the event cannot be answered.
    """
    records = _read(event)
    outcomes = _Outcomes(request_id=context.aws_request_id)
    processor = _processor_for(records, outcomes)
    with processor(records, _attempt):
        processor.process()
    outcomes.tally.processed = len(processor.success_messages)
    outcomes.tally.publish()
    if _PACING and outcomes.retries:
        _PACING.apply(
            outcomes.retries, queue_arn=_queue_arn(records), remaining_ms=context.get_remaining_time_in_millis
        )
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in outcomes.failed_ids]}


def _read(event: Any) -> list[Record]:
    """Return the records of an event as copies that can be relied on, or refuse the event."""
    records = event.get("Records") if isinstance(event, Mapping) else None
    if not isinstance(records, list):
        raise _refused("the event has no list of records")
    for record in records:
        if not isinstance(record, dict) or not isinstance(record.get("messageId"), str) or not record["messageId"]:
            raise _refused("a record has no message id")
    fifo = any(_is_fifo(record) for record in records)
    return [_copy(record, fifo=fifo) for record in records]


def _refused(why: str) -> MalformedEvent:
    logger.error("batch refused", event="batch_refused", why=why)
    return MalformedEvent(why)


def _copy(record: Record, *, fifo: bool) -> Record:
    """Return a copy with attributes in it; without a group, the records of a FIFO batch count as one group."""
    attributes = record.get("attributes")
    attributes = dict(attributes) if isinstance(attributes, dict) else {}
    if fifo:
        attributes["MessageGroupId"] = attributes.get("MessageGroupId") or "(none)"
    return {**record, "attributes": attributes}


def _is_fifo(record: Record) -> bool:
    return str(record.get("eventSourceARN") or "").endswith(".fifo")


def _queue_arn(records: list[Record]) -> str:
    return str(records[0].get("eventSourceARN") or "")


def _attempt(record: SQSRecord) -> None:
    """Process one message; every way of ending but a plain return is a failure of this message and of no other."""
    try:
        process: Callable[[SQSRecord], object] = processing.process
        # A copy, so that code which changes its message cannot change the id that names it in the response.
        result = process(SQSRecord(dict(record.raw_event)))
    except (Exception, KeyboardInterrupt):  # an interrupt is meant for the whole process
        raise
    except BaseException as error:
        raise _Exited from error
    if inspect.isawaitable(result) or isinstance(result, (GeneratorType, AsyncGeneratorType)):
        if inspect.iscoroutine(result):
            result.close()  # or Python warns of it later, far from here
        raise TypeError("process() did nothing yet: it must be a plain function, without async or yield")


def _kind(error: BaseException) -> Kind:
    """Return what the failure says about another attempt; an owner who left an error class out simply has none."""
    for name, kind in (("PermanentError", Kind.PERMANENT), ("TransientError", Kind.TRANSIENT)):
        error_class = getattr(processing, name, None)
        if isinstance(error_class, type) and isinstance(error, error_class):
            return kind
    return Kind.UNCLASSIFIED


class _Outcomes:
    """What a batch leaves behind: the ids to return, the counts, and what pacing has to know."""

    def __init__(self, *, request_id: str) -> None:
        self._request_id = request_id
        self._ids: dict[str, None] = {}  # ordered, and each id once: a batch may hold a message twice
        self._halted_by: dict[str, str] = {}
        self.tally = Tally()
        self.retries: list[Retry] = []

    @property
    def failed_ids(self) -> list[str]:
        """The messages that stay in the queue, in the order of the batch."""
        return list(self._ids)

    def failed(self, record: Record, error: BaseException) -> failures.Failure:
        """Log a failed attempt, count it, and note the message as staying."""
        kind = _kind(error)
        self.tally.failed(error)
        self._halted_by.setdefault(_group_id(record) or "", record["messageId"])
        return self._keep(record, error, kind)

    def skipped(self, record: Record) -> failures.Failure:
        """Log that a message was passed over: it counts as received, and may be dead-lettered for it."""
        self.tally.skipped += 1
        cause = self._halted_by.get(_group_id(record) or "", "")
        return self._keep(record, failures.PredecessorFailed(cause), Kind.SKIPPED)

    def _keep(self, record: Record, error: BaseException, kind: Kind) -> failures.Failure:
        self._ids[record["messageId"]] = None
        failure = failures.describe(record, error, request_id=self._request_id, permanent=kind is Kind.PERMANENT)
        logger.error("record failed", **failure.line())
        self.retries.append(
            Retry(
                receipt_handle=str(record.get("receiptHandle") or ""),
                receive_count=failure.receive_count,
                kind=kind,
                group_id=_group_id(record),
            )
        )
        return failure


def _group_id(record: Record) -> str | None:
    group_id = record["attributes"].get("MessageGroupId")
    return str(group_id) if group_id else None


class _Recording(BatchProcessor):
    """Hand each failure to the outcomes, and to Powertools only its masked text.

    Powertools formats what it is given: that would bring the body into its own messages, and an error that cannot be
    formatted would take the batch with it.
    """

    outcomes: _Outcomes

    def failure_handler(self, record: SQSRecord, exception: ExceptionInfo) -> FailureResponse:
        """Record a failed or skipped message."""
        error = exception[1] if exception[1] is not None else Exception()
        if isinstance(error, _Exited) and error.__cause__ is not None:
            error = error.__cause__
        if isinstance(error, SQSFifoMessageGroupCircuitBreakerError):
            failure = self.outcomes.skipped(record.raw_event)
        else:
            failure = self.outcomes.failed(record.raw_event, error)
        return super().failure_handler(record, (Exception, Exception(failure.error), None))


class _StandardProcessor(_Recording):
    """Attempt every message of a standard queue's batch."""


class _FifoProcessor(_Recording, SqsFifoPartialProcessor):
    """Attempt the messages of a FIFO queue's batch until their group has failed."""


def _processor_for(records: list[Record], outcomes: _Outcomes) -> _Recording:
    processor: _Recording
    if any(_is_fifo(record) for record in records):
        # One group's failure is no reason to use up an attempt of the others.
        processor = _FifoProcessor(skip_group_on_error=True)
    else:
        processor = _StandardProcessor(event_type=EventType.SQS)
    processor.raise_on_entire_batch_failure = False
    processor.outcomes = outcomes
    return processor
