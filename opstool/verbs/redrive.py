"""Send messages of a dead-letter queue back to their own source queue, or to one that is named."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack

from opstool.doors.toolkit import Toolkit
from opstool.engine.account import new_run_id
from opstool.engine.delivery import Uncertain
from opstool.engine.dlq import DeadLetterQueue, locate_to_change
from opstool.engine.hold import Hold
from opstool.engine.planning import find, followed, freeze
from opstool.engine.queuesink import QueueSink
from opstool.engine.routes import Routes
from opstool.engine.run import Run
from opstool.engine.sinks import Sink
from opstool.engine.survey import Survey
from opstool.engine.throttle import check_rate
from opstool.words.errors import RefusedError
from opstool.words.filters import Selection
from opstool.words.message import Message
from opstool.words.plan import Plan
from opstool.words.queue import Queue

OWN_SOURCE = "each message's own source queue"
_ONE_JOURNAL = "this journal knows what was sent from this machine; a colleague's runs are in a journal of their own"


def prepare(
    kit: Toolkit,
    name: str | None = None,
    selection: Selection | None = None,
    *,
    to: str | None = None,
    limit: int | None = None,
    not_a_dlq: bool = False,
    uncertain: Uncertain = "resend",
    rate: float | None = None,
) -> Run:
    """Return a run that sends the selected messages back; nothing is changed before its `execute`.

    With a selection the whole queue is looked through and the plan frozen by message id; without one the plan is
    frozen by SentTimestamp. Raises NotFoundError, UsageError, and RefusedError where a guard says no: not a DLQ,
    another run at work, no certain target.
    """
    check_rate(rate)
    selection = selection or Selection()
    dlq = locate_to_change(kit, name, not_a_dlq=not_a_dlq)
    target = _target(kit, dlq, to)
    with ExitStack() as undo:
        hold = undo.enter_context(Hold(kit, dlq, exclusive=True))
        found = find(kit, hold, dlq, selection, limit)
        routes = Routes(sqs=kit.sqs, dlq=dlq, journal=kit.journal, to=target)
        routes.refuse_uncertain(found.messages)
        options = {"to": target.arn if target else None, "not_a_dlq": not_a_dlq, "uncertain": uncertain, "rate": rate}
        plan = freeze(
            kit,
            dlq,
            found,
            Plan(
                run_id=new_run_id(kit.clock),
                verb="redrive",
                queue=dlq.queue,
                origin=dlq.queue.arn,
                target=target.name if target else OWN_SOURCE,
                selection=selection,
                count=0,
                exact=False,
                limit=limit,
                notes=_notes(dlq, target, found, routes),
                irreversible="each copy gets a new message id; its receive count and SentTimestamp start again",
                options=options,
            ),
        )
        undo.pop_all()
    return Run(
        kit=kit,
        plan=plan,
        hold=hold,
        open_sink=lambda: open_sink(kit, plan, dlq),
        in_hand=found.matched,
        partial=found.partial,
    )


def open_sink(kit: Toolkit, plan: Plan, dlq: DeadLetterQueue) -> Sink:
    """Return the sink of a redrive's plan: also that of a run which is resumed."""
    to = plan.options.get("to")
    target = kit.sqs.resolve(to) if to else None
    routes = Routes(sqs=kit.sqs, dlq=dlq, journal=kit.journal, to=target)
    return QueueSink(kit.sqs, routes, run_id=plan.run_id)


def _target(kit: Toolkit, dlq: DeadLetterQueue, to: str | None) -> Queue | None:
    if to is None:
        return None
    target = kit.sqs.resolve(to)
    if target.arn == dlq.queue.arn:
        raise RefusedError(f'"{target.name}" is the queue itself', code="target_is_queue")
    return target


def _notes(dlq: DeadLetterQueue, target: Queue | None, found: Survey, routes: Routes) -> tuple[str, ...]:
    notes = [_ONE_JOURNAL, *followed(dlq)]
    if target and dlq.queue.is_fifo and not target.is_fifo:
        notes.append(f'"{target.name}" is a standard queue: the order of the messages is lost')
    if target and target.is_fifo and not dlq.queue.is_fifo:
        notes.append(f'"{target.name}" is a FIFO queue: a message without a group becomes a group of its own')
    if not target and len(dlq.sources) != 1:
        notes += _spread(found.messages, routes)
    return tuple(notes)


def _spread(messages: Sequence[Message], routes: Routes) -> list[str]:
    """Return how the messages that were seen spread over their source queues."""
    counts = Counter(route.name for each in messages if isinstance(route := routes(each), Queue))
    return [f"{count} of those seen go to {name}" for name, count in sorted(counts.items())]
