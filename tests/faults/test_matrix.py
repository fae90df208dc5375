"""Every kind of fault, at every rate, on every verb, on standard and FIFO queues: in memory, on virtual time.

The dice are by a seed (`SEED=7 pytest tests/faults/test_matrix.py` takes another). On standard queues four workers
share them, so that a seed gives the same faults to the same requests only as far as the workers come in the same order.
"""

from __future__ import annotations

import os
import random
import threading
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from opstool.fake import Faults
from opstool.words.queue import Queue
from tests.consumer_in_memory import Consumer
from tests.faults import scale
from tests.faults.errand import Errand, Ground, bodies
from tests.faults.errands import ERRANDS
from tests.faults.kinds import KINDS, Kind, Surroundings, Together
from tests.faults.promises import Ending
from tests.faults.results import RecordRun
from tests.faults.watched_errands import WATCHED_ERRANDS
from tests.world import World, make_world

SUITE = "On the fake, on virtual time"
SEED = int(os.environ.get("SEED", "1"))
RATES = (1, 10, 50)
BOUNDED_RATE = 10
"""The one rate at which the watched errands run where the suite is bounded."""
WORKERS = 4
GROUP = 10
"""Messages of a group on a FIFO queue, where whole groups can be seen."""
ATTEMPTS_UNDER_FAULTS = 4
ATTEMPTS_IN_PEACE = 3
LEASES_ARE_OVER_S = 60
"""After it everything is visible that an attempt could not release, as its report says."""
MOST_CALLS = 20 * scale.MESSAGES + 2_000
"""Of one attempt. For each message, were it alone in every batch: six sends (engine/delivery.py), three rounds of one
receive and three deletes (engine/transfer.py, engine/leases.py), a hold and a release. Beside that ten leases of
waiting for what a lost receive may have hidden (engine/scan.py), four workers at a receive a second, and heartbeats.
"""
LONGEST_CALL_S = 35.0 + 5.0 + 1.0
"""A late answer, the longest backoff after it, and the wait of a long poll."""


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One place of the matrix."""

    kind: type[Kind] | type[Together]
    rate: int
    fifo: bool
    errand: type[Errand]

    def __str__(self) -> str:
        """Return the name that selects it with -k."""
        return f"{self.errand.name}, {'FIFO' if self.fifo else 'standard'}, {self.kind.name}, {self.rate} %"

    @property
    def row(self) -> str:
        """Return the row of the table that it adds to."""
        return f"{self.kind.name}, {self.rate} %"


CELLS = [
    Cell(kind=kind, rate=rate, fifo=fifo, errand=errand)
    for kind in (*KINDS, Together)
    for rate in RATES
    for fifo in (False, True)
    for errand in (*ERRANDS, *(WATCHED_ERRANDS if scale.FULL or rate == BOUNDED_RATE else ()))
]


class PastFaults:
    """A world's source queue for somebody whom the faults do not meet, at any time and in any thread."""

    def __init__(self, world: World) -> None:
        self.clock, self.source = world.clock, world.source
        self._fake = world.fake

    def ask(self, operation: str, queue: Queue, **fields: Any) -> dict[str, Any]:
        """Carry out one request."""
        return self._fake._carry_out(operation, {"QueueUrl": queue.url, **fields})


