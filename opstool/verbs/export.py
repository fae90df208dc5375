"""Copy messages of a dead-letter queue into an archive, and leave them where they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from opstool.doors.archive import ArchiveWriter, StreamWriter
from opstool.doors.regex import matching
from opstool.doors.toolkit import Toolkit
from opstool.engine.account import new_run_id
from opstool.engine.dlq import DeadLetterQueue, locate
from opstool.engine.exportplace import ExportPlace, export_place
from opstool.engine.hold import Hold
from opstool.engine.lease import Lease
from opstool.engine.lineage import Origins
from opstool.engine.scan import Scan, most
from opstool.engine.sinks import GARBLED
from opstool.engine.survey import Survey, note_coverage, note_missing_ids, survey
from opstool.words.errors import OpstoolError, ServiceError, StorageError
from opstool.words.filters import Selection
from opstool.words.plan import price_usd
from opstool.words.reason import Reason
from opstool.words.report import Outcome, Report, Status
from opstool.words.s3address import S3Address

Writer = ArchiveWriter | StreamWriter


def export(
    kit: Toolkit,
    name: str | None = None,
    selection: Selection | None = None,
    *,
    to: Path | S3Address | BinaryIO,
    overwrite: bool = False,
    limit: int | None = None,
) -> Report:
    """Write the selected messages to a file, a stream or S3; each is written once, and released at the end.

    With `overwrite` what is there is replaced, once the new archive is whole. Raises RefusedError when the file or the
    object exists, StorageError when it cannot be written, and what `locate` and Upload's checks raise.
    """
    selection = selection or Selection()
    dlq = locate(kit, name)
    run_id = new_run_id(kit.clock)
    started = kit.clock.monotonic()
    place = export_place(kit, to, queue=dlq.queue.name, archive_id=run_id, overwrite=overwrite)
    with Hold(kit, dlq, exclusive=False) as hold:
        found, cut_by = _written(kit, hold, dlq, selection, place, run_id, limit)
        error = _finished(place, cut_by, whole=cut_by is None and not kit.stop.is_set())
        if error:
            hold.tally.name(error.code, error.message)
        counts, failures = hold.tally.counts(), hold.tally.failures()
        requests_before = hold.requests_before
    incomplete = bool(failures) or found.partial
    return Report(
        run_id=None,
        verb="export",
        queue=dlq.queue.name,
        target=place.target,
        status=Status.INTERRUPTED if kit.stop.is_set() else Status.PARTIAL if incomplete else Status.DONE,
        counts=counts,
        requests=kit.sqs.requests - requests_before[0],
        cost_usd=price_usd(kit.sqs.billed_requests - requests_before[1], fifo=dlq.queue.is_fifo),
        seconds=kit.clock.monotonic() - started,
        archive=place.archive,
        failures=failures,
        error_code=error.code if error else None,
        notes=(*found.notes, *place.notes, *hold.leases.notes),
    )


def _written(
    kit: Toolkit,
    hold: Hold,
    dlq: DeadLetterQueue,
    selection: Selection,
    place: ExportPlace,
    archive_id: str,
    limit: int | None,
) -> tuple[Survey, StorageError | None]:
    """Write what is meant; return what was found, and the error that ended it after something was received."""
    found = Survey(matched=[])
    try:
        if selection.needs_reason:
            found = survey(kit, hold, dlq, selection, limit=limit)
            with _closing(_open(place, dlq, archive_id, found.reasons.found)) as writer:
                _write(hold, writer, found.matched)
        else:
            with _closing(_open(place, dlq, archive_id, {})) as writer:
                found = _stream(kit, hold, dlq, selection, writer, limit)
    except StorageError as failure:
        if not hold.tally.counts().received:
            raise
        return found, failure
    return found, None


def _open(place: ExportPlace, dlq: DeadLetterQueue, archive_id: str, reasons: Mapping[str, Reason]) -> Writer:
    arn, retention_s, to = dlq.queue.arn, dlq.attributes.retention_s, place.place
    if isinstance(to, Path):
        return ArchiveWriter(to, queue_arn=arn, archive_id=archive_id, retention_s=retention_s, reasons=reasons)
    return StreamWriter(to, queue_arn=arn, archive_id=archive_id, retention_s=retention_s, reasons=reasons)


def _finished(place: ExportPlace, error: OpstoolError | None, *, whole: bool) -> OpstoolError | None:
    """Put the archive where it belongs; return the first thing that went wrong."""
    try:
        place.finish(whole=whole)
    except (StorageError, ServiceError) as failure:
        return error or failure
    return error


@contextmanager
def _closing(writer: Writer) -> Iterator[Writer]:
    """Close the writer at the end; what failed before its first record leaves no file in the way of the next try."""
    try:
        yield writer
        writer.finish()
    except BaseException:
        writer.discard_if_empty()
        raise
    finally:
        writer.close()


def _stream(
    kit: Toolkit, hold: Hold, dlq: DeadLetterQueue, selection: Selection, writer: Writer, limit: int | None
) -> Survey:
    """Write each batch as it is received, so that only ids and handles are kept in memory."""

    def settle(batch: list[Lease]) -> None:
        _write(hold, writer, batch)
        for lease in batch:
            lease.forget_body()

    origins = Origins(kit)
    with matching(selection, retention_s=dlq.attributes.retention_s) as matcher:
        scan = Scan(
            leases=hold.leases,
            tally=hold.tally,
            decide=lambda message: None if matcher(origins.known(message)) else Outcome.SKIPPED,
            settle=settle,
            clock=kit.clock,
            stop=kit.stop,
            end=hold.end,
            workers=hold.workers,
            limit=most(selection.ids, limit),
        )
        with kit.watch("export", hold.tally, dlq.attributes.depth):
            scan.run()
    found = Survey(matched=[], notes=[note for note in (matcher.note, origins.note) if note])
    full = limit is not None and hold.tally.counts().succeeded >= limit
    note_missing_ids(hold, selection, complete=not full and not kit.stop.is_set())
    note_coverage(hold, dlq, found, bounded=scan.bounded, ended=hold.end.reached)
    return found


def _write(hold: Hold, writer: Writer, leases: list[Lease]) -> None:
    intact = [lease for lease in leases if lease.content.is_intact]
    writer.append([lease.content for lease in intact])
    hold.tally.decide([lease.message_id for lease in intact], Outcome.SUCCEEDED)
    for lease in leases:
        if lease not in intact:
            hold.tally.fail(lease.message_id, "copy_differs", GARBLED)
