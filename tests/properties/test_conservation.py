"""Whatever goes wrong between us and SQS: nothing is lost, nothing is sent twice uncounted, and the report is true."""

from __future__ import annotations

import json
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from opstool.doors.archive import read_archive
from opstool.engine.delivery import Uncertain
from opstool.fake import Behaviour, EntryFault, Faults, no_answer, no_connection, server_error, throttled
from opstool.verbs import export, importing, purge, redrive
from opstool.words.errors import OpstoolError
from opstool.words.filters import Selection, select
from opstool.words.report import Status
from tests.faults.kinds import MESSAGE_OPERATIONS
from tests.faults.promises import check_counts, check_order, check_status
from tests.world import Accepted, World, make_world

EXAMPLES = 60
LONGEST_RUN_S = 3_600.0
"""Virtual time in which every run of these has ended."""


@dataclass(kw_only=True)
class Chaos(Faults):
    """Faults by a seed: `rate` of the calls and entries, `budget` in all; for `jump_s` the machine sleeps."""

    seed: int
    rate: float
    budget: int
    jump_s: int = 0
    world: World | None = None
    _rng: Random = field(init=False)
    _lose: threading.local = field(default_factory=threading.local)

    def __post_init__(self) -> None:
        self._rng = Random(self.seed)

    def _strikes(self) -> bool:
        if self.budget <= 0 or self._rng.random() >= self.rate:
            return False
        self.budget -= 1
        return True

    def before(self, operation: str, request: Mapping[str, Any]) -> None:
        """Refuse, or decide that the answer will be lost."""
        self._lose.yes = False
        if operation not in MESSAGE_OPERATIONS or not self._strikes():
            return
        kind = self._rng.choice(["throttled", "unreachable", "lost", "lost", "error", "sleep"])
        if kind == "throttled":
            raise throttled(operation)
        if kind == "unreachable":
            raise no_connection(operation)
        if kind == "error":
            raise server_error(operation)
        if kind == "sleep" and self.jump_s and self.world:
            self.world.clock.jump_wall(self.jump_s)
        self._lose.yes = kind == "lost"

    def entry(self, operation: str, entry: Mapping[str, Any]) -> EntryFault | None:
        """Refuse one entry, for good or for now."""
        return EntryFault(sender_fault=self._rng.random() < 0.3) if self._strikes() else None

    def after(self, operation: str, request: Mapping[str, Any], response: dict[str, Any]) -> dict[str, Any]:
        """Lose the answer."""
        if getattr(self._lose, "yes", False):
            self._lose.yes = False
            raise no_answer(operation)
        return response


