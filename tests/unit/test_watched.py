"""A redrive that is watched: a few first, what may come back, and the outcome of everything."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from opstool.fake import Behaviour
from opstool.verbs import history, redrive
from opstool.words.errors import UsageError
from opstool.words.fate import Fate
from opstool.words.filters import select
from opstool.words.report import Report, Status
from opstool.words.watching import CANARY_RETURNED, CANARY_UNKNOWN, TOO_MANY_RETURNED, Watching
from tests.consumer_in_memory import Consumer
from tests.world import World, make_world


def good(count: int) -> list[str]:
    """Return bodies that the consumer takes."""
    return [json.dumps({"n": number}) for number in range(count)]


def bad(count: int) -> list[str]:
    """Return bodies on which it fails."""
    return [json.dumps({"n": number, "bad": True}) for number in range(count)]


@pytest.fixture(params=[False, True], ids=["standard", "fifo"])
def any_world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    """Make both kinds of queue."""
    world = make_world(tmp_path, fifo=request.param)
    yield world
    world.close()


@pytest.fixture
def consumer(world: World) -> Iterator[Consumer]:
    """Let a consumer work on the source queue."""
    consumer = Consumer(world)
    yield consumer
    consumer.end()


def watch(world: World, watching: Watching, **options: Any) -> Report:
    """Redrive, watched."""
    with redrive.prepare(
        world.kit(workers=options.pop("workers", 1)), world.dlq.arn, watching=watching, **options
    ) as run:
        return run.execute()


def test_a_canary_that_is_consumed_lets_the_rest_go(world: World) -> None:
    """And the outcome tells of the canary; of the rest it is not known."""
    world.die(good(40))
    Consumer(world)
    report = watch(world, Watching(canary=5))
    assert (report.status, report.stopped, report.counts.succeeded) == (Status.DONE, None, 40)
    assert report.outcome is not None
    assert (report.outcome.count(Fate.SUCCEEDED), report.outcome.count(Fate.UNKNOWN)) == (5, 35)
    assert not report.came_back


@pytest.mark.parametrize("workers", [1, 4])
def test_a_canary_that_dies_again_keeps_the_rest_back(world: World, workers: int) -> None:
    """The rest is released, nothing is lost, and the report says which came back."""
    world.die(bad(40))
    Consumer(world)
    report = watch(world, Watching(canary=5), workers=workers)
    assert report.stopped is not None
    assert (report.stopped.code, report.status) == (CANARY_RETURNED, Status.PARTIAL)
    assert report.stopped.message.startswith("5 of the 5 messages of the canary came back")
    assert (report.counts.succeeded, report.counts.released, report.counts.returned) == (5, 35, 5)
    assert report.counts.received == 45
    assert report.outcome is not None
    assert len(report.outcome.returned) == 5
    assert report.came_back
    assert Counter(world.bodies(world.dlq)) == Counter(bad(40))
    assert world.visible(world.dlq) == 40


def test_the_outcome_stands_in_the_history(world: World) -> None:
    """Message by message, and in the run's report."""
    world.die(bad(3))
    Consumer(world)
    report = watch(world, Watching(canary=2))
    found = history.details(world.kit(), report.run_id or "")
    assert found.run.report is not None
    assert found.run.report["stopped"]["code"] == CANARY_RETURNED
    assert found.run.report["outcome"]["returned"] == 2
    assert Counter(found.fates.values()) == {Fate.RETURNED: 2}


def test_a_canary_of_which_nothing_is_known_keeps_the_rest_back(world: World) -> None:
    """Nobody consumes: that is no proof of anything."""
    world.die(good(20))
    report = watch(world, Watching(canary=3))
    assert report.stopped is not None
    assert report.stopped.code == CANARY_UNKNOWN
    assert not report.came_back
    assert (report.counts.succeeded, report.counts.released) == (3, 17)
    assert report.outcome is not None
    assert report.outcome.bound_s == 30 * 1 + 60


def test_the_wait_for_a_canary_is_bounded_by_what_was_asked(world: World) -> None:
    """And the report says how long one that fails may need."""
    world.die(good(20))
    before = world.clock.monotonic()
    report = watch(world, Watching(canary=3, canary_wait_s=12))
    assert report.stopped is not None
    assert "one that fails may need 90 s to come back" in report.stopped.message
    assert world.clock.monotonic() - before < 30


def test_a_run_that_stopped_at_its_canary_looks_again_when_it_is_resumed(world: World) -> None:
    """Once the consumer works again, the canary is through, and the rest goes."""
    world.die(good(20))
    run_id = watch(world, Watching(canary=3)).run_id or ""
    Consumer(world)
    with history.resume(world.kit(), run_id) as run:
        report = run.execute()
    assert (report.status, report.stopped) == (Status.DONE, None)
    assert world.bodies(world.dlq) == []


