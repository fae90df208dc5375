"""Look through a whole queue and keep of each message only what its group needs.

    scan      each batch is reduced to id, times, receive count, source and key; its bodies are let go of
    release   everything becomes visible again, before the logs are read
    reasons   one question for all of them
    select    what of the selection had to wait for the reasons is decided

Bodies are kept to the end only where an expression looks at the reason: what it asks of the body is not known before.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace

from opstool.doors.regex import matching
from opstool.doors.shelf import Shelf
from opstool.doors.toolkit import Toolkit
from opstool.engine.dlq import DeadLetterQueue
from opstool.engine.hold import Hold
from opstool.engine.lease import Lease
from opstool.engine.lineage import Origins
from opstool.engine.reasons.lookup import look_up
from opstool.engine.scan import Scan, most
from opstool.engine.survey import Survey, note_coverage, note_missing_ids, unless_stopped
from opstool.words.document import expires_at_ms
from opstool.words.errors import UsageError
from opstool.words.expressions.where import EvaluationError, compile_where
from opstool.words.groups.group import Member
from opstool.words.groups.grouping import ByReason, Grouping, Key
from opstool.words.logevent import Sought
from opstool.words.matching import Matcher
from opstool.words.message import Message
from opstool.words.reason import Reason, Reasons
from opstool.words.report import Counts, Outcome, Tally
from opstool.words.selection import Selection


@dataclass(frozen=True, kw_only=True)
class Tallied:
    """What a look through the whole queue found; `partial` says that not everything could be seen, or judged."""

    members: tuple[Member, ...]
    counts: Counts
    missing_ids: tuple[str, ...]
    partial: bool
    notes: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Seen:
    """A message after its batch. `place` is where it lies whole, if it is still to be judged with its reason."""

    sought: Sought
    expires_at_ms: int
    key: Key | None
    place: int | None


class _Gathering:
    """Takes batches, and keeps of them what is needed; thread-safe."""

    def __init__(
        self, grouping: Grouping, origins: Origins, *, retention_s: int, looked_at_ms: int, shelf: Shelf | None
    ) -> None:
        self.seen: list[_Seen] = []
        self.errors = 0
        self.first_error = ""
        self._grouping = grouping
        self._origins = origins
        self._retention_s = retention_s
        self._looked_at_ms = looked_at_ms
        self._shelf = shelf
        self._keys: dict[Key, Key] = {}
        self._lock = threading.Lock()

    def settle(self, batch: Sequence[Lease]) -> None:
        """Reduce a batch, and let go of its bodies."""
        seen = [self._reduced(lease.content) for lease in batch]
        with self._lock:
            self.seen.extend(seen)
        for lease in batch:
            lease.forget_body()

    def member(self, seen: _Seen, reasons: Reasons) -> Member:
        """Return the member of a group, once its reason is known or known not to be."""
        reason = reasons.get(seen.sought.message_id)
        return Member(
            sought=seen.sought,
            expires_at_ms=seen.expires_at_ms,
            key=self._key(self.message(seen), reason) if self._grouping.needs_reason else seen.key,
            reason=reason,
            state=reasons.state_of(seen.sought.message_id),
        )

    def message(self, seen: _Seen) -> Message:
        """Return the message, or one with its id alone, which is enough to be selected by its reason."""
        if self._shelf is None or seen.place is None:
            return Message(message_id=seen.sought.message_id, body="")
        return self._shelf.get(seen.place)

    @property
    def note(self) -> str | None:
        """Return the sentence about the messages that have no key because the expression failed on them."""
        return f"{self.errors} messages could not be told apart: {self.first_error}" if self.errors else None

    def _reduced(self, message: Message) -> _Seen:
        message = self._origins.known(message)
        return _Seen(
            sought=Sought.of(message, looked_at_ms=self._looked_at_ms),
            expires_at_ms=expires_at_ms(message, self._retention_s),
            key=None if self._grouping.needs_reason else self._key(message),
            place=None if self._shelf is None else self._shelf.put(message),
        )

    def _key(self, message: Message, reason: Reason | None = None) -> Key | None:
        try:
            key = self._grouping.key(message, retention_s=self._retention_s, reason=reason)
        except EvaluationError as error:
            with self._lock:
                self.errors += 1
                self.first_error = self.first_error or str(error)
            return None
        return None if key is None else self._keys.setdefault(key, key)


def tally_messages(
    kit: Toolkit, dlq: DeadLetterQueue, selection: Selection, grouping: Grouping, *, limit: int | None
) -> Tallied:
    """Return the selected messages of the whole queue, reduced, with their reasons; everything is released.

    Messages whose reason cannot be read are not selected by it; then the result is partial. Raises UsageError when
    reasons are asked for and not wanted, InterruptedRunError when the work was stopped meanwhile.
    """
    early, late = _halves(selection)
    has_late = late != Selection()
    by_reason = grouping.needs_reason or isinstance(grouping, ByReason)
    if not kit.log_reading.wanted and (has_late or by_reason):
        raise UsageError(
            "this groups or selects by reason, and `--no-reasons` forbids to look for them",
            hint="group by something else, such as --by source",
        )
    origins = Origins(kit)
    gathering = _Gathering(
        grouping,
        origins,
        retention_s=dlq.attributes.retention_s,
        looked_at_ms=kit.sqs.now_ms(),
        shelf=Shelf(kit.state_dir) if late.where is not None or grouping.needs_reason else None,
    )
    with Hold(kit, dlq, exclusive=False) as hold:
        at_most = None if has_late else limit
        found = _scan(kit, hold, dlq, early, gathering, origins, limit=at_most)
        note_missing_ids(hold, selection, complete=at_most is None or len(gathering.seen) < at_most)
    reasons = look_up(kit, dlq, [each.sought for each in gathering.seen])
    unless_stopped(kit)
    chosen = gathering.seen
    matcher = late.compile(retention_s=dlq.attributes.retention_s)
    if has_late:
        chosen = _chosen(gathering, matcher, reasons, hold.tally, limit=limit)
    members = tuple(gathering.member(each, reasons) for each in chosen)
    notes = [*found.notes, *reasons.notes, matcher.note, gathering.note, origins.note, *hold.leases.notes]
    return Tallied(
        members=members,
        counts=hold.tally.counts(),
        missing_ids=tuple(each for failure in hold.tally.failures() for each in failure.message_ids),
        partial=found.partial or (has_late and bool(reasons.unread)),
        notes=tuple(each for each in notes if each),
    )


def _halves(selection: Selection) -> tuple[Selection, Selection]:
    """Return what can be decided at the receive, and what has to wait for the reasons."""
    mentions = selection.where is not None and compile_where(selection.where).mentions_reason
    early = replace(selection, reason=None, where=None if mentions else selection.where)
    return early, Selection(reason=selection.reason, where=selection.where if mentions else None)


def _scan(
    kit: Toolkit,
    hold: Hold,
    dlq: DeadLetterQueue,
    early: Selection,
    gathering: _Gathering,
    origins: Origins,
    *,
    limit: int | None,
) -> Survey:
    """Receive until everything is seen, or as much as was asked for; return what there is to say about it."""
    by_source = early.needs_source
    with matching(early, retention_s=dlq.attributes.retention_s) as matcher:
        scan = Scan(
            leases=hold.leases,
            tally=hold.tally,
            decide=lambda message: (
                None if matcher(origins.known(message) if by_source else message) else Outcome.SKIPPED
            ),
            settle=gathering.settle,
            clock=kit.clock,
            stop=kit.stop,
            end=hold.end,
            workers=hold.workers,
            limit=most(early.ids, limit),
        )
        with kit.watch("looking", hold.tally, dlq.attributes.depth):
            scan.run()
    unless_stopped(kit)
    found = Survey(matched=[], notes=[matcher.note] if matcher.note else [])
    note_coverage(hold, dlq, found, bounded=scan.bounded, ended=hold.end.reached)
    return found


def _chosen(
    gathering: _Gathering, matcher: Matcher, reasons: Reasons, tally: Tally, *, limit: int | None
) -> list[_Seen]:
    """Return those that match now that the reasons are known, as many as were asked for."""
    seen = gathering.seen
    matched = [each for each in seen if matcher(gathering.message(each), reasons.get(each.sought.message_id))]
    ids = {each.sought.message_id for each in matched}
    tally.decide([each.sought.message_id for each in seen if each.sought.message_id not in ids], Outcome.SKIPPED)
    return matched[:limit]
