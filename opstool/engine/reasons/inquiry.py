"""One reading of the logs for some messages: first the lines that name them, then what stands around those.

    by id       every line that names a message. For very many messages our own consumer's failure lines come first,
                which say themselves whom they name, so that only the rest has to be asked for id by id
    by time     Lambda's own lines, errors and their frames, and whatever may name a message, from those moments at
                which a message was named, or was handed out, and nothing is known of it yet. All of them: what was
                said of the other messages of a batch tells which error is not this one's

Everything is bounded: the bytes that Logs Insights scans, the stretches of the last look, the rows of each answer. What
was not read to its end is unknown, never "not found".
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress

from opstool.doors.logs.logs import INDEXING_DELAY_MS
from opstool.doors.toolkit import Toolkit
from opstool.engine.dlq import DeadLetterQueue
from opstool.engine.reasons.join import Join
from opstool.engine.reasons.spans import spans
from opstool.engine.reasons.trail import NAME_IT, Trail
from opstool.words.errors import AccessError, OpstoolError
from opstool.words.lines.failureline import EVENT
from opstool.words.logevent import Sought
from opstool.words.loggroup import LogGroup
from opstool.words.reason import Evidence, Reason, Reasons

CLOCK_SKEW_MS = 60_000
"""The clocks of SQS and of CloudWatch Logs need not agree to the second."""
_MANY = 1_000
"""Messages beyond which the consumer's failure lines are asked for as such: a query holds 985 beginnings of ids."""
_DAY_MS = 86_400_000
_SHORTEST_RETENTION_DAYS = 1
"""https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html"""
_LONGEST_INVOCATION_MS = 900_000
"""https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"""
_BEFORE_MS, _AFTER_MS = 2_000, 5_000
_SHOWN = 80
"""Characters of an error in a note."""
# What the lines around a failure hold: Lambda's own lines, and errors with their frames in the languages Lambda runs.
# FilterLogEvents knows whole words only; since not all of these can be put into a pattern, it reads the spans whole.
_WORTH_SAYING_BYTES = 100_000_000
"""Half a tenth of a cent."""
_AROUND_A_FAILURE = (
    "RequestId",
    "requestId",
    "Task timed out",
    "initReport",
    "rror",
    "xception",
    "raceback",
    "panic",
    '  File "',
    "-",  # which every id has
    "    at ",
    "\tat ",
)


