"""A row of counts as one word."""

from __future__ import annotations

import pytest

from opstool.cli.sparkline import ASCII, BLOCKS, levels_for, sparkline


@pytest.mark.parametrize(
    ("counts", "shown"),
    [
        ([], ""),
        ([0, 0], "  "),
        ([1], "█"),
        ([1, 0, 1], "█ █"),
        ([1, 2, 3, 4, 5, 6, 7, 8], BLOCKS),
        ([1, 1_000_000], "▁█"),
        ([5, 10], "▄█"),
    ],
    ids=str,
)
def test_a_count_is_as_high_as_its_part_of_the_largest(counts: list[int], shown: str) -> None:
    """None is a blank, some is never one, the largest is the highest."""
    assert sparkline(counts) == shown


def test_ascii_has_the_same_heights() -> None:
    """Where there are no blocks."""
    assert sparkline([0, *range(1, 9)], ASCII) == f" {ASCII}"
    assert len(set(ASCII)) == len(set(BLOCKS)) == 8


@pytest.mark.parametrize(
    ("encoding", "levels"),
    [("utf-8", BLOCKS), ("UTF-16", BLOCKS), ("ascii", ASCII), ("latin-1", ASCII), (None, ASCII), ("nonsense", ASCII)],
    ids=str,
)
def test_the_encoding_of_the_stream_decides(encoding: str | None, levels: str) -> None:
    """Nothing is shown that would arrive as an escape or a question mark."""
    assert levels_for(encoding) == levels
