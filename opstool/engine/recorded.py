"""A change that moves no message, kept in the journal like a run: who made it, when, why, and how it ended."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from opstool.doors.toolkit import Toolkit
from opstool.engine.account import alive, conclude, new_run_id, run_record
from opstool.words.errors import OpstoolError
from opstool.words.filters import Selection
from opstool.words.plan import Plan
from opstool.words.queue import Queue
from opstool.words.report import Tally


def plan_of(kit: Toolkit, verb: str, queue: Queue, target: str, options: Mapping[str, Any]) -> Plan:
    """Return the plan of a change to a queue's settings; `target` says in words what they become."""
    return Plan(
        run_id=new_run_id(kit.clock),
        verb=verb,
        queue=queue,
        origin=queue.arn,
        target=target,
        selection=Selection(),
        count=0,
        exact=True,
        options=options,
    )


@contextmanager
def recorded(kit: Toolkit, plan: Plan, note: str | None) -> Iterator[Tally]:
    """Write the plan before anything is changed, and the report after it; an error is written and raised again.

    What is named in the tally makes the run partial. Raises StorageError when it cannot be written: nothing is changed.
    """
    tally, started, before = Tally(), kit.clock.monotonic(), (kit.sqs.requests, kit.sqs.billed_requests)
    with alive(kit, plan.run_id):
        kit.journal.start_run(run_record(kit, plan, note))
        try:
            yield tally
        except OpstoolError as error:
            tally.name(error.code, error.message)
            conclude(kit, plan, tally, started=started, before=before, error=error)
            raise
        conclude(kit, plan, tally, started=started, before=before, error=None)
