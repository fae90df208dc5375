"""Look through a queue, holding what matches: what `list`, `show` and every filtered plan stand on."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from opstool.doors.regex import matching
from opstool.doors.shelf import Shelf
from opstool.doors.toolkit import Toolkit
from opstool.engine.dlq import DeadLetterQueue
from opstool.engine.endofqueue import EMPTY_RECEIVES_TO_END
from opstool.engine.hold import Hold
from opstool.engine.lease import Lease
from opstool.engine.lineage import Origins
from opstool.engine.messages import Messages
from opstool.engine.reasons.lookup import look_up
from opstool.engine.scan import Scan, most
from opstool.engine.workers import workers_for_limit
from opstool.words.awserrors import OVER_LIMIT
from opstool.words.errors import InterruptedRunError, RefusedError, ServiceError, UsageError
from opstool.words.filters import Selection
from opstool.words.logevent import Sought
from opstool.words.matching import Matcher, Test
from opstool.words.message import Message
from opstool.words.reason import NOT_ASKED, Evidence, Reason, Reasons
from opstool.words.report import Outcome

_MOST_REASONS, _SHOWN = 5, 80
"""Reasons that a note names, and characters of each."""


@dataclass(kw_only=True)
class Survey:
    """What was found. `notes` are sentences for people; `partial` says that the scan could not see everything."""

    matched: list[Lease]
    reasons: Reasons = NOT_ASKED
    notes: list[str] = field(default_factory=list)
    partial: bool = False

    @property
    def messages(self) -> Sequence[Message]:
        """Return the messages that matched; each is read when it is looked at, from the shelf where it is on one."""
        return Messages(len(self.matched), lambda place: self.matched[place].content)


def survey(
    kit: Toolkit,
    hold: Hold,
    dlq: DeadLetterQueue,
    selection: Selection,
    *,
    limit: int | None,
    reasons: bool = True,
    to_change: bool = False,
) -> Survey:
    """Receive until everything is seen, `limit` messages match, or all named ids are found.

    `reasons`: look for them although the selection does not ask. `to_change`: what is found will be acted on, so
    RefusedError is raised when the selection asks for reasons and one of them is not known; a look goes on without,
    and is partial. Raises InterruptedRunError when the work was stopped meanwhile.
    """
    with matching(selection, retention_s=dlq.attributes.retention_s) as matcher:
        return _survey(kit, hold, dlq, selection, matcher, limit=limit, reasons=reasons, to_change=to_change)


def _survey(
    kit: Toolkit,
    hold: Hold,
    dlq: DeadLetterQueue,
    selection: Selection,
    matcher: Matcher,
    *,
    limit: int | None,
    reasons: bool,
    to_change: bool,
) -> Survey:
    """Do what `survey` promises, with the matcher of its selection."""
    by_reason, by_source = selection.needs_reason, selection.needs_source
    looked_at_ms = kit.sqs.now_ms()
    matched: list[Lease] = []
    sought: list[Sought] = []
    lock = threading.Lock()
    shelf = Shelf(kit.state_dir)
    origins = Origins(kit)

    def meant(message: Message, reason: Reason | None = None) -> bool:
        return matcher(origins.known(message) if by_source else message, reason)

    def keep(batch: list[Lease]) -> None:
        asked = reasons or by_reason  # our own look is no attempt of a consumer's
        unknown = [Sought.of(each.content, looked_at_ms=looked_at_ms) for each in batch] if asked else []
        for lease in batch:
            lease.put_on(shelf)
        with lock:
            matched.extend(batch)
            sought.extend(unknown)

    scan = Scan(
        leases=hold.leases,
        tally=hold.tally,
        decide=lambda message: None if by_reason or meant(message) else Outcome.SKIPPED,
        settle=keep,
        clock=kit.clock,
        stop=kit.stop,
        end=hold.end,
        workers=workers_for_limit(limit, hold.workers) if selection.is_everything else hold.workers,
        limit=None if by_reason else most(selection.ids, limit),
        takes_all=selection.is_everything,
    )
    with kit.watch("looking", hold.tally, dlq.attributes.depth):
        scan.run()
    unless_stopped(kit)
    bounded = scan.bounded
    del scan  # and the ids of what it took: the reasons need room too
    found = look_up(kit, dlq, sought) if reasons or by_reason else NOT_ASKED
    unless_stopped(kit)
    if by_reason:
        if to_change or not found.asked:
            refuse_unknown(found)
        matched = _by_reason(hold, matched, found, meant, limit)
    result = Survey(matched=matched, reasons=found, notes=list(found.notes), partial=by_reason and bool(found.unread))
    result.notes += _told_by_time(found, matched) if by_reason else []
    result.notes += _reasons_there(found) if selection.reason is not None and not matched else []
    result.notes += [note for note in (matcher.note, origins.note) if note]
    note_missing_ids(hold, selection, complete=limit is None or len(matched) < limit)
    note_coverage(hold, dlq, result, bounded=bounded, ended=hold.end.reached)
    return result


def peek(hold: Hold) -> list[Lease]:
    """Receive one batch, of which samples can be shown and with which a run begins."""
    for _ in range(EMPTY_RECEIVES_TO_END):
        try:
            leases = hold.leases.receive(wait_s=1)
        except ServiceError as error:
            if error.code == OVER_LIMIT:  # the run meets it too, and says so in its report
                return []
            raise
        for lease in leases:
            hold.tally.received(lease.message_id)
        if leases:
            return leases
    return []


def unless_stopped(kit: Toolkit) -> None:
    """Raise InterruptedRunError when the work is to be stopped: what was seen until then looks whole, and is not."""
    if kit.stop.is_set():
        raise InterruptedRunError("interrupted while looking; everything was released, and nothing was changed")


def _told_by_time(found: Reasons, matched: list[Lease]) -> list[str]:
    """Return the note about messages that were selected by a reason that is only probable."""
    reasons = [found.get(lease.message_id) for lease in matched]
    probable = sum(1 for each in reasons if each is not None and each.evidence is Evidence.TIME)
    return [f"the reasons of {probable} messages are probable only: no log line names them"] if probable else []


def _reasons_there(found: Reasons) -> list[str]:
    """Return the note that tells, where no message was selected by a reason, which reasons there are."""
    counts = Counter(each.type for each in found.found.values())
    if not counts:
        return []
    most = ", ".join(f"{kind[:_SHOWN]} ({count} x)" for kind, count in counts.most_common(_MOST_REASONS))
    more = f", and {len(counts) - _MOST_REASONS} more" if len(counts) > _MOST_REASONS else ""
    return [f"nothing matches; the reasons there are: {most}{more}"]


def refuse_unknown(found: Reasons) -> None:
    """Raise RefusedError when a selection that asks for reasons would act on messages whose reason is not known."""
    if not found.asked:
        raise UsageError("the selection asks for reasons, and `--no-reasons` forbids to look for them")
    if found.unread:
        why = "; ".join(found.notes) or "the log could not be read"
        raise RefusedError(
            f"the selection asks for reasons, and those of {len(found.unread)} messages are not known: {why}",
            code="reason_unknown",
            hint="select by --id, --attr or --where instead",
        )


def _by_reason(hold: Hold, candidates: list[Lease], found: Reasons, meant: Test, limit: int | None) -> list[Lease]:
    """Return the candidates whose reason matches; the rest is only held."""
    matched: list[Lease] = []
    for lease in candidates:
        if not meant(lease.content, found.get(lease.message_id)):
            hold.tally.decide([lease.message_id], Outcome.SKIPPED)
            lease.forget_body()
        elif limit is None or len(matched) < limit:
            matched.append(lease)
        else:
            lease.forget_body()
    return matched


def note_missing_ids(hold: Hold, selection: Selection, *, complete: bool) -> None:
    """Name the ids that were asked for and never seen; a scan that was not `complete` cannot tell."""
    missing = sorted(each for each in selection.ids or () if hold.tally.outcome(each) is None)
    if missing and complete:
        hold.tally.name("id_not_found", "no message with this id was seen", missing)


def note_coverage(hold: Hold, dlq: DeadLetterQueue, result: Survey, *, bounded: bool, ended: bool) -> None:
    """Say what could not be seen."""
    seen = hold.tally.counts().received
    # What was in flight may have come back, and stand for others in what was seen.
    there = dlq.attributes.depth + dlq.attributes.in_flight
    if bounded:
        result.partial = True
        result.notes.append(stopped_at_the_limit(seen))
    elif ended and dlq.queue.is_fifo and seen < there:
        result.partial = True
        result.notes.append(behind_a_group(seen, there))
    if dlq.attributes.in_flight:
        result.notes.append(
            f"approximately {dlq.attributes.in_flight} more messages were in flight elsewhere, and could not be seen"
        )


def stopped_at_the_limit(seen: int) -> str:
    """Return the note of a scan that could not hold more."""
    return f"the scan stopped at SQS's limit of messages in flight, after {seen} messages"


def behind_a_group(seen: int, there: int) -> str:
    """Return the note of a scan that was not shown everything of a FIFO queue."""
    return (
        f"a FIFO queue shows no more of a group while some of it is held: {seen} of approximately {there} messages "
        "were seen"
    )
