"""A few back, look, then the rest: on the embedded AWS, with the real consumer deciding what returns."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.functional.redriving import BAD, BOUND_S, Ended, Shop, opened

OUTCOMES = ("succeeded", "skipped", "failed", "released", "returned")
MEND = "merge({total: `0`}, body)"


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """Deploy it once for all tests of this file."""
    with opened(tmp_path_factory.mktemp("redriving")) as shop:
        yield shop


@pytest.fixture
def shop(deployed: Shop, capsys: pytest.CaptureFixture[str]) -> Iterator[Shop]:
    """Give it with empty queues."""
    yield replace(deployed, capture=capsys)
    deployed.empty()


def sent(shop: Shop, ended: Ended) -> int:
    """Return how many messages the journal knows as sent by a run."""
    return len(shop.run("history", ended.document["run_id"]).document["moves"])


def check_counts(document: dict[str, int]) -> None:
    """Check that each message has one outcome."""
    assert document["received"] == sum(document[each] for each in OUTCOMES)


def test_a_canary_that_returns_stops_the_run_and_names_the_reason(shop: Shop) -> None:
    """Of 300 of which a third will fail again, nine are sent; with mended bodies everything succeeds."""
    shop.lose(fine=200, bad=100)

    stopped = shop.redrive("--canary", "9", "--canary-wait", "60s")

    assert stopped.status == 5, stopped.err
    assert stopped.document["stopped"]["code"] == "canary_returned"
    assert BAD in stopped.document["stopped"]["message"]
    outcome = stopped.document["outcome"]
    assert 1 <= outcome["returned"] <= 4  # five of nine are of the more frequent reason
    assert outcome["succeeded"] + outcome["returned"] + outcome["unknown"] == 9
    [reason] = outcome["reasons"]
    assert (reason["type"], reason["count"]) == (BAD, outcome["returned"])
    assert outcome["waited_s"] <= outcome["bound_s"]
    assert [each["probable"] for each in outcome["returned_ids"]] == [False] * outcome["returned"]
    assert (stopped.document["succeeded"], sent(shop, stopped)) == (9, 9)
    check_counts(stopped.document)
    assert shop.depths() == (0, 291 + outcome["returned"])
    assert set(shop.reasons()) == {BAD, "BankAwayError"}

    mended = shop.redrive("--transform", MEND, "--wait")

    assert mended.status == 0, mended.err
    left = 291 + outcome["returned"]
    assert (mended.document["outcome"]["succeeded"], mended.document["outcome"]["returned"]) == (left, 0)
    assert mended.document["succeeded"] == left
    assert shop.depths() == (0, 0)


def test_what_came_of_a_canary_is_in_the_history(shop: Shop) -> None:
    """The run is found again with its outcome, and why it was stopped."""
    shop.lose(fine=3, bad=3)

    stopped = shop.redrive("--canary", "4")
    report = shop.run("history", stopped.document["run_id"]).document["run"]["report"]

    assert stopped.status == 5, stopped.err
    assert report["outcome"] == stopped.document["outcome"]
    assert report["stopped"] == stopped.document["stopped"]


def test_a_canary_has_some_of_each_reason(shop: Shop) -> None:
    """Two of a hundred are bad, and four are enough to find them."""
    shop.lose(fine=98, bad=2)

    stopped = shop.redrive("--canary", "4")

    assert (stopped.status, stopped.document["stopped"]["code"]) == (5, "canary_returned"), stopped.err
    assert sent(shop, stopped) == 4


def test_a_canary_that_does_not_return_is_followed_by_the_rest(shop: Shop) -> None:
    """The bank is back, so everything is consumed."""
    shop.lose(fine=60, bad=0)

    ended = shop.redrive("--canary", "5")

    assert ended.status == 0, ended.err
    assert ended.document["stopped"] is None
    assert ended.document["succeeded"] == 60
    check_counts(ended.document)
    shop.wait_until_consumed()
    assert shop.depths() == (0, 0)


def test_a_canary_that_cannot_be_judged_in_time_stops_the_run_too(shop: Shop) -> None:
    """A paused consumer takes nothing: nobody knows, so nothing more is sent, and the status is another."""
    shop.lose(fine=10, bad=0)
    with shop.paused():
        ended = shop.redrive("--canary", "2", "--canary-wait", "20s")

    assert ended.status == 3, ended.err
    assert ended.document["stopped"]["code"] == "canary_unknown"
    assert ended.document["outcome"]["unknown"] == 2
    assert sent(shop, ended) == 2
    shop.wait_until_consumed()
    assert shop.depths() == (0, 8)


def test_a_share_of_returns_stops_the_run_midway(shop: Shop) -> None:
    """A third comes back where a tenth may: some were sent, the rest was left alone."""
    shop.lose(fine=200, bad=100)

    ended = shop.redrive("--stop-on-returned", "10", "--rate", "5", "--note", "a third is bad")

    assert ended.status == 5, ended.err
    assert ended.document["stopped"]["code"] == "too_many_returned"
    assert 9 < ended.document["succeeded"] < 300
    assert sent(shop, ended) == ended.document["succeeded"]
    check_counts(ended.document)
    shop.wait_until_consumed()
    assert 200 - 100 < shop.depths()[1] < 300


def test_a_wait_tells_what_succeeded_and_what_came_back(shop: Shop) -> None:
    """Both are counted, within the bound that is shown: visibility timeout x maxReceiveCount."""
    shop.lose(fine=20, bad=10)

    ended = shop.redrive("--wait")

    assert ended.status == 5, ended.err
    outcome = ended.document["outcome"]
    assert (outcome["succeeded"], outcome["returned"], outcome["unknown"]) == (20, 10, 0)
    assert [each["type"] for each in outcome["reasons"]] == [BAD]
    assert outcome["waited_s"] <= outcome["bound_s"]
    assert outcome["bound_s"] >= BOUND_S
    assert ended.document["stopped"] is None
    assert shop.depths() == (0, 10)


def test_what_has_returned_too_often_is_left_where_it_is(shop: Shop) -> None:
    """Twice is enough here; then it takes a word to send it again, or goes to a quarantine queue."""
    shop.lose(fine=0, bad=3)
    for _ in range(2):
        assert shop.redrive("--wait").status == 5

    left = shop.redrive("--poison-after", "2")
    assert (left.document["succeeded"], left.document["skipped"]) == (0, 3), left.err
    assert shop.depths() == (0, 3)

    quarantine = shop.make_queue("quarantine")
    moved = shop.redrive("--poison-after", "2", "--only-poison", "--to", quarantine)
    assert (moved.status, moved.document["succeeded"]) == (0, 3), moved.err
    assert shop.depths() == (0, 0)
