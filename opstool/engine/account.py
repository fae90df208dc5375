"""The account of a run: what the journal is told of it at its start, and at its end."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from opstool import __version__
from opstool.doors.clock import Clock
from opstool.doors.locking import RunLock, is_held
from opstool.doors.machine import this_machine
from opstool.doors.toolkit import Toolkit
from opstool.words.errors import OpstoolError, StorageError
from opstool.words.note import checked_note
from opstool.words.plan import Plan, price_usd
from opstool.words.record import RunRecord
from opstool.words.report import Report, Status, Tally
from opstool.words.undo import undo_command


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
    """Return what the journal keeps of a run at its start: the plan, and who runs it from where and why.

    Raises UsageError for a note that is too long.
    """
    return RunRecord(
        run_id=plan.run_id,
        verb=plan.verb,
        queue=plan.queue.name,
        status="running",
        started_at_ms=int(kit.clock.wall() * 1000),
        ended_at_ms=None,
        note=checked_note(note),
        lease_s=kit.lease_s,
        plan=plan.record(),
        audit=_audit(kit, plan),
        report=None,
    )


def _audit(kit: Toolkit, plan: Plan) -> dict[str, Any]:
    """Return who AWS takes us for, where we are, what was selected, and the other side of a redrive into elsewhere.

    The hash is of the selection's canonical JSON (Selection.to_json), in which keys and ids are sorted and every time
    is absolute: the text names the first ids and counts the rest.
    """
    who, machine = kit.who(), this_machine()
    return {
        "who": who.arn or "unknown",
        "account": who.account,
        "why_unknown": who.why_unknown,
        "host": machine.host,
        "user": machine.user,
        "pid": machine.pid,
        "opstool": __version__,
        "region": kit.region() or plan.queue.region,
        "endpoint_url": kit.endpoint() or None,
        "selection": plan.selection.text,
        "selection_sha256": hashlib.sha256(plan.selection.to_json().encode()).hexdigest(),
        "to": plan.options.get("to_side"),
        "resumed": [],
    }


def new_run_id(clock: Clock) -> str:
    """Return an id that sorts by time and can be read aloud: date, time (UTC) and six hex digits."""
    return f"{datetime.fromtimestamp(clock.wall(), tz=UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"


def conclude(  # noqa: PLR0913 - one parameter for each fact of a run, all but three by name
    kit: Toolkit,
    plan: Plan,
    tally: Tally,
    *,
    started: float,
    before: tuple[int, int],
    error: OpstoolError | None,
    incomplete: bool = False,
    archive: str | None = None,
    status: Status | None = None,
) -> Report:
    """Return the report of a run that has ended, and write it into the journal.

    `started` is monotonic seconds, `before` the requests and billed requests at the beginning; `incomplete` says that
    something was left undone which is no message's failure. `status` takes the place of what follows from the rest.
    """
    failures, (requests, billed) = tally.failures(), kit.spent()
    report = Report(
        run_id=plan.run_id,
        verb=plan.verb,
        queue=plan.queue.name,
        target=plan.target,
        engine=plan.engine,
        status=status
        or _status(
            interrupted=kit.stop.is_set() and error is None,
            incomplete=incomplete or bool(failures) or error is not None,
        ),
        counts=tally.counts(),
        possibly_sent_twice_ids=kit.journal.possibly_sent_twice(plan.run_id),
        requests=requests - before[0],
        cost_usd=price_usd(billed - before[1], fifo=plan.queue.is_fifo),
        seconds=kit.clock.monotonic() - started,
        archive=archive,
        undo=_undo(kit, plan, archive),
        failures=failures,
        error_code=error.code if error else None,
        notes=(*plan.notes, *tally.notes()),
    )
    try:
        kit.journal.finish_run(plan.run_id, report.status, report.document())
    except StorageError as failure:  # the account of what was done must not be lost with the journal
        return replace(report, status=_status(interrupted=False, incomplete=True), error_code=failure.code)
    return report


def _undo(kit: Toolkit, plan: Plan, archive: str | None) -> str | None:
    """Return the command that takes a purge back; None where nothing was archived."""
    file = plan.options.get("archive")
    if plan.verb != "purge" or not archive or not file or not Path(file).exists():
        return None
    return undo_command(kit.program, archive)


def _status(*, interrupted: bool, incomplete: bool) -> Status:
    if interrupted:
        return Status.INTERRUPTED
    return Status.PARTIAL if incomplete else Status.DONE
