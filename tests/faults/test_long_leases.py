"""Leases of seconds, targets of minutes, and clocks that lie: a message whose lease was lost is not sent by us."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from opstool.doors.clock import SystemClock
from opstool.doors.sqs import Sqs
from opstool.doors.stack import Stack
from opstool.doors.toolkit import Toolkit
from opstool.engine.run import Run
from opstool.fake import Behaviour, EntryFault, FailCalls, Faults, no_connection, throttled
from opstool.fake.stored import State
from opstool.verbs import history, redrive
from opstool.words.errors import AccessError
from opstool.words.filters import Selection, select
from opstool.words.report import Report, Status
from tests.faults.kinds import DeliveredAgain, Surroundings
from tests.faults.results import RecordRun
from tests.faults.rival import Refuse, Rival, Watch, set_wall_clock
from tests.faults.scale import over_lanes
from tests.servers import opened_over
from tests.world import Died, World, make_world

SUITE = "Long leases"
HOUR_S = 3_600
EXTEND = "ChangeMessageVisibilityBatch"
LONGEST_END_S = 300.0
"""Virtual time in which a run has ended that only has to wait for leases of half a minute."""


@pytest.fixture(params=["standard", "fifo"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    """Make the queues, of either type."""
    world = make_world(tmp_path, fifo=request.param == "fifo")
    yield world
    world.close()


@pytest.fixture
def standard(tmp_path: Path) -> Iterator[World]:
    """Make the queues, of the type that delivers twice and believes stale handles."""
    world = make_world(tmp_path)
    yield world
    world.close()


def dead(world: World, count: int) -> list[str]:
    """Let messages die, on a FIFO queue in two groups; return their ids."""
    return world.die([f"{'ab'[number % 2]}:{number}" for number in range(count)])


def planned(world: World, ids: list[str], *, lease_s: int = 30, workers: int = 1, rate: float | None = None) -> Run:
    """Return a run whose plan holds all of the messages."""
    kit = world.kit(lease_s=lease_s, workers=workers)
    return redrive.prepare(kit, world.dlq.arn, Selection(ids=frozenset(ids)), rate=rate)


def check_moved_once(world: World, watch: Watch, report: Report, count: int) -> None:
    """Check that each message is at its source, once, was ours when it was sent, and that the report is true."""
    check_safe(watch, report)
    assert len(world.bodies(world.source)) == len(watch.copies) == count
    assert world.bodies(world.dlq) == []
    assert report.status is Status.DONE


def check_safe(watch: Watch, report: Report) -> None:
    """Check that nothing was sent that was not ours, nor twice."""
    assert watch.stolen == []
    assert set(watch.copies.values()) <= {1}
    assert report.possibly_sent_twice == 0


def visible_ids(world: World) -> set[str]:
    """Return the ids of what anybody could receive from the dead-letter queue."""
    world.visible(world.dlq)  # lets everything happen that time has brought
    return {each.message_id for each in world.stored(world.dlq) if each.state is State.VISIBLE}


def carry_out(world: World, run: Run, watch: Watch) -> Report:
    """Carry a run out, and resume it on a FIFO queue: there a lost lease ends its group's part of the run."""
    report = run.execute()
    if world.fifo and report.status is not Status.DONE:
        check_safe(watch, report)
        assert report.counts.released > 0
        run.close()
        with history.resume(world.kit(), run.plan.run_id) as resumed:
            report = replace(resumed.execute(), notes=report.notes)
    return report


# -- a slow target


def test_leases_of_two_seconds_outlive_a_target_that_takes_five(world: World, record_run: RecordRun) -> None:
    """The heartbeat goes on while a worker waits for its target: what we hold is never visible to anybody."""
    dead(world, 40)
    world.fake.faults = watch = Watch(world, Rival(world), send_s=5)
    exposed: set[str] = set()
    with redrive.prepare(world.kit(lease_s=2), world.dlq.arn) as run:
        end_looking = world.clock.every(0.5, lambda: exposed.update(visible_ids(world) & run.hold.leases._held.keys()))
        report = run.execute()
        end_looking()
    assert exposed == set()
    check_moved_once(world, watch, report, 40)
    record_run(SUITE, "a slow target, leases of 2 s", messages=40)


