"""Connections that are kept alive: the last one put back is the first one handed out."""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable

from opstool.doors.clock import Clock
from opstool.doors.lean.connection import Connection

MOST_IDLE = 128
"""As many as there may be workers."""
LONGEST_IDLE_S = 60.0
"""Well under the 350 s after which AWS's NAT gateways forget a connection, and answer the next packet with a reset:
https://docs.aws.amazon.com/vpc/latest/userguide/nat-gateway-basics.html"""


_pools: weakref.WeakSet[Pool] = weakref.WeakSet()


class Pool:
    """Idle connections to one server. Thread-safe: each step on the list is one of Python's own."""

    def __init__(self, open_one: Callable[[], Connection], clock: Clock) -> None:
        self._open = open_one
        self._clock = clock
        self._idle: list[tuple[float, Connection]] = []
        weakref.finalize(self, _hang_up, self._idle)  # sessions are not closed by those who open them
        _pools.add(self)

    def take(self) -> Connection:
        """Return a connection that nobody else has: an idle one that still stands, or a new one."""
        oldest_s = self._clock.monotonic() - LONGEST_IDLE_S
        while self._idle:
            try:
                since_s, connection = self._idle.pop()
            except IndexError:  # another thread was faster
                break
            if since_s >= oldest_s and not connection.is_stale():
                return connection
            connection.close()
        return self._open()

    def give(self, connection: Connection) -> None:
        """Take a connection back; close it where it cannot be used again."""
        if connection.is_reusable and len(self._idle) < MOST_IDLE:
            self._idle.append((self._clock.monotonic(), connection))
        else:
            connection.close()

    def forget(self) -> None:
        """Leave the connections to the parent of a fork: two processes on one would read each other's answers."""
        _hang_up(self._idle)


def _hang_up(idle: list[tuple[float, Connection]]) -> None:
    while idle:
        idle.pop()[1].close()


def _forget_all() -> None:
    for pool in list(_pools):
        pool.forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)
