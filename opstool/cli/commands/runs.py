"""The commands about runs: history and resume."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import typer

from opstool.cli import words
from opstool.cli.audit import audit_facts, resumptions
from opstool.cli.changing import ChangeOptions, Rate, Uncertainty, Yes, carry_out
from opstool.cli.confirm import Yes as YesConsent
from opstool.cli.errors import DONE
from opstool.cli.invocation import Invocation
from opstool.cli.options import command
from opstool.cli.reports import look_report
from opstool.cli.screen import safe
from opstool.cli.table import Cell, Column, table
from opstool.verbs import history
from opstool.verbs.history import RunDetails
from opstool.words.document import iso
from opstool.words.fate import Fate
from opstool.words.record import Move, RunRecord
from opstool.words.report import Status

_RUN_COLUMNS = (
    Column(title="RUN", whole=True),
    Column(title="STARTED", whole=True),
    Column(title="VERB", whole=True),
    Column(title="QUEUE", whole=True),
    Column(title="STATUS", whole=True),
    Column(title="SUCCEEDED", whole=True, right=True),
    Column(title="NOTE"),
)
_MOVE_COLUMNS = (
    Column(title="MESSAGE", whole=True),
    Column(title="STATE", whole=True),
    Column(title="NEW ID", whole=True),
    Column(title="TARGET"),
    Column(title="OUTCOME", whole=True),
)
RunId = Annotated[str, typer.Argument(metavar="RUN", help="The run's id, or its beginning.")]


@command("history", examples=("opstool history", "opstool history 20250131-093000"))
def show_history(
    call: Invocation,
    run: Annotated[
        str | None, typer.Argument(metavar="RUN", show_default=False, help="Show this run message by message.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", metavar="N", min=1, help="At most so many runs.")] = 50,
) -> int:
    """Show the runs that changed something, newest first, or one of them message by message."""
    if run is not None:
        return _show_run(call, history.details(call.kit, run))
    found = history.runs(call.kit, limit=limit)
    if not call.output.is_text:
        whole = {"version": 1, "type": "history"}
        call.output.listing(whole, "runs", [_run_document(each) for each in found], look_report("history", requests=0))
        return DONE
    if not found:
        call.notices.note(f"no runs in {safe(str(call.state_dir))}")
        return DONE
    for line in table(
        _RUN_COLUMNS, [_run_row(each) for each in found], width=call.output.columns, paint=call.output.paint
    ):
        call.output.line(line)
    return DONE


@command("resume", examples=("opstool resume 20250131-093000-a1b2c3",))
def resume_run(
    call: Invocation,
    *,
    run: RunId,
    change: ChangeOptions,
    rate: Rate = None,
    uncertain: Annotated[
        Uncertainty | None,
        typer.Option("--uncertain", metavar="resend|leave", help="Instead of what the run began with."),
    ] = None,
    yes: Yes = False,
) -> int:
    """Go on with a run that was interrupted; what it has sent is not sent again."""
    consent = YesConsent(notices=call.notices, given=yes)
    return carry_out(
        call,
        lambda: history.resume(call.kit, run, uncertain=uncertain.value if uncertain else None, rate=rate),
        change,
        consent,
        resumed=True,
    )


def _show_run(call: Invocation, found: RunDetails) -> int:
    if not call.output.is_text:
        whole = {"version": 1, "type": "run", "run": _run_document(found.run)}
        moves = [_move_document(each, found.fates.get(each.record_id)) for each in found.moves]
        call.output.listing(whole, "moves", moves, _run_document(found.run))
        return DONE
    for line in _run_lines(found.run):
        call.output.line(line)
    if found.moves:
        call.output.line()
        rows = [_move_row(each, found.fates.get(each.record_id)) for each in found.moves]
        for line in table(_MOVE_COLUMNS, rows, width=call.output.columns, paint=call.output.paint):
            call.output.line(line)
    return DONE


def _run_lines(run: RunRecord) -> Iterator[str]:
    ended = "" if run.ended_at_ms is None else f", took {words.elapsed((run.ended_at_ms - run.started_at_ms) / 1000)}"
    facts = {
        "run": run.run_id,
        "status": run.status,
        "started": iso(run.started_at_ms) + ended,
        "verb": run.verb,
        "queue": run.queue,
        "target": run.plan.get("target"),
        "engine": (run.plan.get("options") or {}).get("engine"),  # said where it is not this program's own
        **audit_facts(run.audit),
        "note": run.note,
        "archive": (run.report or {}).get("archive"),
    }
    yield from (f"{name:10} {safe(str(value))}" for name, value in facts.items() if value)
    yield from (f"{'resumed':10} {safe(line)}" for line in resumptions(run.audit))
    yield from _outcome_lines(run.report or {})
    for name in ("received", "succeeded", "skipped", "failed", "released", "returned", "possibly_sent_twice"):
        number = (run.report or {}).get(name)
        if number:
            yield f"{name.replace('_', ' '):10} {number:,}"


def _outcome_lines(report: Mapping[str, Any]) -> Iterator[str]:
    """Yield what became of what was sent, as far as it was followed, and why not everything was sent."""
    outcome, stopped = report.get("outcome"), report.get("stopped")
    if outcome:
        parts = [f"{outcome[name]:,} {name}" for name in ("succeeded", "returned", "unknown") if outcome[name]]
        yield f"{'outcome':10} {', '.join(parts) or 'nothing was sent'}"
    if stopped:
        yield f"{'stopped':10} {safe(str(stopped['message']))}"


def _run_row(run: RunRecord) -> list[Cell]:
    succeeded = None if run.status == Status.DETACHED else (run.report or {}).get("succeeded")  # SQS goes on: unknown
    texts = [
        run.run_id,
        iso(run.started_at_ms)[:19].replace("T", " "),
        run.verb,
        run.queue,
        run.status,
        "-" if succeeded is None else f"{succeeded:,}",
        run.note or "",
    ]
    return [Cell(text=safe(text)) for text in texts]


def _move_row(move: Move, fate: Fate | None) -> list[Cell]:
    target = (move.target or "-").rsplit(":", 1)[-1]
    texts = (move.record_id, move.state.value, move.new_id or "-", target, fate or "-")
    return [Cell(text=safe(text)) for text in texts]


def _run_document(run: RunRecord) -> dict[str, Any]:
    return {
        "version": 1,
        "type": "run",
        "run_id": run.run_id,
        "verb": run.verb,
        "queue": run.queue,
        "target": run.plan.get("target"),
        "status": run.status,
        "started_at": iso(run.started_at_ms),
        "ended_at": None if run.ended_at_ms is None else iso(run.ended_at_ms),
        "note": run.note,
        "audit": run.audit,
        "report": run.report,
    }


def _move_document(move: Move, fate: Fate | None) -> dict[str, Any]:
    return {
        "version": 1,
        "type": "move",
        "message_id": move.record_id,
        "state": move.state.value,
        "new_id": move.new_id,
        "target": move.target,
        "source_queue": move.source_arn,
        "body_sha256": move.body_sha256,
        "possibly_sent_twice": bool(move.maybe_twice),
        "outcome": fate,
        "intent_at": iso(move.intent_at_ms),
        "updated_at": iso(move.updated_at_ms),
    }
