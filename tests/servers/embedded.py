"""The embedded AWS: moto's server with this project's corrections, in this process, reached through boto3."""

from __future__ import annotations

from opstool.doors.clock import SystemClock
from opstool.doors.session import Connection, Session
from opstool.local.client import DEFAULT_REGION
from opstool.local.server import EmbeddedServer
from tests.servers.server import Server


class _AheadClock(SystemClock):
    """The machine's clock, with the time that a test has passed over; the server's and its clients' in one."""

    def __init__(self) -> None:
        self.ahead_s = 0.0

    def wall(self) -> float:
        """Return seconds since the epoch."""
        return super().wall() + self.ahead_s


def open() -> Server:  # noqa: A001 - each server's module has one
    """Open one; its queues are those of the whole process, until the last one closes."""
    clock = _AheadClock()
    embedded = EmbeddedServer(clock=clock)
    connection = Connection(
        endpoint_url=embedded.endpoint_url,
        region=DEFAULT_REGION,
        access_key_id="local",
        secret_access_key="local",
        is_isolated=True,
    )

    def advance(seconds: float) -> None:
        clock.ahead_s += seconds
        embedded.advance(0)  # wakes whoever waits for that time

    return Server(
        name="moto",
        call=Session(connection).sqs_call,
        connection=connection,
        clock=clock,
        advance=advance,
        close=embedded.close,
    )
