"""Follow what a run has sent to its outcome.

    wait      until the targets' counts say that our messages have left them, or a failing one must be back by now
    search    look through the dead-letter queues behind the targets, once, for what came back
    reasons   ask the logs why

Targets are never received from: their messages are their consumer's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from opstool.doors.sqs import Sqs
from opstool.doors.toolkit import Toolkit
from opstool.engine.dlq import DeadLetterQueue
from opstool.engine.following.destination import described
from opstool.engine.following.gauge import Gauge
from opstool.engine.following.returns import Returns
from opstool.engine.following.search import search
from opstool.engine.reasons.lookup import look_up
from opstool.words.errors import OpstoolError
from opstool.words.fate import Copy, Fate, Fates
from opstool.words.queue import Queue
from opstool.words.reason import Reasons
from opstool.words.report import Tally

_LOOK_EVERY_S = 2.0
Reach = Callable[[str], tuple[Sqs, Queue]]
"""Return where the queue with this ARN lies, and its address; raise what `resolve` raises."""


@dataclass(kw_only=True)
class Following:
    """The messages that one run has sent, followed from the moment of its making.

    `within_s` bounds the wait; None is as long as a failing message can need to come back. `dlq` is the queue that
    they were taken from: the logs of its consumers are asked.
    """

    kit: Toolkit
    dlq: DeadLetterQueue
    copies: Sequence[Copy]
    reach: Reach
    within_s: float | None = None
    returns: Returns = field(default_factory=Returns)
    notes: list[str] = field(default_factory=list)
    _gauges: dict[str, Gauge] = field(default_factory=dict)
    _looked_behind: set[str] = field(default_factory=set)
    _began: float = 0.0

    def __post_init__(self) -> None:
        """Describe the targets; one that cannot be described leaves its messages unknown."""
        self._began = self.kit.clock.monotonic()
        self.returns.expect(self.copies)
        for arn in sorted({each.target_arn for each in self.copies if each.target_arn}):
            try:
                sqs, queue = self.reach(arn)
                first = sqs.attributes(queue)  # at once: a quick consumer has taken them at the next look
                self._gauges[arn] = Gauge(described(sqs, queue, first), self.kit.clock, first=first)
            except OpstoolError as error:
                self._give_up(arn, error)

    @property
    def bound_s(self) -> float:
        """Return how long a message that fails again may need to come back, over all targets."""
        return max((each.destination.bound_s for each in self._gauges.values()), default=0.0)

    @property
    def waited_s(self) -> float:
        """Return how long they have been followed."""
        return self.kit.clock.monotonic() - self._began

    def wait(self, look: Callable[[], object] = lambda: None, *, until: Callable[[], bool] = lambda: False) -> None:
        """Wait until all have left their targets, the bound is reached, `until` holds, or the work is stopped.

        `look` is called again and again meanwhile.
        """
        kit, bound_s = self.kit, self.bound_s if self.within_s is None else self.within_s
        with kit.watch("waiting for the outcome", Tally(), None):
            while not kit.stop.is_set():
                look()
                for arn, gauge in list(self._gauges.items()):
                    self._read(arn, gauge)
                left_s = bound_s - self.waited_s
                if until() or left_s <= 0 or all(each.is_done for each in self._gauges.values()):
                    return
                kit.clock.sleep(min(_LOOK_EVERY_S, left_s), kit.stop)

    def _read(self, arn: str, gauge: Gauge) -> None:
        if gauge.is_done:
            return
        try:
            gauge.read()
        except OpstoolError as error:
            self._give_up(arn, error)

    def search(self, *, besides: str | None = None) -> None:
        """Look once through the dead-letter queues behind the targets.

        Except the one here with ARN `besides`, which the caller has looked through since the wait.
        """
        behind: dict[tuple[int, str], list[str]] = {}
        for arn, gauge in self._gauges.items():
            dlq_arn = gauge.destination.dlq_arn
            is_that_one = dlq_arn == besides and gauge.destination.sqs is self.kit.sqs
            if dlq_arn is not None and not is_that_one:
                behind.setdefault((id(gauge.destination.sqs), dlq_arn), []).append(arn)
            else:
                self._looked_behind.add(arn)
        for arns in behind.values():
            self._search(arns)

    def _search(self, arns: Sequence[str]) -> None:
        sent = sum(each.target_arn in arns for each in self.copies)
        try:
            saw_all = search(self.kit, self._gauges[arns[0]].destination, self.returns, at_most=sent)
        except OpstoolError as error:
            for arn in arns:
                self._give_up(arn, error)
            return
        if saw_all:
            self._looked_behind |= set(arns)
        else:
            self.notes.append("not everything in the dead-letter queue could be seen: what was not found is unknown")

    def _give_up(self, arn: str, error: OpstoolError) -> None:
        self._gauges.pop(arn, None)
        self.notes.append(f"what became of the messages sent to `{arn.rsplit(':', 1)[-1]}` is unknown: {error.message}")

    def fates(self, known: Mapping[str, Fate] | None = None) -> Fates:
        """Return what is known now, with the reasons of what came back; `known` is what was found out before."""
        found = {each.message_id: self._fate(each) for each in self.copies}
        unknown = {key for key, fate in found.items() if fate is Fate.UNKNOWN}
        return Fates(
            by_id=found | {key: fate for key, fate in (known or {}).items() if key in unknown},
            returned=tuple(self.returns.found.values()),
            reasons=self._reasons(),
            waited_s=self.waited_s,
            bound_s=self.bound_s,
            notes=tuple(self.notes),
        )

    def _fate(self, copy: Copy) -> Fate:
        if copy.message_id in self.returns.found:
            return Fate.RETURNED
        gauge = self._gauges.get(copy.target_arn or "")
        gone = gauge is not None and gauge.is_done and copy.target_arn in self._looked_behind
        return Fate.SUCCEEDED if gone else Fate.UNKNOWN

    def _reasons(self) -> Reasons:
        """Return why they came back; the logs' failures are notes, and an interruption leaves them out."""
        try:
            return look_up(self.kit, self.dlq, list(self.returns.sought.values()))
        except OpstoolError as error:
            self.notes.append(f"why they came back is not known: {error.message}")
            return Reasons()
