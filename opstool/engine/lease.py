"""One message in our hands.

A lease's age is the larger of monotonic and wall time since the call that took or extended it began: wall time jumps
when a laptop wakes, monotonic time does not run while it sleeps.
"""

from __future__ import annotations

from typing import NamedTuple

from opstool.doors.shelf import Shelf
from opstool.words.errors import StorageError
from opstool.words.message import Message

_NO_HANDLE = "unreadable"
"""SQS knows no such handle, and says so of this entry alone."""


class Moment(NamedTuple):
    """Now, by both clocks in seconds: asked once for all the leases that are looked at together."""

    wall: float
    monotonic: float


class Lease:
    """One message in our hands. `message` is None once it is on a shelf, or of no more use.

    `timeout_s` is the visibility timeout that was last asked for it; `is_being_deleted` tells that a refusal to extend
    it says nothing.

    Putting it there takes no lock: the handle that it came with and the one of a later delivery are kept apart, so that
    a delivery in that very moment is not forgotten.
    """

    __slots__ = (
        "_first_handle",
        "_is_forgotten",
        "_place",
        "_renewed_handle",
        "_shelf",
        "held_since_monotonic",
        "held_since_wall",
        "is_being_deleted",
        "lost",
        "message",
        "message_id",
        "receive_count",
        "timeout_s",
    )

    def __init__(
        self,
        message_id: str,
        receipt_handle: str,
        message: Message | None,
        held_since_wall: float,
        held_since_monotonic: float,
        *,
        timeout_s: int = 30,
        receive_count: int = 0,
    ) -> None:
        self.message_id = message_id
        self.message = message
        self.held_since_wall = held_since_wall
        self.held_since_monotonic = held_since_monotonic
        self.timeout_s = timeout_s
        self.is_being_deleted = False
        self.lost = False
        self.receive_count = receive_count
        self._first_handle: str | None = receipt_handle
        self._renewed_handle: str | None = None
        self._is_forgotten = False
        self._shelf: Shelf | None = None
        self._place = 0

    @property
    def receipt_handle(self) -> str:
        """Return the handle of the last receive.

        One that cannot be read back is as good as one that is over: SQS refuses it, and the lease is lost.
        """
        handle = self._renewed_handle or self._first_handle
        if handle is not None:
            return handle
        try:
            return self._on_shelf.handle(self._place)
        except StorageError:
            return _NO_HANDLE

    @receipt_handle.setter
    def receipt_handle(self, handle: str) -> None:
        self._renewed_handle = handle

    @property
    def content(self) -> Message:
        """Return the message, which must not have been let go of; raise StorageError when its shelf cannot be read."""
        message = self.message
        if message is not None:
            return message
        if self._is_forgotten:
            raise AssertionError("the body of this message was let go of")
        return self._on_shelf.get(self._place)

    def put_on(self, shelf: Shelf) -> None:
        """Keep message and handle on a shelf instead of in memory: they are wanted later. Raises StorageError."""
        if self.message is not None and self._first_handle is not None:
            self._place = shelf.put(self.message, self._first_handle)
            self._shelf = shelf  # before what is read from there from now on
            self.message = self._first_handle = None

    @property
    def shelved(self) -> tuple[Shelf, int]:
        """Return on which shelf the message lies, and where there."""
        return self._on_shelf, self._place

    @property
    def _on_shelf(self) -> Shelf:
        if self._shelf is None:
            raise AssertionError("this message was not put on a shelf")
        return self._shelf

    def forget_body(self) -> None:
        """Let go of the body: the message will only be released."""
        self.message = None
        self._is_forgotten = True

    def held_since(self, now: Moment, timeout_s: int) -> None:
        """Note that it is ours for another visibility timeout, which was asked for at that moment."""
        self.held_since_wall, self.held_since_monotonic = now
        self.timeout_s = timeout_s

    def age_s(self, now: Moment) -> float:
        """Return for how long it has been held: the larger of monotonic and wall time, because machines sleep."""
        wall, monotonic = now.wall - self.held_since_wall, now.monotonic - self.held_since_monotonic
        return monotonic if monotonic > wall else wall  # noqa: FURB136 - so often that it is felt
