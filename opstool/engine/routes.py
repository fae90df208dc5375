"""Decide where a message goes back to: its own source queue, or the one target that was named."""

from __future__ import annotations

import threading
from collections.abc import Iterable

from opstool.doors.journal import Journal
from opstool.doors.sqs import Sqs
from opstool.engine.dlq import DeadLetterQueue
from opstool.engine.sinks import Rejected
from opstool.words.errors import OpstoolError, RefusedError, ServiceError
from opstool.words.message import Message
from opstool.words.provenance import provenance_of
from opstool.words.queue import Queue

NOT_FROM_SQS = "not_from_sqs"
_NOT_FROM_SQS = "it did not die in an SQS queue (its origin is `{kind}`), so there is none to send it back to"
_HINTS = {NOT_FROM_SQS: "leave such messages out with --where '!origin', or name the queue to send to with --to"}


class Routes:
    """The way back of each message; thread-safe. Call it with a message.

    With `to`, everything goes there. Without it a message goes to the queue that SQS says it died in
    (DeadLetterQueueSourceArn), else to the one the journal says it was archived with, else to the only source queue
    of the DLQ, unless it says that another service than SQS put it here; where none of them is certain, it goes
    nowhere.
    """

    def __init__(self, *, sqs: Sqs, dlq: DeadLetterQueue, journal: Journal, to: Queue | None = None) -> None:
        self._sqs = sqs
        self._dlq = dlq
        self._journal = journal
        self._to = to
        self._lock = threading.Lock()
        self._by_arn: dict[str, Queue | Rejected] = {each.queue.arn: each.queue for each in dlq.sources}

    def __call__(self, message: Message) -> Queue | Rejected:
        """Return the queue for a message, or why there is none."""
        if self._to:
            return self._to
        arn = message.source_arn or self._archived_source(message)
        if arn:
            known = self._by_arn.get(arn)
            if isinstance(known, Queue):
                return known
            with self._lock:
                found = self._by_arn.get(arn) or self._look_up(arn)
                if isinstance(found, Queue) or not found.retryable:  # what may be found later is asked for again
                    self._by_arn[arn] = found
                return found
        provenance = provenance_of(message)
        if provenance is not None:
            return Rejected(code=NOT_FROM_SQS, message=_NOT_FROM_SQS.format(kind=provenance.kind))
        if len(self._dlq.sources) == 1:
            return self._dlq.sources[0].queue
        return Rejected(code="no_certain_target", message=self._no_source())

    def refuse_uncertain(self, messages: Iterable[Message]) -> None:
        """Raise RefusedError when one of these messages has no certain target."""
        for message in messages:
            route = self(message)
            if isinstance(route, Rejected):
                raise RefusedError(
                    f"message `{message.message_id}`: {route.message}",
                    code=route.code,
                    hint=_HINTS.get(route.code, "name the queue to send to with --to"),
                )

    def _archived_source(self, message: Message) -> str | None:
        """Return the source that the journal knows of a message that came back into the DLQ by an import."""
        move = self._journal.origin_of(message.message_id)
        return move.source_arn if move else None

    def _look_up(self, arn: str) -> Queue | Rejected:
        try:
            return self._sqs.resolve(arn)
        except OpstoolError as error:
            passing = isinstance(error, ServiceError) and error.retryable
            code = "source_unknown" if passing else "source_gone"
            return Rejected(code=code, message=f"its source queue `{arn}`: {error.message}", retryable=passing)

    def _no_source(self) -> str:
        if not self._dlq.sources:
            return "SQS does not say which queue it died in, and no redrive policy points to this queue"
        names = ", ".join(each.queue.name for each in self._dlq.sources)
        return f"SQS does not say which queue it died in, and this DLQ has several: {names}"
