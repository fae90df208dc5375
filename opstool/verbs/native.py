"""Let SQS itself send everything in a dead-letter queue back: its own move task, which is never chosen silently."""

from __future__ import annotations

from contextlib import ExitStack

from opstool.doors.toolkit import Toolkit
from opstool.engine.account import new_run_id
from opstool.engine.dlq import DeadLetterQueue, locate
from opstool.engine.hold import Hold
from opstool.engine.native.following import LOOK_EVERY_S
from opstool.engine.native.preflight import preflight
from opstool.engine.native.run import NativeRun
from opstool.engine.planning import SAMPLES, followed
from opstool.verbs.redrive import OWN_SOURCE
from opstool.words.errors import UsageError
from opstool.words.filters import Selection
from opstool.words.message import Message
from opstool.words.movetask import LONGEST_S, MOST_PER_SECOND
from opstool.words.plan import Plan, price_usd
from opstool.words.queue import Queue

DROPPED = (
    "SQS copies the messages itself: that attributes, trace header and group id come along is not documented",
    "nothing is frozen: what dies while it runs may be taken too, and so may what comes back",
    "this journal gets no line a message: no resume, and what comes back is not recognised by its id",
    f"at most {MOST_PER_SECOND} messages a second and {LONGEST_S // 3600} hours; the rate cannot be changed on the way",
    "the task goes on when this process dies, and Ctrl-C cancels it; how many have moved is told approximately",
    "the price is that of asking: whether SQS bills the requests of a task is not documented",
)
"""What this engine does not promise, as the plan says it."""
_OWN_REQUESTS = 6
"""What is asked beside the looks at the task: the start, and the looks until its count stands still."""


def prepare(
    kit: Toolkit,
    name: str | None = None,
    *,
    to: str | None = None,
    rate: int | None = None,
    detach: bool = False,
) -> NativeRun:
    """Return a run of SQS's own move task, for everything in the queue; nothing is moved before its `execute`.

    Raises NotFoundError, UsageError for a rate that SQS does not take, and RefusedError where the task would be refused
    or is known to fail: not a DLQ of SQS queues, another task under way, messages without a source, a permission.
    """
    check_rate(rate)
    dlq = locate(kit, name)
    target = kit.sqs.resolve(to) if to else None
    with ExitStack() as undo:
        hold = undo.enter_context(Hold(kit, dlq, exclusive=True))
        found = preflight(kit, dlq, hold, to=target)
        plan = _plan(kit, dlq, target, found.samples, found.notes, rate)
        undo.pop_all()
    return NativeRun(kit=kit, plan=plan, hold=hold, target=target, rate=rate, detach=detach)


def check_rate(rate: float | None) -> None:
    """Raise UsageError for a rate that SQS does not take; None lets SQS choose.

    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_StartMessageMoveTask.html
    """
    if rate is not None and not (1 <= rate <= MOST_PER_SECOND and rate == int(rate)):
        raise UsageError(
            f"`--rate` of a move task is a whole number from 1 to {MOST_PER_SECOND}",
            code="invalid_rate",
            hint="leave it out, and SQS chooses",
        )


def _plan(
    kit: Toolkit,
    dlq: DeadLetterQueue,
    target: Queue | None,
    samples: tuple[Message, ...],
    notes: tuple[str, ...],
    rate: int | None,
) -> Plan:
    """Return the plan: everything, approximately so many, with the promises that this engine drops."""
    count = max(dlq.attributes.depth, len(samples))
    at_least_s = -(-count // (rate or MOST_PER_SECOND))
    requests = _OWN_REQUESTS + int(at_least_s / LOOK_EVERY_S) if count else 0
    too_long = (f"at this rate it needs more than {LONGEST_S // 3600} hours: SQS ends it there",)
    return Plan(
        run_id=new_run_id(kit.clock),
        verb="redrive",
        queue=dlq.queue,
        origin=dlq.queue.arn,
        target=target.name if target else OWN_SOURCE,
        selection=Selection(),
        count=count,
        exact=False,
        samples=samples[:SAMPLES],
        requests=requests,
        cost_usd=price_usd(requests, fifo=dlq.queue.is_fifo),
        retention_s=dlq.attributes.retention_s,
        facts={"engine": "native: SQS's own move task", "takes": _takes(at_least_s, rate)},
        notes=(*followed(dlq), *(too_long if at_least_s > LONGEST_S else ()), *notes, *DROPPED),
        irreversible="each copy gets a new message id, receive count and SentTimestamp; to cancel brings nothing back",
        options={"engine": "native", "to": target.arn if target else None, "rate": rate},
    )


def _takes(seconds: int, rate: int | None) -> str:
    """Return how long it takes at least, in words."""
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    text = f"{hours}h {minutes}m" if hours else f"{minutes}m {rest}s" if minutes else f"{rest}s"
    chosen = "" if rate else ", the most there can be; SQS chooses"
    return f"at least {text} at {rate or MOST_PER_SECOND} messages a second{chosen}"
