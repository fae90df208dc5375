"""Evidence by time alone: what failed when SQS had just handed a message out.

A plain handler lets an exception escape and names no message. SQS tells when it first handed the message out; an
invocation that began soon after and failed is probably that attempt. Probably: so all that failed then must have failed
in one way, and an invocation whose lines name its messages in passing is not one of a message that no line names.
"""

from __future__ import annotations

import bisect
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from opstool.engine.reasons.attempted import AttemptedOnce
from opstool.engine.reasons.course import Finding
from opstool.engine.reasons.invocation import Invocation
from opstool.words.logevent import Sought
from opstool.words.reason import Evidence

# The clocks of SQS and of Lambda need not agree to the second.
EARLIEST_MS = -1_000
# A cold start takes 10 seconds at most before START is logged
# (https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html), and handing over takes some more.
# A mapping with a batching window can hold messages back for longer: those stay unexplained.
LATEST_MS = 15_000
# Each further receive comes when the visibility timeout is over and a poller asks.
LATER_MS = 2_000
# maxReceiveCount may be 1,000; nobody needs so many attempts that are only probable.
MOST_ATTEMPTS = 100


@dataclass(frozen=True, slots=True)
class Failed:
    """An invocation that failed, by what ended it."""

    begin_ms: int
    invocation: Invocation
    finding: Finding

    @property
    def order(self) -> tuple[int, tuple[str, str], str]:
        """Order by time, and what is of one time in any way that is always the same."""
        return self.begin_ms, self.invocation.where, self.invocation.request_id or ""


class _OfGroup:
    """The failed invocations of one log group, by when they began."""

    def __init__(self, failed: Iterable[Failed]) -> None:
        self._failed = sorted(failed, key=lambda one: one.order)
        self._begins = [one.begin_ms for one in self._failed]
        self._alike_until = list(range(1, len(self._failed) + 1))
        for at in range(len(self._failed) - 2, -1, -1):
            if self._kind(at) == self._kind(at + 1):
                self._alike_until[at] = self._alike_until[at + 1]

    def _kind(self, at: int) -> str:
        return self._failed[at].finding.fault.fingerprint

    def between(self, since_ms: int, until_ms: int) -> tuple[Failed | None, int, bool]:
        """Return the first that began between two times, how many did, and whether all of them failed alike."""
        low = bisect.bisect_left(self._begins, since_ms)
        high = bisect.bisect_right(self._begins, until_ms)
        if low >= high:
            return None, 0, True
        return self._failed[low], high - low, self._alike_until[low] >= high


class Windows:
    """When the messages were handed out, from shortly before to as long after as an invocation may take to begin."""

    def __init__(
        self,
        sought: Collection[Sought],
        visibility_timeout_of: Mapping[str, int],
        sources_of: Mapping[str, Collection[str]],
    ) -> None:
        self._sought = sought
        self._visibility_timeout_of = visibility_timeout_of
        self._sources_of = sources_of

    def attempts(self, failed: Iterable[Failed], *, named: Collection[str]) -> dict[str, list[AttemptedOnce]]:
        """Return the probable attempts at the messages that are not named anywhere, oldest first."""
        by_group: dict[str, list[Failed]] = {}
        for one in failed:
            by_group.setdefault(one.invocation.where[0], []).append(one)
        groups = {group: _OfGroup(members) for group, members in by_group.items()}
        found: dict[str, list[AttemptedOnce]] = {}
        for message in self._sought if groups else ():
            if message.message_id not in named and (attempts := self._of(message, groups)):
                found[message.message_id] = attempts
        return found

    def _of(self, message: Sought, groups: Mapping[str, _OfGroup]) -> list[AttemptedOnce]:
        first_ms = message.first_received_at_ms
        if first_ms is None:
            return []
        visibility_timeout_s = self._visibility_timeout_of.get(message.source_arn or "")
        eligible = [
            of_group
            for group, of_group in groups.items()
            if group not in self._sources_of or message.source_arn in self._sources_of[group]
        ]
        found: list[AttemptedOnce] = []
        # One receive at least is our own look, else we would not know of the message.
        times = min(MOST_ATTEMPTS, max(1, message.receive_count - 1)) if visibility_timeout_s else 1
        for number in range(times):
            base_ms = first_ms + number * 1_000 * (visibility_timeout_s or 0)
            attempt = _agreed(eligible, base_ms + EARLIEST_MS, base_ms + LATEST_MS + number * LATER_MS)
            if attempt is not None and (not found or attempt.order > found[-1].order):
                found.append(attempt)
        return found


def _agreed(groups: Iterable[_OfGroup], since_ms: int, until_ms: int) -> AttemptedOnce | None:
    """Return the attempt of which all that failed between two times are evidence; None when they disagree."""
    candidates: list[Failed] = []
    count = 0
    for group in groups:
        first, found, alike = group.between(since_ms, until_ms)
        if not alike:
            return None
        count += found
        if first is not None:
            candidates.append(first)
    if len({one.finding.fault.fingerprint for one in candidates}) != 1:
        return None
    first = min(candidates, key=lambda one: one.order)
    finding, alone = first.finding, count == 1
    return AttemptedOnce(
        at_ms=finding.at_ms,
        fault=finding.fault,
        evidence=Evidence.TIME,
        where=first.invocation.where,
        request_id=first.invocation.request_id if alone else None,
        trace_id=(finding.trace_id or first.invocation.trace_id) if alone else None,
        traceback=finding.traceback,
    )
