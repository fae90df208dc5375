"""Queues on real time behind HTTP, a state directory, and command lines that work on them in processes of their own."""

from __future__ import annotations

import json
import shutil
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from opstool.doors.clock import SystemClock
from opstool.doors.sqs import Sqs
from opstool.doors.stack import Stack
from opstool.doors.toolkit import Toolkit
from opstool.fake import FakeSqs
from opstool.fake.stored import State
from opstool.verbs import history
from opstool.words.record import Move, RunRecord
from tests.faults.crash.disk import SmallDisk
from tests.faults.crash.points import Point
from tests.faults.crash.victim import Task
from tests.faults.crash.zygote import Victim, Zygote
from tests.lanes import DEFAULT
from tests.servers.fake_endpoint import FakeEndpoint
from tests.world import World, make_queue

LEASE_S = 2
"""The shortest that the command line takes: what a dead process held is hidden for so long."""
_PATIENCE_S = 30
_POLL_S = 0.02


@dataclass(frozen=True)
class Ended:
    """How a process ended, and what it wrote."""

    status: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        """Return the one JSON document that stdout must be."""
        [line] = self.out.splitlines()
        document: dict[str, Any] = json.loads(line)
        return document


@dataclass(kw_only=True)
class Shop:
    """`orders` and its dead-letter queue, in which `ids` by body have died; `folder` has the state and the outputs.

    With a `disk` the processes have one more folder, which only they see where it is.
    """

    zygote: Zygote
    folder: Path
    world: World
    endpoint: FakeEndpoint
    workers: int = 4
    lane: str = DEFAULT
    disk: SmallDisk | None = None
    state_on_disk: bool = False
    ids: dict[str, str] = field(default_factory=dict)
    _names: Iterator[int] = field(default_factory=lambda: count(1))

    @property
    def state_dir(self) -> Path:
        """Return the state directory of every process."""
        return (self.disk.path if self.disk and self.state_on_disk else self.folder) / "state"

    def seen(self, path: Path) -> Path:
        """Return where the tests find a file of the processes."""
        return self.disk.seen(path) if self.disk else path

    @property
    def dlq(self) -> str:
        """Return the name of the dead-letter queue."""
        return self.world.dlq.name

    def fill(self, bodies: Iterable[str]) -> None:
        """Let messages die."""
        listed = list(bodies)
        self.ids.update(zip(listed, self.world.die(listed), strict=True))

    def options(self, *, state_dir: Path | None = None) -> tuple[str, ...]:
        """Return the global options that lead a command line here."""
        where = ("--endpoint-url", self.endpoint.url, "--region", "us-east-1")
        pace = ("--lease", str(LEASE_S), "--workers", str(self.workers))
        return (*where, *pace, "--state-dir", str(state_dir or self.state_dir))

    def task(self, *argv: str, point: Point | None = None, output: str = "json", **limits: Any) -> Task:
        """Return the process of a command line."""
        words = (*self.options(), "--output", output, *argv)
        name = f"process-{next(self._names)}"
        disk_of = self.disk.pid if self.disk else None
        return Task(
            argv=words, folder=str(self.folder), name=name, point=point, disk_of=disk_of, lane=self.lane, **limits
        )

    def run(self, *argv: str, point: Point | None = None, **limits: Any) -> Ended:
        """Carry out a command line in a process of its own."""
        task = self.task(*argv, point=point, **limits)
        return ended(task, self.zygote.start(task))

    # -- what is where

    def left(self) -> Counter[str]:
        """Return the bodies in the dead-letter queue."""
        return Counter(self.world.bodies(self.world.dlq))

    def there(self) -> Counter[str]:
        """Return the bodies in the source queue."""
        return Counter(self.world.bodies(self.world.source))

    def hidden(self) -> int:
        """Return how many messages of the dead-letter queue cannot be received now."""
        self.world.visible(self.world.dlq)  # lets time do what it has brought
        return sum(each.state is not State.VISIBLE for each in self.world.stored(self.world.dlq))

    def await_leases(self) -> None:
        """Wait until nothing is hidden any more: what a dead process held is visible after its lease."""
        gives_up_at = time.monotonic() + _PATIENCE_S
        while self.hidden():
            assert time.monotonic() < gives_up_at, "a lease outlives its process"
            time.sleep(_POLL_S)

    # -- what the journal says

    def runs(self) -> list[RunRecord]:
        """Return the runs as `opstool history` sees them, without touching the state: it reads a copy of the journal.

        Whoever opens the journal mends what the dead process left of it, and that is for the next run to do.
        """
        with self._journal() as kit:
            return history.runs(kit) if kit else []

    def moves(self) -> list[Move]:
        """Return every message that any run has sent or meant to send."""
        with self._journal() as kit:
            return [move for run in kit.journal.runs() for move in kit.journal.moves(run.run_id)] if kit else []

    def runs_as_they_are(self) -> list[RunRecord]:
        """Return the runs as `opstool history` sees them in the state directory itself."""
        with closing(self._kit(self.state_dir)) as kit:
            return history.runs(kit)

    @contextmanager
    def _journal(self) -> Iterator[Toolkit | None]:
        copy = self.folder / f"look-{next(self._names)}"
        copy.mkdir()
        for file in self.seen(self.state_dir).glob("journal.db*"):
            if not file.name.endswith("-shm"):  # an index of the -wal, which whoever opens it first makes anew
                shutil.copy(file, copy)
        if not (copy / "journal.db").exists():
            yield None
            return
        with closing(self._kit(copy)) as kit:
            yield kit
        shutil.rmtree(copy)

    def _kit(self, state_dir: Path) -> Toolkit:
        clock = self.world.clock
        sqs = Sqs(self.world.call, clock)
        return Toolkit(sqs=sqs, clock=clock, state_dir=state_dir, stack=Stack(lambda *_: {}, None))


def ended(task: Task, victim: Victim) -> Ended:
    """Wait for the end of a process."""
    status = victim.wait()
    return Ended(status, task.out.read_text(), task.err.read_text())


@contextmanager
def open_shop(
    zygote: Zygote, folder: Path, *, fifo: bool = False, seed: int = 0, workers: int = 4, lane: str = DEFAULT
) -> Iterator[Shop]:
    """Open a shop with empty queues."""
    folder.mkdir(parents=True, exist_ok=True)
    clock = SystemClock()
    fake = FakeSqs(clock, seed=seed)
    ending = ".fifo" if fifo else ""
    attributes: dict[str, Any] = {"FifoQueue": "true"} if fifo else {}
    dlq = make_queue(fake, f"orders-dlq{ending}", MessageRetentionPeriod="1209600", **attributes)
    source = make_queue(fake, f"orders{ending}", dlq=dlq, **attributes)
    world = World(clock=clock, fake=fake, state_dir=folder, source=source, dlq=dlq)  # type: ignore[arg-type]
    endpoint = FakeEndpoint(fake)
    try:
        yield Shop(zygote=zygote, folder=folder, world=world, endpoint=endpoint, workers=workers, lane=lane)
    finally:
        endpoint.close()
        world.close()