def test_workers_that_wait_for_a_slow_target_send_each_message_once(standard: World, record_run: RecordRun) -> None:
    """Where threads share virtual time a lease can end between a receive and its registration: then it is noticed."""
    dead(standard, 40)
    standard.fake.faults = watch = Watch(standard, Rival(standard), send_s=5)
    with redrive.prepare(standard.kit(lease_s=2, workers=3), standard.dlq.arn) as run:
        report = run.execute()
    assert set(watch.copies.values()) == {1}
    assert (len(watch.copies), standard.bodies(standard.dlq)) == (40, [])
    assert report.status is Status.DONE
    record_run(SUITE, "a slow target, leases of 2 s", messages=40)


def test_a_group_is_not_sent_on_once_its_lease_is_lost(world: World, record_run: RecordRun) -> None:
    """Ten messages of a FIFO group are ten sends of one batch: the lease is looked at before each."""
    ids = world.die([f"a:{number:02}" for number in range(10)])
    rival = Rival(world)
    world.fake.faults = watch = Watch(world, rival, Refuse(EXTEND, throttled(EXTEND)), send_s=4)
    with planned(world, ids, lease_s=10) as run:
        end_polling = world.clock.every(1, lambda: rival.take(hold_s=15))
        report = run.execute()
        end_polling()
    check_safe(watch, report)
    assert watch.copies
    record_run(SUITE, "a slow target, and no lease can be extended", messages=10)


def test_large_messages_are_not_sent_on_once_their_leases_are_lost(standard: World, record_run: RecordRun) -> None:
    """Ten of them are ten sends of one batch, too."""
    ids = standard.die([f"{number}" + "x" * 700_000 for number in range(6)])
    rival = Rival(standard)
    standard.fake.faults = watch = Watch(standard, rival, Refuse(EXTEND, throttled(EXTEND)), send_s=4)
    with planned(standard, ids, lease_s=10) as run:
        end_polling = standard.clock.every(1, lambda: rival.take(hold_s=15))
        report = run.execute()
        end_polling()
    check_safe(watch, report)
    assert watch.copies
    record_run(SUITE, "a slow target, and no lease can be extended", messages=6)


@pytest.mark.parametrize(("name", "lane"), over_lanes("moto", "local-aws-sqs", "localstack"))
def test_leases_of_two_seconds_outlive_a_slow_target_on_a_real_server(
    name: str, lane: str, tmp_path: Path, record_run: RecordRun
) -> None:
    """Real time and somebody else's visibility timeouts: whoever looks meanwhile finds nothing of ours."""
    server = opened_over(name, lane)
    dlq, target = server.make_queue(), server.make_queue()
    dlq.send_batch(*(f"body {number}" for number in range(8)))
    seen: list[object] = []

    def slowly(operation: str, request: dict[str, object]) -> dict[str, object]:
        if operation == "SendMessageBatch":
            for _ in range(4):  # twice as long as a lease
                time.sleep(1)
                seen.extend(dlq.receive(visibility_s=0))
        return server.call(operation, request)

    clock = SystemClock()
    kit = Toolkit(
        sqs=Sqs(slowly, clock), clock=clock, state_dir=tmp_path, stack=Stack(lambda *_: {}, None), workers=1, lease_s=2
    )
    everything = select(now_ms=0, where="contains(body, 'body')")
    with redrive.prepare(kit, dlq.arn, everything, to=target.arn, not_a_dlq=True) as run:
        report = run.execute()
    kit.close()
    assert seen == []
    assert (report.status, report.counts.succeeded) == (Status.DONE, 8)
    assert len(target.receive(wait_s=1)) == 8
    server.close()
    record_run(SUITE, f"a slow target, leases of 2 s, on {name}", messages=8)


# -- a lease that is lost before the send


def _refused(world: World) -> Faults:
    return Refuse(EXTEND, AccessError("no"))


def _throttled(world: World) -> Faults:
    return Refuse(EXTEND, throttled(EXTEND))


def _cut_off(world: World) -> Faults:
    return Refuse(EXTEND, no_connection(EXTEND))


class _StaleHandles(Faults):
    """Every handle is over."""

    def entry(self, operation: str, entry: object) -> EntryFault | None:
        """Refuse every extension."""
        stale = EntryFault(code="InvalidParameterValue", message="not available", sender_fault=True)
        return stale if operation == EXTEND else None


