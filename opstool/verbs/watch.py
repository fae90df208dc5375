"""Watch a dead-letter queue: its counts, again and again, and never a receive."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from opstool.doors.toolkit import Toolkit
from opstool.engine.dlq import DeadLetterQueue
from opstool.words.errors import AccessError, NotFoundError, OpstoolError, ServiceError, UsageError
from opstool.words.movetask import MoveTask
from opstool.words.queue import QueueAttributes

DEFAULT_INTERVAL_S = 5.0
SHORTEST_INTERVAL_S = 1.0
_EMPTY_READS = 2
"""How often in a row a queue must look empty: its counts are approximate, and settle a minute after traffic stops."""
_RATE_OVER_S = 60.0
"""The rate is that of the last minute, so that one burst does not look like a flood."""
_MOST_KEPT = 61
"""Readings for the rate: a minute of the shortest interval."""


@dataclass(frozen=True, kw_only=True)
class Reading:
    """The counts at one moment, approximate as SQS tells them. Where `error` is set they are those of the last answer.

    `change` is by how much visible, in flight and delayed together have grown since the last answer (None at first):
    what has arrived, less what was deleted, expired or redriven. `rate_per_min` is the same over the last minute.
    `emptied`: nothing was left, twice in a row.
    """

    at_ms: int
    depth: int
    in_flight: int
    delayed: int = 0
    change: int | None = None
    rate_per_min: float | None = None
    move_task: MoveTask | None = None
    error: OpstoolError | None = None
    emptied: bool = False

    @property
    def total(self) -> int:
        """Return how many messages the queue holds."""
        return self.depth + self.in_flight + self.delayed


def readings(
    kit: Toolkit,
    dlq: DeadLetterQueue,
    *,
    interval_s: float = DEFAULT_INTERVAL_S,
    until_empty: bool = False,
    for_s: float | None = None,
) -> Iterator[Reading]:
    """Yield a reading each `interval_s`, until it is empty if that is wanted, for `for_s` at most, or until `kit.stop`.

    What passes (throttling, the network, a 5xx) is told in a reading. Raises NotFoundError when the queue is deleted,
    AccessError when the identity may no longer ask, and UsageError for an interval under a second.
    """
    if not SHORTEST_INTERVAL_S <= interval_s < float("inf"):
        raise UsageError(f"an interval is {SHORTEST_INTERVAL_S:g} second at least")
    gauge, clock = _Gauge(kit, dlq), kit.clock
    ends_at = float("inf") if for_s is None else clock.monotonic() + for_s
    while True:
        reading = gauge.read()
        yield reading
        left_s = ends_at - clock.monotonic()
        if (until_empty and reading.emptied) or left_s <= 0 or kit.stop.is_set():
            return
        clock.sleep(min(interval_s, left_s), kit.stop)
        if kit.stop.is_set():
            return


class _Gauge:
    """What is remembered between two looks at a queue; the first is the one that found it."""

    def __init__(self, kit: Toolkit, dlq: DeadLetterQueue) -> None:
        self._kit = kit
        self._queue = dlq.queue
        self._last: QueueAttributes = dlq.attributes
        self._totals: deque[tuple[float, int]] = deque(maxlen=_MOST_KEPT)
        self._empty_reads = 0
        self._asks_for_tasks = True
        self._task: MoveTask | None = None

    def read(self) -> Reading:
        """Look once."""
        try:
            told = self._last = self._kit.sqs.attributes(self._queue)
            self._task = self._move_task()
        except ServiceError as error:
            if not error.retryable:
                raise
            return self._reading(self._last, error=error)
        total = told.depth + told.in_flight + told.delayed
        self._empty_reads = 0 if total else self._empty_reads + 1
        change = total - self._totals[-1][1] if self._totals else None
        self._totals.append((self._kit.clock.monotonic(), total))
        return self._reading(told, change=change)

    def _reading(
        self, told: QueueAttributes, *, change: int | None = None, error: OpstoolError | None = None
    ) -> Reading:
        return Reading(
            at_ms=self._kit.sqs.now_ms(),
            depth=told.depth,
            in_flight=told.in_flight,
            delayed=told.delayed,
            change=change,
            rate_per_min=self._rate_per_min(),
            move_task=self._task,
            error=error,
            emptied=error is None and self._empty_reads >= _EMPTY_READS,
        )

    def _rate_per_min(self) -> float | None:
        """Return the change a minute between the ends of the last minute; None before there are two answers."""
        while len(self._totals) > 2 and self._totals[-1][0] - self._totals[1][0] >= _RATE_OVER_S:  # noqa: PLR2004 - its two ends
            self._totals.popleft()
        if len(self._totals) < 2:  # noqa: PLR2004 - as above
            return None
        (began_s, before), (ended_s, after) = self._totals[0], self._totals[-1]
        return (after - before) * 60 / (ended_s - began_s) if ended_s > began_s else None

    def _move_task(self) -> MoveTask | None:
        """Return the move task under way; whoever may not ask, or asks a server without, is not asked again.

        What passes leaves the last one: some servers fail at this for ever, and the counts are there all the same.
        """
        if not self._asks_for_tasks:
            return None
        try:
            return self._kit.sqs.move_tasks.active(self._queue)
        except (AccessError, NotFoundError):
            self._asks_for_tasks = False
        except ServiceError as error:
            if error.retryable:
                return self._task
            self._asks_for_tasks = False
        return None
