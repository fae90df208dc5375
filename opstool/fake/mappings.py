"""Lambda's event source mappings in this process's memory: behind the seam of ask.py, on virtual time.

For tests of this project and of yours: `Functions(FakeLambda(clock))`. A mapping changes its state as Lambda documents
it, through Enabling or Disabling, and refuses to be changed again before it has arrived.
https://docs.aws.amazon.com/lambda/latest/api/API_UpdateEventSourceMapping.html
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from opstool.doors.ask import refuse
from opstool.doors.clock import Clock
from opstool.fake.clock import FakeClock
from opstool.fake.faults import Faults
from opstool.fake.refusal import RefusalError
from opstool.words.awserrors import error_for

_LARGEST_PAGE = 100
"""Mappings in an answer, however many MaxItems asks for (ListEventSourceMappings)."""
_ARN_PARTS = 7
"""arn:PARTITION:lambda:REGION:ACCOUNT:function:NAME; an alias or a version may follow."""
_AT_REST = {"Enabled", "Disabled"}

_Operation = Callable[[Mapping[str, Any]], dict[str, Any]]


@dataclass
class _Mapping:
    """One mapping: where it stands now, and what it becomes at `settles_at_s` of the clock's monotonic time."""

    values: dict[str, Any]
    state: str
    settled: str = ""
    settles_at_s: float = 0.0


