"""Messages that belong together: how many, since when, how long they last, and one of them to look at."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

from opstool.words.groups.grouping import Key
from opstool.words.logevent import Sought
from opstool.words.reason import Evidence, Reason, ReasonState

BUCKETS = 12
"""Parts into which the time of the arrivals is cut: as many columns of a terminal as a trend can have."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Member:
    """A message as far as its group needs it: no body, so that ten thousand of them are small."""

    sought: Sought
    expires_at_ms: int
    key: Key | None = None
    reason: Reason | None = None
    state: ReasonState | None = None

    @property
    def arrived_at_ms(self) -> int:
        """Return when it failed for the last time, as far as the log tells, else when it was sent; epoch ms."""
        return self.reason.at_ms if self.reason else self.sought.sent_at_ms

    @property
    def is_probable(self) -> bool:
        """Tell whether its reason is only that of an invocation at the right time."""
        return self.reason is not None and self.reason.evidence is Evidence.TIME


@dataclass(frozen=True, kw_only=True, slots=True)
class Arrivals:
    """How many messages arrived in each of equal parts of the time from `from_ms` to `to_ms`, both included."""

    from_ms: int
    to_ms: int
    counts: tuple[int, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Group:
    """Messages that belong together; times in epoch milliseconds, `share` of all that were grouped, 0 to 1.

    `reason` is that of the newest failure, and `reason_state` what is known of the reasons: both are None when the
    messages differ in them. `probable` counts those whose reason is only probable. `source_arns` are the queues they
    died in, as far as SQS or the journal tells; `source_arn` is None unless all died in one. `key` is what they were
    grouped by, None for a group by reason and for those that have none. `sample_id` is the message `reason` is of.
    """

    message_ids: tuple[str, ...]
    share: float
    key: Key | None
    reason: Reason | None
    reason_state: ReasonState | None
    probable: int
    first_sent_ms: int
    last_sent_ms: int
    soonest_expiry_ms: int
    least_receives: int
    most_receives: int
    sample_id: str
    source_arn: str | None
    source_arns: tuple[str, ...]
    arrivals: Arrivals

    @property
    def count(self) -> int:
        """Return how many messages it has."""
        return len(self.message_ids)


def grouped(members: Sequence[Member], *, by_reason: bool) -> tuple[Group, ...]:
    """Return the groups, the largest first, then the one that loses a message first; each message is in one of them.

    With `by_reason` the messages of one fingerprint belong together, those of which the log has no line, and those
    whose log could not be read; else those of one key. All groups share the span of their arrivals.
    """
    if not members:
        return ()
    together: dict[Hashable, list[Member]] = {}
    for each in members:
        together.setdefault(_by_reason(each) if by_reason else each.key, []).append(each)
    span = (min(each.arrived_at_ms for each in members), max(each.arrived_at_ms for each in members))
    groups = [_group(mine, of=len(members), span=span) for mine in together.values()]
    return tuple(sorted(groups, key=lambda group: (-group.count, group.soonest_expiry_ms, group.sample_id)))


def _by_reason(member: Member) -> Hashable:
    return (member.state, member.reason.fingerprint if member.reason else None)


def _group(members: Sequence[Member], *, of: int, span: tuple[int, int]) -> Group:
    sought = [each.sought for each in members]
    newest = max(members, key=lambda each: (each.arrived_at_ms, each.sought.message_id))
    sources = {each.source_arn for each in sought}
    alike = len({_by_reason(each) for each in members}) == 1
    states = {each.state for each in members}
    return Group(
        message_ids=tuple(each.message_id for each in sought),
        share=len(members) / of,
        key=newest.key,
        reason=newest.reason if alike else None,
        reason_state=newest.state if len(states) == 1 else None,
        probable=sum(each.is_probable for each in members),
        first_sent_ms=min(each.sent_at_ms for each in sought),
        last_sent_ms=max(each.sent_at_ms for each in sought),
        soonest_expiry_ms=min(each.expires_at_ms for each in members),
        least_receives=min(each.receive_count for each in sought),
        most_receives=max(each.receive_count for each in sought),
        sample_id=newest.sought.message_id,
        source_arn=next(iter(sources)) if len(sources) == 1 else None,
        source_arns=tuple(sorted(each for each in sources if each is not None)),
        arrivals=_arrivals((each.arrived_at_ms for each in members), *span),
    )


def _arrivals(times_ms: Iterable[int], from_ms: int, to_ms: int) -> Arrivals:
    counts = [0] * BUCKETS
    for each in times_ms:
        counts[(each - from_ms) * BUCKETS // (to_ms - from_ms + 1)] += 1
    return Arrivals(from_ms=from_ms, to_ms=to_ms, counts=tuple(counts))
