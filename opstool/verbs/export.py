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
from opstool.engine.hold import Hold
from opstool.engine.lease import Lease
from opstool.engine.scan import Scan, most
from opstool.engine.sinks import GARBLED
from opstool.engine.survey import Survey, note_coverage, note_missing_ids, survey
from opstool.words.errors import StorageError
from opstool.words.filters import Selection
from opstool.words.plan import price_usd
from opstool.words.reason import Reason
from opstool.words.report import Outcome, Report, Status

Writer = ArchiveWriter | StreamWriter


def export(
    kit: Toolkit,
    name: str | None = None,
    selection: Selection | None = None,
    *,
    to: Path | BinaryIO,
    overwrite: bool = False,
    limit: int | None = None,
) -> Report:
    """Write the selected messages to a file or a stream; each is written once, and released at the end.

    Raises StorageError when the file exists (unless `overwrite`) or cannot be written, and what `locate` raises.
    """
    selection = selection or Selection()
    dlq = locate(kit, name)
    run_id = new_run_id(kit.clock)
    started = kit.clock.monotonic()

    def open_writer(reasons: Mapping[str, Reason]) -> Writer:
        arn, retention_s = dlq.queue.arn, dlq.attributes.retention_s
        if not isinstance(to, Path):
            return StreamWriter(to, queue_arn=arn, archive_id=run_id, retention_s=retention_s, reasons=reasons)
        return ArchiveWriter(
            to, queue_arn=arn, archive_id=run_id, overwrite=overwrite, retention_s=retention_s, reasons=reasons
        )

    with Hold(kit, dlq, exclusive=False) as hold:
        error = None
        found = Survey(matched=[])
        try:
            if selection.needs_reason:
                found = survey(kit, hold, dlq, selection, limit=limit)
                with _closing(open_writer(found.reasons.found)) as writer:
                    _write(hold, writer, found.matched)
            else:
                with _closing(open_writer({})) as writer:
                    found = _stream(kit, hold, dlq, selection, writer, limit)
        except StorageError as failure:
            if not hold.tally.counts().received:
                raise
            error = failure
            hold.tally.name(failure.code, failure.message)
        counts, failures = hold.tally.counts(), hold.tally.failures()
        requests_before = hold.requests_before
    incomplete = bool(failures) or found.partial
    return Report(
        run_id=None,
        verb="export",
        queue=dlq.queue.name,
        target=str(to) if isinstance(to, Path) else "stdout",
        status=Status.INTERRUPTED if kit.stop.is_set() else Status.PARTIAL if incomplete else Status.DONE,
        counts=counts,
        requests=kit.sqs.requests - requests_before[0],
        cost_usd=price_usd(kit.sqs.billed_requests - requests_before[1], fifo=dlq.queue.is_fifo),
        seconds=kit.clock.monotonic() - started,
        archive=str(to) if isinstance(to, Path) else None,
        failures=failures,
        error_code=error.code if error else None,
        notes=(*found.notes, *hold.leases.notes),
    )


@contextmanager
def _closing(writer: Writer) -> Iterator[Writer]:
    """Close the writer at the end; what failed before its first record leaves no file in the way of the next try."""
    try:
        yield writer
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

    with matching(selection, retention_s=dlq.attributes.retention_s) as matcher:
        scan = Scan(
            leases=hold.leases,
            tally=hold.tally,
            decide=lambda message: None if matcher(message) else Outcome.SKIPPED,
            settle=settle,
            clock=kit.clock,
            stop=kit.stop,
            end=hold.end,
            workers=hold.workers,
            limit=most(selection.ids, limit),
        )
        with kit.watch("export", hold.tally, dlq.attributes.depth):
            scan.run()
    found = Survey(matched=[], notes=[matcher.note] if matcher.note else [])
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
