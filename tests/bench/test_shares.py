"""The parts of the processor time exclude each other, and add up to what the process used."""

from __future__ import annotations

import time

import pytest

from bench.shares import REST, START, Shares


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return a clock of the thread and the process that the test moves."""
    now = [0.0]
    monkeypatch.setattr(time, "thread_time", lambda: now[0])
    monkeypatch.setattr(time, "process_time", lambda: now[0])
    return now


def test_a_part_inside_another_counts_for_itself_only(clock: list[float]) -> None:
    """The lane's share is without that of TLS below it; what nobody claims is the rest."""
    shares = Shares()

    def spend(seconds: float) -> None:
        clock[0] += seconds

    def ask() -> None:
        spend(1)
        shares.timed("TLS", spend)(4)
        spend(2)

    spend(10)
    shares.start_of_work()
    spend(5)
    shares.timed("lane", ask)()
    assert shares.result() == {START: 10, "TLS": 4, "lane": 3, REST: 5}


def test_what_was_spent_before_the_work_is_the_start(clock: list[float]) -> None:
    """Also by a part that has a name of its own later."""
    shares = Shares()

    def spend() -> None:
        clock[0] += 3

    shares.timed("journal", spend)()
    shares.start_of_work()
    shares.timed("journal", spend)()
    assert shares.result() == {START: 3, "journal": 3, REST: 0}


def test_a_part_that_fails_is_left_all_the_same(clock: list[float]) -> None:
    """Its error passes, and later time is not its own."""
    shares = Shares()

    def fail() -> None:
        clock[0] += 1
        raise OSError("disk full")

    shares.start_of_work()
    with pytest.raises(OSError, match="disk full"):
        shares.timed("journal", fail)()
    clock[0] += 2
    assert shares.result() == {START: 0, "journal": 1, REST: 2}
