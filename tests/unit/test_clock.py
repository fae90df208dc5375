from __future__ import annotations

import threading
import time

from opstool.doors.clock import SystemClock


def test_the_system_clock_tells_the_machines_time() -> None:
    """Both of them."""
    clock = SystemClock()
    assert abs(clock.wall() - time.time()) < 5
    assert abs(clock.monotonic() - time.monotonic()) < 5


def test_a_set_stop_ends_a_sleep() -> None:
    """A minute is not slept."""
    stop = threading.Event()
    stop.set()
    began = time.monotonic()
    SystemClock().sleep(60, stop)
    assert time.monotonic() - began < 5


def test_a_negative_sleep_is_none() -> None:
    """A deadline that has passed need not be checked for."""
    SystemClock().sleep(-1)


def test_work_is_repeated_until_it_is_ended() -> None:
    """The end waits for the last repetition, and may be asked for twice."""
    clock, thrice = SystemClock(), threading.Semaphore(0)
    end = clock.every(0.001, thrice.release)
    assert all(thrice.acquire(timeout=5) for _ in range(3))
    end()
    end()
    assert "opstool-every" not in {thread.name for thread in threading.enumerate() if thread.name == "opstool-every"}


def test_work_may_end_its_own_repetition() -> None:
    """Without waiting for itself."""
    clock, ended = SystemClock(), threading.Event()
    ends: list[object] = []

    def once() -> None:
        while not ends:
            time.sleep(0.001)
        end()
        ended.set()

    end = clock.every(0.001, once)
    ends.append(end)
    assert ended.wait(5)
