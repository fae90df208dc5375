"""Numbers as people read them: counts, durations, ages, money."""

from __future__ import annotations

_UNITS = ((86_400, "d"), (3_600, "h"), (60, "m"), (1, "s"))
_CENT_USD = 0.01


def count(number: int, noun: str, *, exact: bool = True) -> str:
    """Return `1 message`, `1,200 messages`, or `approximately 1,200 messages`."""
    plural = noun if number == 1 else f"{noun}s"
    return f"{'' if exact else 'approximately '}{number:,} {plural}"


def duration(seconds: float) -> str:
    """Return the two largest units of a duration: `3d 4h`, `2m`, `45s`."""
    left = max(0, int(seconds))
    for position, (size, unit) in enumerate(_UNITS):
        if left >= size or size == 1:
            smaller = _UNITS[position + 1] if position + 1 < len(_UNITS) else None
            rest = left % size // smaller[0] if smaller else 0
            return f"{left // size}{unit}" + (f" {rest}{smaller[1]}" if smaller and rest else "")
    raise AssertionError("the last unit takes every duration")


def elapsed(seconds: float) -> str:
    """Return how long something took: tenths where they matter."""
    return f"{seconds:.1f} s" if seconds < 60 else duration(seconds)  # noqa: PLR2004 - a minute


def until(seconds: float) -> str:
    """Return the time that is left, or that it is over."""
    return duration(seconds) if seconds > 0 else "expired"


def money(usd: float) -> str:
    """Return dollars with as many digits as anybody decides by."""
    if usd < _CENT_USD:
        return "less than $0.01"
    return f"${usd:,.2f}"


def size(number: int) -> str:
    """Return bytes with their thousands apart."""
    return count(number, "byte")
