"""What came back too often is not sent again, unless somebody insists."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from opstool.doors import knownids
from opstool.engine.poison import Poison
from opstool.verbs import redrive
from opstool.words.errors import UsageError
from opstool.words.filters import select
from opstool.words.poison import PoisonRule
from opstool.words.report import Report, Status, Tally
from tests.world import World


def send(world: World, **options: Any) -> Report:
    """Redrive everything that may go."""
    with redrive.prepare(world.kit(), world.dlq.arn, **options) as run:
        return run.execute()


def bounce(world: World, times: int) -> None:
    """Send everything back, and let it die again."""
    for _ in range(times):
        assert send(world, poison=PoisonRule(treatment="include")).status is Status.DONE
        world.reject_all(world.source)


@pytest.mark.parametrize("where", [None, "body.n > `0`"], ids=["the unfiltered whole", "filtered"])
def test_what_has_returned_three_times_stays(world: World, where: str | None) -> None:
    """It is skipped and named, and the others go."""
    world.die(['{"n": 1}', '{"n": 2}'])
    bounce(world, 3)
    world.die(['{"n": 3}', '{"n": 4}', '{"n": 5}'])
    report = send(world, selection=select(now_ms=0, where=where))
    assert (report.status, report.counts.succeeded, report.counts.skipped) == (Status.PARTIAL, 3, 2)
    [failure] = report.failures
    assert failure.code == "poison"
    assert set(failure.message_ids) == {message.message_id for message in world.stored(world.dlq)}
    assert Counter(world.bodies(world.dlq)) == Counter(['{"n": 1}', '{"n": 2}'])


def test_what_lies_behind_the_first_batch_stays_too(world: World) -> None:
    """A plan of the whole queue has seen ten; the run judges each."""
    world.die([f'{{"n": {number}}}' for number in range(25)])
    bounce(world, 3)
    report = send(world)
    assert (report.counts.succeeded, report.counts.skipped) == (0, 25)
    assert len(world.bodies(world.dlq)) == 25


def test_twice_is_not_yet_poison(world: World) -> None:
    """Three is the default, and may be another number."""
    world.die(['{"n": 1}'])
    bounce(world, 2)
    assert send(world, poison=PoisonRule(returns=2)).counts.skipped == 1
    assert send(world).counts.succeeded == 1


def test_who_insists_sends_it_all_the_same(world: World) -> None:
    """With everything else."""
    world.die(['{"n": 1}'])
    bounce(world, 5)
    report = send(world, poison=PoisonRule(treatment="include"))
    assert (report.status, report.counts.succeeded) == (Status.DONE, 1)


def test_a_quarantine_takes_the_poison_and_nothing_else(world: World) -> None:
    """One command."""
    quarantine = world.add_queue("orders-quarantine")
    world.die(['{"n": 1}', '{"n": 2}'])
    bounce(world, 3)
    world.die(['{"n": 3}'])
    report = send(world, to=quarantine.name, poison=PoisonRule(treatment="only"))
    assert (report.status, report.counts.succeeded) == (Status.DONE, 2)
    assert Counter(world.bodies(quarantine)) == Counter(['{"n": 1}', '{"n": 2}'])
    assert world.bodies(world.dlq) == ['{"n": 3}']


def test_a_limit_counts_the_poison_alone(world: World) -> None:
    """It is found among the others, wherever it lies."""
    quarantine = world.add_queue("orders-quarantine")
    world.die(['{"n": 1}', '{"n": 2}'])
    bounce(world, 3)
    world.die([f'{{"n": {number}}}' for number in range(3, 30)])
    report = send(world, to=quarantine.name, poison=PoisonRule(treatment="only"), limit=1)
    assert (report.counts.succeeded, len(world.bodies(quarantine))) == (1, 1)


@pytest.mark.parametrize(
    "rule", [PoisonRule(returns=0), PoisonRule(treatment="only")], ids=["never returned", "back to where it died"]
)
def test_a_rule_that_makes_no_sense_is_refused(world: World, rule: PoisonRule) -> None:
    """Before anything is received."""
    with pytest.raises(UsageError):
        redrive.prepare(world.kit(), world.dlq.arn, poison=rule)


def test_a_journal_that_cannot_be_read_knows_of_no_return(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever way it is asked; the run, which has to write it, fails for itself."""
    monkeypatch.setattr(knownids, "_ASKS_FIRST", 1)
    kit = world.kit()
    kit.journal._database.commit(lambda database: database.execute("DROP TABLE tail"))
    poison = Poison(kit, world.dlq.arn, PoisonRule(), Tally())
    assert poison.admits("m-1")
