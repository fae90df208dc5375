"""Which signals count, without a process to end: the rest is in test_processes.py."""

from __future__ import annotations

import signal
import sys

import pytest

from opstool.cli.signals import Interrupts

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals as POSIX has them")


@pytest.mark.parametrize(("apart_s", "left"), [(0.001, []), (0.3, [130])], ids=["at once", "a person's second press"])
def test_two_signals_at_once_are_one(apart_s: float, left: list[int]) -> None:
    """`timeout` signals the process and then its group; that must not leave messages hidden until their leases end."""
    now, statuses = [100.0], list[int]()
    with Interrupts(leave=statuses.append, monotonic=lambda: now[0]):
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)
        now[0] += apart_s
        signal.raise_signal(signal.SIGTERM)
    assert statuses == left
