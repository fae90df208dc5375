"""Messages that are not in memory: each is read back when it is looked at."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Sequence
from typing import overload

from opstool.engine.lease import Lease
from opstool.words.message import Message


class Messages(Sequence[Message]):
    """So many messages, in their order; `read` gives the one at a place. Each look reads, and nothing is kept.

    A look raises StorageError when what was put on disk cannot be read.
    """

    def __init__(self, number: int, read: Callable[[int], Message]) -> None:
        self._number = number
        self._read = read

    def __len__(self) -> int:
        """Return how many there are, without reading any."""
        return self._number

    @overload
    def __getitem__(self, place: int) -> Message: ...
    @overload
    def __getitem__(self, place: slice) -> tuple[Message, ...]: ...
    def __getitem__(self, place: int | slice) -> Message | tuple[Message, ...]:
        """Return one message, or those of a slice as a tuple."""
        places = range(self._number)[place]
        return self._read(places) if isinstance(places, int) else tuple(map(self._read, places))

    def __iter__(self) -> Iterator[Message]:
        """Read one after the other."""
        return map(self._read, range(self._number))

    def __repr__(self) -> str:
        """Say how many there are: what is in them is private."""
        return f"<{self._number} messages>"


def oldest_first(leases: Sequence[Lease]) -> Messages:
    """Return the messages of leases by the time they were sent; of the leases themselves nothing is kept.

    Those that a survey has found lie on one shelf, which lives for as long as these messages do.
    """
    if not leases:
        return Messages(0, lambda _: leases[0].content)
    shelf, _ = leases[0].shelved
    places = array("Q", sorted((each.shelved[1] for each in leases), key=shelf.sent_at_ms))
    return Messages(len(places), lambda place: shelf.get(places[place]))
