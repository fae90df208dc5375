"""From a queue and a selection to a frozen plan: what redrive and purge have in common before they begin."""

from __future__ import annotations

from dataclasses import replace

from opstool.doors.toolkit import Toolkit
from opstool.engine.dlq import DeadLetterQueue
from opstool.engine.hold import Hold
from opstool.engine.survey import Survey, peek, survey
from opstool.words.filters import Selection
from opstool.words.plan import Plan, price_usd, requests_to_move

SAMPLES = 3
_LATE_ARRIVALS = (
    "messages sent before this plan but dead-lettered after it may be included: SQS keeps the original SentTimestamp"
)


def find(
    kit: Toolkit,
    hold: Hold,
    dlq: DeadLetterQueue,
    selection: Selection,
    limit: int | None,
    *,
    whole: bool = False,
    reasons: bool = False,
) -> Survey:
    """Return what is meant, held: everything that matches, or of a whole queue, which all is meant, the first batch.

    `whole` looks through the whole queue without a filter too; `reasons` asks the logs about what was found.
    """
    if selection.is_everything and not whole:
        return Survey(matched=peek(hold)[:limit])
    return survey(kit, hold, dlq, selection, limit=limit, reasons=reasons, to_change=True)


def freeze(kit: Toolkit, dlq: DeadLetterQueue, found: Survey, draft: Plan, *, whole: bool = False) -> Plan:
    """Return the plan with what was found written into it: ids or a point in time, count, samples, price.

    `whole`: everything that is meant was found, so that it can be frozen by id.
    """
    everything = draft.selection.is_everything and not whole
    count = max(dlq.attributes.depth, len(found.matched)) if everything else len(found.matched)
    count = min(count, draft.limit) if draft.limit is not None else count
    requests = requests_to_move(count)
    return replace(
        draft,
        ids=None if everything else frozenset(lease.message_id for lease in found.matched),
        sent_before_ms=kit.sqs.now_ms() if everything else None,
        count=count,
        exact=not everything,
        samples=tuple(found.messages[:SAMPLES]),
        requests=requests,
        cost_usd=price_usd(requests, fifo=dlq.queue.is_fifo),
        retention_s=dlq.attributes.retention_s,
        notes=(*draft.notes, *found.notes, *(_blind_spots(dlq) if everything else ())),
        # For whoever resumes it: to finish this plan is not to finish what was selected.
        options={**draft.options, "partial": found.partial},
    )


def followed(dlq: DeadLetterQueue) -> tuple[str, ...]:
    """Return the note that a source queue was named and led here; none when the queue itself was."""
    if not dlq.followed_from:
        return ()
    return (f'"{dlq.followed_from.name}" is a source queue; its redrive policy leads to "{dlq.queue.name}"',)


def _blind_spots(dlq: DeadLetterQueue) -> list[str]:
    """Return what a plan that has not looked through the queue cannot know."""
    notes = [] if dlq.queue.is_fifo else [_LATE_ARRIVALS]
    if dlq.attributes.in_flight:
        notes.append(
            f"approximately {dlq.attributes.in_flight} more messages are in flight elsewhere and may be missed"
        )
    return notes
