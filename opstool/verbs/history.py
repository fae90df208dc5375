"""The runs in the journal, and one of them taken up again."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import Any

from opstool.doors.toolkit import Toolkit
from opstool.engine.account import is_alive
from opstool.engine.delivery import Uncertain
from opstool.engine.dlq import locate_to_change
from opstool.engine.hold import Hold
from opstool.engine.run import Run
from opstool.engine.throttle import check_rate
from opstool.verbs import importing, purge, redrive
from opstool.words.errors import RefusedError
from opstool.words.fate import Fate
from opstool.words.plan import Plan, price_usd, requests_to_move
from opstool.words.record import Move, RunRecord, State
from opstool.words.report import Status
from opstool.words.s3address import place_of


@dataclass(frozen=True, kw_only=True)
class RunDetails:
    """One run with the messages that it sent or meant to send, and what became of them, by their id, where known."""

    run: RunRecord
    moves: tuple[Move, ...]
    fates: Mapping[str, Fate] = field(default_factory=dict)


def runs(kit: Toolkit, *, limit: int = 50) -> list[RunRecord]:
    """Return the latest runs, newest first; one that died is `interrupted`."""
    return [_truthful(kit, record) for record in kit.journal.runs(limit)]


def details(kit: Toolkit, run_id: str) -> RunDetails:
    """Return one run message by message; raise NotFoundError."""
    record = kit.journal.run(run_id)
    return RunDetails(
        run=_truthful(kit, record),
        moves=tuple(kit.journal.moves(record.run_id)),
        fates=kit.journal.fates(record.run_id),
    )


def resume(
    kit: Toolkit, run_id: str, *, uncertain: Uncertain | None = None, rate: float | None = None
) -> Run | importing.Import:
    """Return an interrupted run, ready to go on under its own id: what it has sent is not sent again.

    `uncertain` and `rate` take the place of what the run began with. Raises NotFoundError, and RefusedError when it is
    done, still running, or of a kind that cannot be resumed.
    """
    check_rate(rate)
    record = kit.journal.run(run_id)
    if record.status == Status.DONE:
        raise RefusedError(
            f"run `{record.run_id}` is done", code="run_is_done", hint=f"opstool history {record.run_id}"
        )
    changed = {name: value for name, value in (("uncertain", uncertain), ("rate", rate)) if value is not None}
    if record.plan["options"].get("engine") == "native":
        raise RefusedError(
            "that was a move task of SQS, of which nobody knows what it has moved",
            code="not_resumable",
            hint=f"opstool dlq move-tasks {record.queue}",
        )
    if record.verb == "import":
        return _resume_import(kit, record, changed)
    if record.verb not in {"redrive", "purge"}:
        raise RefusedError(f"a run of `{record.verb}` cannot be resumed", code="not_resumable")
    return _resume_transfer(kit, record, changed)


def _resume_import(kit: Toolkit, record: RunRecord, changed: Mapping[str, Any]) -> importing.Import:
    file = record.plan["options"].get("file")
    if file is None:
        raise RefusedError(
            "that import read its standard input",
            code="not_resumable",
            hint="run the import again: what was sent is skipped",
        )
    return importing.reopen(kit, place_of(file), record.run_id, {**record.plan["options"], **changed})


def _resume_transfer(kit: Toolkit, record: RunRecord, changed: Mapping[str, Any]) -> Run:
    plan = Plan.resumed(record.run_id, record.verb, record.plan)
    dlq = locate_to_change(kit, plan.queue.arn, not_a_dlq=bool(plan.options.get("not_a_dlq")))
    with ExitStack() as undo:
        hold = undo.enter_context(Hold(kit, dlq, exclusive=True))
        record = kit.journal.run(record.run_id)  # as it stands now that nobody else can change it
        moves = list(kit.journal.moves(record.run_id))
        undo.pop_all()
    # What the run held may stay hidden until its leases end; only then can a look be trusted.
    hold.end.blind_for(record.hides_for_s(kit.clock.wall()))
    sent = sum(move.state is not State.INTENT for move in moves)
    settled = frozenset(move.record_id for move in moves if move.state is State.SETTLED)
    left = min(max(0, plan.count - sent), dlq.attributes.depth + dlq.attributes.in_flight)
    requests = requests_to_move(left)
    plan = replace(
        plan,
        queue=dlq.queue,
        ids=None if plan.ids is None else plan.ids - settled,
        count=left,
        requests=requests,
        cost_usd=price_usd(requests, fifo=dlq.queue.is_fifo),
        retention_s=dlq.attributes.retention_s,
        options={**plan.options, **changed},
        notes=_resume_notes(plan, sent),
    )
    return Run(
        kit=kit,
        plan=plan,
        hold=hold,
        open_sink=lambda: (
            redrive.open_sink(kit, plan, dlq, resume=True)
            if plan.verb == "redrive"
            else purge.open_sink(plan, resume=True)
        ),
        archive=plan.options.get("archive"),
        upload=purge.upload_of(kit, plan),
        partial=bool(plan.options.get("partial")),
        begun=frozenset(move.record_id for move in moves) - settled,
        settled=settled,
        watched=redrive.watched(kit, plan, hold, dlq) if plan.verb == "redrive" else None,
        admits=redrive.admission(kit, plan, hold) if plan.verb == "redrive" else lambda _: True,
    )


def _resume_notes(plan: Plan, sent: int) -> tuple[str, ...]:
    before = f"{sent} messages were dealt with before this run was interrupted"
    if not plan.options.get("partial"):
        return (before,)
    return before, "its plan could not see the whole queue: a new run takes up what it has not seen"


def _truthful(kit: Toolkit, record: RunRecord) -> RunRecord:
    """Return the record with the status it really has: a run that says it is running, and is not alive, has died."""
    if record.status != "running" or is_alive(kit, record.run_id):
        return record
    return replace(record, status=Status.INTERRUPTED.value)
