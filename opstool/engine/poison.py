"""Keep from a redrive what has come back too often: it would come back again."""

from __future__ import annotations

from opstool.doors.toolkit import Toolkit
from opstool.engine.hold import Hold
from opstool.engine.lease import Lease
from opstool.engine.lineage import lineage_of
from opstool.words.poison import PoisonRule
from opstool.words.report import Outcome, Tally

POISON = "poison"


class Poison:
    """Judges by the journal's lineage of a message: how often it was sent again, and died again; thread-safe.

    A journal that cannot be read knows of no return; the run, which has to write it, fails for itself.
    """

    def __init__(self, kit: Toolkit, queue_arn: str, rule: PoisonRule, tally: Tally) -> None:
        self._kit = kit
        self._queue_arn = queue_arn
        self._rule = rule
        self._tally = tally
        self._named: set[str] = set()

    def admits(self, message_id: str) -> bool:
        """Tell whether the rule lets this message be sent; one that it keeps back as poison is named in the tally."""
        if self._rule.treatment == "include":
            return True
        returned = lineage_of(self._kit, message_id, queue_arn=self._queue_arn).returned
        if self._rule.treatment == "only":
            return returned >= self._rule.returns
        if returned < self._rule.returns:
            return True
        if message_id not in self._named:
            self._named.add(message_id)
            self._tally.name(POISON, self._text(), [message_id])
        return False

    def set_aside(self, hold: Hold, leases: list[Lease]) -> list[Lease]:
        """Return those that may be sent; the others are only held."""
        kept = [lease for lease in leases if self.admits(lease.message_id)]
        ids = {lease.message_id for lease in kept}
        for lease in leases:
            if lease.message_id not in ids:
                hold.tally.decide([lease.message_id], Outcome.SKIPPED)
                lease.forget_body()
        return kept

    def _text(self) -> str:
        times = f"{self._rule.returns} times" if self._rule.returns > 1 else "once"
        return (
            f"it was sent again and died again {times} or more: --include-poison sends it all the same, "
            "--only-poison --to QUEUE puts it aside"
        )
