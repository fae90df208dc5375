"""Send messages of a dead-letter queue back to their own source queue, or to one that is named."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace

from opstool.doors.session import Connection
from opstool.doors.toolkit import Toolkit
from opstool.engine.account import new_run_id
from opstool.engine.delivery import Uncertain
from opstool.engine.dlq import DeadLetterQueue, locate_to_change
from opstool.engine.following.destination import destination_of
from opstool.engine.forecast import forecast
from opstool.engine.hold import Hold
from opstool.engine.mending import MendedPlan
from opstool.engine.mendingsink import mending_sink
from opstool.engine.planning import find, followed, freeze
from opstool.engine.poison import Poison
from opstool.engine.queuesink import QueueSink
from opstool.engine.routes import Routes
from opstool.engine.run import Run
from opstool.engine.sinks import Sink
from opstool.engine.survey import Survey
from opstool.engine.target import Target, find_target, place_again, queue_again, sides
from opstool.engine.throttle import check_rate
from opstool.engine.watching.canary import choose
from opstool.engine.watching.prospect import prospect, warnings
from opstool.engine.watching.watched import Watched
from opstool.words.filters import Selection
from opstool.words.mending import Mending
from opstool.words.message import Message
from opstool.words.plan import Plan
from opstool.words.poison import PoisonRule
from opstool.words.queue import Queue
from opstool.words.s3pointer import pointer_notes
from opstool.words.watching import Watching

OWN_SOURCE = "each message's own source queue"
_TARGETS_DESCRIBED = 10
"""Targets whose attributes are read for the plan, one request each."""
_ONE_JOURNAL = "this journal knows what was sent from this machine; a colleague's runs are in a journal of their own"


def prepare(  # noqa: PLR0913 - one parameter for each choice, all but the first by name
    kit: Toolkit,
    name: str | None = None,
    selection: Selection | None = None,
    *,
    to: str | None = None,
    elsewhere: Connection | None = None,
    check_target: Callable[[Queue, Queue], None] = lambda _dlq, _target: None,
    limit: int | None = None,
    not_a_dlq: bool = False,
    uncertain: Uncertain = "resend",
    rate: float | None = None,
    watching: Watching | None = None,
    poison: PoisonRule | None = None,
    mending: Mending | None = None,
) -> Run:
    """Return a run that sends the selected messages back; nothing is changed before its `execute`.

    With a selection the whole queue is looked through and the plan frozen by message id; without one the plan is
    frozen by SentTimestamp. `watching` tells which go first, what ends the run, and whether to wait for the outcome;
    `poison` what to do with messages that came back before; `mending` gives each message a new body. Raises
    NotFoundError, UsageError, and RefusedError where a guard says no: not a DLQ, another run at work, no certain
    target, nothing to mend. With `elsewhere` the queue `to` lies in another account, region or server: what is None
    there is as for `kit`. `check_target` is given the DLQ and the target before anything is received, and may refuse.
    """
    check_rate(rate)
    selection, watching, poison = selection or Selection(), watching or Watching(), poison or PoisonRule()
    watching.check()
    poison.check(has_target=to is not None)
    dlq = locate_to_change(kit, name, not_a_dlq=not_a_dlq)
    there = find_target(kit, dlq.queue, to, elsewhere) if to is not None else None
    if there:
        check_target(dlq.queue, there.queue)
    run_id = new_run_id(kit.clock)
    mended = MendedPlan.of(kit, dlq.queue, run_id, mending)
    whole = watching.holds_everything or poison.treatment == "only" or mended is not None
    with ExitStack() as undo:
        hold = undo.enter_context(Hold(kit, dlq, exclusive=True))
        most = None if poison.treatment == "only" else limit  # the poison has to be found among the others first
        found = find(kit, hold, dlq, selection, most, whole=whole, reasons=watching.canary is not None)
        found = _set_aside(kit, hold, dlq, found, poison, mended)
        found = replace(found, matched=found.matched[:limit])
        routes = Routes(sqs=kit.sqs, dlq=dlq, journal=kit.journal, to=there.queue if there else None)
        routes.refuse_uncertain(found.messages)
        draft = _draft(kit, dlq, there, found, routes, run_id=run_id, selection=selection, limit=limit)
        options = {
            **draft.options,
            "not_a_dlq": not_a_dlq,
            "uncertain": uncertain,
            "rate": rate,
            "watching": watching.to_json(),
            "canary_ids": choose(found, watching.canary or 0, in_order=dlq.queue.is_fifo),
            "poison": poison.to_json(),
            **(mended.options() if mended else {}),
        }
        plan = freeze(kit, dlq, found, replace(draft, options=options), whole=whole)
        plan = mended.shown_in(plan, kit.program) if mended else plan
        plan = _foreseen(kit, plan, _targets(dlq, there, found, routes), watching)
        undo.pop_all()
    return Run(
        kit=kit,
        plan=plan,
        hold=hold,
        open_sink=lambda: open_sink(kit, plan, dlq),
        in_hand=found.matched,
        partial=found.partial,
        archive=plan.options.get("archive"),
        watched=watched(kit, plan, hold, dlq),
        admits=admission(kit, plan, hold),
    )


def _set_aside(
    kit: Toolkit, hold: Hold, dlq: DeadLetterQueue, found: Survey, poison: PoisonRule, mended: MendedPlan | None
) -> Survey:
    """Return what was found without what is not sent after all: poison, and what cannot be mended."""
    matched = Poison(kit, dlq.queue.arn, poison, hold.tally).set_aside(hold, found.matched)
    if mended:
        matched = mended.set_aside(kit, hold, matched, in_order=dlq.queue.is_fifo)
    return replace(found, matched=matched)


def _draft(
    kit: Toolkit,
    dlq: DeadLetterQueue,
    there: Target | None,
    found: Survey,
    routes: Routes,
    *,
    run_id: str,
    selection: Selection,
    limit: int | None,
) -> Plan:
    """Return the plan as far as it does not depend on how much was found."""
    target = there.queue if there else None
    facts, options, notes = sides(kit, dlq.queue, there) if there else ({}, {}, ())
    return Plan(
        run_id=run_id,
        verb="redrive",
        queue=dlq.queue,
        origin=dlq.queue.arn,
        target=there.name if there else OWN_SOURCE,
        selection=selection,
        count=0,
        exact=False,
        limit=limit,
        facts=facts,
        notes=(*_notes(dlq, target, found, routes), *notes),
        irreversible="each copy gets a new message id; its receive count and SentTimestamp start again",
        options={"to": target.arn if target else None, **options},
    )


def watched(kit: Toolkit, plan: Plan, hold: Hold, dlq: DeadLetterQueue) -> Watched | None:
    """Return what looks for returns while this plan is carried out; None when nobody wants to know."""
    watching = Watching.from_json(plan.options.get("watching"))
    if not (watching.wait or watching.holds_everything):
        return None
    sqs = place_again(kit, plan.options).sqs  # with --to elsewhere everything went there
    return Watched(
        kit=kit,
        plan=plan,
        hold=hold,
        dlq=dlq,
        reach=lambda arn: (sqs, sqs.resolve(arn)),
        watching=watching,
    )


def admission(kit: Toolkit, plan: Plan, hold: Hold) -> Callable[[str], bool]:
    """Return what tells of a message that this plan means, by its id, whether it may be sent."""
    if plan.ids is not None:  # what is poison is not among them
        return lambda _: True
    return Poison(kit, plan.origin, PoisonRule.from_json(plan.options.get("poison")), hold.tally).admits


def open_sink(kit: Toolkit, plan: Plan, dlq: DeadLetterQueue, *, resume: bool = False) -> Sink:
    """Return the sink of a redrive's plan; `resume` goes on with what an earlier execution began to archive."""
    place = place_again(kit, plan.options)
    target = queue_again(place, plan.options)
    routes = Routes(sqs=kit.sqs, dlq=dlq, journal=kit.journal, to=target)
    return mending_sink(QueueSink(place.sqs, routes, run_id=plan.run_id), plan, resume=resume)


