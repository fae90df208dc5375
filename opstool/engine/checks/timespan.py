"""Seconds in the words of a check."""

from __future__ import annotations

_UNITS = ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))


def spelled(seconds: int) -> str:
    """Return `4 days`, `90 minutes` or `181 seconds`: the largest unit that leaves nothing over."""
    size, unit = next((size, unit) for size, unit in _UNITS if seconds % size == 0 and (seconds or size == 1))
    number = seconds // size
    return f"{number:,} {unit}{'' if number == 1 else 's'}"
