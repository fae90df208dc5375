"""A run that is watched: a few go first, and what comes back can end it.

    canary    so many are sent; what comes back is looked for until their outcome is known
    judge     one that came back, or one of which nothing is known, ends the run: the rest is released
    rest      everything else goes; where too large a share comes back, it ends too

Everything that is meant is in hand from the beginning, so that what is received meanwhile is new: a return, or a
stranger that is let be. On a FIFO queue the rest is released while the canary is awaited, because SQS shows nothing of
a group of which we hold a message.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

from opstool.doors.toolkit import Toolkit
from opstool.engine.dlq import DeadLetterQueue
from opstool.engine.endofqueue import EndOfQueue
from opstool.engine.following.follow import Following, Reach
from opstool.engine.following.returns import Returns
from opstool.engine.hold import Hold
from opstool.engine.lease import Lease
from opstool.engine.scan import Scan, most
from opstool.engine.watching.halt import Halt
from opstool.words.errors import StorageError
from opstool.words.fate import Copy, Fate, Fates
from opstool.words.logevent import Sought
from opstool.words.message import Message
from opstool.words.plan import Plan, price_usd
from opstool.words.report import Outcome, Report
from opstool.words.watching import CANARY_RETURNED, CANARY_UNKNOWN, TOO_MANY_RETURNED, Stop, Watching

LOOK_EVERY_S = 2.0
"""How often a run that is watched looks for what comes back, while it sends the rest."""
_MORE_MAY_FOLLOW_S = 10.0
"""So long a canary is watched on after its first return: the others tell the other reasons."""


@dataclass(kw_only=True)
class Watched:
    """What is known of one run's returns, and whether it has to end for them. `stop` is None while it need not."""

    kit: Toolkit
    plan: Plan
    hold: Hold
    dlq: DeadLetterQueue
    reach: Reach
    watching: Watching
    halt: Halt = field(init=False)
    returns: Returns = field(default_factory=Returns)
    stop: Stop | None = None
    _known: dict[str, Fate] = field(default_factory=dict)
    _back: dict[str, Sought] = field(default_factory=dict)
    _first_at: float | None = None
    _waited_s: float = 0.0
    _sent_before: int = 0

    def __post_init__(self) -> None:
        """Make the event that ends the run."""
        self.halt = Halt(self.kit.stop)

    def carry_out(self, scan: Scan, in_hand: Sequence[Lease]) -> None:
        """Send the canary, and then, unless it has come back, the rest."""
        left = self.send_canary(scan, in_hand or self._gathered(scan))
        if self.stop:
            return
        if self.watching.stop_on_returned is not None:
            scan.look_every_s, scan.on_look = LOOK_EVERY_S, self.watch_rest
        with self.kit.watch(self.plan.verb, self.hold.tally, self.plan.count):
            scan.run(left)

    def _gathered(self, scan: Scan) -> list[Lease]:
        """Return everything that is meant, received and held: a run that is resumed has nothing in hand."""
        found: list[Lease] = []
        lock = threading.Lock()

        def keep(batch: list[Lease]) -> None:
            with lock:
                found.extend(batch)

        replace(scan, settle=keep, owed=lambda: False, taken=set(), limit=most(self.plan.ids, None)).run()
        return found

    def judge(self, message: Message, outcome: Outcome | None) -> Outcome | None:
        """Return the outcome of a received message, with what is known of the returns."""
        if outcome not in {Outcome.RETURNED, Outcome.SKIPPED}:
            return outcome
        if self.returns.is_return(message, keeps_sent_at=not self.plan.queue.is_fifo):
            return Outcome.RETURNED
        if outcome is Outcome.RETURNED:
            self._back[message.message_id] = Sought.of(message)
        return outcome

    def send_canary(self, scan: Scan, in_hand: Sequence[Lease]) -> list[Lease]:
        """Send the canary and wait for its outcome; return what is in hand then. A canary that dies sets `stop`."""
        self._sent_before = len(self._copies())
        ids = set(self.plan.options.get("canary_ids") or ())
        if not ids:
            return list(in_hand)
        scan.settle_now([lease for lease in in_hand if lease.message_id in ids])
        left = [lease for lease in in_hand if lease.message_id not in ids]
        if self.halt.is_set():
            return left
        if self.plan.queue.is_fifo:
            self.hold.leases.release(left)
            self.hold.end.begin_anew()
            left = []
        following = self._following(
            [each for each in self._copies() if each.message_id in ids], within_s=self.watching.canary_wait_s
        )
        following.wait(
            (lambda: None) if self.plan.queue.is_fifo else lambda: left.extend(scan.look()), until=self._enough
        )
        saw_all = not self.plan.queue.is_fifo and self._look_through(scan, left)
        if not self.kit.stop.is_set():
            following.search(besides=self.plan.queue.arn if saw_all else None)
        self._judge_canary(following, len(ids))
        return left

    def _look_through(self, scan: Scan, left: list[Lease]) -> bool:
        """Receive until nothing new comes, because one look shows ten at most; return whether all of it was seen."""
        scan = replace(scan, end=EndOfQueue(self.kit.clock, began_ms=self.kit.sqs.now_ms()))
        while not (scan.end.reached or scan.bounded or self.kit.stop.is_set()):
            left.extend(scan.look())
        return scan.end.reached

    def _enough(self) -> bool:
        """Tell whether a canary has come back, and others have had the time to."""
        now = self.kit.clock.monotonic()
        if self._first_at is None and self.returns.found:
            self._first_at = now
        return self._first_at is not None and now - self._first_at >= _MORE_MAY_FOLLOW_S

    def _judge_canary(self, following: Following, number: int) -> None:
        fates = following.fates()
        self._waited_s = fates.waited_s
        self._known.update(fates.by_id)
        returned, unknown = fates.count(Fate.RETURNED), fates.count(Fate.UNKNOWN)
        if returned:
            self.stop = Stop(
                code=CANARY_RETURNED, message=f"{returned} of the {number} messages of the canary came back{why(fates)}"
            )
        elif (unknown or not fates.by_id) and not self.kit.stop.is_set():
            self.stop = Stop(code=CANARY_UNKNOWN, message=_not_known(following, unknown, number))

    def watch_rest(self) -> None:
        """End the run when a larger share of what was sent has come back than may."""
        percent = self.watching.stop_on_returned
        counts = self.hold.tally.counts()
        sent = self._sent_before + counts.succeeded  # a run that is resumed meets the returns of before, too
        if percent is None or self.stop or not sent:
            return
        if counts.returned * 100 > percent * sent:
            self.stop = Stop(
                code=TOO_MANY_RETURNED,
                message=f"{counts.returned} of {sent} messages came back, more than {percent:g} %",
            )
            self.halt.set()

    def told(self, report: Report) -> Report:
        """Return the report with what became of what was sent; the run itself has ended, whatever happens here."""
        try:
            outcome, stopped = self.outcome(), self.stop
        except StorageError as error:  # what was done is told all the same
            return replace(report, error_code=error.code, notes=(*report.notes, error.message))
        if stopped is not None and stopped.code == TOO_MANY_RETURNED:
            stopped = replace(stopped, message=stopped.message + why(outcome))
        spent = zip(self.kit.spent(), self.hold.requests_before, strict=True)
        requests, billed = (now - before for now, before in spent)
        report = replace(
            report,
            outcome=outcome,
            stopped=stopped,
            notes=(*report.notes, *outcome.notes),
            requests=requests,
            cost_usd=price_usd(billed, fifo=self.plan.queue.is_fifo),
        )
        with suppress(StorageError):  # as above, and the journal has the run's own report
            self.kit.journal.finish_run(self.plan.run_id, report.status, report.document())
        return report

    def outcome(self) -> Fates:
        """Return what became of everything that was sent; with `wait` only once it is known, or can be."""
        following = self._following(self._copies(), within_s=None)
        canary_died = self.stop is not None and self.stop.code != TOO_MANY_RETURNED
        if self.watching.wait and not canary_died and not self.kit.stop.is_set():
            following.wait()
            if not self.kit.stop.is_set():
                following.search()
        fates = following.fates(known=self._known)
        fates = replace(fates, waited_s=fates.waited_s + self._waited_s)
        self.kit.journal.note_fates(self.plan.run_id, fates.by_id)
        return fates

    def _copies(self) -> list[Copy]:
        return self.kit.journal.copies(self.plan.run_id)

    def _following(self, copies: Sequence[Copy], *, within_s: float | None) -> Following:
        following = Following(
            kit=self.kit, dlq=self.dlq, copies=copies, reach=self.reach, within_s=within_s, returns=self.returns
        )
        for sought in self._back.values():
            self.returns.note(sought)
        return following


def why(fates: Fates) -> str:
    """Return the reasons of what came back, in words after a colon; nothing when nothing is known."""
    named = [f"{reason.type} ({number})" for reason, number in fates.why() if reason]
    return f": {', '.join(named)}" if named else ""


def _not_known(following: Following, unknown: int, number: int) -> str:
    if not following.copies:
        return f"none of the {number} messages of the canary could be sent"
    return (
        f"{unknown} of the {number} messages of the canary have no outcome after {following.waited_s:.0f} s; "
        f"one that fails may need {following.bound_s:.0f} s to come back"
    )