def _targets(dlq: DeadLetterQueue, there: Target | None, found: Survey, routes: Routes) -> list[Queue]:
    """Return the queues that messages would be sent to, as far as is known: every source, where not all was seen."""
    if there:
        return [there.queue]
    seen = {route.arn: route for each in found.messages if isinstance(route := routes(each), Queue)}
    return list(({each.queue.arn: each.queue for each in dlq.sources} | seen).values())[:_TARGETS_DESCRIBED]


def _foreseen(kit: Toolkit, plan: Plan, targets: Sequence[Queue], watching: Watching) -> Plan:
    """Return the plan with how long it takes until the outcome is known, if it is wanted, and for the consumer."""
    if watching.wait or watching.holds_everything:
        sqs = place_again(kit, plan.options).sqs
        destinations = [destination_of(sqs, each) for each in targets]
        facts = prospect(watching, destinations, canary=len(plan.options["canary_ids"]), count=plan.count)
        rate, is_fifo = plan.options["rate"], plan.queue.is_fifo
        notes = warnings(watching, destinations, count=plan.count, rate=rate, is_fifo=is_fifo)
        plan = replace(plan, facts={**plan.facts, **facts}, notes=(*plan.notes, *notes))
    if plan.options.get("elsewhere"):  # its consumer is not to be seen from here
        return plan
    told = forecast(kit, targets, plan.count, plan.options["rate"])
    return replace(plan, facts={**plan.facts, **told.facts}, notes=(*plan.notes, *told.notes))


def _notes(dlq: DeadLetterQueue, target: Queue | None, found: Survey, routes: Routes) -> tuple[str, ...]:
    notes = [_ONE_JOURNAL, *followed(dlq)]
    if target and dlq.queue.is_fifo and not target.is_fifo:
        notes.append(f'"{target.name}" is a standard queue: the order of the messages is lost')
    if target and target.is_fifo and not dlq.queue.is_fifo:
        notes.append(f'"{target.name}" is a FIFO queue: a message without a group becomes a group of its own')
    if not target and len(dlq.sources) != 1:
        notes += _spread(found.messages, routes)
    return (*notes, *pointer_notes(found.messages, "they are sent as they are, and the payload stays where it is"))


def _spread(messages: Sequence[Message], routes: Routes) -> list[str]:
    """Return how the messages that were seen spread over their source queues."""
    counts = Counter(route.name for each in messages if isinstance(route := routes(each), Queue))
    return [f"{count} of those seen go to {name}" for name, count in sorted(counts.items())]