def test_a_canary_that_came_back_stops_a_resumed_run_too(world: World) -> None:
    """It lies in the queue, and is known by its new id."""
    world.die(bad(20))
    run_id = watch(world, Watching(canary=3, canary_wait_s=1)).run_id or ""
    world.reject_all(world.source)
    with history.resume(world.kit(), run_id) as run:
        report = run.execute()
    assert report.stopped is not None
    assert report.stopped.code == CANARY_RETURNED
    assert Counter(world.bodies(world.dlq)) == Counter(bad(20))


def test_more_canaries_than_messages_are_all_of_them(world: World) -> None:
    """Then nothing is left for afterwards."""
    world.die(good(4))
    Consumer(world)
    report = watch(world, Watching(canary=50))
    assert (report.status, report.counts.succeeded) == (Status.DONE, 4)
    assert report.outcome is not None
    assert report.outcome.count(Fate.SUCCEEDED) == 4


def test_a_target_that_delays_its_messages_is_given_more_time(world: World) -> None:
    """Its delay comes before the first receive."""
    slow = world.add_queue("orders-slow", dlq=world.dlq, DelaySeconds="300")
    world.die(good(2))
    with redrive.prepare(world.kit(), world.dlq.arn, to=slow.arn, watching=Watching(canary=1)) as run:
        assert "up to 390 s" in run.plan.facts["canary"]


def test_a_canary_and_its_selection_hold_together(world: World) -> None:
    """Only what is selected goes, first some of it."""
    world.die(good(30))
    Consumer(world)
    report = watch(world, Watching(canary=2), selection=select(now_ms=0, where="body.n < `10`"), limit=8)
    assert (report.status, report.counts.succeeded) == (Status.DONE, 8)
    assert len(world.bodies(world.dlq)) == 22


def test_a_share_of_returns_ends_the_run(world: World) -> None:
    """At ten a second there is time to see them come back."""
    world.die([json.dumps({"n": number, "bad": number % 3 == 0}) for number in range(300)])
    Consumer(world)
    report = watch(world, Watching(stop_on_returned=10), rate=2)
    assert report.stopped is not None
    assert report.stopped.code == TOO_MANY_RETURNED
    assert 0 < report.counts.succeeded < 300
    assert report.counts.released > 0
    assert report.counts.returned * 100 > 10 * report.counts.succeeded
    counts = report.counts
    assert counts.received == counts.succeeded + counts.skipped + counts.failed + counts.released + counts.returned
    taken = 200 - sum(not json.loads(body)["bad"] for body in world.bodies(world.dlq) + world.bodies(world.source))
    assert taken + len(world.bodies(world.dlq)) + len(world.bodies(world.source)) == 300


def test_a_share_that_is_not_passed_lets_everything_go(world: World) -> None:
    """One in a hundred may come back."""
    world.die([json.dumps({"n": number, "bad": number == 0}) for number in range(100)])
    Consumer(world)
    report = watch(world, Watching(stop_on_returned=10), rate=5)
    assert (report.status, report.stopped, report.counts.succeeded) == (Status.DONE, None, 100)


def test_waiting_follows_everything_to_its_outcome(any_world: World) -> None:
    """Ten come back, twenty do not: by id, and exactly."""
    world = any_world
    world.die([json.dumps({"n": number, "bad": number % 3 == 0}) for number in range(30)])
    Consumer(world)
    report = watch(world, Watching(wait=True))
    assert report.outcome is not None
    assert (report.outcome.count(Fate.SUCCEEDED), report.outcome.count(Fate.RETURNED)) == (20, 10)
    assert report.came_back
    back = {each.new_id for each in report.outcome.returned}
    assert back == {message.message_id for message in world.stored(world.dlq)}
    assert not any(each.probable for each in report.outcome.returned)


def test_a_fifo_canary_keeps_the_order_of_its_group(tmp_path: Path) -> None:
    """The first of the queue go first, and the rest of their groups after them."""
    world = make_world(tmp_path, fifo=True)
    world.die([f'{{"a":{number}}}' for number in range(9)])
    consumer = Consumer(world)
    report = watch(world, Watching(canary=3))
    assert (report.status, report.counts.succeeded) == (Status.DONE, 9)
    consumer.work()
    assert consumer.taken == [f'{{"a":{number}}}' for number in range(9)]
    world.close()


def test_a_fifo_canary_that_dies_is_seen(tmp_path: Path) -> None:
    """Although SQS shows nothing of a group of which some is held."""
    world = make_world(tmp_path, fifo=True)
    world.die([json.dumps({"g": 1, "n": number, "bad": True}) for number in range(6)])
    Consumer(world)
    report = watch(world, Watching(canary=2))
    assert report.stopped is not None
    assert report.stopped.code == CANARY_RETURNED
    assert len(world.bodies(world.dlq)) == 6
    world.close()


