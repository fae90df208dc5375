"""What became of messages after they were sent again: gone for good, dead again, or not known yet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from opstool.words.reason import Reason, Reasons


class Fate(StrEnum):
    """What became of one message that was sent again."""

    SUCCEEDED = "succeeded"
    """It is gone from its target, and has not come back."""
    RETURNED = "returned"
    """It is in a dead-letter queue again."""
    UNKNOWN = "unknown"
    """It may still be under way."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Copy:
    """A message that was sent again: the id it had, the id it has there, and where that is.

    `new_id` is None where the answer was lost. It was sent between `sent_from_ms` and `sent_to_ms` (epoch ms).
    """

    message_id: str
    new_id: str | None
    target_arn: str | None
    body_sha256: str
    sent_from_ms: int
    sent_to_ms: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Returned:
    """A message that died again: the id it had, and the one it has now. `probable`: known by its body only."""

    message_id: str
    new_id: str
    probable: bool = False


@dataclass(frozen=True, kw_only=True)
class Fates:
    """What became of the messages of a run, as far as it was followed.

    `by_id` is keyed by the id that a message had. `reasons` are those of what returned, by the id it has now.
    `waited_s` is how long it was followed, `bound_s` how long a message may need to come back.
    """

    by_id: Mapping[str, Fate] = field(default_factory=dict)
    returned: tuple[Returned, ...] = ()
    reasons: Reasons = field(default_factory=Reasons)
    waited_s: float = 0.0
    bound_s: float = 0.0
    notes: tuple[str, ...] = ()

    def count(self, fate: Fate) -> int:
        """Return how many messages had this fate."""
        return sum(each is fate for each in self.by_id.values())

    def why(self) -> Sequence[tuple[Reason | None, int]]:
        """Return the reasons of what returned, the most frequent first; None counts those without one."""
        found = [self.reasons.get(each.new_id) for each in self.returned]
        by_fingerprint = {each.fingerprint: each for each in found if each}
        counts = Counter(each.fingerprint if each else None for each in found)
        return [(by_fingerprint[key] if key else None, number) for key, number in counts.most_common()]

    def document(self) -> dict[str, Any]:
        """Return the JSON value of a report's `outcome`."""
        return {
            "succeeded": self.count(Fate.SUCCEEDED),
            "returned": self.count(Fate.RETURNED),
            "unknown": self.count(Fate.UNKNOWN),
            "returned_ids": [
                {"message_id": each.message_id, "new_id": each.new_id, "probable": each.probable}
                for each in self.returned
            ],
            "reasons": [
                {
                    "type": reason.type if reason else None,
                    "fingerprint": reason.fingerprint if reason else None,
                    "count": number,
                }
                for reason, number in self.why()
            ],
            "waited_s": round(self.waited_s, 1),
            "bound_s": round(self.bound_s, 1),
        }
