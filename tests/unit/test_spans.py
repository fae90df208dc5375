"""The spans of the closer look: they hold every moment, are few, and overlap nowhere."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from opstool.engine.reasons.spans import Span, spans


def test_moments_that_are_near_share_a_span() -> None:
    """Each span is a query."""
    found = spans([10_000, 11_000, 90_000], before_ms=2_000, after_ms=5_000)
    assert found == [Span(since_ms=8_000, until_ms=16_000), Span(since_ms=88_000, until_ms=95_000)]


def test_when_there_are_too_many_the_closest_are_joined() -> None:
    """The widest gaps stay out, for every millisecond that is read is paid for."""
    found = spans([0, 100, 1_000, 1_100, 9_000], before_ms=0, after_ms=10, most=3)
    assert [(each.since_ms, each.until_ms) for each in found] == [(0, 110), (1_000, 1_110), (9_000, 9_010)]


@given(
    st.lists(st.integers(min_value=0, max_value=10**13), max_size=60),
    st.integers(min_value=0, max_value=10_000),
    st.integers(min_value=1, max_value=12),
)
def test_every_moment_lies_in_a_span(moments: list[int], around_ms: int, most: int) -> None:
    """With what is before and after it, in at most so many spans, in order and apart."""
    found = spans(moments, before_ms=around_ms, after_ms=around_ms, most=most)
    assert len(found) <= most
    assert all(
        any(span.since_ms <= max(0, moment - around_ms) and moment + around_ms <= span.until_ms for span in found)
        for moment in moments
    )
    assert all(earlier.until_ms < later.since_ms for earlier, later in itertools.pairwise(found))
