"""What is known of how fast a queue is consumed: its event source mappings, their functions, and what was measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from opstool.words.queue import Queue

FIRST_AT_ONCE = 5
"""Batches that Lambda begins with where nothing bounds them; it adds up to 300 a minute:
https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    """How long the invocations of a function took, by the metric Duration of AWS/Lambda."""

    average_s: float
    longest_s: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Consumer:
    """One event source mapping that is at work, with its function. `at_once` is None where nothing bounds it.

    `measured` is None where CloudWatch has nothing, or may not be asked; then only the timeout bounds a batch.
    """

    function: str
    timeout_s: int
    batch_size: int
    window_s: int = 0
    at_once: int | None = None
    measured: Measured | None = None

    @property
    def batch_s(self) -> float:
        """Return how long a batch takes: on average, or at most."""
        return max(self.measured.average_s if self.measured else float(self.timeout_s), 0.001)

    @property
    def starts_at_once(self) -> int:
        """Return how many batches are worked on at once: what bounds it, or what Lambda begins with."""
        return self.at_once or FIRST_AT_ONCE

    @property
    def pace(self) -> float:
        """Return messages a second, in full batches."""
        return self.starts_at_once * self.batch_size / self.batch_s


@dataclass(frozen=True, kw_only=True, slots=True)
class Consumption:
    """What takes messages from a queue, and what waits there; `disabled` names functions whose mapping is off.

    `depth` is approximate; it and `retention_s` are None where the queue's attributes may not be read.
    """

    queue: Queue
    consumers: Sequence[Consumer] = ()
    disabled: Sequence[str] = ()
    is_complete: bool = True
    depth: int | None = None
    retention_s: int | None = None

    @property
    def pace(self) -> float:
        """Return messages a second of all consumers together; 0 where there is none at work."""
        return sum(each.pace for each in self.consumers)

    @property
    def is_measured(self) -> bool:
        """Tell whether the pace is that of the past days, and not what the timeouts leave."""
        return all(each.measured for each in self.consumers)

    @property
    def is_bounded(self) -> bool:
        """Tell whether something bounds how many copies of each function run at once."""
        return all(each.at_once for each in self.consumers)

    def seconds_for(self, messages: int) -> float:
        """Return how long so many messages take once they are there, behind those that wait already."""
        everything = messages + (self.depth or 0)
        # Consumers share the work; it ends with a whole batch, and a short last one waits for its window.
        last_s = max(each.batch_s + each.window_s for each in self.consumers)
        return max(everything / self.pace, last_s)