HEARTBEAT_FAILS: dict[str, Callable[[World], Faults]] = {
    "access to extend is denied": _refused,
    "throttled for longer than a lease": _throttled,
    "the network is gone": _cut_off,
    "the handles are stale": lambda _: _StaleHandles(),
}


@pytest.mark.parametrize("how", HEARTBEAT_FAILS)
def test_a_lease_lost_while_a_person_thinks_is_noticed_before_the_send(
    world: World, how: str, record_run: RecordRun
) -> None:
    """Somebody else has the messages for twenty seconds: they are sent when they come back to us, and once."""
    ids = dead(world, 8)
    rival = Rival(world)
    with planned(world, ids) as run:
        world.fake.faults = HEARTBEAT_FAILS[how](world)
        world.clock.advance(31)
        assert len(rival.take(hold_s=20)) == 8
        began_s = world.clock.monotonic()
        world.fake.faults = watch = Watch(world, rival)
        report = carry_out(world, run, watch)
    check_moved_once(world, watch, report, 8)
    assert min(watch.sent_at_s) >= began_s + 20
    assert any("our hold on 8 messages ended before their turn" in note for note in report.notes)
    record_run(SUITE, f"lost before the send: {how}", messages=8)


def test_what_somebody_else_has_settled_meanwhile_is_not_sent(world: World, record_run: RecordRun) -> None:
    """It is gone, and the report says so."""
    ids = dead(world, 8)
    rival = Rival(world)
    with planned(world, ids) as run:
        world.fake.faults = _throttled(world)
        world.clock.advance(31)
        rival.delete(rival.take(hold_s=20))
        world.fake.faults = watch = Watch(world, rival)
        report = run.execute()
    assert watch.copies == {}
    assert report.status is Status.PARTIAL
    record_run(SUITE, "lost before the send, settled by somebody else", messages=8)


def test_a_lease_lost_between_two_attempts_is_noticed_before_the_second(world: World, record_run: RecordRun) -> None:
    """The target throttles, and the machine sleeps while we wait to try again."""
    ids = dead(world, 8)
    rival = Rival(world)

    class ThrottleThenSleep(Faults):
        calls = 0

        def before(self, operation: str, request: object) -> None:
            if operation == "SendMessageBatch":
                self.calls += 1
                if self.calls == 1:
                    world.clock.jump_wall(31)
                    assert rival.take(hold_s=20)
                    raise throttled(operation)

    with planned(world, ids) as run:
        world.fake.faults = watch = Watch(world, rival, ThrottleThenSleep())
        report = carry_out(world, run, watch)
    check_moved_once(world, watch, report, 8)
    record_run(SUITE, "lost between two attempts", messages=8)


# -- clocks


def test_a_machine_that_slept_knows_that_its_leases_are_over(world: World, record_run: RecordRun) -> None:
    """Wall time jumped and monotonic time did not: everything is received afresh, and sent once."""
    ids = dead(world, 8)
    rival = Rival(world)
    with planned(world, ids) as run:
        world.clock.jump_wall(HOUR_S)
        assert len(rival.take(hold_s=20)) == 8
        world.fake.faults = watch = Watch(world, rival)
        report = carry_out(world, run, watch)
    check_moved_once(world, watch, report, 8)
    record_run(SUITE, "the machine slept", messages=8)


@pytest.mark.parametrize("hours", [-5, 5])
def test_a_clock_that_is_set_hangs_no_run(world: World, hours: int, record_run: RecordRun) -> None:
    """Whatever it makes of the leases it holds, the run ends soon, and each message is sent once."""
    ids = dead(world, 8)
    rival = Rival(world)
    with planned(world, ids) as run:
        set_wall_clock(world, hours * HOUR_S)
        world.fake.faults = watch = Watch(world, rival)
        began_s = world.clock.monotonic()
        report = carry_out(world, run, watch)
    assert world.clock.monotonic() - began_s < LONGEST_END_S
    check_moved_once(world, watch, report, 8)
    record_run(SUITE, "the wall clock is set", messages=8)


