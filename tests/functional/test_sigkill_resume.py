"""A process that redrives a thousand messages is killed in the middle, for real, and its run is resumed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from opstool.doors.clock import SystemClock
from opstool.doors.session import Connection
from opstool.doors.toolkit import Toolkit, connect
from opstool.fake import FakeSqs, Faults
from opstool.verbs import history
from opstool.words.report import Status
from tests.functional.fake_endpoint import FakeEndpoint
from tests.world import World, make_queue

MESSAGES = 1_000
LEASE_S = 2
WORKERS = 4
IN_HAND = WORKERS * 10
"""What can be on its way when the process dies, and nothing more: a batch a worker."""
REDRIVE = """
import sys
from pathlib import Path
from opstool.verbs import redrive
from opstool.doors.session import Connection
from opstool.doors.toolkit import connect

connection = Connection(endpoint_url=sys.argv[1], region="us-east-1", access_key_id="made", secret_access_key="up")
kit = connect(connection, state_dir=Path(sys.argv[2]), lease_s=int(sys.argv[3]), workers=int(sys.argv[4]))
with redrive.prepare(kit, "orders-dlq") as run:
    print(run.plan.run_id, flush=True)
    run.execute(note="to be killed")
"""


@dataclass(kw_only=True)
class Freeze(Faults):
    """From the n-th call of an operation on, carry out or not, and never answer: there the process can be killed."""

    operation: str
    call: int
    carried_out: bool
    reached: threading.Event = field(default_factory=threading.Event)
    over: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def _hold(self, operation: str) -> None:
        if operation != self.operation or self.over.is_set():
            return
        with self._lock:
            self.call -= 1
            frozen = self.call <= 0
        if frozen:
            self.reached.set()
            self.over.wait(30)

    def before(self, operation: str, request: Mapping[str, Any]) -> None:
        """Hold the request before it is carried out."""
        if not self.carried_out:
            self._hold(operation)
            if self.over.is_set():
                raise ConnectionError("whoever asked is dead")

    def after(self, operation: str, request: Mapping[str, Any], response: dict[str, Any]) -> dict[str, Any]:
        """Hold the answer."""
        if self.carried_out:
            self._hold(operation)
        return response


@dataclass(kw_only=True)
class Shop:
    """The queues on real time, behind HTTP."""

    fake: FakeSqs
    endpoint: FakeEndpoint
    world: World
    state_dir: Path

    def kit(self) -> Toolkit:
        """Return a toolkit that speaks to the endpoint as another process would."""
        connection = Connection(
            endpoint_url=self.endpoint.url, region="us-east-1", access_key_id="made", secret_access_key="up"
        )
        return connect(connection, state_dir=self.state_dir, lease_s=LEASE_S, workers=WORKERS)


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    """Open a shop in whose dead-letter queue a thousand messages lie."""
    clock = SystemClock()
    fake = FakeSqs(clock)
    dlq = make_queue(fake, "orders-dlq", MessageRetentionPeriod="1209600")
    source = make_queue(fake, "orders", dlq=dlq)
    world = World(clock=clock, fake=fake, state_dir=tmp_path, source=source, dlq=dlq)  # type: ignore[arg-type]
    world.die(f"body {number}" for number in range(MESSAGES))
    endpoint = FakeEndpoint(fake)
    yield Shop(fake=fake, endpoint=endpoint, world=world, state_dir=tmp_path / "state")
    endpoint.close()


@pytest.mark.parametrize(
    ("operation", "carried_out"),
    [("SendMessageBatch", True), ("SendMessageBatch", False), ("DeleteMessageBatch", False)],
    ids=["after a send", "before a send", "before a delete"],
)
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="Windows has no SIGKILL")
def test_a_killed_redrive_is_resumed_and_each_body_is_there_once_or_counted(
    shop: Shop, operation: str, carried_out: bool
) -> None:
    """Killed in the fortieth batch; the leases of the dead process lapse after two seconds."""
    shop.fake.faults = freeze = Freeze(operation=operation, call=40, carried_out=carried_out)
    command = [sys.executable, "-c", REDRIVE, shop.endpoint.url, str(shop.state_dir), str(LEASE_S), str(WORKERS)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONWARNINGS": "error"}
    ) as dead:
        assert dead.stdout is not None
        run_id = dead.stdout.readline().strip()
        assert freeze.reached.wait(30)
        dead.kill()
    freeze.over.set()
    shop.fake.faults = Faults()
    assert dead.returncode == -signal.SIGKILL

    kit = shop.kit()
    [shown] = history.runs(kit)
    assert (shown.run_id, shown.status, shown.note) == (run_id, "interrupted", "to be killed")
    with history.resume(kit, run_id) as again:
        report = again.execute()
    kit.close()

    there = Counter(shop.world.bodies(shop.world.source))
    assert report.status is Status.DONE
    assert shop.world.bodies(shop.world.dlq) == []
    assert set(there) == {f"body {number}" for number in range(MESSAGES)}
    assert sum(count > 1 for count in there.values()) <= report.possibly_sent_twice <= IN_HAND
