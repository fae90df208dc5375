from __future__ import annotations

import math
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opstool.engine.throttle import Throttle, backoff_s, check_rate
from opstool.engine.workers import workers_for_rate
from opstool.fake import FakeClock
from opstool.words.errors import UsageError

RATES = [0.5, 1.0, 7.0, 100.0, 1_000.0]


class LateClock(FakeClock):
    """A clock whose sleeps end late, as those of a busy machine do."""

    def __init__(self, late_s: float) -> None:
        super().__init__()
        self.late_s = late_s

    def sleep(self, seconds: float, stop: threading.Event | None = None) -> None:
        """Sleep for longer than was asked."""
        super().sleep(seconds + self.late_s, stop)


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
    rate=st.sampled_from(RATES),
    steps=st.lists(st.tuples(st.integers(1, 10), st.floats(0, 5)), min_size=1, max_size=30),
    late=st.floats(0, 0.3),
)
def test_no_stretch_of_time_sees_more_than_was_promised(
    rate: float, steps: list[tuple[int, float]], late: float
) -> None:
    """Rate * T + one batch, and one more where waits end late; whatever the callers do meanwhile."""
    clock = LateClock(late)
    throttle = Throttle(rate, clock)
    times = []
    for messages, pause in steps:
        for piece in throttle.pieces(range(messages)):
            times += passed(throttle, clock, [len(piece)]) * len(piece)
        clock.advance(pause)
    capacity = throttle.batch * (2 if late else 1)
    for first in range(len(times)):
        for last in range(first, len(times)):
            assert last - first + 1 <= rate * (times[last] - times[first]) + capacity + 1e-6


@pytest.mark.parametrize(
    ("rate", "sizes"),
    [(0.5, [1] * 10), (1, [1] * 10), (7, [7, 3]), (7.9, [7, 3]), (10, [10]), (1_000, [10]), (None, [10])],
)
def test_a_batch_is_cut_into_what_a_second_brings(rate: float | None, sizes: list[int]) -> None:
    """At one a second ten do not go at once, with nine seconds of nothing behind them."""
    assert [len(piece) for piece in Throttle(rate, FakeClock()).pieces(range(10))] == sizes


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("workers", [1, 4])
def test_over_minutes_it_is_exactly_the_rate(rate: float, workers: int) -> None:
    """Several threads share one bucket, and no time is lost between them: the last piece leaves on the second."""
    clock = FakeClock()
    throttle = Throttle(rate, clock)
    rounds = math.ceil(180 * rate / throttle.batch / workers)
    work = ([throttle.batch] * rounds,)
    threads = [threading.Thread(target=passed, args=(throttle, clock, *work)) for _ in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert clock.monotonic() >= 170
    assert clock.monotonic() == pytest.approx((rounds * workers - 1) * throttle.batch / rate)


def test_sleeps_that_end_late_do_not_slow_it_down() -> None:
    """A hundredth of a second too long each time, and after ten minutes still a hundred a second."""
    clock = LateClock(0.01)
    times = passed(Throttle(100, clock), clock, [10] * 6_000)
    assert times[-1] == pytest.approx(599.9, abs=0.05)


def test_what_came_too_late_is_not_made_up_for() -> None:
    """The process was stopped for a minute: it goes on at the rate, with one batch that was due."""
    clock = LateClock(0.0)
    throttle = Throttle(10, clock)
    passed(throttle, clock, [10])
    clock.late_s = 60.0
    passed(throttle, clock, [10])
    clock.late_s = 0.0
    assert passed(throttle, clock, [10] * 4) == [61.0, 62.0, 63.0, 64.0]


class FirstLate(FakeClock):
    """A clock whose first sleep begins when all have asked for the time, and ends a minute late."""

    def __init__(self, threads: int) -> None:
        super().__init__()
        self._all_asked = threading.Event()
        self._names: set[str] = set()
        self._threads = threads
        self._late_s = 60.0

    def monotonic(self) -> float:
        """Note who asks."""
        self._names.add(threading.current_thread().name)
        if len(self._names) > self._threads:  # the test itself is one more
            self._all_asked.set()
        return super().monotonic()

    def sleep(self, seconds: float, stop: threading.Event | None = None) -> None:
        """Sleep, the first time for too long."""
        assert self._all_asked.wait(10)
        late_s, self._late_s = self._late_s, 0.0
        super().sleep(seconds + late_s, stop)


def test_those_who_waited_while_the_process_was_stopped_do_not_go_together() -> None:
    """One batch was due, and one is allowed to be late; the others go at the rate."""
    clock = FirstLate(5)
    throttle = Throttle(10, clock)
    times: list[float] = []
    threads = [threading.Thread(target=lambda: times.extend(passed(throttle, clock, [10]))) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert clock.monotonic() == 63.0  # at 0, 61, 61, 62 and 63


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


@pytest.mark.parametrize("rate", [1e-7, 1e-12, 5e-324])
def test_a_rate_that_no_clock_can_wait_for_is_refused(rate: float) -> None:
    """The second message would leave after its retention, or after the last second that a thread can wait for."""
    with pytest.raises(UsageError, match=r"at least 0\.000001 messages a second"):
        check_rate(rate)


@pytest.mark.parametrize("rate", [None, 1e-6, 0.1, 1_000.0])
def test_any_other_rate_is_taken(rate: float | None) -> None:
    """None is no bound."""
    check_rate(rate)


def test_the_backoff_grows_to_its_cap_and_is_spread() -> None:
    """Full jitter: from nothing to the bound, and the bound doubles."""
    assert [backoff_s(attempt, 0.5) for attempt in range(1, 7)] == [0.2, 0.4, 0.8, 1.6, 2.5, 2.5]
    assert backoff_s(3, 0.0) == 0.0


@pytest.mark.parametrize("rate", [None, 1, 100], ids=["no rate", "slow", "fast"])
def test_an_empty_batch_is_one_piece(rate: float | None) -> None:
    """Whoever settles a batch of which another worker has everything settles it once all the same, or never ends."""
    assert list(Throttle(rate, FakeClock()).pieces([])) == [[]]


@pytest.mark.parametrize(
    ("rate", "most", "workers"),
    [(None, 64, 64), (5.0, 64, 3), (0.1, 64, 2), (100.0, 64, 31), (1_000.0, 64, 64), (5.0, 1, 1)],
)
def test_no_more_workers_than_a_rate_can_feed(rate: float | None, most: int, workers: int) -> None:
    """Who only waits for the throttle sees nothing of what comes back meanwhile."""
    assert workers_for_rate(rate, most) == workers
