"""Follow a move task to its end: how far it is, how it ended, and cancelled where that is wanted.

SQS bounds it: a task runs for 36 hours at most. It goes on when this process dies, and when nobody looks any more.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from opstool.doors.toolkit import Toolkit
from opstool.words.errors import OpstoolError, ServiceError
from opstool.words.movetask import COMPLETED, RUNNING, MoveTask
from opstool.words.queue import Queue

LOOK_EVERY_S = 2.0
"""Between two looks: a bar that moves, for some thousand requests an hour. A quota of its own is not documented."""
UNSEEN_LOOKS = 30
"""Looks in a row that may fail, or not show the task, before it is given up: a minute."""
_CANCEL_LOOKS = 60
"""Looks at a task that is being cancelled, before it is left to itself: two minutes. How long it takes is not told."""
_CANCEL_TRIES = 5
_UNCHANGED_LOOKS = 2
"""Looks in a row in which the count of a task that has ended must stand still: it lags behind."""
_SETTLE_LOOKS = 15
"""Looks at the count of a task that has ended, at most: half a minute."""

Told = Callable[[MoveTask], None]


class Following:
    """One task of a queue, by its handle while it runs and by its start time after that.

    `others` are the start times of tasks that were there before it: none of them is this one. A task without a handle
    is one that is being cancelled, and is known by its start time.
    """

    def __init__(
        self,
        kit: Toolkit,
        queue: Queue,
        handle: str | None,
        *,
        started_at_ms: int | None = None,
        others: Collection[int | None] = (),
    ) -> None:
        self._kit = kit
        self._queue = queue
        self._handle = handle
        self._others = set(others)
        self._started_at_ms = started_at_ms

    def to_the_end(self, told: Told, *, cancel_when: Callable[[], bool] | None) -> MoveTask:
        """Return the task once it has ended and its count stands still; `told` hears of every look.

        As soon as `cancel_when` says so it is cancelled and its end waited for: a task that is returned CANCELLING took
        too long. None: it is never cancelled, and a set `kit.stop` only ends the looking. Raises AccessError and
        ServiceError; the task goes on then.
        """
        kit, tries, misses, waits = self._kit, 0, 0, 0
        while True:
            task = self._look(give_up=misses >= UNSEEN_LOOKS)
            misses = 0 if task else misses + 1
            if task:
                told(task)
                if not task.is_active:
                    return self._settled(task, told)
                if kit.stop.is_set() and cancel_when is None:
                    return task
            if cancel_when and cancel_when():
                tries += self._cancel(task, give_up=tries >= _CANCEL_TRIES)
                waits += 1
                if task and waits > _CANCEL_LOOKS:
                    return task
            kit.clock.sleep(LOOK_EVERY_S, None if kit.stop.is_set() else kit.stop)

    def _cancel(self, task: MoveTask | None, *, give_up: bool) -> int:
        """Ask for the end of a task that still runs; return 1 when it was asked, in vain or not."""
        if self._handle is None or (task and task.status != RUNNING):
            return 0
        try:
            self._kit.sqs.move_tasks.cancel(self._handle)
        except OpstoolError:
            if give_up:
                raise
        return 1

    def _settled(self, task: MoveTask, told: Told) -> MoveTask:
        """Return the task as soon as its count stands still; nothing more is to come once all that was there moved."""
        unchanged = 0
        for _ in range(_SETTLE_LOOKS):
            if task.status == COMPLETED and task.to_move is not None and task.moved >= task.to_move:
                break
            if unchanged >= _UNCHANGED_LOOKS:
                break
            self._kit.clock.sleep(LOOK_EVERY_S)
            later = self._look(give_up=False)
            if later is None:
                continue
            unchanged = unchanged + 1 if later.moved == task.moved else 0
            task = later
            told(task)
        return task

    def _look(self, *, give_up: bool) -> MoveTask | None:
        """Return the task as SQS tells of it now; None when this look shows nothing of it."""
        try:
            tasks = self._kit.sqs.move_tasks.last(self._queue)
        except ServiceError as error:
            if give_up or not error.retryable:
                raise
            return None
        found = next((each for each in tasks if self._is_mine(each)), None)
        if found:
            self._started_at_ms = found.started_at_ms
        elif give_up:
            raise ServiceError("SQS does not tell of the move task any more", code="move_task_lost")
        return found

    def _is_mine(self, task: MoveTask) -> bool:
        if task.task_handle is not None:
            return task.task_handle == self._handle
        if self._started_at_ms is not None:
            return task.started_at_ms == self._started_at_ms
        return task.started_at_ms not in self._others
