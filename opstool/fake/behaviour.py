"""How unkind the fake is where AWS promises nothing."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Behaviour:
    """The freedoms of a real service; the fake's seed decides the rest.

    `shuffled`: receives give no order (FIFO: no order among groups).
    `short_poll_misses`: the probability that a receive with WaitTimeSeconds=0 sees only a random part of the queue.
    `duplicates`: the probability that a message of a standard queue stays visible though it was handed out.
    `in_flight_limit`: messages in flight on one queue, after which a standard queue says OverLimit and a FIFO queue
    returns nothing.
    `move_tasks_fail_of`: the FailureReason of which every move task fails once it has started, such as AccessDenied.
    `skew_s`: how far the service's clock is ahead of the caller's.
    """

    shuffled: bool = True
    short_poll_misses: float = 0.0
    duplicates: float = 0.0
    in_flight_limit: int = 120_000
    move_tasks_fail_of: str | None = None
    skew_s: float = 0.0
