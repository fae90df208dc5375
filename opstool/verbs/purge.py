"""Delete messages of a dead-letter queue, after they are safe in an archive."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from opstool.doors.archive import ArchiveWriter
from opstool.doors.toolkit import Toolkit
from opstool.engine.account import new_run_id
from opstool.engine.delivery import Uncertain
from opstool.engine.dlq import locate_to_change
from opstool.engine.hold import Hold
from opstool.engine.planning import find, followed, freeze
from opstool.engine.run import Run
from opstool.engine.sinks import ArchiveSink, NothingSink, Sink
from opstool.engine.survey import Survey
from opstool.engine.throttle import check_rate
from opstool.engine.upload import Upload
from opstool.words.filters import Selection
from opstool.words.plan import Plan
from opstool.words.s3address import S3Address, parse
from opstool.words.s3pointer import pointer_notes
from opstool.words.undo import undo_command


def prepare(  # noqa: PLR0913 - one parameter for each choice, all but the first by name
    kit: Toolkit,
    name: str | None = None,
    selection: Selection | None = None,
    *,
    archive: Path | S3Address | None = None,
    no_archive: bool = False,
    limit: int | None = None,
    not_a_dlq: bool = False,
    uncertain: Uncertain = "resend",
    rate: float | None = None,
) -> Run:
    """Return a run that archives and deletes the selected messages; nothing is changed before its `execute`.

    The archive is a new file in the state directory unless `archive` names one, or a place in S3, to which it is taken
    when the messages are deleted. With `uncertain="leave"` a message that an earlier run may have sent stays in the
    queue. Raises what redrive.prepare raises, and what Upload.check does.
    """
    check_rate(rate)
    selection = selection or Selection()
    dlq = locate_to_change(kit, name, not_a_dlq=not_a_dlq)
    run_id = new_run_id(kit.clock)
    options: dict[str, Any] = {
        **({} if no_archive else _places(kit, dlq.queue.name, run_id, archive)),
        "not_a_dlq": not_a_dlq,
        "uncertain": uncertain,
        "rate": rate,
    }
    with ExitStack() as undo:
        hold = undo.enter_context(Hold(kit, dlq, exclusive=True))
        draft = Plan(
            run_id=run_id,
            verb="purge",
            queue=dlq.queue,
            origin=dlq.queue.arn,
            target=options.get("upload") or options.get("archive") or "nothing",
            selection=selection,
            count=0,
            exact=False,
            limit=limit,
            notes=followed(dlq),
            irreversible=_irreversible(kit, options),
            options=options,
        )
        upload = upload_of(kit, draft)
        found = find(kit, hold, dlq, selection, limit)
        plan = freeze(kit, dlq, found, replace(draft, notes=(*draft.notes, *_on_the_way(upload), *_pointers(found))))
        undo.pop_all()
    return Run(
        kit=kit,
        plan=plan,
        hold=hold,
        open_sink=lambda: open_sink(plan, upload=upload),
        in_hand=found.matched,
        partial=found.partial,
        archive=plan.options.get("archive"),
        upload=upload,
    )


def upload_of(kit: Toolkit, plan: Plan) -> Upload | None:
    """Return the way of a purge's archive to S3, checked; None for an archive that stays on this disk.

    S3 may hold what an earlier execution has uploaded: the run's file is that, or more.
    """
    address = plan.options.get("upload")
    if plan.verb != "purge" or not address:
        return None
    upload = Upload(
        objects=kit.objects, address=parse(address), file=Path(plan.options["archive"]), archive_id=plan.run_id
    )
    upload.check()
    return upload


def open_sink(plan: Plan, *, resume: bool = False, upload: Upload | None = None) -> Sink:
    """Return the sink of a purge's plan; `resume` goes on with an archive that an earlier execution began."""
    path = plan.options.get("archive")
    if path is None:
        return NothingSink()
    if upload:
        upload.check_writable()
    Path(path).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    archive = ArchiveWriter(Path(path), queue_arn=plan.queue.arn, archive_id=plan.run_id, resume=resume)
    # A file's name need not be text, and the journal keeps nothing else.
    return ArchiveSink(archive, path.encode(errors="backslashreplace").decode(), keeps_order=plan.queue.is_fifo)


def _places(kit: Toolkit, queue: str, run_id: str, archive: Path | S3Address | None) -> dict[str, str]:
    """Return where the archive is written, and where it is uploaded to; whoever resumes may stand in another folder."""
    name = f"{queue}-{run_id}.jsonl"
    if not isinstance(archive, S3Address):
        file = archive or kit.state_dir / "archives" / f"{name}.gz"
        return {"archive": str(file.absolute())}
    address = archive.of_file(f"{name}.gz")
    file = kit.state_dir / "archives" / (f"{name}.gz" if address.key.endswith(".gz") else name)
    return {"archive": str(file.absolute()), "upload": str(address)}


def _on_the_way(upload: Upload | None) -> tuple[str, ...]:
    """Return what a person should know of an archive that is to lie in S3."""
    if upload is None:
        return ()
    first = f"it is written to `{upload.file}` first, and uploaded when the messages are deleted"
    notes, upload.notes = (first, *upload.notes), []  # what the plan says, the report need not say again
    return notes


def _pointers(found: Survey) -> tuple[str, ...]:
    """Return what becomes of payloads that are not in the messages."""
    consequence = "the payload is not archived, and stays in its bucket until that bucket's lifecycle rules delete it"
    return pointer_notes(found.messages, consequence)


def _irreversible(kit: Toolkit, options: Mapping[str, Any]) -> str:
    place = options.get("upload") or options.get("archive")
    if not place:
        return "the messages are deleted and kept nowhere: nothing brings them back"
    return f"the messages leave the queue; `{undo_command(kit.program, place)}` brings them back, under new ids"
