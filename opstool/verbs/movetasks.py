"""SQS's own move tasks of a dead-letter queue: the last ten, one that is followed, one that is cancelled."""

from __future__ import annotations

from dataclasses import dataclass

from opstool.doors.toolkit import Toolkit
from opstool.engine.dlq import DeadLetterQueue, locate
from opstool.engine.native.following import Following
from opstool.engine.native.movedtally import MovedTally
from opstool.engine.recorded import plan_of, recorded
from opstool.words.movetask import MoveTask
from opstool.words.plan import Plan
from opstool.words.times import iso

VERB = "cancel-move-task"


@dataclass(frozen=True, kw_only=True)
class MoveTasks:
    """The last tasks of a dead-letter queue, the latest first."""

    dlq: DeadLetterQueue
    tasks: tuple[MoveTask, ...]

    @property
    def active(self) -> MoveTask | None:
        """Return the one that is under way; SQS takes one at a time."""
        return next((each for each in self.tasks if each.is_active), None)


@dataclass(frozen=True, kw_only=True)
class Cancellation:
    """The plan to cancel a task that is under way: what it has moved stays moved."""

    kit: Toolkit
    dlq: DeadLetterQueue
    task: MoveTask
    plan: Plan

    def execute(self, *, note: str | None = None) -> MoveTask:
        """Cancel it, wait for its end, and return it; still CANCELLING: SQS takes too long to wait for.

        It is written into the journal, with `note`. Raises what SQS says.
        """
        with recorded(self.kit, self.plan, note) as tally:
            ended = _following(self.kit, self.dlq, self.task).to_the_end(lambda _: None, cancel_when=lambda: True)
            if ended.is_active:
                tally.name("still_cancelling", "SQS takes long to cancel the move task; it may move more")
        return ended


def list_move_tasks(kit: Toolkit, name: str | None = None) -> MoveTasks:
    """Return the last ten move tasks of a dead-letter queue; a source queue's redrive policy is followed.

    Raises NotFoundError, AccessError, and ServiceError where the endpoint has no move tasks.
    """
    dlq = locate(kit, name)
    return MoveTasks(dlq=dlq, tasks=tuple(kit.sqs.move_tasks.last(dlq.queue)))


def prepare_cancel(kit: Toolkit, found: MoveTasks) -> Cancellation | None:
    """Return the plan to cancel the task that is under way; None when there is none."""
    task = found.active
    if task is None:
        return None
    since = "" if task.started_at_ms is None else f" of {iso(task.started_at_ms)}"
    plan = plan_of(kit, VERB, found.dlq.queue, f"the move task{since}", {"started_at_ms": task.started_at_ms})
    return Cancellation(kit=kit, dlq=found.dlq, task=task, plan=plan)


def follow(kit: Toolkit, found: MoveTasks) -> MoveTask | None:
    """Return the task that is under way once it has ended; None when there is none.

    It shows progress through `kit.watch`. A set `kit.stop` only ends the looking: then it is returned as it is.
    """
    task = found.active
    if task is None:
        return None
    tally = MovedTally()
    tally.moved = task.moved

    def told(look: MoveTask) -> None:
        tally.moved = look.moved

    with kit.watch("moving", tally, task.to_move or found.dlq.attributes.depth):
        return _following(kit, found.dlq, task).to_the_end(told, cancel_when=None)


def _following(kit: Toolkit, dlq: DeadLetterQueue, task: MoveTask) -> Following:
    return Following(kit, dlq.queue, task.task_handle, started_at_ms=task.started_at_ms)