def test_an_interruption_ends_the_wait_and_nothing_is_claimed(world: World) -> None:
    """What was sent is sent; what became of it is not known."""
    world.die(good(5))
    kit = world.kit()
    world.clock.every(8, kit.stop.set)
    with redrive.prepare(kit, world.dlq.arn, watching=Watching(wait=True)) as run:
        report = run.execute()
    assert report.outcome is not None
    assert report.outcome.count(Fate.UNKNOWN) == 5


def test_a_busy_queue_is_believed_once_every_receive_is_used_up(world: World) -> None:
    """Something is always in flight; but everything was taken once, and a message is tried for so long only."""
    world.die(good(5))
    Consumer(world)
    noise = iter(range(10_000))
    world.clock.every(1.5, lambda: world.send(world.source, [json.dumps({"noise": next(noise), "bad": True})]))
    report = watch(world, Watching(canary=2))
    assert (report.stopped, report.counts.succeeded) == (None, 5)


def test_a_target_that_cannot_be_read_makes_the_outcome_unknown(world: World) -> None:
    """And says why."""
    world.die(good(5))
    kit = world.kit()
    with redrive.prepare(kit, world.dlq.arn, watching=Watching(wait=True)) as run:
        assert run.watched is not None

        def away(_arn: str) -> Any:
            raise UsageError("not here")

        run.watched.reach = away
        report = run.execute()
    assert report.outcome is not None
    assert report.outcome.count(Fate.UNKNOWN) == 5
    assert any("is unknown: not here" in note for note in report.notes)


def test_a_canary_needs_everything_in_hand(tmp_path: Path) -> None:
    """The plan is frozen by id, exact, and says what goes first and how long that takes."""
    world = make_world(tmp_path, behaviour=Behaviour(shuffled=False))
    world.die(good(50))
    with redrive.prepare(world.kit(), world.dlq.arn, watching=Watching(canary=5)) as run:
        assert (run.plan.exact, len(run.plan.ids or ())) == (True, 50)
        assert run.plan.facts["canary"].startswith("5 of 50 go first; their outcome is awaited for up to 90 s")
    world.close()


@pytest.mark.parametrize(
    "watching",
    [Watching(canary=0), Watching(canary_wait_s=3), Watching(stop_on_returned=100), Watching(stop_on_returned=-1)],
    ids=["no canary", "a wait without a canary", "all may come back", "less than none"],
)
def test_what_cannot_be_watched_is_refused(world: World, watching: Watching) -> None:
    """Before anything is received."""
    with pytest.raises(UsageError):
        redrive.prepare(world.kit(), world.dlq.arn, watching=watching)


def test_a_large_canary_that_dies_is_seen_to_the_last(world: World) -> None:
    """One look shows ten; what was not looked for is not called a success."""
    world.die(bad(120))
    Consumer(world)
    report = watch(world, Watching(canary=100))
    assert report.outcome is not None
    assert (report.outcome.count(Fate.RETURNED), report.outcome.count(Fate.SUCCEEDED)) == (100, 0)
    assert (report.counts.returned, report.counts.released) == (100, 20)


def test_a_target_without_a_dead_letter_queue_that_fails_for_ever_proves_nothing(world: World) -> None:
    """Its messages are in flight again and again, and never leave."""
    world.die(bad(5))
    target = world.add_queue("elsewhere")
    world.source = target
    Consumer(world)
    report = watch(world, Watching(canary=2), to=target.name)
    assert report.stopped is not None
    assert report.stopped.code == CANARY_UNKNOWN
    assert report.counts.succeeded == 2


def test_a_returns_share_counts_what_was_sent_before_a_resume(world: World) -> None:
    """The returns of before are met again; so what they are measured by is everything that was sent."""
    world.die([json.dumps({"n": number, "bad": number % 12 == 0}) for number in range(200)])
    Consumer(world)
    kit = world.kit()
    world.clock.every(60, kit.stop.set)
    with redrive.prepare(kit, world.dlq.arn, watching=Watching(stop_on_returned=15), rate=2) as run:
        run_id = run.execute().run_id or ""
    with history.resume(world.kit(), run_id) as run:
        report = run.execute()
    assert (report.status, report.stopped) == (Status.DONE, None)


def test_counts_that_lag_do_not_make_a_paused_consumer_a_success(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Just after the send nothing is counted yet, which looks as if everything had been taken."""
    world.die(good(5))
    call, lagging = world.call, iter(range(4))

    def late(operation: str, request: dict[str, Any]) -> dict[str, Any]:
        answer = call(operation, request)
        asked = operation == "GetQueueAttributes" and request.get("QueueUrl") == world.source.url
        if asked and world.stored(world.source) and next(lagging, None) is not None:
            answer["Attributes"]["ApproximateNumberOfMessages"] = "0"
        return answer

    monkeypatch.setattr(world, "call", late)
    report = watch(world, Watching(canary=2))
    assert report.stopped is not None
    assert (report.stopped.code, report.counts.succeeded) == (CANARY_UNKNOWN, 2)
