"""How a redrive is watched: a few first, what share may come back, and whether to wait for the end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

from opstool.words.errors import UsageError


@dataclass(frozen=True, kw_only=True, slots=True)
class Watching:
    """What is watched. `canary` messages go first; `stop_on_returned` is a percentage of what was sent.

    `canary_wait_s` bounds the wait for the canary, None: as long as a message can need to come back.
    """

    canary: int | None = None
    canary_wait_s: float | None = None
    stop_on_returned: float | None = None
    wait: bool = False

    def check(self) -> None:
        """Raise UsageError when it asks for what cannot be."""
        if self.canary is not None and self.canary < 1:
            raise UsageError("a canary has 1 message at least", code="invalid_canary")
        if self.canary_wait_s is not None and self.canary is None:
            raise UsageError("`--canary-wait` needs `--canary`", hint="--canary 10 sends ten first")
        if self.stop_on_returned is not None and not 0 <= self.stop_on_returned < 100:  # noqa: PLR2004 - a percentage
            raise UsageError(
                "`--stop-on-returned` is a percentage: 0 or more, and under 100", code="invalid_percentage"
            )

    @property
    def holds_everything(self) -> bool:
        """Tell whether all that is meant has to be in hand before anything is sent: then only what returns is new."""
        return self.canary is not None or self.stop_on_returned is not None

    def to_json(self) -> dict[str, Any]:
        """Return what the journal keeps of it."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any] | None) -> Self:
        """Return what `to_json` gave; a run of an older journal was not watched."""
        known = {each.name for each in fields(cls)}
        return cls(**{name: value for name, value in (values or {}).items() if name in known})


@dataclass(frozen=True, kw_only=True, slots=True)
class Stop:
    """Why a run ended before everything was sent; `code` is stable."""

    code: str
    message: str

    @property
    def came_back(self) -> bool:
        """Tell whether it was because messages came back."""
        return self.code != CANARY_UNKNOWN


CANARY_RETURNED, CANARY_UNKNOWN, TOO_MANY_RETURNED = "canary_returned", "canary_unknown", "too_many_returned"
