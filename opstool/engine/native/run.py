"""One execution of a redrive by SQS itself: asked for, followed to its end, and accounted for.

Nobody here receives a message: the journal holds the plan and the report, and no message of the run. So it can be told
by `history`, and not be resumed. A process that dies leaves the task running.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from opstool.doors.toolkit import Toolkit
from opstool.engine.account import alive, conclude, run_record
from opstool.engine.hold import Hold
from opstool.engine.native.following import Following
from opstool.engine.native.movedtally import MovedTally
from opstool.engine.native.preflight import refuse_active
from opstool.words.closing import Closing
from opstool.words.errors import InterruptedRunError, OpstoolError, ServiceError
from opstool.words.movetask import CANCELLED, CANCELLING, FAILED, MoveTask
from opstool.words.plan import Plan
from opstool.words.queue import Queue
from opstool.words.report import Report, Status

_STAYS = "what has moved does not come back, and the rest is where it was"
_ANSWER_LOST = "SQS's answer to the start was lost; a task has been under way since, and is taken for this one"


@dataclass(kw_only=True)
class NativeRun(Closing):
    """A plan for one move task of `plan.queue`, to be carried out once; `target` None: each message's own source.

    With `detach` the task is left to itself as soon as it is started.
    """

    kit: Toolkit
    plan: Plan
    hold: Hold
    target: Queue | None = None
    rate: int | None = None
    detach: bool = False
    partial: bool = False
    tally: MovedTally = field(default_factory=MovedTally)
    _notes: list[str] = field(default_factory=list, init=False)

    def execute(self, *, note: str | None = None) -> Report:
        """Start the task, follow it to its end, and return the account of it; `note` says why, for the journal.

        A set `kit.stop` cancels it. Raises RefusedError when another task is under way by now, StorageError when the
        journal cannot be written, and what SQS says to the start: nothing has moved then.
        """
        kit, queue = self.kit, self.plan.queue
        others = [each.started_at_ms for each in refuse_active(kit, queue)]
        if kit.stop.is_set():
            raise InterruptedRunError("interrupted; nothing was changed")
        kit.at_stop = "cancelling the move task, waiting until SQS has"
        with alive(kit, self.plan.run_id):
            started = kit.clock.monotonic()
            kit.journal.start_run(run_record(kit, self.plan, note))
            try:
                handle = self._start()
            except OpstoolError as error:
                self.tally.name(error.code, error.message)
                self._conclude(started, error=error)
                raise
            if self.detach:
                self._notes.append(f"`{kit.program} dlq move-tasks {queue.name}` tells how far it is, --cancel ends it")
                return self._conclude(started, status=Status.DETACHED)
            following = Following(kit, queue, handle, others=others)
            return self._conclude(started, error=self._follow(following))

    def close(self) -> None:
        """Let other runs in."""
        self.hold.close()

    def _start(self) -> str:
        """Return the handle of the task; one whose start got no answer may be under way all the same."""
        kit, queue = self.kit, self.plan.queue
        try:
            return kit.sqs.move_tasks.start(queue, to=self.target, rate=self.rate)
        except ServiceError as error:
            task = kit.sqs.move_tasks.active(queue) if error.outcome_unknown else None
            if task is None or task.task_handle is None:
                raise
            self._notes.append(_ANSWER_LOST)
            return task.task_handle

    def _follow(self, following: Following) -> OpstoolError | None:
        """Follow the task and write down how it ended; return the error that ends the run, if there is one."""
        kit = self.kit
        try:
            with kit.watch(self.plan.verb, self.tally, self.plan.count):
                ended = following.to_the_end(self._tell, cancel_when=kit.stop.is_set)
        except OpstoolError as error:
            self.tally.name(error.code, error.message)
            self._notes.append(f"the move task goes on: `{kit.program} dlq move-tasks {self.plan.queue.name}`")
            return error
        return self._judge(ended)

    def _tell(self, task: MoveTask) -> None:
        self.tally.moved = task.moved

    def _judge(self, task: MoveTask) -> OpstoolError | None:
        """Write down how the task ended; one that failed before it moved anything is an error."""
        if task.status == FAILED and task.failure:
            self.tally.name(task.failure.code, f"the move task failed: {task.failure.message}")
            return None if task.moved else ServiceError(task.failure.message, code=task.failure.code)
        if task.status == CANCELLING:
            self.tally.name("still_cancelling", "SQS takes long to cancel the move task; it may have moved more since")
        elif task.status == CANCELLED and not self.kit.stop.is_set():
            self.tally.name("move_task_cancelled", f"somebody cancelled the move task: {_STAYS}")
        elif task.status == CANCELLED:
            self._notes.append(f"the move task was cancelled: {_STAYS}")
        elif self.kit.stop.is_set():
            self._notes.append("the move task had ended before it could be cancelled")
        return None

    def _conclude(self, started: float, *, error: OpstoolError | None = None, status: Status | None = None) -> Report:
        plan = replace(self.plan, notes=(*self.plan.notes, *self._notes))
        return conclude(
            self.kit,
            plan,
            self.tally,
            started=started,
            before=self.hold.requests_before,
            error=error,
            status=status,
        )