def test_a_clock_that_is_set_back_keeps_no_lease_that_is_over(world: World, record_run: RecordRun) -> None:
    """Monotonic time has gone on."""
    ids = dead(world, 8)
    rival = Rival(world)
    with planned(world, ids) as run:
        world.fake.faults = _throttled(world)
        set_wall_clock(world, -5 * HOUR_S)
        world.clock.advance(31)
        assert len(rival.take(hold_s=20)) == 8
        world.fake.faults = watch = Watch(world, rival)
        report = carry_out(world, run, watch)
    check_moved_once(world, watch, report, 8)
    record_run(SUITE, "the wall clock is set", messages=8)


@pytest.mark.parametrize("hours", [-5, 5])
def test_a_clock_that_is_set_during_a_crash_hangs_no_resume(world: World, hours: int, record_run: RecordRun) -> None:
    """A resume waits for leases by its own clock, and at most as long as they can last."""
    ids = dead(world, 8)
    rival = Rival(world)
    with planned(world, ids) as run:
        world.fake.faults = FailCalls("DeleteMessageBatch", Died())  # type: ignore[arg-type]
        with pytest.raises(Died):
            run.execute()
    set_wall_clock(world, hours * HOUR_S)
    world.fake.faults = watch = Watch(world, rival)
    began_s = world.clock.monotonic()
    with history.resume(world.kit(), run.plan.run_id) as resumed:
        report = resumed.execute()
    assert world.clock.monotonic() - began_s < LONGEST_END_S
    assert watch.stolen == []
    assert sorted(world.bodies(world.source)) == sorted(set(world.bodies(world.source)))
    assert (report.status, world.bodies(world.dlq)) == (Status.DONE, [])
    record_run(SUITE, "the wall clock is set during a crash", messages=8)


# -- at most once, and deletes that do nothing


@pytest.mark.parametrize("share", [0.3, 0.9])
@pytest.mark.parametrize("by", ["the queue", "a fault"])
def test_a_message_that_is_delivered_to_two_workers_is_sent_by_one(
    tmp_path: Path, by: str, share: float, record_run: RecordRun
) -> None:
    """At-least-once delivery, four workers and a slow target."""
    world = make_world(tmp_path, behaviour=Behaviour(duplicates=share if by == "the queue" else 0.0))
    dead(world, 60)
    around = Surroundings(seed=1, rate=share, fifo=False, ask=world.fake, sleep=world.clock.sleep)
    again = DeliveredAgain(around) if by == "a fault" else None
    world.fake.faults = watch = Watch(world, Rival(world), again, send_s=1)
    counted = 0
    for _ in range(5):  # a storm of duplicates may hide messages from a run, and never from the next ones
        with redrive.prepare(world.kit(workers=4), world.dlq.arn) as run:
            counted += run.execute().possibly_sent_twice
    assert set(watch.copies.values()) == {1}
    assert len(watch.copies) == len(world.bodies(world.source)) == 60
    assert (counted, world.bodies(world.dlq)) == (0, [])
    world.fake.faults = Faults()
    world.close()
    record_run(SUITE, "delivered to two workers", messages=60)


def test_a_stale_delete_that_does_nothing_is_made_good_in_the_same_run(standard: World, record_run: RecordRun) -> None:
    """The heartbeat saw during the send that our handle is over: the message reappears, and is deleted, not sent."""
    ids = dead(standard, 8)
    rival = Rival(standard)

    class TakenDuringTheSend(Watch):
        def before(self, operation: str, request: dict[str, object]) -> None:  # type: ignore[override]
            if operation == "SendMessageBatch" and not self.sent_at_s:
                super().before(operation, request)
                for each in run.hold.leases._held.values():
                    shown = {"ReceiptHandle": each.receipt_handle, "VisibilityTimeout": 0}
                    standard.ask("ChangeMessageVisibility", standard.dlq, **shown)
                assert len(rival.take(hold_s=20)) == 8
                standard.clock.sleep(12)

    with planned(standard, ids) as run:
        standard.fake.faults = watch = TakenDuringTheSend(standard, rival)
        report = run.execute()
    check_moved_once(standard, watch, report, 8)
    record_run(SUITE, "a stale delete does nothing", messages=8)


