"""Find out how long the consumer of a redrive's targets will need, without ever keeping the redrive from its work.

It asks, for each target queue (five at most): its attributes (one request), its event source mappings (one), and of
each function (two a queue at most) its configuration, the durations of the past days, and, where the mapping bounds
nothing, the reserved concurrency (two or three); and once for all the alarms (one, or up to ten in an account with a
thousand). For one queue with one consumer that is five or six requests, none of them billed by more than a cent in a
hundred plans. What cannot be asked is left out. All of it happens in a thread of its own that nobody waits for longer
than a few seconds.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from opstool.doors.alarms import all_alarms
from opstool.doors.metrics import duration
from opstool.doors.toolkit import Toolkit
from opstool.words.alarm import Alarms
from opstool.words.consumer import Consumer, Consumption
from opstool.words.errors import AccessError, OpstoolError
from opstool.words.forecast import WORD, Forecast, how_long, warnings
from opstool.words.function import EventSourceMapping, unqualified
from opstool.words.queue import Queue

PATIENCE_S = 5.0
"""Real seconds for all requests together: a plan is worth more than its forecast."""
_MOST_TARGETS = 5
_MOST_FUNCTIONS = 2
"""Mappings of one queue that are followed; nearly every queue has one."""
_ALARM_PAGES = 10
_T = TypeVar("_T")


def forecast(
    kit: Toolkit, targets: Sequence[Queue], messages: int, rate: float | None = None, *, patience_s: float = PATIENCE_S
) -> Forecast:
    """Return what can be said of the consumers of these queues, should so many messages be sent to them.

    Where several queues are the targets, how the messages spread is not known: the slowest is told of, as if it got
    them all. Nothing is raised, whatever AWS answers or does not.
    """
    if messages <= 0 or not targets:
        return Forecast()
    reading = _Reading(kit, targets[:_MOST_TARGETS])
    reading.wait(patience_s)
    known = [each for each in list(reading.found) if each.consumers and each.is_complete]
    slowest = max(known, key=lambda each: each.seconds_for(messages), default=None)
    facts = {}
    if slowest is not None:
        facts[WORD] = how_long(slowest, messages, rate)
        if len(targets) > 1:
            facts[WORD] += f', if all of them go to "{slowest.queue.name}"'
    alarms = reading.alarms.metric
    warned = slowest if slowest is not None else next((each for each in reading.found if each.disabled), None)
    notes = warnings(warned, messages, rate, alarms) if warned else ()
    off = [each for each in reading.found if not each.consumers and each is not warned]
    notes += tuple(note for each in off for note in warnings(each, messages, rate, ()))
    return Forecast(facts=facts, notes=(*notes, *reading.denied))


@dataclass
class _Reading:
    """The questions, in the order of their worth; what was answered in time stands in `found` and `alarms`."""

    kit: Toolkit
    targets: Sequence[Queue]
    found: list[Consumption] = field(default_factory=list)
    alarms: Alarms = field(default_factory=Alarms)
    denied: tuple[str, ...] = ()
    _ended: threading.Event = field(default_factory=threading.Event)

    def wait(self, patience_s: float) -> None:
        """Ask in another thread, and wait for its end, but no longer than this; a stop ends the wait."""
        threading.Thread(target=self._read, name="opstool-forecast", daemon=True).start()
        step_s = min(0.1, patience_s)
        for _ in range(max(1, round(patience_s / step_s))):
            if self._ended.wait(step_s) or self.kit.stop.is_set():
                return

    def _read(self) -> None:
        try:
            for target in self.targets:
                consumption = self._consumption(target)
                if consumption is not None:
                    self.found.append(consumption)
            if any(each.consumers for each in self.found):
                self.alarms = self._try(lambda: all_alarms(self.kit.ask, pages=_ALARM_PAGES)) or self.alarms
        except Exception:  # noqa: BLE001 - no answer of any server is a reason to say something in the middle of a plan
            self.alarms = Alarms()
        finally:
            self._ended.set()

    def _consumption(self, queue: Queue) -> Consumption | None:
        try:
            mappings = self.kit.functions.mappings(queue.arn)
        except OpstoolError as error:
            if isinstance(error, AccessError):
                self.denied = (f"how long the consumer will need is not known: {error.message}",)
            return None
        attributes = self._try(lambda: self.kit.sqs.attributes(queue)) if mappings else None
        working = [each for each in mappings if each.is_enabled is not False]
        consumers = [self._consumer(each) for each in working[:_MOST_FUNCTIONS]]
        known = [each for each in consumers if each is not None]
        off = [f"the mapping to {each.function_name} is {each.state}" for each in mappings if each.is_enabled is False]
        off += [f"{each.function} may run 0 times at once" for each in known if each.at_once == 0]
        return Consumption(
            queue=queue,
            consumers=[each for each in known if each.at_once != 0],
            disabled=off,
            is_complete=len(known) == len(working),
            depth=attributes.depth if attributes else None,
            retention_s=attributes.retention_s if attributes else None,
        )

    def _consumer(self, mapping: EventSourceMapping) -> Consumer | None:
        """Return the consumer; None where its function may not be read, or Lambda says in no words how many run."""
        kit = self.kit
        function = self._try(lambda: kit.functions.function(mapping.function_arn))
        at_once = mapping.maximum_concurrency
        if at_once is None:
            at_once = self._try(lambda: kit.functions.reserved_concurrency(unqualified(mapping.function_arn)))
        if function is None or (mapping.provisioned_pollers and not at_once):
            return None
        return Consumer(
            function=function.name,
            timeout_s=function.timeout_s,
            batch_size=mapping.batch_size,
            window_s=mapping.window_s,
            at_once=at_once,
            measured=self._try(lambda: duration(kit.ask, function.name, now_s=kit.clock.wall())),
        )

    def _try(self, question: Callable[[], _T]) -> _T | None:
        try:
            return question()
        except OpstoolError:
            return None
