"""A run that dies anywhere and is resumed until it is done: every body once at the target, or counted."""

from __future__ import annotations

import sqlite3
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opstool.doors.archive import read_archive
from opstool.doors.database import Database
from opstool.doors.journal import Journal
from opstool.doors.toolkit import Toolkit
from opstool.engine.run import Run
from opstool.fake import Faults, no_answer
from opstool.verbs import history, importing, purge, redrive
from opstool.words.filters import Selection
from opstool.words.record import RunRecord
from opstool.words.report import Report, Status
from tests.faults.promises import check_counts, check_order, check_status
from tests.world import Accepted, Died, World, forget_as_dead, make_world

EXAMPLES = 40
IMMORTAL = 10**9
MOST_LIVES = 12
"""More than the deaths of any example, and than its lost answers can prolong."""

deaths = st.lists(st.integers(0, 90), min_size=1, max_size=4)
"""After how many steps each life ends; the next one does not."""


class Fatal(Faults):
    """Let the process die at its n-th step: before a request leaves, or after it was carried out; lose answers too."""

    def __init__(self, *, steps: int, seed: int, losses: float) -> None:
        self.steps = steps
        self.dead = False
        self._rng = Random(seed)
        self._losses = losses

    def step(self) -> None:
        """Take one step towards the end; a dead process takes none."""
        self.steps -= 1
        if self.dead or self.steps < 0:
            self.dead = True
            raise Died

    def before(self, operation: str, request: Mapping[str, Any]) -> None:
        """Die before the request leaves."""
        self.step()

    def after(self, operation: str, request: Mapping[str, Any], response: dict[str, Any]) -> dict[str, Any]:
        """Die, or lose the answer, after it was carried out."""
        self.step()
        if operation == "SendMessageBatch" and self._rng.random() < self._losses:
            raise no_answer(operation)
        return response


@contextmanager
def mortal(world: World, kit: Toolkit, fatal: Fatal) -> Iterator[Accepted]:
    """Let the process die by `fatal`, at its requests and at its commits; yield what counts the copies."""
    write_group = Database._write_group

    def dying(database: Database, group: Any) -> None:
        if database is kit.journal._database:
            fatal.step()
        write_group(database, group)
        if database is kit.journal._database:
            fatal.step()

    journal = kit.journal
    accepted = Accepted(fatal)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Database, "_write_group", dying)
        world.fake.faults = accepted
        try:
            yield accepted
        finally:
            world.fake.faults = Faults()
    if fatal.dead:
        forget_as_dead(journal)
        del kit.__dict__["journal"]


def live(world: World, kit: Toolkit, run: Run | importing.Import, fatal: Fatal) -> tuple[Report | None, Accepted]:
    """Execute a run until its end or its death; a dead process releases nothing but its lock."""
    with mortal(world, kit, fatal) as accepted:
        try:
            with run:
                return run.execute(), accepted
        except (Died, sqlite3.ProgrammingError):
            return None, accepted


@dataclass(kw_only=True)
class Story:
    """The lives of one run: the copies that were accepted, in the order of the first of each body."""

    world: World
    run_id: str = ""
    report: Report | None = None
    copies: dict[str, set[str]] = field(default_factory=dict)
    order: list[str] = field(default_factory=list)

    def tell(self, run: Run | importing.Import, kit: Toolkit, ends: list[int], *, losses: float, pause_s: int) -> None:
        """Execute the run, and resume it after each death until nothing is left to resume."""
        self.run_id = run.plan.run_id
        self._remember(*live(self.world, kit, run, Fatal(steps=ends[0], seed=0, losses=losses)))
        for number in range(1, MOST_LIVES):
            if self._is_over():
                return
            self.world.clock.advance(pause_s)
            kit = self.world.kit()
            steps = ends[number] if number < len(ends) else IMMORTAL
            fatal = Fatal(steps=steps, seed=number, losses=losses if steps < IMMORTAL else 0.0)
            self._remember(*live(self.world, kit, history.resume(kit, self.run_id), fatal))
        raise AssertionError(f"not done after {MOST_LIVES} lives: {self.report}")

    def _remember(self, report: Report | None, accepted: Accepted) -> None:
        self.report = report
        self.order += [body for body in accepted.order if body not in self.copies]
        for body, new_ids in accepted.ids_by_body.items():
            self.copies.setdefault(body, set()).update(new_ids)

    def _record(self) -> RunRecord | None:
        observer = Journal(self.world.state_dir / "journal.db", self.world.clock)
        try:
            return next((each for each in observer.runs() if each.run_id == self.run_id), None)
        finally:
            observer.close()

    def _is_over(self) -> bool:
        """Tell whether there is nothing to resume: the run died before its first commit, or after its last."""
        record = self._record()
        return record is None or record.status == Status.DONE or self.is_blocked or self._has_all_it_saw(record)

    def _has_all_it_saw(self, record: RunRecord) -> bool:
        """Tell whether a plan that could not see the whole queue is through: its status stays partial."""
        report = self.report
        if report is None or report.failures or report.status is not Status.PARTIAL:
            return False
        released = report.counts.released and record.plan["limit"] is None
        return bool(record.plan["options"].get("partial")) and not released

    @property
    def is_blocked(self) -> bool:
        """Tell whether all that is left is what a FIFO queue does not show, and that the report says so."""
        failures = self.report.failures if self.report else ()
        return self.world.fifo and [each.code for each in failures] == ["not_seen"]

    @property
    def never_began(self) -> bool:
        """Tell whether the run died before its first commit."""
        return self._record() is None

    @property
    def counted(self) -> int:
        """Return what the journal's report counts as possibly sent twice."""
        record = self._record()
        return int(record.report["possibly_sent_twice"]) if record and record.report else 0

    @property
    def doubled(self) -> int:
        """Return how many bodies were accepted more than once."""
        return sum(len(new_ids) > 1 for new_ids in self.copies.values())