@dataclass(frozen=True, kw_only=True)
class Case:
    """One situation: what lies in the queue, what is selected, and what goes wrong."""

    fifo: bool
    bodies: tuple[str, ...]
    chosen: frozenset[int] | None
    by_ids: bool
    limit: int | None
    workers: int
    seed: int
    rate: float
    budget: int
    jump_s: int
    duplicates: float
    uncertain: Uncertain
    stop_after: int | None

    def selection(self, ids: list[str]) -> Selection:
        """Return the selection of the chosen ones."""
        if self.chosen is None:
            return Selection()
        if self.by_ids:
            return Selection(ids=frozenset(ids[index] for index in self.chosen))
        marked = json.dumps([self.bodies[index] for index in sorted(self.chosen)])
        return select(now_ms=0, where=f"contains(`{marked}`, body)")

    def is_chosen(self, body: str) -> bool:
        """Tell whether the message with this body was selected."""
        return self.chosen is None or self.bodies.index(body) in self.chosen


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Make a situation."""
    count = draw(st.integers(1, 25))
    fifo = draw(st.booleans())
    bodies = tuple(f"{'abc'[number % draw(st.integers(1, 3))]}:{number}" for number in range(count))
    chosen = draw(st.none() | st.frozensets(st.integers(0, count - 1), min_size=1))
    return Case(
        fifo=fifo,
        bodies=bodies,
        chosen=chosen,
        by_ids=draw(st.booleans()),
        limit=draw(st.none() | st.none() | st.integers(1, count)),
        workers=draw(st.sampled_from([1, 1, 1, 2])),
        seed=draw(st.integers(0, 10_000)),
        rate=draw(st.sampled_from([0.0, 0.1, 0.3, 0.6])),
        budget=draw(st.integers(0, 40)),
        jump_s=draw(st.sampled_from([0, 0, 40])),
        duplicates=0.0 if fifo else draw(st.sampled_from([0.0, 0.0, 0.4])),
        uncertain=draw(st.sampled_from(["resend", "leave"])),
        stop_after=draw(st.none() | st.none() | st.integers(0, 12)),
    )


@contextmanager
def situation(case: Case) -> Iterator[tuple[World, Accepted, list[str], Path]]:
    """Make the world of a case, with its faults ready."""
    with tempfile.TemporaryDirectory() as folder:
        world = make_world(
            Path(folder), fifo=case.fifo, seed=case.seed, behaviour=Behaviour(duplicates=case.duplicates)
        )
        ids = world.die(case.bodies)
        chaos = Chaos(seed=case.seed, rate=case.rate, budget=case.budget, jump_s=case.jump_s, world=world)
        accepted = Accepted(chaos)
        try:
            yield world, accepted, ids, Path(folder) / "archive.jsonl"
        finally:
            world.close()


@settings(max_examples=EXAMPLES)
@given(cases())
def test_a_redrive_loses_nothing_and_counts_what_it_may_have_doubled(case: Case) -> None:
    """Each body is at the source or still in the DLQ, once unless counted, in order, as the report says."""
    with situation(case) as (world, accepted, ids, _):
        kit = world.kit(workers=case.workers)
        began = world.clock.monotonic()
        selection = case.selection(ids)
        with redrive.prepare(kit, world.dlq.arn, selection, limit=case.limit, uncertain=case.uncertain) as run:
            world.fake.faults = accepted
            accepted.stop_after(case.stop_after, kit.stop)
            report = run.execute()
        world.fake.faults = Faults()
        assert world.clock.monotonic() - began < LONGEST_RUN_S
        check_counts(report)
        check_status(report)
        left, there = Counter(world.bodies(world.dlq)), accepted.copies
        assert Counter(world.bodies(world.source)) == there
        for body in case.bodies:
            assert left[body] + there[body] >= 1, f"{body} is lost"
            assert there[body] == 0 or case.is_chosen(body), f"{body} was not meant"
        assert accepted.doubled <= report.possibly_sent_twice
        assert report.counts.succeeded <= len(there)
        if case.limit is not None:
            assert len(there) <= case.limit
        if report.status is Status.DONE:
            assert report.counts.succeeded == len(there)
            wanted = sum(map(case.is_chosen, case.bodies))
            expected = wanted if case.limit is None else min(case.limit, wanted)
            assert report.counts.succeeded == expected
            assert sum(left.values()) == len(case.bodies) - expected
        if case.fifo:
            check_order(accepted.order)
        if not report.error_code:
            world.clock.advance(60)
            assert world.visible(world.dlq) == sum(left.values())


@settings(max_examples=EXAMPLES)
@given(cases())
def test_a_purge_deletes_nothing_that_it_has_not_archived(case: Case) -> None:
    """Each body is in the queue or in the archive, whatever fails; the archive holds no body twice."""
    with situation(case) as (world, accepted, ids, archive):
        kit = world.kit(workers=case.workers)
        with purge.prepare(kit, world.dlq.arn, case.selection(ids), archive=archive, limit=case.limit) as run:
            world.fake.faults = accepted
            accepted.stop_after(case.stop_after, kit.stop)
            report = run.execute()
        world.fake.faults = Faults()
        check_counts(report)
        check_status(report)
        # A run that archived nothing leaves no file behind.
        archived = Counter(record.message.body for record in read_archive(archive)) if archive.exists() else Counter()
        left = Counter(world.bodies(world.dlq))
        for body in case.bodies:
            assert left[body] + archived[body] >= 1
            assert archived[body] <= 1
            assert archived[body] == 0 or case.is_chosen(body)
        assert report.possibly_sent_twice == 0
        assert report.counts.succeeded <= sum(archived.values())
        if report.status is Status.DONE:
            assert not left & archived


@settings(max_examples=EXAMPLES)
@given(cases())
def test_an_export_leaves_every_message_and_writes_each_once(case: Case) -> None:
    """Looking changes nothing, and the archive holds what was selected as often as it lies in the queue."""
    with situation(case) as (world, accepted, ids, archive):
        world.fake.faults = accepted
        try:
            report = export.export(
                world.kit(workers=case.workers), world.dlq.arn, case.selection(ids), to=archive, limit=case.limit
            )
        except OpstoolError:
            report = None
        world.fake.faults = Faults()
        assert Counter(world.bodies(world.dlq)) == Counter(case.bodies)
        if report is None:
            return
        check_counts(report)
        written = Counter(record.message.body for record in read_archive(archive))
        assert sum(written.values()) == report.counts.succeeded
        assert all(count == 1 and case.is_chosen(body) for body, count in written.items())
        wanted = sum(map(case.is_chosen, case.bodies))
        if report.status is Status.DONE and not case.fifo and not case.budget:
            assert report.counts.succeeded == (wanted if case.limit is None else min(case.limit, wanted))


@settings(max_examples=EXAMPLES)
@given(cases())
def test_an_import_sends_each_record_once_unless_counted(case: Case) -> None:
    """However often it is begun: each record at the target at least once when it is done, twice only if counted."""
    with situation(case) as (world, accepted, _, archive):
        kit = world.kit(workers=case.workers)
        with purge.prepare(kit, world.dlq.arn, archive=archive) as run:
            assert run.execute().status is Status.DONE
        world.fake.faults = accepted
        reports = []
        for _ in range(3):
            with importing.prepare(kit, archive, to=world.source.arn) as again:
                reports.append(again.execute())
        world.fake.faults = Faults()
        for report in reports:
            check_counts(report)
            check_status(report)
        there = accepted.copies
        assert Counter(world.bodies(world.source)) == there
        assert accepted.doubled <= sum(report.possibly_sent_twice for report in reports)
        if any(report.status is Status.DONE for report in reports):
            assert set(there) == set(case.bodies)
        if case.fifo and reports[0].status is Status.DONE:
            check_order(accepted.order)


@settings(max_examples=EXAMPLES)
@given(cases())
def test_a_consumer_that_rejects_everything_gets_each_message_once(case: Case) -> None:
    """What comes back during the run is left alone, and the run ends."""
    with situation(case) as (world, accepted, ids, _):
        kit = world.kit(workers=case.workers)

        class Rejecting(Accepted):
            def after(self, operation: str, request: Mapping[str, Any], response: dict[str, Any]) -> dict[str, Any]:
                if operation == "SendMessageBatch":
                    world.reject_all(world.source)
                    self.inner = accepted.inner
                return super().after(operation, request, response)

        with redrive.prepare(kit, world.dlq.arn, case.selection(ids), limit=case.limit) as run:
            world.clock.advance(5)
            world.fake.faults = rejecting = Rejecting(accepted.inner)
            report = run.execute()
        world.fake.faults = Faults()
        check_counts(report)
        assert not world.bodies(world.source)
        left = Counter(world.bodies(world.dlq))
        assert set(left) == set(case.bodies)
        assert rejecting.doubled <= report.possibly_sent_twice
