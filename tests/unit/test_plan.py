from __future__ import annotations

import json

import pytest

from opstool.words.filters import select
from opstool.words.message import Message
from opstool.words.plan import Plan, price_usd, requests_to_move
from opstool.words.queue import Queue

QUEUE = Queue(url="http://127.0.0.1/1/orders-dlq", arn="arn:aws:sqs:eu-west-1:123456789012:orders-dlq")


def plan(**fields: object) -> Plan:
    """Return a plan."""
    given = {
        "run_id": "r",
        "verb": "redrive",
        "queue": QUEUE,
        "origin": QUEUE.arn,
        "target": "orders",
        "selection": select(now_ms=0, where="body.n == `1`"),
        "count": 3,
        "exact": True,
        **fields,
    }
    return Plan(**given)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "fields",
    [
        {"ids": frozenset({"b", "a"}), "limit": 2},
        {"ids": None, "sent_before_ms": 1_700_000_000_000, "exact": False},
        {"options": {"to": None, "uncertain": "leave", "rate": 2.5}, "retention_s": 60},
    ],
    ids=["by ids", "by time", "with options"],
)
def test_the_journal_gives_a_plan_back(fields: dict[str, object]) -> None:
    """As JSON; what is only shown to people is left out."""
    made = plan(**fields)
    assert Plan.resumed("r", "redrive", json.loads(json.dumps(made.record()))) == made


def test_no_body_is_in_what_the_journal_keeps() -> None:
    """Samples are for the screen."""
    made = plan(samples=(Message(message_id="m", body="secret"),))
    assert "secret" not in json.dumps(made.record())
    assert "secret" in json.dumps(made.document())


def test_a_plan_by_ids_acts_on_those_only() -> None:
    """Whenever they were sent."""
    made = plan(ids=frozenset({"a"}))
    assert [made.selects(Message(message_id=key, body="x")) for key in "ab"] == [True, False]


def test_a_plan_by_time_acts_on_what_was_sent_before_it() -> None:
    """And on nothing that came later than by how much two clocks may differ."""
    made = plan(sent_before_ms=1_000)
    sent = [Message(message_id="m", body="x", sent_at_ms=at_ms) for at_ms in (1_000, 3_000, 3_001)]
    assert [made.selects(each) for each in sent] == [True, True, False]


def test_the_price_is_that_of_full_batches() -> None:
    """0.3 requests a message; FIFO costs a quarter more."""
    assert [requests_to_move(count) for count in (0, 1, 10, 11, 1_000)] == [0, 3, 3, 6, 300]
    assert (price_usd(1_000_000, fifo=False), price_usd(1_000_000, fifo=True)) == (0.40, 0.50)
