"""Delete messages of a dead-letter queue, after they are safe in an archive."""

from __future__ import annotations

import shlex
from contextlib import ExitStack
from pathlib import Path

from opstool.doors.archive import ArchiveWriter
from opstool.doors.toolkit import Toolkit
from opstool.engine.account import new_run_id
from opstool.engine.delivery import Uncertain
from opstool.engine.dlq import locate_to_change
from opstool.engine.hold import Hold
from opstool.engine.planning import find, followed, freeze
from opstool.engine.run import Run
from opstool.engine.sinks import ArchiveSink, NothingSink, Sink
from opstool.engine.throttle import check_rate
from opstool.words.filters import Selection
from opstool.words.plan import Plan


def prepare(  # noqa: PLR0913 - one parameter for each choice, all but the first by name
    kit: Toolkit,
    name: str | None = None,
    selection: Selection | None = None,
    *,
    archive: Path | None = None,
    no_archive: bool = False,
    limit: int | None = None,
    not_a_dlq: bool = False,
    uncertain: Uncertain = "resend",
    rate: float | None = None,
) -> Run:
    """Return a run that archives and deletes the selected messages; nothing is changed before its `execute`.

    The archive is a new file in the state directory unless `archive` names one. With `uncertain="leave"` a message that
    an earlier run may have sent stays in the queue. Raises what redrive.prepare raises.
    """
    check_rate(rate)
    selection = selection or Selection()
    dlq = locate_to_change(kit, name, not_a_dlq=not_a_dlq)
    run_id = new_run_id(kit.clock)
    file = archive or kit.state_dir / "archives" / f"{dlq.queue.name}-{run_id}.jsonl.gz"
    path = None if no_archive else file.absolute()  # whoever resumes may stand in another folder
    with ExitStack() as undo:
        hold = undo.enter_context(Hold(kit, dlq, exclusive=True))
        found = find(kit, hold, dlq, selection, limit)
        plan = freeze(
            kit,
            dlq,
            found,
            Plan(
                run_id=run_id,
                verb="purge",
                queue=dlq.queue,
                origin=dlq.queue.arn,
                target=str(path) if path else "nothing",
                selection=selection,
                count=0,
                exact=False,
                limit=limit,
                notes=followed(dlq),
                irreversible=_irreversible(path),
                options={
                    "archive": str(path) if path else None,
                    "not_a_dlq": not_a_dlq,
                    "uncertain": uncertain,
                    "rate": rate,
                },
            ),
        )
        undo.pop_all()
    return Run(
        kit=kit,
        plan=plan,
        hold=hold,
        open_sink=lambda: open_sink(plan),
        in_hand=found.matched,
        partial=found.partial,
        archive=str(path) if path else None,
    )


def open_sink(plan: Plan, *, resume: bool = False) -> Sink:
    """Return the sink of a purge's plan; `resume` goes on with an archive that an earlier execution began."""
    path = plan.options["archive"]
    if path is None:
        return NothingSink()
    Path(path).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    archive = ArchiveWriter(Path(path), queue_arn=plan.queue.arn, archive_id=plan.run_id, resume=resume)
    # A file's name need not be text, and the journal keeps nothing else.
    return ArchiveSink(archive, path.encode(errors="backslashreplace").decode(), keeps_order=plan.queue.is_fifo)


def _irreversible(path: Path | None) -> str:
    if path is None:
        return "the messages are deleted and kept nowhere"
    return (
        f"the messages leave the queue; `opstool dlq import {shlex.quote(str(path))}` brings them back, under new ids"
    )
