"""Send an archive's messages into a queue, once for each archive, record and target."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from shlex import quote
from typing import Any, BinaryIO

from opstool.doors.archive import Archive, Record, open_archive, open_downloaded
from opstool.doors.locking import RunLock
from opstool.doors.sqs import MAX_BATCH_ENTRIES
from opstool.doors.toolkit import Toolkit
from opstool.engine.account import alive, conclude, new_run_id, run_record
from opstool.engine.adaptive import Gate
from opstool.engine.delivery import Delivery, Uncertain
from opstool.engine.queuesink import QueueSink
from opstool.engine.throttle import Throttle, check_rate
from opstool.engine.workers import workers_for
from opstool.words.closing import Closing
from opstool.words.errors import OpstoolError, RefusedError, UsageError
from opstool.words.filters import Selection
from opstool.words.message import Message
from opstool.words.plan import Plan, price_usd
from opstool.words.queue import Queue
from opstool.words.report import Outcome, Report, Tally
from opstool.words.s3address import S3Address

_SAMPLES = 3


@dataclass(kw_only=True)
class Import(Closing):
    """A checked archive with a plan to send it. Leaving its `with` closes the file."""

    kit: Toolkit
    plan: Plan
    archive: Archive
    targets: dict[str | None, Queue]
    undo: ExitStack
    tally: Tally = field(default_factory=Tally)
    partial: bool = False
    _records: Iterator[Record] = field(default_factory=lambda: iter(()))
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _given: set[tuple[str, str]] = field(default_factory=set)
    _put_back: Record | None = None
    _most_at_once: int = MAX_BATCH_ENTRIES
    _failure: BaseException | None = None

    def execute(self, *, note: str | None = None) -> Report:
        """Send what was not sent before and return the account of it; a record that was is `skipped`."""
        with alive(self.kit, self.plan.run_id):
            return self._execute(note)

    def _execute(self, note: str | None) -> Report:
        kit, plan = self.kit, self.plan
        started, before = kit.clock.monotonic(), (kit.sqs.requests, kit.sqs.billed_requests)
        kit.journal.start_run(run_record(kit, plan, note))
        throttle = Throttle(plan.options.get("rate"), kit.clock)
        self._most_at_once = throttle.batch
        gate = Gate()
        deliveries = {target.arn: self._delivery(target, throttle, gate) for target in self.targets.values()}
        self._records = iter(self.archive)
        # Order matters on a FIFO queue, and a batch of one worker must not overtake another's.
        ordered = any(target.is_fifo for target in self.targets.values())
        workers = 1 if ordered else workers_for(plan.count, kit.workers)
        threads = [threading.Thread(target=self._work, args=(deliveries,)) for _ in range(workers)]
        with kit.watch(plan.verb, self.tally, plan.count):
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        failure = self._failure
        if isinstance(failure, OpstoolError):
            self.tally.name(failure.code, failure.message)
        elif failure is not None:
            raise failure
        left = self.tally.counts().released > 0
        plan = replace(plan, notes=(*plan.notes, *gate.notes()))
        return conclude(kit, plan, self.tally, started=started, before=before, error=failure, incomplete=left)

    def close(self) -> None:
        """Close the archive, and let other runs at the targets."""
        self.undo.close()

    def _delivery(self, target: Queue, throttle: Throttle, gate: Gate) -> Delivery:
        return Delivery(
            run_id=self.plan.run_id,
            journal=self.kit.journal,
            sink=QueueSink(self.kit.sqs, lambda _: target, run_id=self.plan.run_id),
            tally=self.tally,
            throttle=throttle,
            gate=gate,
            clock=self.kit.clock,
            stop=self.kit.stop,
            uncertain=self.plan.options.get("uncertain", "resend"),
        )

    def _work(self, deliveries: dict[str, Delivery]) -> None:
        """Send batch after batch; an error that stops the run is kept for the report."""
        try:
            while not self.kit.stop.is_set() and self._failure is None and (batch := self._next_batch()):
                self._send(deliveries, batch)
        except BaseException as error:  # noqa: BLE001 - raised or reported by `execute`, once all workers have ended
            self._failure = self._failure or error

    def _next_batch(self) -> list[Record]:
        """Return the next records of one archive id for one target; no more of them than may be sent at once.

        A record that stands in the file twice is given out once, or two workers could send it at the same time.
        """
        with self._lock:
            batch: list[Record] = []
            while len(batch) < self._most_at_once and (record := self._next_record()):
                if batch and self._destination(record) != self._destination(batch[0]):
                    self._put_back = record
                    break
                batch.append(record)
            return batch

    def _next_record(self) -> Record | None:
        """Return the record that was put back, else the next one that was not given out; None at the end."""
        if self._put_back:
            record, self._put_back = self._put_back, None
            return record
        for record in self._records:
            key = (record.archive_id, record.record_id)
            if key not in self._given:
                self._given.add(key)
                return record
        return None

    def _destination(self, record: Record) -> tuple[str, str]:
        """Return what all records of a batch share: the origin that keys the journal, and the target."""
        return record.archive_id, self._target(record).arn

    def _send(self, deliveries: dict[str, Delivery], batch: Sequence[Record]) -> None:
        target = self._target(batch[0])
        messages = [replace(each.message, message_id=each.record_id) for each in batch]
        for message in messages:
            self.tally.received(message.message_id)
        origin = f"archive:{batch[0].archive_id}>{target.arn}{self.plan.options['again']}"
        delivered = deliveries[target.arn].deliver(origin, messages, lambda left: left)
        self.kit.journal.settle(origin, delivered.now | delivered.before)
        self.tally.decide(delivered.now, Outcome.SUCCEEDED)
        self.tally.decide(delivered.before, Outcome.SKIPPED)

    def _target(self, record: Record) -> Queue:
        return self.targets[record.message.source_arn if self.plan.options["to_source"] else record.queue_arn]


def prepare(
    kit: Toolkit,
    source: Path | S3Address | BinaryIO,
    *,
    to: str | None = None,
    to_source: bool = False,
    again: bool = False,
    uncertain: Uncertain = "resend",
    rate: float | None = None,
) -> Import:
    """Return an import of an archive whose every line was checked; nothing is sent before its `execute`.

    Messages go into the queue they were archived from, or with `to_source` into the one they died in, or to `to`.
    One in S3 is fetched first. Raises UsageError that names the lines that are wrong, RefusedError when a record has
    no target, and what Objects.download raises.
    """
    check_rate(rate)
    run_id = new_run_id(kit.clock)
    options = {
        "file": _named(source),
        "to": to,
        "to_source": to_source,
        "again": f"#{run_id}" if again else "",
        "uncertain": uncertain,
        "rate": rate,
    }
    return reopen(kit, source, run_id, options)


def reopen(kit: Toolkit, source: Path | S3Address | BinaryIO, run_id: str, options: Mapping[str, Any]) -> Import:
    """Return the import with these options: a new one, or one that is resumed under its old run id."""
    with ExitStack() as undo:
        archive = undo.enter_context(_opened(kit, source))
        targets = _targets(kit, archive, to=options["to"], to_source=bool(options["to_source"]))
        for arn in sorted({target.arn for target in targets.values()}):
            undo.callback(RunLock(kit.state_dir, arn).release)
        first = next(iter(targets.values()))
        requests = -(-archive.count // MAX_BATCH_ENTRIES)
        plan = Plan(
            run_id=run_id,
            verb="import",
            queue=first,
            origin=f"archive>{first.arn}",
            target=", ".join(sorted({target.name for target in targets.values()})),
            selection=Selection(),
            count=archive.count,
            exact=True,
            samples=_samples(archive),
            requests=requests,
            cost_usd=price_usd(requests, fifo=first.is_fifo),
            notes=("a record that this journal knows as imported from this archive is skipped",),
            irreversible="each message gets a new id",
            options=options,
        )
        return Import(kit=kit, plan=plan, archive=archive, targets=targets, undo=undo.pop_all())


def _opened(kit: Toolkit, source: Path | S3Address | BinaryIO) -> Archive:
    """Return the archive, checked; of a folder in S3 nothing tells which of its archives is meant."""
    if not isinstance(source, S3Address):
        return open_archive(source)
    if source.is_folder:
        raise UsageError(f"`{source}` names no object", code="invalid_address", hint=f"aws s3 ls {quote(str(source))}")
    return open_downloaded(kit.objects, source)


def _named(source: Path | S3Address | BinaryIO) -> str | None:
    """Return how whoever resumes finds the archive again, wherever they stand; a stream is not found again."""
    if isinstance(source, S3Address):
        return str(source)
    return str(source.absolute()) if isinstance(source, Path) else None


def _targets(kit: Toolkit, archive: Archive, *, to: object, to_source: bool) -> dict[str | None, Queue]:
    """Return the target by the ARN that a record names; refuse when one names none."""
    arns = {each.message.source_arn for each in archive} if to_source else set(archive.queue_arns)
    if to:
        target = kit.sqs.resolve(str(to))
        everything: list[str | None] = list(arns) or [None]
        return dict.fromkeys(everything, target)
    if None in arns or not arns:
        raise RefusedError(
            "the archive is empty"
            if not archive.count
            else "some records do not say which queue they came from" + (" first" if to_source else ""),
            code="no_certain_target",
            hint="name the queue to send to with --to",
        )
    return {arn: kit.sqs.resolve(arn) for arn in arns if arn}


def _samples(archive: Archive) -> tuple[Message, ...]:
    return tuple(record.message for record, _ in zip(archive, range(_SAMPLES), strict=False))
