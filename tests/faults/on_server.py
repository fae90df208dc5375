"""One errand on a server that we did not write, for real: a lane, HTTP, and a proxy that commits the faults.

It goes through a storm of faults, and then in peace until it says that it is done. What a queue has taken is counted on
the wire, and held against what lies in it in the end: a FIFO queue that drops what it knows already would hide from a
count of messages that it was sent twice.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from opstool.doors.clock import SystemClock
from opstool.doors.session import Connection
from opstool.doors.sqs import Sqs
from opstool.doors.stack import Stack
from opstool.doors.toolkit import Toolkit
from opstool.fake import FakeSqs, Faults
from opstool.words.errors import ServiceError
from opstool.words.queue import Queue
from tests.faults.errand import Errand, Ground, bodies
from tests.faults.kinds import Kind, Surroundings, Together
from tests.faults.promises import Ending
from tests.faults.proxy import FaultProxy
from tests.lanes import check_taken, session_over
from tests.servers import Server, opened
from tests.servers.fake_endpoint import FakeEndpoint
from tests.servers.server import QueueOnServer
from tests.world import Accepted

MESSAGES = 60
GROUP = 10
"""Messages of a group on a FIFO queue, where whole groups can be seen."""
WORKERS = 2
LEASE_S = 2
TIMEOUT_S = 2.0
"""Of one call: longer than the long poll of a second that opstool makes."""
STORM_S = 8.0
"""Then the faults end, also in the middle of an attempt: half of all requests failing, an empty queue never shows."""
LONGEST_ATTEMPT_S = STORM_S + 60.0
ATTEMPTS_IN_PEACE = 4
LEASES_ARE_OVER_S = LEASE_S + 1.5  # localstack looks once a second for messages whose visibility timeout is over
"""After it everything is visible that an attempt could not release, as its report says."""
LONGEST_DRAIN_S = 60.0
DRAIN_VISIBILITY_S = 10


@dataclass(kw_only=True)
class Stage:
    """The queues of one case on a server, its proxy, its faults (several kinds strike together), and its errand.

    What it opens is closed by `undo`.
    """

    server: Server
    lane: str
    fifo: bool
    errand_type: type[Errand]
    kinds: Sequence[type[Kind]]
    rate: float
    seed: int
    folder: Path
    undo: ExitStack
    accepted: Accepted = field(init=False)
    faults: Kind | Together = field(init=False)
    errand: Errand = field(init=False)

    def __post_init__(self) -> None:
        self.source, self.dlq = self.server.make_pair(max_receive_count=100, fifo=self.fifo)
        groups = MESSAGES // (GROUP if self.errand_type.whole_groups else 1)
        lying = self._fill(bodies(MESSAGES, groups=groups))
        source, dlq = (Queue(url=each.url, arn=each.arn) for each in (self.source, self.dlq))
        self.errand = self.errand_type(ground=Ground(source=source, dlq=dlq, lying=lying, folder=self.folder))
        self.accepted = Accepted()
        connection = self.server.connection
        assert connection
        assert connection.endpoint_url
        self.proxy = FaultProxy(connection.endpoint_url, self.accepted, seed=self.seed)
        self.undo.callback(self.proxy.close)
        self.session = session_over(self.lane, replace(connection, endpoint_url=self.proxy.url, timeout_s=TIMEOUT_S))
        self.faults = self._faults()

    def _fill(self, wanted: list[str]) -> dict[str, str]:
        """Put messages into the DLQ, and return body by id."""
        lying = {}
        for begin in range(0, len(wanted), 10):
            batch = wanted[begin : begin + 10]
            entries = [{"Id": str(index), **self._fields(body)} for index, body in enumerate(batch)]
            answer = self.dlq.ask("SendMessageBatch", Entries=entries)
            lying.update({each["MessageId"]: batch[int(each["Id"])] for each in answer["Successful"]})
        assert list(lying.values()) == wanted
        return lying

    def _fields(self, body: str) -> dict[str, Any]:
        if not self.fifo:
            return {"MessageBody": body}
        group, number, _ = body.split(":")
        return {"MessageBody": body, "MessageGroupId": group, "MessageDeduplicationId": number}

    def _faults(self) -> Kind | Together:
        around = Surroundings(
            seed=self.seed,
            rate=self.rate,
            fifo=self.fifo,
            ask=self.proxy.ask,
            sleep=self.proxy.sleep,
            late_s=TIMEOUT_S + 0.5,
        )
        kinds = [each(around) for each in self.kinds]
        return kinds[0] if len(kinds) == 1 else Together(kinds)

    def kit(self) -> Toolkit:
        """Return the toolkit of one invocation, which speaks to the proxy."""
        clock = SystemClock()
        kit = Toolkit(
            sqs=Sqs(self.session.sqs_call, clock),
            clock=clock,
            state_dir=self.folder / "state",
            stack=Stack(lambda *_: {}, None),
            workers=WORKERS,
            lease_s=LEASE_S,
        )
        self.undo.callback(kit.close)
        return kit

    def play(self) -> None:
        """Attempt the errand in a storm, then in peace until it is done; check where everything is."""
        self.errand.get_ready(self.kit())
        self._storm()
        done = self.errand.is_done and not self.faults.deceived
        for _ in range(ATTEMPTS_IN_PEACE):
            if done:
                break
            time.sleep(LEASES_ARE_OVER_S)
            self._attempt()
            done = self.errand.is_done
        check_taken(self.lane, self.session)
        assert done, f"it is not done after the faults have ended: {_last_words(self.errand)}"
        self._check()

    def _storm(self) -> None:
        """Attempt the errand under faults, which end after a while."""

        def calm_down() -> None:
            self.accepted.inner = Faults()

        self.accepted.inner = self.faults
        storm = threading.Timer(STORM_S, calm_down)
        storm.start()
        try:
            self._attempt()
        finally:
            storm.cancel()
            storm.join()
            calm_down()

    def _attempt(self) -> None:
        """Attempt the errand once; it has to end by itself."""
        kit = self.kit()
        overdue = threading.Timer(LONGEST_ATTEMPT_S, kit.stop.set)
        overdue.start()
        try:
            self.errand.attempt(kit)
        finally:
            overdue.cancel()
            overdue.join()
            kit.close()
        assert not kit.stop.is_set(), f"it has not ended after {LONGEST_ATTEMPT_S} s"

    def _check(self) -> None:
        """Hold what lies in the queues, and what has gone over the wire, against what was said."""
        in_dlq, at_target = drained(self.dlq), drained(self.source)
        taken = list(at_target.values())
        assert sorted(taken) == sorted(self.accepted.copies.elements()), "what was accepted is not what is there"
        self.errand.check_left(self.errand.reports[-1], set(in_dlq))
        ending = Ending(at_target=taken, in_dlq=list(in_dlq.values()))
        # An answer may also be late because this machine is busy, so more may be told of than the kind alone can do.
        self.errand.check_end(ending, may_double=True, must_double=False)


def _last_words(errand: Errand) -> object:
    """Return what the last report says went wrong."""
    return [(each.status.value, each.failures, each.notes) for each in errand.reports[-1:]]


def drained(queue: QueueOnServer) -> dict[str, str]:
    """Take everything out of a queue, in its order; return body by id. Waits for what is still in flight."""
    taken: dict[str, str] = {}
    deadline = time.monotonic() + LONGEST_DRAIN_S
    while any(queue.counts()):
        assert time.monotonic() < deadline, f"{sum(queue.counts())} messages do not show"
        # Node closes a kept connection after five seconds without a word, and the client repeats no receive.
        with suppress(ServiceError):
            received = queue.receive(visibility_s=DRAIN_VISIBILITY_S, wait_s=1)
            taken.update({each["MessageId"]: each["Body"] for each in received})
            if received:
                entries = [{"Id": str(i), "ReceiptHandle": each["ReceiptHandle"]} for i, each in enumerate(received)]
                queue.ask("DeleteMessageBatch", Entries=entries)
    return taken


def open_server(name: str) -> Server:
    """Open a server that boto3 can reach; the in-memory one is put behind HTTP, on real time."""
    if name != "fake":
        return opened(name)
    fake = FakeSqs(SystemClock())
    endpoint = FakeEndpoint(fake)
    connection = Connection(
        endpoint_url=endpoint.url,
        region="us-east-1",
        access_key_id="made",
        secret_access_key="up",
        is_isolated=True,
    )
    return Server(
        name=name,
        call=fake,
        connection=connection,
        advance=time.sleep,
        close=endpoint.close,
        keeps_real_time=True,
    )
