"""How many workers a piece of work gets: as many as were asked for, or as many as pay, and none with nothing to do."""

from __future__ import annotations

import math

from opstool.doors.sqs import MAX_BATCH_ENTRIES
from opstool.engine.endofqueue import EMPTY_RECEIVES_TO_END

FEW, MANY = 8, 32
"""Where nobody asked: a few for what lies in most dead-letter queues, which are through it in seconds; for a large one
as many as keep one core busy at the 10 to 20 milliseconds that a request to SQS takes (docs/benchmarks.md)."""
_MESSAGES_A_WORKER = 1_000
_SLOW_CYCLE_S = 3.0
"""For so long a worker may be at one batch where every request is slow, its waits for the throttle left out."""


def workers_for(messages: int, asked: int | None) -> int:
    """Return how many workers can find something to do; three end a scan of an empty queue in one long poll."""
    wanted = asked or min(MANY, max(FEW, messages // _MESSAGES_A_WORKER))
    return min(wanted, max(EMPTY_RECEIVES_TO_END, messages // MAX_BATCH_ENTRIES))


def workers_for_rate(rate: float | None, most: int) -> int:
    """Return how many workers can keep up a rate; more would only wait for their turn, and look at nothing meanwhile.

    One more than is needed where a batch takes three seconds: so none waits for the others much longer than that.
    """
    return most if rate is None else min(most, 1 + math.ceil(rate * _SLOW_CYCLE_S / MAX_BATCH_ENTRIES))


def workers_for_limit(limit: int | None, most: int) -> int:
    """Return how many workers fill a limit where every message counts; more would hide messages that nobody wants."""
    return most if limit is None else min(most, -(-limit // MAX_BATCH_ENTRIES))
