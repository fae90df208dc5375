"""The counts of a run whose messages nobody of us receives: SQS tells how many it has moved, and no ids."""

from __future__ import annotations

from opstool.words.report import Counts, Tally


class MovedTally(Tally):
    """Counts what a move task says that it has moved: each one received and succeeded; `moved` is approximate."""

    def __init__(self) -> None:
        super().__init__()
        self.moved = 0

    def counts(self) -> Counts:
        """Return the counts of this moment."""
        return Counts(received=self.moved, succeeded=self.moved)
