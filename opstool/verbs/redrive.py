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
from opstool.engine.routes import Routes
from opstool.engine.run import Run
from opstool.engine.sinks import QueueSink, Sink
from opstool.engine.survey import Survey, peek, survey
from opstool.words.errors import RefusedError
from opstool.words.filters import Selection
from opstool.words.message import Message
from opstool.words.plan import Plan, price_usd, requests_to_move
from opstool.words.queue import Queue

OWN_SOURCE = "each message's own source queue"
SAMPLES = 3
_LATE_ARRIVALS = (
    "messages sent before this plan but dead-lettered after it may be included: SQS keeps the original SentTimestamp"
)
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
    selection = selection or Selection()
    dlq = locate_to_change(kit, name, not_a_dlq=not_a_dlq)
    target = _target(kit, dlq, to)
    with ExitStack() as undo:
        hold = undo.enter_context(Hold(kit, dlq, exclusive=True))
        found = (
            whole(hold, limit)
            if selection.is_everything
            else survey(kit, hold, dlq, selection, limit=limit, reasons=False)
        )
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


def whole(hold: Hold, limit: int | None) -> Survey:
    """Return the first batch of a queue that is not looked through first, because all of it is meant."""
    return Survey(matched=peek(hold)[:limit])


def freeze(kit: Toolkit, dlq: DeadLetterQueue, found: Survey, draft: Plan) -> Plan:
    """Return the plan with what was found written into it: ids or a point in time, count, samples, price."""
    everything = draft.selection.is_everything
    count = max(dlq.attributes.depth, len(found.matched)) if everything else len(found.matched)
    count = min(count, draft.limit) if draft.limit is not None else count
    requests = requests_to_move(count)
    fields = {name: getattr(draft, name) for name in draft.__dataclass_fields__}
    fields |= {
        "ids": None if everything else frozenset(lease.message_id for lease in found.matched),
        "sent_before_ms": kit.sqs.now_ms() if everything else None,
        "count": count,
        "exact": not everything,
        "samples": tuple(found.messages[:SAMPLES]),
        "requests": requests,
        "cost_usd": price_usd(requests, fifo=dlq.queue.is_fifo),
        "retention_s": dlq.attributes.retention_s,
        "notes": (*draft.notes, *found.notes, *(_blind_spots(dlq) if everything else ())),
    }
    return Plan(**fields)


def _blind_spots(dlq: DeadLetterQueue) -> list[str]:
    """Return what a plan that has not looked through the queue cannot know."""
    notes = [] if dlq.queue.is_fifo else [_LATE_ARRIVALS]
    if dlq.attributes.in_flight:
        notes.append(
            f"approximately {dlq.attributes.in_flight} more messages are in flight elsewhere and may be missed"
        )
    return notes


def _target(kit: Toolkit, dlq: DeadLetterQueue, to: str | None) -> Queue | None:
    if to is None:
        return None
    target = kit.sqs.resolve(to)
    if target.arn == dlq.queue.arn:
        raise RefusedError(f'"{target.name}" is the queue itself', code="target_is_queue")
    return target


def _notes(dlq: DeadLetterQueue, target: Queue | None, found: Survey, routes: Routes) -> tuple[str, ...]:
    notes = [_ONE_JOURNAL]
    if dlq.followed_from:
        notes.append(f'"{dlq.followed_from.name}" is a source queue; its redrive policy leads to "{dlq.queue.name}"')
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
