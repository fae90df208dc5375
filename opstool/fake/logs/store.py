"""The log groups of the fake: their settings, and their events in the order of time."""

from __future__ import annotations

import re
from bisect import bisect_left, insort
from collections.abc import Iterator
from dataclasses import dataclass, field

from opstool.fake.refusal import RefusalError

_NAME = re.compile(r"[.\-_/#A-Za-z0-9]{1,512}")
_EVENT_OVERHEAD_BYTES = 26
"""What the service adds for each event; API_PutLogEvents.html."""
_DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True, order=True)
class Event:
    """One event; they are sorted by time, then by the order in which they came."""

    at_ms: int
    sequence: int
    stream: str = field(compare=False)
    message: str = field(compare=False)
    ingested_at_ms: int = field(compare=False)

    @property
    def size_bytes(self) -> int:
        """Return the size that the service counts."""
        return len(self.message.encode("utf-8", "replace")) + _EVENT_OVERHEAD_BYTES


@dataclass(kw_only=True)
class Group:
    """One log group."""

    name: str
    created_at_ms: int
    log_class: str = "STANDARD"
    retention_days: int | None = None
    streams: set[str] = field(default_factory=set)
    events: list[Event] = field(default_factory=list)
    stored_bytes: int = 0

    def add(self, event: Event) -> None:
        """Keep an event at its place in time."""
        insort(self.events, event)
        self.stored_bytes += event.size_bytes

    def between(self, since_ms: int, until_ms: int, *, now_ms: int, after: int = -1) -> Iterator[Event]:
        """Yield the events from one moment to another, both included, that the retention has left.

        `after`: begin behind the event of `since_ms` with this sequence number.
        """
        oldest_ms = now_ms - self.retention_days * _DAY_MS if self.retention_days else 0
        start = Event(max(since_ms, oldest_ms), after + 1 if since_ms >= oldest_ms else 0, "", "", 0)
        for index in range(bisect_left(self.events, start), len(self.events)):
            event = self.events[index]
            if event.at_ms > until_ms:
                return
            yield event


class Store:
    """The log groups of one account in one region."""

    def __init__(self) -> None:
        self._groups: dict[str, Group] = {}
        self._sequence = 0

    def create(self, name: str, *, now_ms: int, log_class: str = "STANDARD") -> Group:
        """Create a log group; refuse one that is there already."""
        if not _NAME.fullmatch(name):
            raise RefusalError("InvalidParameterException", "the name of a log group is not valid")
        if name in self._groups:
            raise RefusalError("ResourceAlreadyExistsException", "The specified log group already exists")
        group = self._groups[name] = Group(name=name, created_at_ms=now_ms, log_class=log_class)
        return group

    def group(self, name: str) -> Group:
        """Return a log group; refuse the name of none."""
        try:
            return self._groups[name]
        except KeyError:
            raise RefusalError("ResourceNotFoundException", "The specified log group does not exist.") from None

    def names(self) -> list[str]:
        """Return the names of all log groups, in their order."""
        return sorted(self._groups)

    def put(self, group: Group, stream: str, at_ms: int, message: str, *, now_ms: int) -> None:
        """Keep one event of a stream; the stream is made when it is new."""
        self._sequence += 1
        group.streams.add(stream)
        group.add(Event(at_ms, self._sequence, stream, message, now_ms))
