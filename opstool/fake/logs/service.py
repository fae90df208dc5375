"""The front of the fake CloudWatch Logs: every operation it knows, by the API's own name."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from random import Random
from typing import Any

from opstool.doors.clock import Clock
from opstool.fake.clock import FakeClock
from opstool.fake.faults import Faults
from opstool.fake.logs.behaviour import LogsBehaviour
from opstool.fake.logs.queries import Queries
from opstool.fake.logs.reading import filter_log_events, get_log_events
from opstool.fake.logs.store import Group, Store
from opstool.fake.refusal import RefusalError
from opstool.words.awserrors import error_for

_MOST_EVENTS_A_PUT = 10_000
_OLDEST_PUT_MS = 14 * 86_400_000
_NEWEST_PUT_MS = 2 * 3_600_000
"""What PutLogEvents takes; API_PutLogEvents.html."""
_MOST_DESCRIBED = 50

_Operation = Callable[[Mapping[str, Any], int], dict[str, Any]]


class FakeLogs:
    """CloudWatch Logs of one account in one region, thread-safe: `ask("logs", operation, request)` as in doors/ask.py.

    `faults` is what goes wrong on the way and `behaviour` how unkind the service is; both may be exchanged while it
    runs. `requests` counts the calls of each operation.
    """

    def __init__(
        self,
        clock: Clock | None = None,
        *,
        region: str = "us-east-1",
        account: str = "123456789012",
        seed: int = 0,
        faults: Faults | None = None,
        behaviour: LogsBehaviour | None = None,
    ) -> None:
        self.clock: Clock = clock or FakeClock()
        self.faults = faults or Faults()
        self.behaviour = behaviour or LogsBehaviour()
        self.requests: Counter[str] = Counter()
        self._arn = f"arn:aws:logs:{region}:{account}:log-group"
        self._lock = threading.RLock()
        self._store = Store()
        self._queries = Queries(self._store, account=account, rng=Random(seed))  # noqa: S311 - repeatable ids
        self._operations: dict[str, _Operation] = {
            "CreateLogGroup": self._create_log_group,
            "CreateLogStream": self._create_log_stream,
            "DescribeLogGroups": self._describe_log_groups,
            "FilterLogEvents": lambda request, now: filter_log_events(
                self._named(request), request, self.behaviour, now
            ),
            "GetLogEvents": lambda request, now: get_log_events(self._named(request), request, self.behaviour, now),
            "GetQueryResults": self._queries.results,
            "PutLogEvents": self._put_log_events,
            "PutRetentionPolicy": self._put_retention_policy,
            "StartQuery": lambda request, now: self._queries.start(request, self.behaviour, now),
            "StopQuery": self._queries.stop,
        }

    def __call__(self, service: str, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        """Carry out one request; raise OpstoolError when it is refused or a fault says so."""
        with self._lock:
            self.requests[operation] += 1
        answer = self.faults.before(operation, request)
        if answer is None:
            try:
                with self._lock:
                    answer = self._carry_out(service, operation, request)
            except RefusalError as refusal:
                raise error_for(operation, refusal.code, refusal.text) from refusal
        return self.faults.after(operation, request, answer)

    def put(self, log_group: str, log_stream: str, at_ms: int, message: str) -> None:
        """Put one event in, of any age; its group and stream are made when they are new, as old as their events."""
        with self._lock:
            if log_group not in self._store.names():
                self._store.create(log_group, now_ms=self._now_ms())
            group = self._store.group(log_group)
            group.created_at_ms = min(group.created_at_ms, at_ms)
            self._store.put(group, log_stream, at_ms, message, now_ms=self._now_ms())

    @property
    def queries_under_way(self) -> int:
        """Count the queries that have neither ended nor been stopped."""
        with self._lock:
            return self._queries.under_way

    def _now_ms(self) -> int:
        return round(self.clock.wall() * 1_000)

    def _carry_out(self, service: str, operation: str, request: Mapping[str, Any]) -> dict[str, Any]:
        if service != "logs" or operation not in self._operations:
            raise RefusalError("UnknownOperationException", f"{service} {operation} is not known to the fake")
        try:
            return self._operations[operation](request, self._now_ms())
        except KeyError as error:
            raise RefusalError("InvalidParameterException", f"the request has no {error}") from error

    def _named(self, request: Mapping[str, Any]) -> Group:
        name = request.get("logGroupName") or str(request["logGroupIdentifier"]).split(":log-group:")[-1]
        return self._store.group(name)

    def _create_log_group(self, request: Mapping[str, Any], now_ms: int) -> dict[str, Any]:
        self._store.create(request["logGroupName"], now_ms=now_ms, log_class=request.get("logGroupClass", "STANDARD"))
        return {}

    def _create_log_stream(self, request: Mapping[str, Any], _now_ms: int) -> dict[str, Any]:
        group = self._named(request)
        if request["logStreamName"] in group.streams:
            raise RefusalError("ResourceAlreadyExistsException", "The specified log stream already exists")
        group.streams.add(request["logStreamName"])
        return {}

    def _put_retention_policy(self, request: Mapping[str, Any], _now_ms: int) -> dict[str, Any]:
        self._named(request).retention_days = int(request["retentionInDays"])
        return {}

    def _put_log_events(self, request: Mapping[str, Any], now_ms: int) -> dict[str, Any]:
        group, stream, events = self._named(request), request["logStreamName"], request["logEvents"]
        if stream not in group.streams:
            raise RefusalError("ResourceNotFoundException", "The specified log stream does not exist.")
        times = [int(each["timestamp"]) for each in events]
        if not 1 <= len(events) <= _MOST_EVENTS_A_PUT or times != sorted(times):
            raise RefusalError("InvalidParameterException", "Log events in a single PutLogEvents request are in order")
        for each in events:
            if now_ms - _OLDEST_PUT_MS <= int(each["timestamp"]) <= now_ms + _NEWEST_PUT_MS:
                self._store.put(group, stream, int(each["timestamp"]), str(each["message"]), now_ms=now_ms)
        return {"nextSequenceToken": "0"}

    def _describe_log_groups(self, request: Mapping[str, Any], _now_ms: int) -> dict[str, Any]:
        prefix, pattern = request.get("logGroupNamePrefix", ""), request.get("logGroupNamePattern")
        if prefix and pattern is not None:
            raise RefusalError("InvalidParameterException", "prefix and pattern exclude each other")
        names = [each for each in self._store.names() if each.startswith(prefix) and (pattern or "") in each]
        rest = [each for each in names if each > request.get("nextToken", "")]
        size = min(int(request.get("limit", _MOST_DESCRIBED)), _MOST_DESCRIBED)
        page = [self._described(self._store.group(each), briefly=pattern is not None) for each in rest[:size]]
        return {"logGroups": page, **({"nextToken": rest[size - 1]} if len(rest) > size else {})}

    def _described(self, group: Group, *, briefly: bool) -> dict[str, Any]:
        """Return a group as DescribeLogGroups has it; of those found by a pattern it says little."""
        brief = {
            "logGroupName": group.name,
            "creationTime": group.created_at_ms,
            "arn": f"{self._arn}:{group.name}:*",
        }
        if briefly:
            return brief
        days = {"retentionInDays": group.retention_days} if group.retention_days else {}
        return {
            **brief,
            **days,
            "storedBytes": round(group.stored_bytes * self.behaviour.stored_bytes_factor),
            "logGroupClass": group.log_class,
        }
