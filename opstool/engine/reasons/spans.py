"""When to look closer: the spans of time in which the rest of some failures must have been logged."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

MOST_SPANS = 12
"""Spans that are asked for one by one, a query each; the closest are joined until so few are left."""


@dataclass(frozen=True, kw_only=True, slots=True, order=True)
class Span:
    """A span of time, both ends included, in epoch milliseconds."""

    since_ms: int
    until_ms: int


def spans(moments_ms: Iterable[int], *, before_ms: int, after_ms: int, most: int = MOST_SPANS) -> list[Span]:
    """Return at most `most` spans that hold every moment with what is before and after it."""
    found: list[Span] = []
    for moment in sorted(set(moments_ms)):
        span = Span(since_ms=max(0, moment - before_ms), until_ms=moment + after_ms)
        if found and span.since_ms <= found[-1].until_ms:
            span = Span(since_ms=found.pop().since_ms, until_ms=span.until_ms)
        found.append(span)
    return _fewer(found, most)


def _fewer(found: list[Span], most: int) -> list[Span]:
    """Return so many spans that the widest gaps between them stay gaps."""
    if len(found) <= most:
        return found
    gaps = sorted(range(1, len(found)), key=lambda place: found[place - 1].until_ms - found[place].since_ms)
    cuts = sorted(gaps[: most - 1])
    starts, ends = [0, *cuts], [*cuts, len(found)]
    return [
        Span(since_ms=found[start].since_ms, until_ms=found[end - 1].until_ms)
        for start, end in zip(starts, ends, strict=True)
    ]
