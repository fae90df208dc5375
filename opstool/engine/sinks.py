"""Where a message can go: another queue, an archive, or nothing. A sink says of each message what became of it.

A sink is asked only after the journal holds the intent, and it confirms a message by name or not at all.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from opstool.doors.sqs import Sqs, split
from opstool.doors.wire import EntryFailure, Outgoing, Sent
from opstool.words.awserrors import BATCH_TOO_LONG, INVALID_REQUEST
from opstool.words.errors import NotFoundError, OpstoolError, ServiceError
from opstool.words.message import Message, md5_of_attributes, md5_of_body
from opstool.words.queue import Queue

DEDUPLICATION_WINDOW_S = 300
"""For so long a FIFO queue accepts a known deduplication id and delivers nothing: SQS developer guide."""
_SLOWEST_SEND_S = 30
"""A repeat counts as within the window only when it gets there within it, even if it takes so long."""
_ABOUT_THE_MESSAGES = {BATCH_TOO_LONG, INVALID_REQUEST}
"""Refusals of a whole batch that a smaller one may not meet: too long by the server's count, or one bad entry."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Confirmed:
    """The copy is there: under `new_id`, where the sink gives ids, in `target` (an ARN or a path)."""

    new_id: str | None
    target: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Rejected:
    """The copy was not confirmed. `may_be_there`: it may have been accepted all the same.

    `error` is set when the whole request was refused for a reason that the next one will meet too.
    """

    code: str
    message: str
    retryable: bool = False
    may_be_there: bool = False
    error: OpstoolError | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class HeldBack:
    """Not sent, because the message before it in its group was not confirmed."""


Put = Confirmed | Rejected | HeldBack


class Sink(Protocol):
    """Somewhere to put messages."""

    def repeat_is_safe_for_s(self, message: Message) -> float:
        """Return for how long after its first attempt a message can be put again without being there twice."""

    def suffices(self, message_id: str, target: str) -> bool:
        """Tell whether the copy of a message that was confirmed in `target` before makes a put needless."""

    def put(self, messages: Sequence[Message]) -> dict[str, Put]:
        """Try each message once; return by message id what became of it."""

    def group_of(self, message: Message) -> str | None:
        """Return the name of the ordered group that a message belongs to there; None where order does not matter."""


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

    def put(self, messages: Sequence[Message]) -> dict[str, Put]:
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
                    results.update(self._send(target, batch))
        return results

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
            return Outgoing(message=message, group_id=message.group_id)
        # Fresh for each run, the same when a run is resumed: the queue itself then drops what it has already.
        deduplication_id = hashlib.sha256(f"{self._run_id}/{message.message_id}/{target.arn}".encode()).hexdigest()
        return Outgoing(message=message, group_id=_group(message), deduplication_id=deduplication_id)


class ArchiveSink:
    """Write messages to an archive; they are confirmed when they are on disk. `target` is its path."""

    def __init__(self, archive: AppendOnly, target: str) -> None:
        self._archive = archive
        self._target = target
        self._archived_ids = set(archive.known_ids)

    def repeat_is_safe_for_s(self, message: Message) -> float:  # noqa: ARG002 - a sink's interface
        """Return for ever: the archive knows its ids."""
        return math.inf

    def suffices(self, message_id: str, target: str) -> bool:
        """Tell whether the copy is in a queue or in this very archive: another one may be gone by now.

        A path proves nothing: the file that once had this name may have been moved, or thrown away.
        """
        return target.startswith("arn:") or message_id in self._archived_ids

    def put(self, messages: Sequence[Message]) -> dict[str, Put]:
        """Append what the archive does not hold yet; raise StorageError when the disk says no."""
        self._archive.append([each for each in messages if each.message_id not in self._archived_ids])
        self._archived_ids.update(each.message_id for each in messages)
        return {each.message_id: Confirmed(new_id=None, target=self._target) for each in messages}

    def group_of(self, message: Message) -> str | None:  # noqa: ARG002 - a sink's interface
        """Return None: a file has no groups."""
        return None

    def close(self) -> None:
        """Close the archive."""
        self._archive.close()


class NothingSink:
    """Keep nothing: a purge without an archive."""

    def repeat_is_safe_for_s(self, message: Message) -> float:  # noqa: ARG002 - a sink's interface
        """Return for ever: twice nothing is nothing."""
        return math.inf

    def suffices(self, message_id: str, target: str) -> bool:  # noqa: ARG002 - a sink's interface
        """Return True: no copy is wanted."""
        return True

    def put(self, messages: Sequence[Message]) -> dict[str, Put]:
        """Confirm everything."""
        return {each.message_id: Confirmed(new_id=None, target="nothing") for each in messages}

    def group_of(self, message: Message) -> str | None:  # noqa: ARG002 - a sink's interface
        """Return None: nothing has no order."""
        return None


class AppendOnly(Protocol):
    """What an archive sink needs of an archive."""

    @property
    def known_ids(self) -> frozenset[str]:
        """Return the message ids that it held when it was opened."""

    def append(self, messages: Sequence[Message]) -> None:
        """Write messages durably, or raise StorageError and leave nothing of them."""

    def close(self) -> None:
        """Let go of the file."""


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
        error=None if passing or isinstance(error, NotFoundError) or error.code in _ABOUT_THE_MESSAGES else error,
    )


def _judge(target: Queue, message: Message, answer: Sent | EntryFailure | None) -> Put:
    """Return what one entry's answer means; a copy whose MD5s differ from the original's is not a copy."""
    if answer is None:
        return Rejected(code="no_answer", message="SQS named no outcome", retryable=True, may_be_there=True)
    if isinstance(answer, EntryFailure):
        return Rejected(code=answer.code, message=answer.message, retryable=answer.retryable)
    expected = (
        message.md5_of_body or md5_of_body(message.body),
        message.md5_of_attributes or md5_of_attributes(message.attributes),
    )
    if expected != (answer.md5_of_body, answer.md5_of_attributes):
        return Rejected(code="copy_differs", message="the copy's MD5 is not the original's", may_be_there=True)
    return Confirmed(new_id=answer.new_id, target=target.arn)
