from __future__ import annotations

import threading

from hypothesis import given, settings
from hypothesis import strategies as st

from opstool.words.report import Counts, Failure, Outcome, Report, Status, Tally


def test_a_message_that_nobody_decided_on_is_released() -> None:
    """Given back, undecided."""
    tally = Tally()
    tally.received("m")
    tally.received("m")
    assert tally.counts() == Counts(received=1, released=1)


def test_a_later_decision_replaces_an_earlier_one_but_a_success_stays() -> None:
    """What was sent and deleted cannot fail any more."""
    tally = Tally()
    tally.received("m")
    tally.fail("m", "no_answer", "lost")
    tally.decide(["m"], Outcome.SUCCEEDED)
    assert tally.failures() == ()
    tally.fail("m", "not_deleted", "later")
    tally.decide(["m"], Outcome.RELEASED)
    assert (tally.counts(), tally.failures()) == (Counts(received=1, succeeded=1), ())


def test_failures_are_grouped_by_their_reason() -> None:
    """With the ids."""
    tally = Tally()
    for key in ("a", "b"):
        tally.fail(key, "code", "text")
    tally.fail("c", "other", "text")
    tally.name("id_not_found", "not seen", ["d"])
    assert set(tally.failures()) == {
        Failure(code="code", message="text", message_ids=("a", "b")),
        Failure(code="other", message="text", message_ids=("c",)),
        Failure(code="id_not_found", message="not seen", message_ids=("d",)),
    }
    assert tally.counts().received == 3


@settings(max_examples=50)
@given(st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from([None, *Outcome])), max_size=30))
def test_counts_add_up_at_every_moment(steps: list[tuple[str, Outcome | None]]) -> None:
    """Each message has one outcome."""
    tally = Tally()
    for message_id, outcome in steps:
        tally.received(message_id)
        if outcome is Outcome.FAILED:
            tally.fail(message_id, "code", "text")
        elif outcome:
            tally.decide([message_id], outcome)
        now = tally.counts()
        assert now.received == now.succeeded + now.skipped + now.failed + now.released + now.returned
        assert sum(len(failure.message_ids) for failure in tally.failures()) == now.failed


def test_counts_add_up_with_many_threads() -> None:
    """Nothing is counted twice, and nothing is forgotten."""
    tally = Tally()

    def work(number: int) -> None:
        for message_id in map(str, range(number, 400, 3)):
            tally.received(message_id)
            tally.decide([message_id], Outcome.SUCCEEDED)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert tally.counts() == Counts(received=400, succeeded=400)


def test_the_document_has_the_keys_that_scripts_rely_on() -> None:
    """They only grow."""
    document = Report(
        run_id="r", verb="redrive", queue="q", target="t", status=Status.DONE, counts=Counts(received=1, succeeded=1)
    ).document()
    expected = (
        "version type run_id verb queue target engine status received succeeded skipped failed released returned"
        " possibly_sent_twice possibly_sent_twice_ids requests cost_usd seconds archive failures"
    )
    assert set(expected.split()) <= set(document)
    assert (document["version"], document["type"], document["status"]) == (1, "report", "done")
