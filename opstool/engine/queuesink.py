"""The sink that is another queue: an exact copy of each message, confirmed by name and by MD5."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence

from opstool.doors.sqs import Sqs, split
from opstool.doors.wire import EntryFailure, Outgoing, Sent
from opstool.engine.sinks import Confirmed, HeldBack, Put, Rejected, StillOurs, all_ours
from opstool.words.awserrors import BATCH_TOO_LONG, INVALID_REQUEST
from opstool.words.errors import NotFoundError, OpstoolError, ServiceError
from opstool.words.message import Message, md5_of_attributes, md5_of_body, md5_of_trace_header
from opstool.words.queue import Queue

DEDUPLICATION_WINDOW_S = 300
"""For so long a FIFO queue accepts a known deduplication id and delivers nothing: SQS developer guide."""
_SLOWEST_SEND_S = 30
"""A repeat counts as within the window only when it gets there within it, even if it takes so long."""
_ABOUT_THE_MESSAGES = {BATCH_TOO_LONG, INVALID_REQUEST}
"""Refusals of a whole batch that a smaller one may not meet: too long by the server's count, or one bad entry."""


class QueueSink:
    """Send each message to the queue that `route` names, as an exact copy, checked by the MD5s that SQS answers."""

    def __init__(self, sqs: Sqs, route: Callable[[Message], Queue | Rejected], *, run_id: str) -> None:
        self._sqs = sqs
        self._route = route
        self._run_id = run_id

    def repeat_is_safe_for_s(self, message: Message) -> float:
        """Return the deduplication window of a FIFO target; a standard queue takes every repeat for a new message."""
        target = self._route(message)
        return float(DEDUPLICATION_WINDOW_S - _SLOWEST_SEND_S) if _is_fifo(target) else 0.0

    def suffices(self, message_id: str, target: str) -> bool:  # noqa: ARG002 - a sink's interface
        """Tell whether that was a queue: a copy in an archive, or in nothing, was not sent."""
        return target.startswith("arn:")

    def put(self, messages: Sequence[Message], still_ours: StillOurs = all_ours) -> dict[str, Put]:
        """Send messages, in batches a target; on a FIFO target one message of a group at a time."""
        results: dict[str, Put] = {}
        by_target: dict[Queue, list[Message]] = {}
        for message in messages:
            target = self._route(message)
            if isinstance(target, Queue):
                by_target.setdefault(target, []).append(message)
            else:
                results[message.message_id] = target
        for target, group in by_target.items():
            for wave in _waves(group, results) if target.is_fifo else [group]:
                for batch in split(wave):
                    ours = list(still_ours(batch))
                    if len(ours) < len(batch):
                        results.update(dict.fromkeys((each.message_id for each in batch), HeldBack()))
                    results.update(self._send(target, ours) if ours else {})
        return results

    def sent_as(self, message: Message) -> Message:
        """Return the message itself: the copy is exact."""
        return message

    def group_of(self, message: Message) -> str | None:
        """Return target and group when the target is FIFO: SQS keeps order within a group."""
        target = self._route(message)
        return f"{target.arn}/{_group(message)}" if isinstance(target, Queue) and target.is_fifo else None

    def _send(self, target: Queue, batch: list[Message]) -> dict[str, Put]:
        try:
            answers = self._sqs.send_batch(target, [self._outgoing(target, message) for message in batch])
        except OpstoolError as error:
            if error.code in _ABOUT_THE_MESSAGES and len(batch) > 1:  # one of them must not hold up the others
                half = len(batch) // 2
                return {**self._send(target, batch[:half]), **self._send(target, batch[half:])}
            return dict.fromkeys((message.message_id for message in batch), _refused(error))
        return {
            message.message_id: _judge(target, message, answer) for message, answer in zip(batch, answers, strict=True)
        }

    def _outgoing(self, target: Queue, message: Message) -> Outgoing:
        if not target.is_fifo:
            return Outgoing(message, message.group_id)
        # Fresh for each run, the same when a run is resumed: the queue itself then drops what it has already.
        deduplication_id = hashlib.sha256(f"{self._run_id}/{message.message_id}/{target.arn}".encode()).hexdigest()
        return Outgoing(message=message, group_id=_group(message), deduplication_id=deduplication_id)

    def close(self) -> None:
        """Do nothing: a queue is nobody's to close."""


def _is_fifo(target: Queue | Rejected) -> bool:
    return isinstance(target, Queue) and target.is_fifo


def _group(message: Message) -> str:
    """Return the group on a FIFO target; a message that never had one keeps no order, so it is its own group."""
    return message.group_id or message.message_id


def _waves(messages: Sequence[Message], results: dict[str, Put]) -> Iterator[list[Message]]:
    """Yield messages so that each wave has one of a group; a group ends at its first message without a confirmation.

    `results` is filled by the caller between two waves.
    """
    waiting: dict[str, list[Message]] = {}
    for message in messages:
        waiting.setdefault(_group(message), []).append(message)
    while waiting:
        wave = [group[0] for group in waiting.values()]
        yield wave
        for message in wave:
            rest = waiting.pop(_group(message))[1:]
            if rest and isinstance(results[message.message_id], Confirmed):
                waiting[_group(message)] = rest
            else:
                results.update({each.message_id: HeldBack() for each in rest})


def _refused(error: OpstoolError) -> Rejected:
    """Return what a refused batch means for each of its messages."""
    service = error if isinstance(error, ServiceError) else None
    passing = service is not None and service.retryable
    return Rejected(
        code=error.code,
        message=error.message,
        retryable=passing,
        may_be_there=service is not None and service.outcome_unknown,
        wait_s=service.wait_s if service else 0.0,
        error=None if passing or isinstance(error, NotFoundError) or error.code in _ABOUT_THE_MESSAGES else error,
    )


def _judge(target: Queue, message: Message, answer: Sent | EntryFailure | None) -> Put:
    """Return what one entry's answer means; a copy whose MD5s differ from the original's is not a copy."""
    if answer is None:
        return Rejected(code="no_answer", message="SQS named no outcome", retryable=True, may_be_there=True)
    if isinstance(answer, EntryFailure):
        return Rejected(code=answer.code, message=answer.message, retryable=answer.retryable)
    if difference := _difference(message, answer):
        return Rejected(code="copy_differs", message=difference, may_be_there=True)
    silent = message.trace_header and answer.md5_of_trace_header is None
    return Confirmed(answer.new_id, target.arn, "trace header" if silent else None)


def _difference(message: Message, sent: Sent) -> str | None:
    """Return what the server's MD5s do not confirm, None when they confirm what has one.

    A missing MD5 of the attributes confirms nothing: a server that loses them answers like that. One of the trace
    header may be missing, and is then said: some emulators store the header and have no MD5 for it. The group id has
    no MD5 in SQS.
    """
    wrong = []
    if sent.md5_of_body != (message.md5_of_body or md5_of_body(message.body)):
        wrong.append("body")
    if sent.md5_of_attributes != (message.md5_of_attributes or md5_of_attributes(message.attributes)):
        wrong.append("attributes")
    # A tracing client's own header makes SQS add one where there was none; only the original's has to arrive.
    if message.trace_header and sent.md5_of_trace_header not in {None, md5_of_trace_header(message.trace_header)}:
        wrong.append("trace header")
    return f"the copy's MD5 is not the original's ({', '.join(wrong)})" if wrong else None
