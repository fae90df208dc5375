"""The move tasks of the fake: SQS carries the messages of a dead-letter queue back, while time passes.

A task does its work whenever somebody asks the service for anything, as if it had done it at the due moments. What is
documented holds: only a DLQ of SQS queues, one active task a queue, at most 500 messages a second, new ids, send times
and receive counts, failures only after the start, a handle only while RUNNING, the last ten in the list. Where AWS
promises nothing the fake chooses the unkind: the count lags, a cancelled task goes on for a moment, and what arrives
meanwhile is moved too. It keeps attributes, trace header and group id, which AWS is not documented to do.
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-configure-dead-letter-queue-redrive.html
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from opstool.fake.messages import new_message_id
from opstool.fake.queue import StandardQueue
from opstool.fake.refusal import RefusalError, in_range
from opstool.fake.registry import Registry
from opstool.fake.stored import State, StoredMessage, handle_of
from opstool.words.movetask import CANCELLED, CANCELLING, COMPLETED, FAILED, MOST_LISTED, MOST_PER_SECOND, RUNNING

SELECTED_AFTER_MS = 1_000
"""Until a task is selected to start: then it counts what there is to move."""
LAGS_BY_MS = 2_000
"""How far the count of moved messages is behind."""
CANCELS_AFTER_MS = 1_000
"""Until a task that is to be cancelled is, and moves no more."""
_MOST_AT_ONCE = 10
_HIDDEN_S = 30


@dataclass(kw_only=True, eq=False)
class Task:
    """One task; times in milliseconds. `rate` is what it moves a second, `asked_rate` what was asked for."""

    handle: str
    source_arn: str
    destination_arn: str | None
    asked_rate: int | None
    started_at_ms: int
    status: str = RUNNING
    moved: int = 0
    to_move: int | None = None
    failure_reason: str | None = None
    cancelled_at_ms: int | None = None

    @property
    def is_active(self) -> bool:
        """Tell whether it keeps others from its queue."""
        return self.status in {RUNNING, CANCELLING}

    @property
    def rate(self) -> int:
        """Return how many messages a second it moves; AWS says only that it chooses, the fake the most there can be."""
        return self.asked_rate or MOST_PER_SECOND

    def due(self, now_ms: int) -> int:
        """Return how many messages it has had time for by now."""
        ends_at_ms = now_ms if self.cancelled_at_ms is None else min(now_ms, self.cancelled_at_ms + CANCELS_AFTER_MS)
        return max(0, ends_at_ms - self.started_at_ms - SELECTED_AFTER_MS) * self.rate // 1_000

    def moved_at_ms(self, number: int) -> int:
        """Return when the message of this number, from 1, is due."""
        return self.started_at_ms + SELECTED_AFTER_MS + -(-number * 1_000 // self.rate)

    def shown(self, now_ms: int) -> dict[str, Any]:
        """Return the task as ListMessageMoveTasks answers it."""
        values = {
            "TaskHandle": self.handle if self.status == RUNNING else None,
            "DestinationArn": self.destination_arn,
            "MaxNumberOfMessagesPerSecond": self.asked_rate,
            "ApproximateNumberOfMessagesToMove": self.to_move,
            "FailureReason": self.failure_reason,
        }
        return {
            "Status": self.status,
            "SourceArn": self.source_arn,
            "StartedTimestamp": self.started_at_ms,
            "ApproximateNumberOfMessagesMoved": self.told(now_ms),
            **{name: value for name, value in values.items() if value is not None},
        }

    def told(self, now_ms: int) -> int:
        """Return how many it says that it has moved."""
        late_ms = now_ms - LAGS_BY_MS - self.started_at_ms - SELECTED_AFTER_MS
        return min(self.moved, max(0, late_ms) * self.rate // 1_000)


class MoveTasks:
    """Carries out requests about move tasks, and the tasks; the caller holds the service's lock.

    `fails_of` is the FailureReason of which every task fails at its first message, None for none: the fake knows no
    permissions and no keys, and AWS shows what is missing only once a task has started.
    """

    def __init__(self, registry: Registry, rng: Random, *, fails_of: str | None = None) -> None:
        self._registry = registry
        self._rng = rng
        self._fails_of = fails_of
        self._tasks: list[Task] = []

    @property
    def any_active(self) -> bool:
        """Tell whether time alone changes anything."""
        return any(each.is_active for each in self._tasks)

    # -- requests

    def start(self, request: Mapping[str, Any], now_ms: int) -> dict[str, Any]:
        """Start a task; what it may not do shows later."""
        source_arn, destination_arn = request["SourceArn"], request.get("DestinationArn")
        self._find(source_arn, "SourceArn")
        if not self._registry.is_dlq(source_arn):
            raise _invalid("Source queue must be configured as a Dead Letter Queue.")
        if destination_arn is not None:
            target = self._find(destination_arn, "DestinationArn")
            # That it is refused is documented by "the same type"; its words are not.
            if target.address.is_fifo != source_arn.endswith(".fifo") or destination_arn == source_arn:
                raise _invalid("The destination must be another queue of the same type as the source.")
        rate = request.get("MaxNumberOfMessagesPerSecond")
        if rate is not None:
            in_range(rate, 1, MOST_PER_SECOND, "MaxNumberOfMessagesPerSecond")
        if any(each.is_active and each.source_arn == source_arn for each in self._tasks):
            raise _invalid(
                "There is already a task running. Only one active task is allowed for a source queue arn at a given "
                "time."
            )
        handle = base64.b64encode(f"{new_message_id(self._rng)} {source_arn}".encode()).decode()
        task = Task(
            handle=handle,
            source_arn=source_arn,
            destination_arn=destination_arn,
            asked_rate=rate,
            started_at_ms=now_ms,
        )
        self._tasks.append(task)
        return {"TaskHandle": handle}

    def cancel(self, request: Mapping[str, Any], now_ms: int) -> dict[str, Any]:
        """Let a running task end in a moment."""
        task = next((each for each in self._tasks if each.handle == request["TaskHandle"]), None)
        if task is None:
            raise RefusalError("ResourceNotFoundException", "Task does not exist.")
        if task.status != RUNNING:
            raise _invalid("Only active tasks can be cancelled.")
        task.status, task.cancelled_at_ms = CANCELLING, now_ms
        return {"ApproximateNumberOfMessagesMoved": task.told(now_ms)}

    def list(self, request: Mapping[str, Any], now_ms: int) -> dict[str, Any]:
        """Return the last tasks of a queue, the latest first; one unless more are asked for."""
        self._find(request["SourceArn"], "SourceArn")
        most = in_range(request.get("MaxResults", 1), 1, MOST_LISTED, "MaxResults")
        found = [each for each in reversed(self._tasks) if each.source_arn == request["SourceArn"]]
        return {"Results": [each.shown(now_ms) for each in found[:most]]}

    def _find(self, arn: str, parameter: str) -> StandardQueue:
        queue = self._registry.by_arn(arn)
        if queue is None:
            raise RefusalError(
                "ResourceNotFoundException",
                f"The resource that you specified for the {parameter} parameter doesn't exist.",
            )
        return queue

    # -- the tasks at work

    def settle(self, now_ms: int) -> None:
        """Let every task do what it has had time for."""
        for task in self._tasks:
            if task.is_active:
                self._work(task, now_ms)

    def _work(self, task: Task, now_ms: int) -> None:
        source = self._registry.by_arn(task.source_arn)
        if source is None:
            _fail(task, "AWS.SimpleQueueService.NonExistentQueue")
            return
        if task.to_move is None and now_ms >= task.started_at_ms + SELECTED_AFTER_MS:
            source.settle(now_ms)
            task.to_move = source.counts[State.VISIBLE]
        while task.is_active and task.moved < task.due(now_ms):
            self._move_some(task, source, min(_MOST_AT_ONCE, task.due(now_ms) - task.moved))
        if task.cancelled_at_ms is not None and task.is_active and now_ms >= task.cancelled_at_ms + CANCELS_AFTER_MS:
            task.status = CANCELLED

    def _move_some(self, task: Task, source: StandardQueue, most: int) -> None:
        """Move up to so many; a task that finds nothing visible is done, whatever others hold in flight."""
        at_ms = task.moved_at_ms(task.moved + 1)
        try:
            taken = source.receive(most, _HIDDEN_S, at_ms)
        except RefusalError as refusal:  # too many in flight; whether AWS waits then is not documented
            _fail(task, refusal.code)
            return
        if not taken:
            task.status = CANCELLED if task.status == CANCELLING else COMPLETED
        for message in taken:
            handle = handle_of(message, source.address.name)
            reason = None if not task.is_active else self._moved(task, message, task.moved_at_ms(task.moved + 1))
            if reason or not task.is_active:
                source.change_visibility(handle, 0, at_ms)
                task.status, task.failure_reason = FAILED, task.failure_reason or reason
            else:
                source.delete(handle, at_ms)
                task.moved += 1

    def _moved(self, task: Task, message: StoredMessage, at_ms: int) -> str | None:
        """Put a copy into its target; return the reason where it cannot be."""
        arn = task.destination_arn or message.source_arn
        if self._fails_of:
            return self._fails_of
        if arn is None:
            return "CouldNotDetermineMessageSource"
        target = self._registry.by_arn(arn)
        if target is None:
            return "AWS.SimpleQueueService.NonExistentQueue"
        copy = replace(
            message,
            message_id=new_message_id(self._rng),
            source_arn=None,
            sent_at_ms=at_ms,
            first_received_at_ms=None,
            receive_count=0,
            receipts=0,
            state=State.GONE,
        )
        target.put(copy, at_ms, target.settings.delay_s)
        return None


Operation = Callable[[Mapping[str, Any], int], dict[str, Any]]


def _fail(task: Task, reason: str) -> None:
    task.status, task.failure_reason = FAILED, reason


def _invalid(text: str) -> RefusalError:
    return RefusalError("InvalidParameterValue", text)
