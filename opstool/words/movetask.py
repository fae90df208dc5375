"""A native move task of a dead-letter queue, as ListMessageMoveTasks tells of it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class MoveTask:
    """A task that is under way: RUNNING or CANCELLING. `moved` is approximate and lags.

    `to_move` was counted when the task was started; None until then.
    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ListMessageMoveTasksResultEntry.html
    """

    status: str
    moved: int = 0
    to_move: int | None = None
