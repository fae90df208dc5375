"""The line between opstool and a server: everything that can go wrong on it, with the books reading along.

The same on the server in memory and on a real one: faults are committed here, and not by the server.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Any

import pytest

from opstool.doors.database import Database
from opstool.doors.sqs import Call
from opstool.doors.toolkit import Toolkit
from opstool.engine import batches
from opstool.fake import EntryFault, Faults, no_answer, no_connection, server_error, throttled
from tests.faults.kinds import MESSAGE_OPERATIONS
from tests.properties.ledger import Ledger
from tests.world import MOST_CALLS, Died, forget_as_dead

Act = Callable[[], None]
_OF_THE_WORKER = {"ReceiveMessage", "SendMessageBatch", "DeleteMessageBatch"}
"""The requests of the thread that works; a heartbeat's cannot let time pass on a virtual clock."""


@dataclass(kw_only=True)
class Trouble(Faults):
    """What goes wrong while one verb is at work, by a seed.

    `rate` of the requests and entries are struck, `budget` times in all. The process dies at its step `dies_at`, where
    a request leaves, was carried out, or a commit begins or has ended. Ctrl-C comes at the request `stops_at`.
    `after_send` happens whenever a batch was sent, `sleep` lets the machine sleep.
    """

    seed: int = 0
    rate: float = 0.0
    budget: int = 0
    dies_at: int | None = None
    stops_at: int | None = None
    after_send: Act = lambda: None
    sleep: Act = lambda: None
    stop: threading.Event = field(default_factory=threading.Event)
    is_dead: bool = False
    was_used: bool = False
    lost_receives: int = 0
    _steps: int = 0
    _requests: int = 0
    _loses: bool = False
    _rng: Random = field(init=False)

    def __post_init__(self) -> None:
        self._rng = Random(self.seed)

    def step(self) -> None:
        """Take one step towards the end; a dead process takes none."""
        self._steps += 1
        if self.is_dead or (self.dies_at is not None and self._steps > self.dies_at):
            self.is_dead = True
            raise Died

    def before(self, operation: str, request: Mapping[str, Any]) -> None:
        """Die, stop, refuse, or decide that the answer will be lost."""
        self.step()
        self._requests += 1
        if self.stops_at is not None and self._requests > self.stops_at:
            self.stop.set()
        self._loses = False
        if operation not in MESSAGE_OPERATIONS or not self._strikes():
            return
        kind = self._rng.choice(["throttled", "unreachable", "lost", "lost", "error", "sleep"])
        if kind == "throttled":
            raise throttled(operation)
        if kind == "unreachable":
            raise no_connection(operation)
        if kind == "error":
            raise server_error(operation)
        if kind == "sleep" and operation in _OF_THE_WORKER:
            self.sleep()
        self._loses = kind == "lost"

    def entry(self, operation: str, entry: Mapping[str, Any]) -> EntryFault | None:
        """Refuse one entry, for good or for now."""
        return EntryFault(sender_fault=self._rng.random() < 0.3) if self._strikes() else None

    def after(self, operation: str, request: Mapping[str, Any], response: dict[str, Any]) -> dict[str, Any]:
        """Die, or lose the answer, after it was carried out."""
        if operation == "SendMessageBatch":
            self.after_send()
        self.step()
        if self._loses:
            self._loses = False
            self.lost_receives += operation == "ReceiveMessage"
            raise no_answer(operation)
        return response

    def _strikes(self) -> bool:
        if self.budget <= 0 or self._rng.random() >= self.rate:
            return False
        self.budget -= 1
        self.was_used = True
        return True


@dataclass(frozen=True, kw_only=True)
class Misfortune:
    """What is to go wrong, as a test prints it; `rejects`: the consumers fail on everything as soon as it is sent."""

    seed: int = 0
    rate: float = 0.0
    budget: int = 0
    dies_at: int | None = None
    stops_at: int | None = None
    rejects: bool = False
    sleeps_s: int = 0

    def on(self, *, reject: Act, advance: Callable[[float], None]) -> Trouble:
        """Return the trouble, ready to strike once."""
        return Trouble(
            seed=self.seed,
            rate=self.rate,
            budget=self.budget,
            dies_at=self.dies_at,
            stops_at=self.stops_at,
            after_send=reject if self.rejects else lambda: None,
            sleep=lambda: advance(self.sleeps_s),
        )


@dataclass(kw_only=True)
class Line:
    """What opstool takes for SQS. `arn_of` tells a queue's ARN by its URL."""

    server: Call
    ledger: Ledger
    arn_of: Callable[[str], str]
    faults: Faults = field(default_factory=Faults)
    calls: int = 0

    def __call__(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        """Carry out one request of opstool, which must not ask for ever."""
        self.calls += 1
        assert self.calls < MOST_CALLS, "this does not end"
        entries = list(request.get("Entries", []))
        if operation == "SendMessageBatch":
            self.ledger.check_send(entries)
        if operation == "DeleteMessageBatch":
            self.ledger.check_delete(self.arn_of(request["QueueUrl"]), [each["ReceiptHandle"] for each in entries])
        self.faults.before(operation, request)
        answer = self._carry_out(operation, request)
        if operation == "ReceiveMessage":
            self.ledger.received(answer.get("Messages", []))
        if operation == "SendMessageBatch":
            self.ledger.sent(request["QueueUrl"], entries, answer)
        if operation == "DeleteMessageBatch":
            self.ledger.deleted(answer, entries)
        answer = self.faults.after(operation, request, answer)
        if operation == "SendMessageBatch":
            self.ledger.learned(answer)
        return answer

    def _carry_out(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        """Ask the server for what is left of a batch when some of its entries are refused on the way."""
        refused = {}
        for entry in request.get("Entries", []):
            fault = self.faults.entry(operation, entry)
            if fault:
                refused[entry["Id"]] = fault
        if not refused:
            return self.server(operation, request)
        left = [entry for entry in request["Entries"] if entry["Id"] not in refused]
        answer = self.server(operation, {**request, "Entries": left}) if left else {}
        failed = [
            {"Id": key, "SenderFault": fault.sender_fault, "Code": fault.code, "Message": fault.message}
            for key, fault in refused.items()
        ]
        return {**answer, "Failed": [*answer.get("Failed", []), *failed]}


@contextmanager
def troubled(line: Line, kit: Toolkit, trouble: Trouble) -> Iterator[None]:
    """Let things go wrong; what a dead process had not committed is gone with it."""
    write_group = Database._write_group

    def dying(database: Database, group: Any) -> None:
        trouble.step()
        write_group(database, group)
        trouble.step()

    trouble.stop = kit.stop
    line.faults = trouble
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Database, "_write_group", dying)
        patch.setattr(batches, "_REQUESTS_AT_ONCE", 1)  # one after the other: the same seed strikes the same request
        try:
            yield
        finally:
            line.faults = Faults()
    if trouble.is_dead and "journal" in kit.__dict__:
        forget_as_dead(kit.journal)
        del kit.__dict__["journal"]
