"""The in-memory SQS that ships with opstool, on virtual time."""

from __future__ import annotations

from opstool.fake import FakeClock, FakeSqs
from tests.servers.server import Server


def open() -> Server:  # noqa: A001 - each server's module has one
    """Open a new one, empty."""
    clock = FakeClock()
    call = FakeSqs(clock)
    return Server(
        name="fake",
        call=call,
        connection=None,
        clock=clock,
        advance=clock.advance,
        close=lambda: None,
        has_move_tasks=True,
    )
