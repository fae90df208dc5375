"""What is kept of one log stream: the lines that name a message or tell of an error, in their order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

# One millisecond of one stream; a function that logs more lines in it than this is not explained by their order.
MOST_IN_A_MILLISECOND = 1_000


@dataclass(frozen=True, slots=True)
class Fault:
    """An error as it is compared and shown; equal ones are kept once. `ends`: it ended its invocation."""

    type: str
    message: str
    fingerprint: str
    is_vague: bool = False
    ends: bool = False


@dataclass(frozen=True, slots=True)
class Entry:
    """One line: the sought messages that it names, and the error that it tells of.

    `among_others`: it names one of those that are sought, and has ids besides that may be messages too.
    `template` is what stands before the first id, so that a line about another message can be told by its form.
    """

    ids: tuple[str, ...] = ()
    among_others: bool = False
    fault: Fault | None = None
    request_id: str | None = None
    trace_id: str | None = None
    template: str | None = None
    traceback: str | None = None


Item = Entry | str
"""An entry, or a line of a traceback that was printed line by line."""


class Stream:
    """The kept lines of one stream, by time, and within a millisecond in the order in which they are given.

    The order within a millisecond is known by nothing else. Lines that are given again in a later pass are not kept
    twice; those that are new in it stand after the line that came before them, or before the one that came after.
    """

    __slots__ = ("_at", "_at_ms", "_fresh", "_leading", "_moments")

    def __init__(self) -> None:
        self._moments: dict[int, list[Item]] = {}
        self._at_ms: int | None = None
        self._at = 0  # where the next new line goes, in the millisecond of the last; what stands before has passed by
        self._fresh = 0  # how many new lines this pass has begun with
        self._leading = True  # this pass has come by no line that was known

    def put(self, at_ms: int, item: Item) -> bool:
        """Keep a line; return False when it is there already, or when the millisecond is full."""
        moment = self._moments.get(at_ms)
        if moment is None:
            moment = self._moments[at_ms] = []
        if at_ms != self._at_ms:
            self._at_ms, self._at, self._fresh, self._leading = at_ms, len(moment), 0, True
        if (index := self._known(moment, item)) is not None:
            self._pass_by(moment, index)
            return False
        if len(moment) >= MOST_IN_A_MILLISECOND or self._is_again(moment, item):
            return False
        moment.insert(self._at, item)
        self._at += 1
        self._fresh += self._leading
        return True

    def _known(self, moment: list[Item], item: Item) -> int | None:
        """Return where a line is that has not passed by yet; a line may well be written twice."""
        first, last = (0, len(moment) - self._fresh) if self._leading else (self._at, len(moment))
        try:
            return moment.index(item, first, last)
        except ValueError:
            return None

    def _is_again(self, moment: list[Item], item: Item) -> bool:
        """Tell whether a line is the one just given: twice in a row it says no more than once."""
        return self._at > 0 and moment[self._at - 1] == item

    def _pass_by(self, moment: list[Item], index: int) -> None:
        """Go on after a line that was known; the new lines with which this pass began stand before it."""
        if self._leading:
            fresh = moment[self._at - self._fresh : self._at]
            del moment[self._at - self._fresh : self._at]
            moment[index:index] = fresh
            index += len(fresh)
        self._at, self._fresh, self._leading = index + 1, 0, False

    def ordered(self) -> Iterator[tuple[int, Item]]:
        """Yield the lines with their times, oldest first."""
        for at_ms in sorted(self._moments):
            for item in self._moments[at_ms]:
                yield at_ms, item