class Stage:
    """The world of one cell, its errand, its faults, and the consumer of what it sends, where one has to be."""

    def __init__(self, cell: Cell, folder: Path) -> None:
        self.cell = cell
        self.world = make_world(folder, fifo=cell.fifo, seed=SEED)
        self.world.most_calls = MOST_CALLS
        lying = bodies(scale.MESSAGES, groups=scale.MESSAGES // (GROUP if cell.errand.whole_groups else 1))
        self.world.die(lying)
        ids = {each.body: each.message_id for each in self.world.stored(self.world.dlq)}
        ground = Ground(
            source=self.world.source,
            dlq=self.world.dlq,
            lying={ids[body]: body for body in lying},
            folder=folder,
        )
        self.errand = cell.errand(ground=ground)
        self.faults = self._faults()
        self.consumer = Consumer(PastFaults(self.world), fails=lambda _: False) if cell.errand.is_consumed else None

    def _faults(self) -> Kind | Together:
        around = Surroundings(
            seed=SEED,
            rate=self.cell.rate / 100,
            fifo=self.cell.fifo,
            ask=self.world.fake._carry_out,  # past the faults, while other threads meet them
            sleep=lambda seconds: sleep(self.world, seconds),
        )
        kind = self.cell.kind
        return Together([each(around) for each in KINDS]) if issubclass(kind, Together) else kind(around)

    def play(self) -> None:
        """Attempt the errand under faults, then without, until it is done."""
        self.errand.get_ready(self.world.kit())
        for faults, attempts in ((self.faults, ATTEMPTS_UNDER_FAULTS), (Faults(), ATTEMPTS_IN_PEACE)):
            for _ in range(attempts):
                self.attempt(faults)
                if self.errand.is_done:
                    return
        raise AssertionError("it is not done after the faults have ended")

    def attempt(self, faults: Faults) -> None:
        """Attempt the errand once, in bounds, and check what it has said."""
        world = self.world
        world.calls, began_s = 0, world.clock.monotonic()
        world.fake.faults = faults
        try:
            report = self.errand.attempt(world.kit(workers=WORKERS))
        finally:
            world.fake.faults = Faults()
        assert world.clock.monotonic() - began_s <= world.calls * LONGEST_CALL_S
        world.clock.advance(LEASES_ARE_OVER_S)
        in_dlq = {each.message_id for each in world.stored(world.dlq)}
        self.errand.check_left(report, in_dlq, deceived=self.faults.deceived and faults is self.faults)

    def check_end(self) -> None:
        """Check where everything is; all that is in the DLQ can be received."""
        world, kind = self.world, self.cell.kind
        ending = Ending(at_target=self.arrived(), in_dlq=world.bodies(world.dlq))
        assert world.visible(world.dlq) == len(ending.in_dlq)
        self.errand.check_end(ending, may_double=kind.acts_unseen, must_double=not kind.fails_unseen)

    def arrived(self) -> list[str]:
        """Return what was sent, consumed or not, in its order."""
        return [*(self.consumer.taken if self.consumer else ()), *self.world.bodies(self.world.source)]

    def record(self, record_run: RecordRun) -> None:
        """Add what was seen to the table."""
        copies = Counter(self.errand.original_of(body) for body in self.arrived())
        doubled = {body for body, count in copies.items() if count > 1}
        record_run(
            SUITE,
            self.cell.row,
            messages=scale.MESSAGES,
            seeds=str(SEED),
            strikes=self.faults.strikes,
            doubled=len(doubled),
            counted=len(doubled & self.errand.told),
        )


def sleep(world: World, seconds: float) -> None:
    """Sleep in any thread: those that carry out a heartbeat's requests must not wait for the heartbeat to end."""
    if threading.current_thread().name.startswith("opstool-leases"):
        world.clock._in_action.yes = True
    world.clock.sleep(seconds)


@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_an_errand_under_faults_ends_with_its_promises_kept(cell: Cell, tmp_path: Path, record_run: RecordRun) -> None:
    """Nothing lost, nothing sent twice uncounted, the counts add up, the status is true, and it ends."""
    random.seed(SEED)  # of which opstool takes its jitter
    stage = Stage(cell, tmp_path)
    try:
        stage.play()
        stage.check_end()
    except AssertionError as error:
        scope = "FAULTS=full " if scale.FULL else ""
        error.add_note(f"again: {scope}SEED={SEED} pytest tests/faults/test_matrix.py -k '{cell}'")
        raise
    finally:
        stage.world.close()
        stage.record(record_run)