class FakeLambda:
    """Lambda of one account in one region: `ask(service, operation, request)` as in ask.py, thread-safe.

    `settle_s` is how long Enabling and Disabling take; AWS documents no time. `faults` is what goes wrong on the way,
    `requests` counts the calls of each operation. Another service than lambda is refused.
    """

    def __init__(
        self,
        clock: Clock | None = None,
        *,
        region: str = "us-east-1",
        account: str = "123456789012",
        settle_s: float = 20.0,
        faults: Faults | None = None,
    ) -> None:
        self.clock: Clock = clock or FakeClock()
        self.settle_s = settle_s
        self.faults = faults or Faults()
        self.requests: Counter[str] = Counter()
        self._prefix = f"arn:aws:lambda:{region}:{account}:function:"
        self._functions: dict[str, dict[str, Any]] = {}
        self._mappings: dict[str, _Mapping] = {}
        self._lock = threading.RLock()
        self._operations: dict[str, _Operation] = {
            "GetEventSourceMapping": self._get,
            "GetFunctionConcurrency": self._concurrency,
            "GetFunctionConfiguration": self._configuration,
            "ListEventSourceMappings": self._list,
            "UpdateEventSourceMapping": self._update,
        }

    def __call__(self, service: str, operation: str, request: dict[str, Any], /) -> dict[str, Any]:
        """Carry out one request; raise OpstoolError when it is refused or a fault says so."""
        if service != "lambda":
            return refuse(service, operation, request)
        with self._lock:
            self.requests[operation] += 1
        try:
            answer = self.faults.before(operation, request)
            if answer is None:
                with self._lock:
                    answer = self._operations[operation](request)
        except RefusalError as refusal:
            raise error_for(operation, refusal.code, refusal.text) from refusal
        return self.faults.after(operation, request, answer)

    # -- what a test sets up, and looks at

    def add_function(self, name: str, **values: Any) -> str:
        """Make a function and return its ARN; `values` are members of GetFunctionConfiguration's answer."""
        arn = self._prefix + name
        defaults = {"Runtime": "python3.11", "Timeout": 3, "MemorySize": 128, "Version": "$LATEST"}
        self._functions[name] = {"FunctionName": name, "FunctionArn": arn, **defaults, **values}
        return arn

    def add_mapping(self, queue_arn: str, function: str, *, state: str = "Enabled", **values: Any) -> str:
        """Map a queue to a function, given by name or ARN, and return the UUID; a function not there yet is made.

        `values` are members of ListEventSourceMappings' answer. A mapping that is given another state than Enabled or
        Disabled stays in it until `put` changes it.
        """
        arn = function if function.startswith("arn:") else self._prefix + function
        name = arn.split(":")[_ARN_PARTS - 1]
        if name not in self._functions:
            self.add_function(name)
        uuid = f"00000000-0000-4000-8000-{len(self._mappings):012}"
        named = {"UUID": uuid, "EventSourceArn": queue_arn, "FunctionArn": arn}
        self._mappings[uuid] = _Mapping({"BatchSize": 10, **named, **values}, state)
        return uuid

    def put(self, uuid: str, state: str, *, then: str = "", after_s: float = 0.0) -> None:
        """Let a mapping be in a state, as if somebody else had changed it; with `then` it goes on by itself."""
        with self._lock:
            mapping = self._mappings[uuid]
            mapping.state, mapping.settled = state, then
            mapping.settles_at_s = self.clock.monotonic() + after_s

    def remove(self, uuid: str) -> None:
        """Delete a mapping at once."""
        with self._lock:
            del self._mappings[uuid]

    def state(self, uuid: str) -> str:
        """Return the state of a mapping, without a request."""
        with self._lock:
            return self._settled(self._mappings[uuid]).state

    # -- the operations

    def _list(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Return the mappings of a queue, of a function, or all, by page; the marker is the number of the next one."""
        wanted = [each for each in self._mappings.values() if self._is_asked_for(each, request)]
        start = int(request.get("Marker") or 0)
        end = start + min(int(request.get("MaxItems") or _LARGEST_PAGE), _LARGEST_PAGE)
        page = {"EventSourceMappings": [self._shown(each) for each in wanted[start:end]]}
        return {**page, "NextMarker": str(end)} if end < len(wanted) else page

    def _is_asked_for(self, mapping: _Mapping, request: Mapping[str, Any]) -> bool:
        queue, function = request.get("EventSourceArn"), request.get("FunctionName")
        named = {mapping.values["FunctionArn"], mapping.values["FunctionArn"].split(":")[_ARN_PARTS - 1]}
        return queue in {None, mapping.values["EventSourceArn"]} and (function is None or function in named)

    def _get(self, request: Mapping[str, Any]) -> dict[str, Any]:
        return self._shown(self._find(request["UUID"]))

    def _update(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Begin to enable or to disable; refuse while another change is under way."""
        mapping = self._settled(self._find(request["UUID"]))
        if mapping.state not in _AT_REST:
            raise RefusalError("ResourceInUseException", "Cannot update the event source mapping because it is in use.")
        under_way, target = ("Enabling", "Enabled") if request["Enabled"] else ("Disabling", "Disabled")
        if mapping.state != target:
            self.put(request["UUID"], under_way, then=target, after_s=self.settle_s)
        return self._shown(mapping)

    def _configuration(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Return a function's configuration; the name may be an ARN, and either may end in an alias or a version."""
        asked = str(request["FunctionName"])
        parts = asked.split(":")
        name = parts[_ARN_PARTS - 1] if asked.startswith("arn:") and len(parts) >= _ARN_PARTS else parts[0]
        if name not in self._functions:
            raise RefusalError("ResourceNotFoundException", f"Function not found: {self._prefix}{name}")
        return dict(self._functions[name])

    def _concurrency(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Return what is reserved for a function: nothing, unless it was added with ReservedConcurrentExecutions."""
        name = "ReservedConcurrentExecutions"
        return {key: value for key, value in self._configuration(request).items() if key == name}

    def _find(self, uuid: str) -> _Mapping:
        if uuid not in self._mappings:
            raise RefusalError("ResourceNotFoundException", "The resource you requested does not exist.")
        return self._mappings[uuid]

    def _shown(self, mapping: _Mapping) -> dict[str, Any]:
        return {**mapping.values, "State": self._settled(mapping).state}

    def _settled(self, mapping: _Mapping) -> _Mapping:
        """Return the mapping as it is by now."""
        if mapping.settled and self.clock.monotonic() >= mapping.settles_at_s:
            mapping.state, mapping.settled = mapping.settled, ""
        return mapping
