"""Tell from a queue's counts whether what was sent to it can still be there: its consumer's messages are not ours."""

from __future__ import annotations

from opstool.doors.clock import Clock
from opstool.engine.following.destination import Destination
from opstool.words.errors import ServiceError
from opstool.words.queue import QueueAttributes

_EMPTY_FOR_S = 6.0
"""So long a queue that was seen with messages must look empty: its counts lag."""
_NEVER_SEEN_FOR_S = 20.0
"""So long when no count has shown our messages yet. SQS speaks of a minute, after much traffic; both are our choice."""


class Gauge:
    """The counts of one destination since something was sent to it: of the `first` look, then of each `read`."""

    def __init__(self, destination: Destination, clock: Clock, *, first: QueueAttributes) -> None:
        self.destination = destination
        self._clock = clock
        self._empty_since: float | None = None
        self._taken_since: float | None = None
        self._settled_at = clock.monotonic() + _NEVER_SEEN_FOR_S
        self._seen_full = False
        self.is_done = False
        self._note(first)

    def read(self) -> None:
        """Look once; a failure that passes is no reading. Raises what is no such failure.

        Done: it was empty for long enough. Or everything was taken once (nothing visible, nothing delayed), and since
        then a message would have used up its receives, and nothing is visible again: on a busy queue, which is never
        empty.
        """
        try:
            told = self.destination.sqs.attributes(self.destination.queue)
        except ServiceError as error:
            if not error.retryable:
                raise
            return
        self._note(told)

    def _note(self, told: QueueAttributes) -> None:
        now = self._clock.monotonic()
        total = told.depth + told.in_flight + told.delayed
        self._seen_full = self._seen_full or total > 0
        self._empty_since = None if total else now if self._empty_since is None else self._empty_since
        all_taken = not (told.depth or told.delayed)
        if self._taken_since is None and all_taken and now >= self._settled_at:  # before, ours may not be counted yet
            self._taken_since = now
        self.is_done = self._was_empty(now) or (all_taken and self._was_used_up(now))

    def _was_empty(self, now: float) -> bool:
        wanted_s = _EMPTY_FOR_S if self._seen_full else _NEVER_SEEN_FOR_S
        return self._empty_since is not None and now - self._empty_since >= wanted_s

    def _was_used_up(self, now: float) -> bool:
        if self._taken_since is None or self.destination.max_receive_count is None:  # without one it is tried for ever
            return False
        return now - self._taken_since > self.destination.tries_s + _EMPTY_FOR_S
