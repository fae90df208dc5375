from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from opstool.fake import FakeClock
from opstool.fake import clock as clock_module


def test_sleeping_takes_no_time_and_moves_both_clocks() -> None:
    """Wall and monotonic time move by what was slept."""
    clock = FakeClock(wall_s=1_000.0)
    clock.sleep(12.5)
    clock.advance(7.5)
    assert (clock.wall(), clock.monotonic()) == (1_020.0, 20.0)


def test_a_machine_that_slept_has_only_its_wall_clock_moved() -> None:
    """Monotonic time and repeating actions stand still, as on a laptop that was shut."""
    clock = FakeClock(wall_s=1_000.0)
    beats: list[float] = []
    clock.every(10, lambda: beats.append(clock.monotonic()))
    clock.jump_wall(3_600)
    assert (clock.wall(), clock.monotonic(), beats) == (4_600.0, 0.0, [])


def test_a_sleep_that_was_stopped_before_moves_nothing() -> None:
    """A set event ends the wait at once."""
    clock = FakeClock()
    stop = threading.Event()
    stop.set()
    clock.sleep(60, stop)
    assert clock.monotonic() == 0.0


def test_actions_run_at_their_due_moments_in_order() -> None:
    """Also several times in one sleep."""
    clock = FakeClock()
    log: list[tuple[str, float]] = []
    clock.every(10, lambda: log.append(("ten", clock.monotonic())))
    clock.every(4, lambda: log.append(("four", clock.monotonic())))
    clock.sleep(21)
    assert log[:-2] == [("four", 4), ("four", 8), ("ten", 10), ("four", 12), ("four", 16)]
    assert sorted(log[-2:]) == [("four", 20), ("ten", 20)]
    assert clock.monotonic() == 21


def test_an_action_can_end_a_sleep() -> None:
    """The sleep ends at the moment of the action that set its event."""
    clock = FakeClock()
    stop = threading.Event()
    clock.every(5, stop.set)
    clock.sleep(60, stop)
    assert clock.monotonic() == 5


def test_an_ended_action_runs_no_more() -> None:
    """The returned function ends it, also from inside the action, and may be called again."""
    clock = FakeClock()
    beats: list[float] = []

    def once() -> None:
        beats.append(clock.monotonic())
        end()

    end = clock.every(5, once)
    clock.sleep(60)
    end()
    assert beats == [5]


def test_an_action_may_sleep() -> None:
    """Its own sleep moves the time; the next one is due an interval after its end, as on the system's clock."""
    clock = FakeClock()
    beats: list[float] = []

    def slow() -> None:
        beats.append(clock.monotonic())
        clock.sleep(7)

    clock.every(5, slow)
    clock.sleep(16)
    assert (beats, clock.monotonic()) == ([5], 16)
    clock.sleep(1)
    assert (beats, clock.monotonic()) == ([5, 17], 24)


def test_the_error_of_an_action_reaches_who_sleeps_and_leaves_the_clock_usable() -> None:
    """A test sees what its heartbeat did wrong."""
    clock = FakeClock()

    def fail() -> None:
        raise LookupError

    end = clock.every(5, fail)
    with pytest.raises(LookupError):
        clock.sleep(60)
    end()
    clock.sleep(60)
    assert clock.monotonic() == 65


def test_an_action_cannot_be_repeated_without_a_pause() -> None:
    """Time would never move on."""
    with pytest.raises(ValueError, match="positive"):
        FakeClock().every(0, lambda: None)


def test_what_an_action_keeps_alive_stays_alive_under_many_sleepers() -> None:
    """However many threads make the time go, the heartbeat is never more than its interval late."""
    clock = FakeClock()
    last_beat = [0.0]
    late: list[float] = []

    def beat() -> None:
        late.append(clock.monotonic() - last_beat[0])
        last_beat[0] = clock.monotonic()

    end = clock.every(10, beat)

    def work(_: int) -> None:
        for _ in range(50):
            clock.sleep(3)

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(work, range(16)))
    end()
    assert late
    assert max(late) == 10
    assert clock.monotonic() >= 150


def test_ending_an_action_waits_for_its_end() -> None:
    """When the function returns, the action runs in no thread."""
    clock = FakeClock()
    began, may_end = threading.Event(), threading.Event()
    log: list[str] = []

    def action() -> None:
        began.set()
        may_end.wait(10)
        log.append("action ended")

    end = clock.every(5, action)
    sleeper = threading.Thread(target=clock.sleep, args=(5,))
    sleeper.start()
    began.wait(10)

    def finish() -> None:
        end()
        log.append("end returned")

    ender = threading.Thread(target=finish)
    ender.start()
    may_end.set()
    ender.join(10)
    sleeper.join(10)
    assert log == ["action ended", "end returned"]


def test_a_sleeper_that_holds_what_an_action_needs_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a real clock the heartbeat would be late; here the test says so instead of hanging."""
    monkeypatch.setattr(clock_module, "_WAIT_FOR_ACTION_S", 0.05)
    clock = FakeClock()
    needed, began = threading.Lock(), threading.Event()

    def action() -> None:
        began.set()
        with needed:
            pass

    clock.every(5, action)
    with needed:
        other = threading.Thread(target=clock.sleep, args=(5,))
        other.start()
        began.wait(10)
        with pytest.raises(RuntimeError, match="does not end"):
            clock.sleep(5)
    other.join(10)
