"""What the checks look at: everything that was read of a dead-letter queue and its surroundings, each thing once.

Each read may have failed; then `Unread` stands in its place, and the checks that need it are unknown.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from opstool.words.alarm import Alarms
from opstool.words.check import Check, Rule
from opstool.words.function import EventSourceMapping, Function
from opstool.words.key import Key
from opstool.words.loggroup import LogGroup
from opstool.words.queue import Queue, QueueAttributes


@dataclass(frozen=True, kw_only=True, slots=True)
class Unread:
    """What stands for something that could not be read; `reason` names the missing permission where it is one.

    `is_missing` tells that it was looked for and does not exist.
    """

    reason: str
    is_missing: bool = False


@dataclass(frozen=True, kw_only=True)
class SourceQueue:
    """A queue whose messages die into the DLQ, and who consumes it."""

    queue: Queue
    attributes: QueueAttributes
    mappings: tuple[EventSourceMapping, ...] | Unread = ()

    @property
    def known_mappings(self) -> tuple[EventSourceMapping, ...]:
        """Return the event source mappings; none when they could not be read."""
        return () if isinstance(self.mappings, Unread) else self.mappings

    @property
    def max_receive_count(self) -> int | None:
        """Return after how many receives a message dies; None without a redrive policy."""
        policy = self.attributes.redrive_policy
        return policy.max_receive_count if policy else None


@dataclass(frozen=True, kw_only=True)
class Expiry:
    """When the first of the messages that were seen expires, epoch ms; None when there were none."""

    soonest_ms: int | None
    now_ms: int


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A dead-letter queue with its sources, their consumers, and what watches over them.

    `functions` are found by the ARN that a mapping names, `log_groups` by name, `keys` by what a queue names.
    `expiry` is None when nobody asked to look at messages.
    """

    dlq: Queue
    attributes: QueueAttributes
    sources: tuple[SourceQueue, ...] | Unread = ()
    dlq_mappings: tuple[EventSourceMapping, ...] | Unread = ()
    functions: Mapping[str, Function | Unread] = field(default_factory=dict)
    log_groups: Mapping[str, LogGroup | Unread] = field(default_factory=dict)
    keys: Mapping[str, Key | Unread] = field(default_factory=dict)
    alarms: Alarms | Unread = field(default_factory=Alarms)
    expiry: Expiry | Unread | None = None

    @property
    def known_sources(self) -> tuple[SourceQueue, ...]:
        """Return the source queues; none when they could not be read."""
        return () if isinstance(self.sources, Unread) else self.sources

    @property
    def queues(self) -> tuple[tuple[Queue, QueueAttributes], ...]:
        """Return the DLQ and its sources."""
        return ((self.dlq, self.attributes), *((each.queue, each.attributes) for each in self.known_sources))

    def consumers(self) -> Iterator[tuple[SourceQueue, EventSourceMapping, Function | Unread]]:
        """Yield each mapping of each source with its function."""
        for source in self.known_sources:
            for mapping in source.known_mappings:
                yield source, mapping, self.functions.get(mapping.function_arn, Unread(reason="it was not read"))

    def known_functions(self) -> list[Function]:
        """Return the functions that consume the sources, as far as they could be read, each once."""
        found = {each.arn: each for _, _, each in self.consumers() if isinstance(each, Function)}
        return list(found.values())

    def sources_unread(self, rule: Rule) -> Iterator[Check]:
        """Yield that the check of each source queue is unknown, when the sources could not be read."""
        if isinstance(self.sources, Unread):
            yield rule.unknown(self.dlq.name, self.sources.reason)

    def gaps(self, *, functions: bool = False) -> Iterator[tuple[str, str]]:
        """Yield what is not known of the consumers, and why: sources, mappings, and with `functions` these too.

        A function that does not exist is no gap, but a finding.
        """
        if isinstance(self.sources, Unread):
            yield self.dlq.name, self.sources.reason
        for source in self.known_sources:
            if isinstance(source.mappings, Unread):
                yield source.queue.name, source.mappings.reason
        for source, mapping, function in self.consumers() if functions else ():
            if isinstance(function, Unread) and not function.is_missing:
                yield f"{source.queue.name} to {mapping.function_name}", function.reason
