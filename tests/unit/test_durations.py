from __future__ import annotations

import pytest

from opstool.words.durations import parse_duration
from opstool.words.errors import UsageError


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("2h", 7_200), ("1d", 86_400), ("1w", 604_800), ("1h30m", 5_400), ("1w2d3h4m5s", 788_645), ("0s", 0)],
)
def test_whole_numbers_with_units_are_a_duration(text: str, seconds: int) -> None:
    """Units go from the largest to the smallest."""
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    ("text", "wrong_at"),
    [("", 0), ("h", 0), ("10", 2), ("2x", 1), ("-2h", 0), ("1.5h", 1), ("1m1h", 3), ("1h1h", 3), ("500ms", 4),
     ("2 h", 1), ("1234567s", 6), ("\N{ARABIC-INDIC DIGIT TWO}h", 0)],
)  # fmt: skip
def test_the_error_points_at_the_character(text: str, wrong_at: int) -> None:
    """Whoever typed it sees where it went wrong."""
    with pytest.raises(UsageError) as error:
        parse_duration(text, option="--older-than")
    words, shown, caret = error.value.message.split("\n")
    assert words.startswith("`--older-than`: ")
    assert shown == "  " + text
    assert caret == " " * (2 + wrong_at) + "^"
