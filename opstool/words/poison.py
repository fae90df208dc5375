"""Which messages are poison: those that came back again and again; and what a redrive does with them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

from opstool.words.errors import UsageError

DEFAULT_RETURNS = 3
Treatment = Literal["skip", "include", "only"]


@dataclass(frozen=True, kw_only=True, slots=True)
class PoisonRule:
    """A message that has returned `returns` times is poison: skipped, included, or the only thing that is meant."""

    returns: int = DEFAULT_RETURNS
    treatment: Treatment = "skip"

    def check(self, *, has_target: bool) -> None:
        """Raise UsageError when it asks for what cannot be."""
        if self.returns < 1:
            raise UsageError("`--poison-after` is 1 at least", code="invalid_count")
        if self.treatment == "only" and not has_target:
            raise UsageError(
                "`--only-poison` needs `--to`: where they came from they would die again",
                hint="--only-poison --to QUEUE puts them into a quarantine queue",
            )

    def to_json(self) -> dict[str, Any]:
        """Return what the journal keeps of it."""
        return {"returns": self.returns, "treatment": self.treatment}

    @classmethod
    def from_json(cls, values: Mapping[str, Any] | None) -> Self:
        """Return what `to_json` gave; a run of an older journal knew no poison."""
        return cls(**values) if values else cls(treatment="include")
