from __future__ import annotations

import math
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opstool.engine.throttle import Throttle, backoff_s, check_rate
from opstool.fake import FakeClock
from opstool.words.errors import UsageError


def passed(throttle: Throttle, clock: FakeClock, batches: list[int]) -> list[float]:
    """Return when each batch was let through."""
    times = []
    for batch in batches:
        assert throttle.acquire(batch, threading.Event())
        times.append(clock.monotonic())
    return times


def test_batches_pass_at_the_rate() -> None:
    """A hundred messages at ten a second: the last batch leaves after nine seconds."""
    clock = FakeClock()
    assert passed(Throttle(10, clock), clock, [10] * 10) == [float(second) for second in range(10)]


def test_without_a_rate_nothing_waits() -> None:
    """None is no bound."""
    clock = FakeClock()
    assert passed(Throttle(None, clock), clock, [10, 10, 10]) == [0.0, 0.0, 0.0]


def test_a_pause_is_not_followed_by_a_burst() -> None:
    """An idle bucket saves nothing up."""
    clock = FakeClock()
    throttle = Throttle(10, clock)
    passed(throttle, clock, [10])
    clock.advance(60)
    assert passed(throttle, clock, [10, 10, 10]) == [60.0, 61.0, 62.0]


@settings(max_examples=50)
@given(
    rate=st.sampled_from([0.5, 1.0, 7.0, 250.0]),
    steps=st.lists(st.tuples(st.integers(1, 10), st.floats(0, 5)), min_size=1, max_size=30),
)
def test_no_stretch_of_time_sees_more_than_the_rate_and_a_batch(rate: float, steps: list[tuple[int, float]]) -> None:
    """Whatever the callers do meanwhile."""
    clock = FakeClock()
    throttle = Throttle(rate, clock)
    times = []
    for messages, pause in steps:
        times += passed(throttle, clock, [messages]) * messages
        clock.advance(pause)
    for first in range(len(times)):
        for last in range(first, len(times)):
            assert last - first + 1 <= rate * (times[last] - times[first]) + 10 + 1e-6


def test_workers_share_one_rate() -> None:
    """Four threads, one bucket."""
    clock = FakeClock()
    throttle = Throttle(10, clock)
    threads = [threading.Thread(target=passed, args=(throttle, clock, [10] * 5)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert clock.monotonic() == pytest.approx(19.0)


def test_a_stop_ends_the_wait_and_lets_nothing_pass() -> None:
    """Ctrl-C is not a reason to send faster than was asked."""
    clock = FakeClock()
    throttle = Throttle(1, clock)
    stop = threading.Event()
    assert throttle.acquire(10, stop)
    end = clock.every(3, stop.set)
    assert not throttle.acquire(10, stop)
    assert clock.monotonic() == 3.0
    end()


@pytest.mark.parametrize("rate", [0.0, -1.0, math.nan, math.inf])
def test_a_rate_at_which_nothing_could_be_sent_is_refused(rate: float) -> None:
    """A library's caller learns it before anything is received."""
    with pytest.raises(UsageError, match="above 0"):
        check_rate(rate)


@pytest.mark.parametrize("rate", [None, 0.1, 1_000.0])
def test_any_other_rate_is_taken(rate: float | None) -> None:
    """None is no bound."""
    check_rate(rate)


def test_the_backoff_grows_to_its_cap_and_is_spread() -> None:
    """Full jitter: from nothing to the bound, and the bound doubles."""
    assert [backoff_s(attempt, 0.5) for attempt in range(1, 7)] == [0.2, 0.4, 0.8, 1.6, 2.5, 2.5]
    assert backoff_s(3, 0.0) == 0.0