@contextmanager
def story(bodies: list[str], *, fifo: bool = False, seed: int = 0) -> Iterator[tuple[Story, list[str]]]:
    """Make a world in which these have died; yield it with their ids."""
    with tempfile.TemporaryDirectory() as folder:
        world = make_world(Path(folder), fifo=fifo, seed=seed)
        try:
            yield Story(world=world), world.die(bodies)
        finally:
            world.close()


def numbered(count: int, groups: str) -> list[str]:
    """Return bodies that tell their group and their place in it."""
    return [f"{groups[number % len(groups)]}:{number}" for number in range(count)]


@settings(max_examples=EXAMPLES)
@given(
    fifo=st.booleans(),
    count=st.integers(1, 25),
    chosen=st.none() | st.frozensets(st.integers(0, 24), min_size=1),
    limit=st.none() | st.integers(1, 25),
    ends=deaths,
    seed=st.integers(0, 1_000),
    losses=st.sampled_from([0.0, 0.0, 0.2]),
    pause_s=st.sampled_from([0, 10, 31, 400]),
)
def test_a_redrive_that_dies_anywhere_and_is_resumed_sends_each_body_once_or_counts_it(
    fifo: bool,
    count: int,
    chosen: frozenset[int] | None,
    limit: int | None,
    ends: list[int],
    seed: int,
    losses: float,
    pause_s: int,
) -> None:
    """Death before or after any request and any commit: the journal knows enough to go on."""
    bodies = numbered(count, "abc")
    with story(bodies, fifo=fifo, seed=seed) as (told, ids):
        world, kit = told.world, told.world.kit()
        selection = Selection() if chosen is None else Selection(ids=frozenset(ids[each % count] for each in chosen))
        run = redrive.prepare(kit, world.dlq.arn, selection, limit=limit)
        # On a FIFO queue the plan's scan may not have seen all that was selected.
        wanted = [body for body, key in zip(bodies, ids, strict=True) if run.plan.ids is None or key in run.plan.ids]
        told.tell(run, kit, ends, losses=losses, pause_s=pause_s)
        if told.never_began:
            assert not told.copies
            return
        if told.report:
            check_counts(told.report)
            check_status(told.report)
        assert set(told.copies) <= set(wanted)
        assert told.doubled <= told.counted
        if fifo:
            check_order(told.order)
        if told.is_blocked:
            return
        assert len(told.copies) == (len(wanted) if limit is None else min(limit, len(wanted)))
        assert Counter(world.bodies(world.dlq)) == Counter(bodies) - Counter(told.copies.keys())


@settings(max_examples=EXAMPLES)
@given(count=st.integers(1, 25), ends=deaths, ending=st.sampled_from(["", ".gz"]))
def test_a_purge_that_dies_anywhere_and_is_resumed_archives_each_body_once(
    count: int, ends: list[int], ending: str
) -> None:
    """The archive is gone on with, and holds no message twice."""
    bodies = numbered(count, "a")
    with story(bodies) as (told, _):
        world, kit = told.world, told.world.kit()
        archive = world.state_dir / f"archive.jsonl{ending}"
        told.tell(purge.prepare(kit, world.dlq.arn, archive=archive), kit, ends, losses=0.0, pause_s=31)
        archived = Counter(record.message.body for record in read_archive(archive)) if archive.exists() else Counter()
        if told.never_began:
            assert Counter(world.bodies(world.dlq)) == Counter(bodies)
            return
        assert archived == Counter(bodies)
        assert not world.bodies(world.dlq)
        assert told.counted == 0


@settings(max_examples=EXAMPLES)
@given(fifo=st.booleans(), count=st.integers(1, 25), ends=deaths, pause_s=st.sampled_from([0, 400]))
def test_an_import_that_dies_anywhere_and_is_resumed_sends_each_record_once_or_counts_it(
    fifo: bool, count: int, ends: list[int], pause_s: int
) -> None:
    """A record whose copy was confirmed is skipped when the import is taken up again."""
    bodies = numbered(count, "abc")
    with story(bodies, fifo=fifo) as (told, _):
        world, kit = told.world, told.world.kit()
        archive = world.state_dir / "archive.jsonl"
        with purge.prepare(kit, world.dlq.arn, archive=archive) as emptied:
            assert emptied.execute().status is Status.DONE
        told.tell(importing.prepare(kit, archive), kit, ends, losses=0.0, pause_s=pause_s)
        assert set(told.copies) == (set() if told.never_began else set(bodies))
        assert Counter(world.bodies(world.dlq)) == Counter({body: len(each) for body, each in told.copies.items()})
        assert told.doubled <= told.counted
        if fifo:
            check_order(told.order)
