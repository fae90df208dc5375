"""FilterLogEvents and GetLogEvents of the fake: pages, tokens, and what fits on a page."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from opstool.fake.logs.behaviour import LogsBehaviour
from opstool.fake.logs.store import Event, Group
from opstool.fake.refusal import RefusalError
from opstool.words.logqueries.filterpattern import MalformedPatternError, compile_pattern

_FOR_EVER_MS = 2**62
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CloudWatch_Logs_Log_Classes.html; the error is not documented
_READABLE_CLASSES = {"STANDARD"}


def filter_log_events(
    group: Group, request: Mapping[str, Any], behaviour: LogsBehaviour, now_ms: int
) -> dict[str, Any]:
    """Answer one page of FilterLogEvents."""
    _check_class(group)
    fits = _fits(request, behaviour)
    token = request.get("nextToken")
    if token is None and behaviour.first_page_is_empty:
        return {"events": [], "nextToken": f"f/{int(request.get('startTime', 0))}/-1", "searchedLogStreams": []}
    since_ms, after = _position(token, request)
    until_ms = int(request.get("endTime", _FOR_EVER_MS))
    page = _Page(behaviour, request)
    scanned = 0
    last: Event | None = None
    for event in group.between(since_ms, until_ms, now_ms=now_ms, after=after):
        if scanned >= behaviour.scanned_a_page or (fits(event) and not page.takes(event)):
            return {"events": page.filtered(), "nextToken": _token(last, since_ms, after)}
        last, scanned = event, scanned + 1
    return {"events": page.filtered()}


def get_log_events(group: Group, request: Mapping[str, Any], behaviour: LogsBehaviour, now_ms: int) -> dict[str, Any]:
    """Answer one page of GetLogEvents, forward only; at the end of the stream the token repeats itself."""
    _check_class(group)
    if request["logStreamName"] not in group.streams:
        raise RefusalError("ResourceNotFoundException", "The specified log stream does not exist.")
    if not request.get("startFromHead"):
        raise RefusalError("InvalidParameterException", "the fake reads forward only: set startFromHead")
    since_ms, after = _position(request.get("nextToken"), request)
    until_ms = int(request.get("endTime", _FOR_EVER_MS)) - 1  # its end is not included, unlike FilterLogEvents'
    page = _Page(behaviour, request)
    last: Event | None = None
    for event in group.between(since_ms, until_ms, now_ms=now_ms, after=after):
        if event.stream == request["logStreamName"]:
            if not page.takes(event):
                break
            last = event
    token = _token(last, since_ms, after)
    return {"events": page.plain(), "nextForwardToken": token, "nextBackwardToken": token}


class _Page:
    """What one answer holds: bounded by the request's limit, by number and by size."""

    def __init__(self, behaviour: LogsBehaviour, request: Mapping[str, Any]) -> None:
        self._events: list[Event] = []
        self._most = min(int(request.get("limit", behaviour.page_events)), behaviour.page_events)
        self._bytes_left = behaviour.page_bytes

    def takes(self, event: Event) -> bool:
        """Add the event, or tell that it is for the next page; one event always finds a place."""
        full = len(self._events) >= self._most or self._bytes_left < event.size_bytes
        if full and self._events:
            return False
        self._events.append(event)
        self._bytes_left -= event.size_bytes
        return True

    def plain(self) -> list[dict[str, Any]]:
        """Return the events as GetLogEvents has them."""
        return [
            {"timestamp": each.at_ms, "message": each.message, "ingestionTime": each.ingested_at_ms}
            for each in self._events
        ]

    def filtered(self) -> list[dict[str, Any]]:
        """Return the events as FilterLogEvents has them."""
        ids = ({"logStreamName": each.stream, "eventId": f"{each.sequence:056d}"} for each in self._events)
        return [{**one, **more} for one, more in zip(self.plain(), ids, strict=True)]


def _fits(request: Mapping[str, Any], behaviour: LogsBehaviour) -> Callable[[Event], bool]:
    streams, prefix = request.get("logStreamNames"), request.get("logStreamNamePrefix")
    if streams and prefix:
        raise RefusalError("InvalidParameterException", "logStreamNames and logStreamNamePrefix exclude each other")
    try:
        matches = compile_pattern(request.get("filterPattern") or "")
    except MalformedPatternError as error:
        raise RefusalError("InvalidParameterException", f"Invalid filter pattern: {error}") from error

    def fits(event: Event) -> bool:
        if (streams and event.stream not in streams) or (prefix and not event.stream.startswith(prefix)):
            return False
        return behaviour.ignores_filters or matches(event.message)

    return fits


def _position(token: str | None, request: Mapping[str, Any]) -> tuple[int, int]:
    """Return the moment and the sequence number behind which to go on."""
    if token is None:
        return int(request.get("startTime", 0)), -1
    parts = token.split("/")
    if len(parts) != 3 or parts[0] != "f":  # noqa: PLR2004 - as _token writes it
        raise RefusalError("InvalidParameterException", "The specified nextToken is invalid.")
    return int(parts[1]), int(parts[2])


def _token(last: Event | None, since_ms: int, after: int) -> str:
    return f"f/{last.at_ms}/{last.sequence}" if last else f"f/{since_ms}/{after}"


def _check_class(group: Group) -> None:
    if group.log_class not in _READABLE_CLASSES:
        raise RefusalError("InvalidParameterException", f"not supported for the log class {group.log_class}")
