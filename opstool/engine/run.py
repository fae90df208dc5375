"""One execution of a verb that changes something: from a plan, through the engine, to a report.

    with redrive.prepare(kit, "orders-dlq") as run:
        print(run.plan)              # shown before anything is changed
        report = run.execute(note="ticket 4711")

Leaving the `with` releases whatever is still held, executed or not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace

from opstool.doors.toolkit import Toolkit
from opstool.engine.account import alive, conclude, run_record
from opstool.engine.adaptive import Gate
from opstool.engine.delivery import Delivery
from opstool.engine.hold import Hold
from opstool.engine.lease import Lease
from opstool.engine.scan import Scan, most
from opstool.engine.sinks import Sink
from opstool.engine.survey import behind_a_group, stopped_at_the_limit
from opstool.engine.throttle import Throttle
from opstool.engine.transfer import Transfer
from opstool.engine.upload import Upload
from opstool.engine.watching.watched import Watched
from opstool.engine.workers import workers_for_rate
from opstool.words.closing import Closing
from opstool.words.errors import OpstoolError
from opstool.words.plan import Plan
from opstool.words.record import State
from opstool.words.report import Counts, Report, Status, Tally


@dataclass(kw_only=True)
class Run(Closing):
    """A plan with everything needed to carry it out once. `in_hand` are the leases of what the plan has found.

    `notes` and `partial` are what the plan's scan could not see; `open_sink` is called when the run begins, so that a
    dry run creates nothing. `begun` and `settled` are what an earlier execution sent or meant to send: what may still
    be in the queue, and what is not. `watched` is set when what comes back is looked for; `admits` tells whether a
    message that the plan means may be sent at all. `upload` is for an archive that is to lie in S3.
    """

    kit: Toolkit
    plan: Plan
    hold: Hold
    open_sink: Callable[[], Sink]
    in_hand: Sequence[Lease] = ()
    partial: bool = False
    archive: str | None = None
    upload: Upload | None = None
    begun: frozenset[str] = frozenset()
    settled: frozenset[str] = frozenset()
    watched: Watched | None = None
    admits: Callable[[str], bool] = lambda _: True
    _error: OpstoolError | None = field(default=None, init=False)
    _gate: Gate = field(default_factory=Gate, init=False)

    def execute(self, *, note: str | None = None) -> Report:
        """Carry out the plan and return the account of it; `note` says why, for the journal.

        Raises StorageError when the journal or the archive cannot be opened, with nothing sent. What goes wrong later
        is in the report: its `error_code`, and the failures of single messages.
        """
        with alive(self.kit, self.plan.run_id):
            return self._execute(note)

    def _execute(self, note: str | None) -> Report:
        kit, plan = self.kit, self.plan
        started = kit.clock.monotonic()
        sink = self.open_sink()
        with ExitStack() as undo:
            undo.callback(sink.close)
            undo.callback(self.hold.leases.close)
            leases = self.hold.leases
            hidden_for_s = max(leases.lease_s, leases.longest_s)
            kit.journal.start_run(replace(run_record(kit, plan, note), lease_s=hidden_for_s))
            leases.before_longer = lambda seconds: kit.journal.note_lease(plan.run_id, seconds)
            bounded = self._carry_out(sink)
        self._note_missing()
        self._carry_up()
        report = self._report(started, bounded=bounded)
        if self.upload and report.status is Status.DONE:  # until then a resume adds to the file
            self.upload.forget_file()
        return self.watched.told(report) if self.watched else report

    def _carry_out(self, sink: Sink) -> bool:
        """Run the scan to its end; return whether it was bounded. An error that stops it is kept for the report."""
        kit, plan, transfer = self.kit, self.plan, self._transfer(sink)
        scan = self._scan(transfer)
        try:
            if self.watched and self.watched.watching.holds_everything:
                self.watched.carry_out(scan, self.in_hand)
            else:
                with kit.watch(plan.verb, self.hold.tally, plan.count):
                    scan.run(self.in_hand)
        except OpstoolError as error:
            self._error = error
            self.hold.tally.name(error.code, error.message)
        if self.hold.end.reached:
            transfer.believe_deletes()
        return scan.bounded

    def _scan(self, transfer: Transfer) -> Scan:
        kit, plan, watched, leases = self.kit, self.plan, self.watched, self.hold.leases
        return Scan(
            leases=leases,
            tally=self.hold.tally,
            decide=transfer.decide
            if watched is None
            else lambda message: watched.judge(message, transfer.decide(message)),
            settle=transfer.settle,
            clock=kit.clock,
            stop=watched.halt if watched else kit.stop,
            end=self.hold.end,
            workers=workers_for_rate(plan.options.get("rate"), self.hold.workers),
            expected=plan.count,
            limit=most(None if plan.ids is None else plan.ids | self.settled, plan.limit),
            owed=lambda: bool(transfer.owed) or leases.a_handle_may_be_stale,
            taken=set(self.begun) | set(self.settled),
            gate=self._gate,
        )

    def _carry_up(self) -> None:
        """Take the archive where it is to lie, also that of an interrupted run; an error is the run's."""
        if self.upload is None:
            return
        try:
            with self.kit.watch("uploading", self.hold.tally, None):
                self.upload.carry_out()
            self.archive = self.upload.place
        except OpstoolError as error:
            self._error = self._error or error
            self.hold.tally.name(error.code, error.message)

    @property
    def tally(self) -> Tally:
        """Return the counts as they grow."""
        return self.hold.tally

    def close(self) -> None:
        """Release what is held, and let other runs in."""
        self.hold.close()

    def _transfer(self, sink: Sink) -> Transfer:
        kit, plan, options = self.kit, self.plan, self.plan.options
        delivery = Delivery(
            run_id=plan.run_id,
            journal=kit.journal,
            sink=sink,
            tally=self.hold.tally,
            throttle=Throttle(options.get("rate"), kit.clock),
            clock=kit.clock,
            stop=self.watched.halt if self.watched else kit.stop,
            uncertain=options.get("uncertain", "resend"),
            sent_ids=kit.journal.sent_by(plan.run_id),
            gate=self._gate,
        )
        self._heed_unsettled(delivery)
        return Transfer(
            plan=plan,
            leases=self.hold.leases,
            delivery=delivery,
            tally=self.hold.tally,
            end=self.hold.end,
            owed=set(self.begun),
            admits=self.admits,
        )

    def _heed_unsettled(self, delivery: Delivery) -> None:
        """Do not end before the leases of what other runs left unsettled have lapsed: only then can it be seen.

        What this run sent before without an answer may have come back by now.
        """
        journal, own_id = self.kit.journal, self.plan.run_id
        journal.note_dead(self.plan.origin, besides=own_id)
        moves = journal.unsettled(self.plan.origin)
        for run_id in {move.run_id for move in moves} - {own_id}:
            run = journal.run(run_id)
            self.hold.end.blind_for(run.hides_for_s(self.kit.clock.wall()))
        for move in journal.moves(own_id):
            if move.unknown_sends or move.state is State.INTENT:  # a later send may have been answered, this one never
                delivery.open_bodies.add(move.record_id, move.body_sha256)

    def _note_missing(self) -> None:
        """Name the ids of the plan that were never seen again and that no run has sent."""
        if self.plan.ids is None or self.kit.stop.is_set() or self._error or (self.watched and self.watched.stop):
            return
        unseen = {each for each in self.plan.ids if self.hold.tally.outcome(each) is None}
        unseen -= self.kit.journal.sent_from(self.plan.origin) if unseen else set()
        counts = self.hold.tally.counts()
        if unseen and self.plan.queue.is_fifo and counts.skipped + counts.released:
            text = "it was not seen: a FIFO queue shows no more of a group while some of it is held"
            self.hold.tally.name("not_seen", text, sorted(unseen))
        elif unseen:
            self.hold.tally.name("gone", "it was not seen any more: deleted, or held by somebody else", sorted(unseen))

    def _report(self, started: float, *, bounded: bool) -> Report:
        counts = self.hold.tally.counts()
        unseen = sum(self.hold.tally.outcome(each) is None for each in self.begun)
        dealt_with = counts.succeeded + counts.failed + len(self.settled) + unseen
        limited = self.plan.limit is not None and dealt_with >= self.plan.limit
        left = counts.released > 0 and not limited
        not_seen = () if limited else self._not_seen(counts, bounded=bounded)
        uploaded = self.upload.notes if self.upload else ()
        plan = replace(
            self.plan, notes=(*self.plan.notes, *not_seen, *uploaded, *self.hold.leases.notes, *self._gate.notes())
        )
        return conclude(
            self.kit,
            plan,
            self.hold.tally,
            started=started,
            before=self.hold.requests_before,
            error=self._error,
            incomplete=left or bool(not_seen) or self.partial,
            archive=self.archive,
        )

    def _not_seen(self, counts: Counts, *, bounded: bool) -> tuple[str, ...]:
        """Return what the run could not see; a plan that is frozen by id has named it, message by message."""
        if bounded:
            return (stopped_at_the_limit(counts.received),)
        seen = counts.received - counts.skipped - counts.returned  # those have come after the plan
        if self.plan.queue.is_fifo and self.plan.ids is None and self.hold.end.reached and seen < self.plan.count:
            return (behind_a_group(seen, self.plan.count),)
        return ()
