from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer import failures
from opstool.words.lines.fingerprint import fingerprint

TEXTS = [
    "",
    "no total",
    "no customer called 17",
    "order 8f14e45f-ceea-467f-9d6b-3d0a7b9c1e21 has no total",
    "connect ECONNREFUSED 10.0.0.1:5432",
    "*** and ***",
    "at 2026-11-20T03:00:01.123Z",
    "caf\u00e9 \U0001f525 \ud800",
    "x" * 300,
]


@pytest.mark.parametrize("text", TEXTS)
def test_it_is_the_consumers(text: str) -> None:
    """Both are written down on their own, since neither may import the other; they must agree."""
    for kind, place in (("ValueError", "processing.process"), ("", "")):
        assert fingerprint(kind, place, text) == failures.fingerprint(kind, place, text)


@given(st.text(max_size=60), st.text(max_size=60), st.text(max_size=600))
def test_it_is_the_consumers_for_every_text(kind: str, place: str, text: str) -> None:
    """Type, place and text are a stranger's."""
    assert fingerprint(kind, place, text) == failures.fingerprint(kind, place, text)


def test_what_varies_makes_no_difference() -> None:
    """Numbers and ids do not tell two failures apart; type, place and words do."""
    one = fingerprint("ValueError", "app.total", "order 17 has no total")
    assert one == fingerprint("ValueError", "app.total", "order 8f14e45f-ceea-467f-9d6b-3d0a7b9c1e21 has no total")
    others = {
        fingerprint("KeyError", "app.total", "order 17 has no total"),
        fingerprint("ValueError", "app.price", "order 17 has no total"),
        fingerprint("ValueError", "app.total", "order 17 has no price"),
    }
    assert len({one, *others}) == 4
