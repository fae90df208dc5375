"""A row of counts as one word: how something rose and fell, at a glance."""

from __future__ import annotations

from collections.abc import Sequence

BLOCKS = "\u2581\u2582\u2583\u2584\u2585\u2586\u2587\u2588"
ASCII = ".:-=+*#@"
"""The same eight heights where the stream's encoding has no blocks."""


def levels_for(encoding: str | None) -> str:
    """Return the eight characters, lowest first, that a stream of this encoding can say; None is no known encoding."""
    try:
        BLOCKS.encode(encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return ASCII
    return BLOCKS


def sparkline(counts: Sequence[int], levels: str = BLOCKS) -> str:
    """Return one character a count: a blank for none, the highest for the largest of them, never a blank for some."""
    most = max(counts, default=0)
    return "".join(levels[(each * len(levels) - 1) // most] if each > 0 else " " for each in counts)
