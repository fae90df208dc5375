"""SQS's own move tasks in our words: started, cancelled, listed.

One request may have been carried out although its answer was lost: `start` then raises a ServiceError whose
`outcome_unknown` is set, and whoever called looks whether a task is `active`.
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-configure-dead-letter-queue-redrive.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from opstool.doors.wire import reading
from opstool.words.movetask import MOST_LISTED, MoveTask
from opstool.words.queue import Queue


class MoveTasks:
    """The move tasks of any queue; `ask(operation, **request)` is a Sqs's own, which counts the requests."""

    def __init__(self, ask: Callable[..., dict[str, Any]]) -> None:
        self._ask = ask

    def start(self, queue: Queue, *, to: Queue | None = None, rate: int | None = None) -> str:
        """Start a task and return its handle; `to` None sends each message to its own source, `rate` None: SQS chooses.

        Raises NotFoundError, AccessError and ServiceError; what permissions lack shows only after it was started.
        """
        wanted = {"DestinationArn": to.arn if to else None, "MaxNumberOfMessagesPerSecond": rate}
        given = {name: value for name, value in wanted.items() if value is not None}
        answer = self._ask("StartMessageMoveTask", SourceArn=queue.arn, **given)
        with reading("StartMessageMoveTask"):
            return str(answer["TaskHandle"])

    def cancel(self, task_handle: str) -> None:
        """Ask that a task ends, which takes it a while; what it has moved stays moved. Only a RUNNING one can be."""
        self._ask("CancelMessageMoveTask", TaskHandle=task_handle)

    def last(self, queue: Queue) -> list[MoveTask]:
        """Return the last ten tasks from a queue, the latest first."""
        answer = self._ask("ListMessageMoveTasks", SourceArn=queue.arn, MaxResults=MOST_LISTED)
        with reading("ListMessageMoveTasks"):
            return [_task_of(each) for each in answer.get("Results") or ()]

    def active(self, queue: Queue) -> MoveTask | None:
        """Return the task that is under way from a queue; None when there is none."""
        answer = self._ask("ListMessageMoveTasks", SourceArn=queue.arn, MaxResults=1)
        with reading("ListMessageMoveTasks"):
            tasks = [_task_of(each) for each in answer.get("Results") or ()]
        return next((each for each in tasks if each.is_active), None)


def _task_of(raw: Mapping[str, Any]) -> MoveTask:
    """Return one entry of the list; a member that is not there is not known."""
    return MoveTask(
        status=str(raw.get("Status") or ""),
        moved=int(raw.get("ApproximateNumberOfMessagesMoved") or 0),
        to_move=_number(raw.get("ApproximateNumberOfMessagesToMove")),
        source_arn=str(raw.get("SourceArn") or ""),
        destination_arn=raw.get("DestinationArn") or None,
        rate=_number(raw.get("MaxNumberOfMessagesPerSecond")),
        started_at_ms=_number(raw.get("StartedTimestamp")),
        failure_reason=raw.get("FailureReason") or None,
        task_handle=raw.get("TaskHandle") or None,
    )


def _number(value: Any) -> int | None:
    return None if value is None else int(value)
