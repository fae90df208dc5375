"""Who goes first: some of each reason."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from opstool.engine.lease import Lease
from opstool.engine.survey import Survey
from opstool.engine.watching.canary import choose
from opstool.words.message import Message
from opstool.words.reason import Reason, Reasons


def _survey(**kinds: int) -> Survey:
    """Return what a look found: so many messages of each reason, one kind after the other; `none` have no reason."""
    ids = [f"{kind}-{number}" for kind, count in kinds.items() for number in range(count)]
    found = {each: _reason(each.split("-", maxsplit=1)[0]) for each in ids if not each.startswith("none")}
    leases = [Lease(each, "handle", Message(message_id=each, body=json.dumps(each)), 0.0, 0.0) for each in ids]
    return Survey(matched=leases, reasons=Reasons(found=found))


def _reason(kind: str) -> Reason:
    return Reason(type=kind, message="", fingerprint=kind, at_ms=0, attempts=1)


@pytest.mark.parametrize(
    ("kinds", "number", "wanted"),
    [
        ({"a": 90, "b": 9, "none": 1}, 9, {"a": 4, "b": 4, "none": 1}),
        ({"a": 90, "b": 9, "none": 1}, 2, {"a": 1, "b": 1}),
        ({"a": 3, "b": 1}, 10, {"a": 3, "b": 1}),
        ({"none": 5}, 3, {"none": 3}),
        ({}, 3, {}),
    ],
    ids=["one of each in turn", "the largest first", "all there are", "no reasons at all", "nothing"],
)
def test_a_canary_is_spread_over_the_reasons(kinds: dict[str, int], number: int, wanted: dict[str, int]) -> None:
    """So that a rare failure is tried too."""
    chosen = choose(_survey(**kinds), number, in_order=False)
    assert Counter(each.split("-", maxsplit=1)[0] for each in chosen) == wanted
    assert len(set(chosen)) == len(chosen)


def test_a_canary_of_a_fifo_queue_is_its_beginning() -> None:
    """Order is worth more than spread."""
    assert choose(_survey(a=5, b=5), 3, in_order=True) == ("a-0", "a-1", "a-2")
