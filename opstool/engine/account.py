"""The account of a run: what the journal is told of it at its start, and at its end."""

from __future__ import annotations

import os
import platform
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime

from opstool.doors.clock import Clock
from opstool.doors.locking import RunLock, is_held
from opstool.doors.toolkit import Toolkit
from opstool.words.errors import OpstoolError, StorageError
from opstool.words.plan import Plan, price_usd
from opstool.words.record import RunRecord
from opstool.words.report import Report, Status, Tally


@contextmanager
def alive(kit: Toolkit, run_id: str) -> Iterator[None]:
    """Hold the lock by which everybody else knows that this run goes on, and has not died."""
    lock = RunLock(kit.state_dir, _life(run_id))
    try:
        yield
    finally:
        lock.retire()


def is_alive(kit: Toolkit, run_id: str) -> bool:
    """Tell whether a process is carrying out this run at the moment."""
    return is_held(kit.state_dir, _life(run_id))


def _life(run_id: str) -> str:
    return f"run {run_id}"


def run_record(kit: Toolkit, plan: Plan, note: str | None) -> RunRecord:
    """Return what the journal keeps of a run at its start: the plan, and who runs it from where."""
    return RunRecord(
        run_id=plan.run_id,
        verb=plan.verb,
        queue=plan.queue.name,
        status="running",
        started_at_ms=int(kit.clock.wall() * 1000),
        ended_at_ms=None,
        note=note,
        lease_s=kit.lease_s,
        plan=plan.record(),
        audit={"who": kit.who(), "host": platform.node(), "pid": os.getpid(), "selection": plan.selection.text},
        report=None,
    )


def new_run_id(clock: Clock) -> str:
    """Return an id that sorts by time and can be read aloud: date, time (UTC) and six hex digits."""
    return f"{datetime.fromtimestamp(clock.wall(), tz=UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"


def conclude(
    kit: Toolkit,
    plan: Plan,
    tally: Tally,
    *,
    started: float,
    before: tuple[int, int],
    error: OpstoolError | None,
    incomplete: bool = False,
    archive: str | None = None,
) -> Report:
    """Return the report of a run that has ended, and write it into the journal.

    `started` is monotonic seconds, `before` the requests and billed requests at the beginning; `incomplete` says that
    something was left undone which is no message's failure.
    """
    failures = tally.failures()
    report = Report(
        run_id=plan.run_id,
        verb=plan.verb,
        queue=plan.queue.name,
        target=plan.target,
        status=_status(
            interrupted=kit.stop.is_set() and error is None,
            incomplete=incomplete or bool(failures) or error is not None,
        ),
        counts=tally.counts(),
        possibly_sent_twice_ids=kit.journal.possibly_sent_twice(plan.run_id),
        requests=kit.sqs.requests - before[0],
        cost_usd=price_usd(kit.sqs.billed_requests - before[1], fifo=plan.queue.is_fifo),
        seconds=kit.clock.monotonic() - started,
        archive=archive,
        failures=failures,
        error_code=error.code if error else None,
        notes=(*plan.notes, *tally.notes()),
    )
    try:
        kit.journal.finish_run(plan.run_id, report.status, report.document())
    except StorageError as failure:  # the account of what was done must not be lost with the journal
        return replace(report, status=_status(interrupted=False, incomplete=True), error_code=failure.code)
    return report


def _status(*, interrupted: bool, incomplete: bool) -> Status:
    if interrupted:
        return Status.INTERRUPTED
    return Status.PARTIAL if incomplete else Status.DONE
