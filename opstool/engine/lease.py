"""One message in our hands.

A lease's age is the larger of monotonic and wall time since the call that took or extended it began: wall time jumps
when a laptop wakes, monotonic time does not run while it sleeps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from opstool.words.message import Message


class Moment(NamedTuple):
    """Now, by both clocks in seconds: asked once for all the leases that are looked at together."""

    wall: float
    monotonic: float


@dataclass(slots=True, eq=False)
class Lease:
    """One message in our hands. `message` is None once its body is of no more use."""

    message_id: str
    receipt_handle: str
    message: Message | None
    held_since_wall: float
    held_since_monotonic: float
    lost: bool = False
    receive_count: int = 0

    @property
    def content(self) -> Message:
        """Return the message, which must not have been let go of."""
        if self.message is None:
            raise AssertionError("the body of this message was let go of")
        return self.message

    def forget_body(self) -> None:
        """Let go of the body: the message will only be released."""
        self.message = None

    def age_s(self, now: Moment) -> float:
        """Return for how long it has been held: the larger of monotonic and wall time, because machines sleep."""
        wall, monotonic = now.wall - self.held_since_wall, now.monotonic - self.held_since_monotonic
        return max(monotonic, wall)