def test_a_stale_delete_that_nobody_noticed_is_made_good_by_the_next_run(
    standard: World, record_run: RecordRun
) -> None:
    """SQS said yes, and the journal knows what was sent: the next run deletes it and sends nothing."""
    ids = dead(standard, 8)
    rival = Rival(standard)

    class TakenBeforeTheDelete(Watch):
        def before(self, operation: str, request: dict[str, object]) -> None:  # type: ignore[override]
            super().before(operation, request)
            if operation == "DeleteMessageBatch" and not rival._until_s:
                for each in run.hold.leases._held.values():
                    shown = {"ReceiptHandle": each.receipt_handle, "VisibilityTimeout": 0}
                    standard.ask("ChangeMessageVisibility", standard.dlq, **shown)
                assert len(rival.take(hold_s=20)) == 8

    standard.fake.faults = watch = TakenBeforeTheDelete(standard, rival)
    with planned(standard, ids) as run:
        run.execute()
    assert len(standard.bodies(standard.dlq)) == 8
    standard.clock.advance(21)
    with planned(standard, ids) as again:
        report = again.execute()
    check_moved_once(standard, watch, report, 8)
    record_run(SUITE, "a stale delete does nothing", messages=8)


def test_a_machine_that_sleeps_between_send_and_delete_deletes_and_does_not_send(
    world: World, record_run: RecordRun
) -> None:
    """Somebody else held the messages when the delete said yes; they come back, and are only deleted."""
    ids = dead(world, 8)
    rival = Rival(world)

    class SleepAfterTheSend(Watch):
        def after(self, operation: str, request: dict[str, object], response: dict[str, object]) -> dict[str, object]:  # type: ignore[override]
            if operation == "SendMessageBatch" and not rival._until_s:
                world.clock.jump_wall(HOUR_S)
                rival.take(hold_s=20)
            return super().after(operation, request, response)

    with planned(world, ids) as run:
        world.fake.faults = watch = SleepAfterTheSend(world, rival)
        report = carry_out(world, run, watch)
    check_moved_once(world, watch, report, 8)
    record_run(SUITE, "the machine slept between send and delete", messages=8)


# -- a person who thinks, and a run that waits, for very long


def test_a_person_may_think_for_almost_twelve_hours(world: World, record_run: RecordRun) -> None:
    """Nothing is lost, nothing is waited for, nothing is said of it."""
    ids = dead(world, 8)
    rival = Rival(world)
    with planned(world, ids) as run:
        world.clock.advance(12 * HOUR_S - 60)
        assert rival.take(hold_s=20) == []
        began_s = world.clock.monotonic()
        world.fake.faults = watch = Watch(world, rival)
        report = run.execute()
    assert min(watch.sent_at_s) == began_s
    check_moved_once(world, watch, report, 8)
    assert not any("hold" in note for note in report.notes)
    record_run(SUITE, "a person thinks for 11 h 59 min", messages=8)


def test_a_person_who_thinks_for_longer_than_sqs_hides_a_message_sends_none_that_was_lost(
    world: World, record_run: RecordRun
) -> None:
    """Twelve hours from the receive are SQS's end: the plan stands, what it held is received afresh, and it says so."""
    ids = dead(world, 8)
    rival = Rival(world)
    with planned(world, ids) as run:
        world.clock.advance(12 * HOUR_S + 60)
        assert len(rival.take(hold_s=20)) == 8
        world.fake.faults = watch = Watch(world, rival)
        report = carry_out(world, run, watch)
    check_moved_once(world, watch, report, 8)
    assert any("our hold on 8 messages ended before their turn" in note for note in report.notes)
    record_run(SUITE, "a person thinks for more than 12 h", messages=8)


def test_a_run_that_can_never_keep_a_lease_to_its_turn_ends(standard: World, record_run: RecordRun) -> None:
    """Leases cannot be extended, and at this rate every batch waits longer than one: it is given up, in words."""
    ids = dead(standard, 40)
    rival = Rival(standard)
    standard.fake.faults = watch = Watch(standard, rival, Refuse(EXTEND, AccessError("not allowed to extend")))
    with planned(standard, ids, workers=4, rate=0.1) as run:
        report = run.execute()
    assert watch.stolen == []
    assert report.status is Status.PARTIAL
    assert {failure.code for failure in report.failures} == {"lease_lost"}
    assert any("not allowed to extend" in note for note in report.notes)
    assert len(standard.bodies(standard.source)) + len(standard.bodies(standard.dlq)) == 40
    record_run(SUITE, "no lease lasts until its turn", messages=40)


