"""How many workers may ask SQS at once: fewer when it throttles, one more after each round that it has taken well.

Additive increase, multiplicative decrease, as TCP does it (RFC 5681, section 3.1): so several runs on one queue find
their shares without knowing of each other. SQS does not document how it throttles; a standard queue has nearly no
bound, a FIFO queue 300 requests a second of each kind without high throughput:
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
"""

from __future__ import annotations

import math
import threading
from typing import Self

THROTTLED = "throttled"
"""The code of words/awserrors.py for every way in which AWS says that it was too much."""


class Turn:
    """One worker's place at the gate, for one request: held as long as the `with` lasts, it says what was answered."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self.cuts_before = 0
        self.throttled = False

    def heard(self, *codes: str) -> None:
        """Note the codes of the errors with which the request, or entries of it, ended."""
        self.throttled = self.throttled or THROTTLED in codes

    def __enter__(self) -> Self:
        self._gate.admit(self)
        return self

    def __exit__(self, *_: object) -> None:
        self._gate.leave(self)


class Gate:
    """Lets workers ask SQS, all of them until it throttles; thread-safe.

    A refused request halves how many may be at it: those that were under way at the same time, and are refused for the
    same reason, do not halve it again. As many answers in a row as may be at it add one. Who is refused keeps its place
    while it waits to try again, so with one place left everybody waits. There is always a place for one, and a place
    is held for one request and its backoff: nobody waits for ever, and after a stop nobody waits for long.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._inside = 0
        self._most = 0
        self._allowed: float = math.inf
        self._taken_well = 0
        self._cuts = 0
        self._refused = 0
        self._lowest: float = math.inf

    def turn(self) -> Turn:
        """Return a place to be waited for, and held as long as the `with` over it lasts."""
        return Turn(self)

    def admit(self, turn: Turn) -> None:
        """Wait until there is a place for this turn."""
        with self._changed:
            while self._inside >= self._allowed:
                self._changed.wait()
            self._inside += 1
            self._most = max(self._most, self._inside)
            turn.cuts_before = self._cuts

    def leave(self, turn: Turn) -> None:
        """Take its place back from a turn, and what it has heard."""
        with self._changed:
            self._learn(turn)
            self._inside -= 1
            self._changed.notify_all()

    @property
    def allowed(self) -> float:
        """Return how many may be at it at once: infinity as long as nothing was throttled."""
        return self._allowed

    def notes(self) -> tuple[str, ...]:
        """Return what a report says of it: how often SQS throttled, and how far the workers went down."""
        with self._changed:
            if not self._refused:
                return ()
            times = "once" if self._refused == 1 else f"{self._refused:,} times"
            if self._most == 1:  # as on a FIFO queue: nobody is there to wait
                return (f"SQS throttled {times}",)
            return (f"SQS throttled {times}: of {self._most} workers, as few as {self._lowest:.0f} asked at once",)

    def _learn(self, turn: Turn) -> None:
        if turn.throttled:
            self._refused += 1
            if turn.cuts_before == self._cuts:
                self._cut()
        elif self._allowed < self._most:
            self._taken_well += 1
            if self._taken_well >= self._allowed:
                self._allowed, self._taken_well = self._allowed + 1, 0

    def _cut(self) -> None:
        self._cuts += 1
        self._taken_well = 0
        self._allowed = max(1, min(self._allowed, self._most) // 2)
        self._lowest = min(self._lowest, self._allowed)
