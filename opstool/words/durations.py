"""Durations as people type them: `90s`, `2h`, `1h30m`, `1w`."""

from __future__ import annotations

from opstool.words.caret import point_at

_SECONDS = {"w": 604_800, "d": 86_400, "h": 3_600, "m": 60, "s": 1}
_UNITS = "".join(_SECONDS)
# SQS keeps a message for 14 days at most; six digits hold every duration that makes sense and none that overflows.
_MOST_DIGITS = 6


def parse_duration(text: str, *, option: str = "duration") -> int:
    """Return the seconds of whole numbers with the units w, d, h, m and s, each at most once, the largest first.

    Raises UsageError that points at the character in `option`'s value that is wrong.
    """
    seconds, digits, allowed = 0, "", _UNITS
    for position, char in enumerate(text):
        if char.isascii() and char.isdigit():
            digits += char
            if len(digits) > _MOST_DIGITS:
                raise point_at(option, text, position, f"at most {_MOST_DIGITS} digits a unit")
        elif not digits:
            raise point_at(option, text, position, "a duration is whole numbers with units, such as 1h30m")
        elif char not in allowed:
            raise point_at(option, text, position, _unit_problem(char))
        else:
            seconds += int(digits) * _SECONDS[char]
            digits, allowed = "", allowed[allowed.index(char) + 1 :]
    if digits or not text:
        raise point_at(option, text, len(text), f"a unit is missing: one of {', '.join(_UNITS)}, such as 90s or 2h")
    return seconds


def _unit_problem(char: str) -> str:
    """Return what is wrong with the character that stands where a unit should."""
    if char in _UNITS:
        return "units go from the largest to the smallest, each once, such as 1d12h"
    return f"not a unit: one of {', '.join(_UNITS)}"