# -- very many messages, and a crash


@pytest.fixture
def slow_heartbeat(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a heartbeat extend one message in a second, so that 60 held messages need leases of a minute."""
    monkeypatch.setattr("opstool.engine.leases._EXTENSIONS_PER_SECOND", 1)


def die(run: Run) -> None:
    """Carry a run out until it dies, as the end of its process leaves it: nothing is released, the lock is free."""
    leases = run.hold.leases
    end_heartbeat, leases._end_heartbeat = leases._end_heartbeat, lambda: None
    leases.release = lambda leases: None  # type: ignore[method-assign]
    with pytest.raises(Died):
        run.execute()
    end_heartbeat()
    assert run.hold._lock
    run.hold._lock.release()


def died_holding_many(world: World) -> str:
    """Let a run die after its first batch was sent and not deleted, with leases longer than asked for."""
    ids = dead(world, 60)
    run = planned(world, ids)
    assert run.hold.leases.longest_s > 30
    world.fake.faults = FailCalls("DeleteMessageBatch", Died())  # type: ignore[arg-type]
    die(run)
    return run.plan.run_id


@pytest.mark.usefixtures("slow_heartbeat")
def test_a_resume_waits_for_leases_that_were_longer_than_asked_for(standard: World, record_run: RecordRun) -> None:
    """The journal knows the longest that was in force."""
    run_id = died_holding_many(standard)
    standard.fake.faults = watch = Watch(standard, Rival(standard))
    with history.resume(standard.kit(lease_s=2), run_id) as resumed:
        report = resumed.execute()
    assert (report.status, standard.bodies(standard.dlq)) == (Status.DONE, [])
    assert len(standard.bodies(standard.source)) == 60
    assert watch.stolen == []
    record_run(SUITE, "a crash with leases longer than asked for", messages=60)


@pytest.mark.usefixtures("slow_heartbeat")
def test_a_resume_of_a_resume_that_died_at_once_still_waits_for_the_first(
    standard: World, record_run: RecordRun
) -> None:
    """The second process asked for short leases, and the first one's still hide messages."""
    run_id = died_holding_many(standard)
    standard.fake.faults = FailCalls("ReceiveMessage", Died())  # type: ignore[arg-type]
    with pytest.raises(Died), history.resume(standard.kit(lease_s=2), run_id) as dying:
        dying.execute()
    standard.fake.faults = Faults()
    with history.resume(standard.kit(lease_s=2), run_id) as resumed:
        report = resumed.execute()
    assert (report.status, standard.bodies(standard.dlq)) == (Status.DONE, [])
    assert len(standard.bodies(standard.source)) == 60
    record_run(SUITE, "a crash with leases longer than asked for", messages=60, runs=2)


@pytest.mark.usefixtures("slow_heartbeat")
def test_a_new_run_waits_for_the_leases_of_one_that_died(standard: World, record_run: RecordRun) -> None:
    """Its own leases are short; those of the dead run hide what that one left unsettled."""
    died_holding_many(standard)
    standard.fake.faults = Faults()
    with redrive.prepare(standard.kit(lease_s=2), standard.dlq.arn) as run:
        report = run.execute()
    assert (report.status, standard.bodies(standard.dlq)) == (Status.DONE, [])
    assert len(standard.bodies(standard.source)) == 60
    record_run(SUITE, "a crash with leases longer than asked for", messages=60)


def test_a_new_run_waits_for_a_lease_that_was_extended_long_after_the_last_word_in_the_journal(
    standard: World, record_run: RecordRun
) -> None:
    """A send that takes minutes writes nothing meanwhile, and the heartbeat goes on until the process dies."""
    ids = dead(standard, 8)

    class DieInASlowSend(Faults):
        def before(self, operation: str, request: object) -> None:
            if operation == "SendMessageBatch":
                standard.clock.sleep(200)
                raise Died

    run = planned(standard, ids)
    standard.fake.faults = DieInASlowSend()
    die(run)
    standard.fake.faults = Faults()
    with redrive.prepare(standard.kit(), standard.dlq.arn) as again:
        report = again.execute()
    assert (report.status, standard.bodies(standard.dlq)) == (Status.DONE, [])
    assert len(standard.bodies(standard.source)) == 8
    record_run(SUITE, "a crash in a slow send", messages=8)