class Inquiry:
    """The messages that are sought, the logs where they may stand, and in `join` what was found."""

    def __init__(self, kit: Toolkit, dlq: DeadLetterQueue, trail: Trail, sought: Sequence[Sought]) -> None:
        self._kit = kit
        self._dlq = dlq
        self._trail = trail
        self._sought = sought
        self._notes = list(trail.notes)
        self._now_ms = kit.sqs.now_ms()
        self._scan = kit.scan
        self._asked_closer: set[str] = set()
        self._undescribed: set[str] = set()
        self._groups = tuple(self._existing())
        self.join = Join(
            sought if self._groups else (),  # without a log there is nothing to join very many messages with
            function_of=trail.function_of,
            visibility_timeout_of=_visibility_timeouts(kit, dlq, sought),
            sources_of=trail.sources_of,
        )

    def ask(self) -> None:
        """Read the logs; what cannot be read is noted, and leaves its messages unknown."""
        if not self._groups or not self._sought:
            return
        since_ms, until_ms = self._span()
        if len(self._sought) > _MANY:
            self._read([EVENT], since_ms, until_ms)
        self._read(sorted(self.join.unexplained()), since_ms, until_ms)
        if left := self.join.unexplained():
            self._read_around(left)

    def reasons(self, remembered: dict[str, Reason]) -> Reasons:
        """Return what is known of every message that was sought, and of others what was remembered."""
        half_read = self.half_read()
        told = self.join.reasons()
        # What failed elsewhere at that time may have failed in another way, so the rest of the log says nothing.
        sure = {
            message_id: reason
            for message_id, reason in told.items()
            if reason.evidence is not Evidence.TIME or message_id not in half_read
        }
        found = {**remembered, **sure}
        unread = half_read - found.keys() if found else half_read
        vain = sum(1 for each in self._sought if each.message_id not in found and each.message_id not in unread)
        notes = [*self._notes, *self._age_notes(unread), *self._vain_notes(vain), *self._scan_notes()]
        return Reasons(found=found, unread=unread, notes=tuple(dict.fromkeys(notes)))

    def half_read(self) -> frozenset[str]:
        """Return the messages of which a line may have been missed; a reason that was found may not be the last."""
        return frozenset(each.message_id for each in self._sought if not self._was_read(each))

    def _read(self, needles: Collection[str], since_ms: int, until_ms: int) -> None:
        """Give the join every event that holds one of these; the last moments also from where they are known first."""
        if not needles:
            return
        logs, scan = self._kit.logs, self._scan
        for event in logs.find(self._groups, needles, since_ms=since_ms, until_ms=until_ms, scan=scan):
            self.join.add(event)
        recent_ms = max(since_ms, self._now_ms - INDEXING_DELAY_MS)
        if scan.queries and recent_ms <= until_ms:
            for event in logs.recent(self._groups, needles, since_ms=recent_ms, until_ms=until_ms, scan=scan):
                self.join.add(event)

    def _read_around(self, left: Collection[str]) -> None:
        """Read what stands around the moments at which these were named, or handed out by SQS."""
        handed_out = [each.first_received_at_ms for each in self._sought if each.message_id in left]
        moments = [*self.join.moments(), *(moment for moment in handed_out if moment is not None)]
        longest_ms = max((each.timeout_s * 1000 for each in self._trail.functions.values()), default=0)
        after_ms = (longest_ms or _LONGEST_INVOCATION_MS) + _AFTER_MS
        self._asked_closer.update(_AROUND_A_FAILURE)
        for span in spans(moments, before_ms=_BEFORE_MS, after_ms=after_ms):
            self._read(_AROUND_A_FAILURE, span.since_ms, min(span.until_ms, self._now_ms + CLOCK_SKEW_MS))

    def _span(self) -> tuple[int, int]:
        """Return the time in which these messages can have failed.

        A FIFO queue's dead letters may bear the time of their move, so what came before it has to be reached too.
        """
        earliest = min(min(each.sent_at_ms, each.first_received_at_ms or each.sent_at_ms) for each in self._sought)
        tries_ms = max((each.max_receive_count for each in self._dlq.sources), default=1) * _LONGEST_INVOCATION_MS
        back_ms = CLOCK_SKEW_MS + (tries_ms if self._dlq.queue.is_fifo else 0)
        return max(0, earliest - back_ms), self._now_ms + CLOCK_SKEW_MS

    def _existing(self) -> Iterator[LogGroup]:
        """Yield the log groups that are there; one that may not be described may still be read."""
        for name in self._trail.log_groups:
            try:
                yield self._kit.logs.describe(name)
            except AccessError:
                self._undescribed.add(name)
                yield LogGroup(name=name)
            except OpstoolError as error:
                self._notes.append(f"the log group `{name}` cannot be read: {error.message}; {NAME_IT}")

    def _was_read(self, each: Sought) -> bool:
        """Tell whether every line that could tell of this message was looked at."""
        unread = self._scan.unread
        if each.message_id in unread or not unread.isdisjoint(self._asked_closer):
            return False
        if each.source_arn in self._trail.blind or (each.source_arn is None and self._trail.blind):
            return False
        names = self._trail.log_groups
        if each.source_arn is not None and not self._trail.named:
            names = self._trail.groups_of.get(each.source_arn, names)
        readable = {group.name: group for group in self._groups}
        return bool(names) and all(name in readable and self._is_kept(readable[name], each) for name in names)

    def _is_kept(self, group: LogGroup, each: Sought) -> bool:
        """Tell whether the log still holds the time since the message was sent."""
        retention_days = _SHORTEST_RETENTION_DAYS if group.name in self._undescribed else group.retention_days
        return retention_days is None or each.sent_at_ms >= self._now_ms - retention_days * _DAY_MS

    def _age_notes(self, unread: Collection[str]) -> Iterator[str]:
        """Yield why the lines of old messages may be gone."""
        left = [each for each in self._sought if each.message_id in unread]
        for group in self._groups:
            if all(self._is_kept(group, each) for each in left):
                continue
            if group.name in self._undescribed:
                yield f"how long the log group `{group.name}` keeps its lines may not be asked; some may be gone"
            else:
                yield f"the log group `{group.name}` keeps its lines for {group.retention_days} days; some are gone"

    def _vain_notes(self, vain: int) -> Iterator[str]:
        """Yield what the consumer logged at those times without saying of which message."""
        errors = self.join.anybodys()
        if vain and errors:
            most = ", ".join(f"{kind}: {text[:_SHOWN]} ({count} x)" for (kind, text), count in errors.most_common(3))
            yield (
                f"no line tells of {vain} messages; errors without a message id then, in {len(errors)} ways: {most}; "
                "a consumer that logs the id beside the error makes this certain"
            )

    def _scan_notes(self) -> Iterator[str]:
        yield from self._scan.notes
        if self._scan.scanned_bytes >= _WORTH_SAYING_BYTES:
            yield (
                f"Logs Insights scanned approximately {_amount(self._scan.scanned_bytes)} in {self._scan.queries} "
                f"queries, ${self._scan.cost_usd:.4f}"
            )


def _amount(size: int) -> str:
    """Return bytes as the prices count them."""
    for unit, power in (("GB", 10**9), ("MB", 10**6), ("KB", 10**3)):
        if size >= power:
            return f"{size / power:.1f} {unit}"
    return f"{size} B"


def _visibility_timeouts(kit: Toolkit, dlq: DeadLetterQueue, sought: Sequence[Sought]) -> dict[str, int]:
    """Return the visibility timeout of each source queue, which spaces the attempts; of those that may be asked."""
    found: dict[str, int] = {}
    died_in = {each.source_arn for each in sought}
    for source in dlq.sources:
        if source.queue.arn in died_in or None in died_in:
            with suppress(OpstoolError):
                found[source.queue.arn] = kit.sqs.attributes(source.queue).visibility_timeout_s
    return found
