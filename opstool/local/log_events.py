"""The events of the emulated log groups, read in the order of their time, under the lock that moto does without."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

from moto.logs.exceptions import ResourceNotFoundException
from moto.logs.models import LogGroup, LogsBackend

LOCK = threading.RLock()
"""Whoever reads or changes a log group holds it."""


def events(
    group: LogGroup, streams: set[str], *, since_ms: int | None, until_ms: int | None
) -> Iterator[dict[str, Any]]:
    """Yield the events of some streams in the order of their time, both ends of it included."""
    found = [
        {**event.to_filter_dict(), "logStreamName": name, "number": event.event_id}
        for name in streams
        for event in group.streams[name].events
        if (since_ms is None or event.timestamp >= since_ms) and (until_ms is None or event.timestamp <= until_ms)
    ]
    for event in sorted(found, key=lambda each: (each["timestamp"], each["number"])):
        del event["number"]
        yield event


def group_named(backend: LogsBackend, name: str) -> LogGroup:
    """Return a log group by its name or ARN."""
    short = name.removesuffix(":*").rpartition(":log-group:")[2]
    group: LogGroup | None = backend.groups.get(short)
    if group is None:
        raise ResourceNotFoundException
    return group
