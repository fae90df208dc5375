"""Whatever the order in which the lines of logs are given, and however often, they say the same."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Set
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from opstool.engine.reasons.join import Join
from opstool.words.logevent import Attempt, LogEvent, Sought
from opstool.words.reason import Reason

IDS = tuple(f"8f14e45f-ceea-467f-9d6b-00000000000{number}" for number in range(4))
REQUESTS = tuple(f"3c1b2a90-5d6e-5f70-8a91-00000000000{number}" for number in range(4))
STRANGER = "c9f0f895-fb98-4b91-8e2d-0a1b2c3d4e5f"
FAILURE = {"event": "record_failed", "schema": 1, "error_type": "ValueError", "error": "no", "fingerprint": "0" * 12}

messages = st.sampled_from(IDS)
requests = st.sampled_from(REQUESTS)
lines = st.one_of(
    st.builds("START RequestId: {} Version: $LATEST".format, requests),
    st.builds("END RequestId: {}".format, requests),
    st.builds("REPORT RequestId: {}\tDuration: 30.00 ms\tStatus: timeout".format, requests),
    st.builds("2026-11-20T03:00:04.130Z {} Task timed out after 3.00 seconds".format, requests),
    st.builds("handling {}".format, st.sampled_from((*IDS, STRANGER))),
    st.builds("[ERROR]\t2026-11-20T03:00:01.123Z\t{}\tcould not handle {}: ValueError: no".format, requests, messages),
    st.builds("failed to process {}: KeyError('total')".format, messages),
    st.builds("{} and {}".format, messages, messages),
    st.builds(
        lambda one, request: json.dumps(FAILURE | {"message_id": one, "request_id": request}), messages, requests
    ),
    st.sampled_from(
        (
            "KeyError: 'total'",
            "[ERROR] ValueError: bad total",
            "Traceback (most recent call last):",
            '  File "/var/task/app.py", line 3, in total',
            "app.BadTotal: no total",
            "all is well",
        )
    ),
)
events = st.lists(
    st.builds(
        LogEvent,
        log_group=st.sampled_from(("/aws/lambda/one", "/aws/lambda/two")),
        log_stream=st.sampled_from(("a", "b")),
        at_ms=st.integers(0, 60).map(lambda tick: 100_000 + 7 * tick),
        text=lines,
    ),
    max_size=40,
)


def said(given_events: list[LogEvent]) -> tuple[dict[str, Reason], dict[str, tuple[Attempt, ...]], Set[int]]:
    """Return all that a join says of some events."""
    join = Join([Sought(message_id=one, sent_at_ms=0, first_received_at_ms=100_000, receive_count=2) for one in IDS])
    for event in given_events:
        join.add(event)
    return join.reasons(), {one: join.attempts(one) for one in IDS}, join.moments()


@given(events, st.randoms(use_true_random=False))
def test_neither_order_nor_repetition_makes_a_difference(several: list[LogEvent], random: Random) -> None:
    """Between streams, between milliseconds, and again and again; within a millisecond a log keeps its order."""
    once = list({(event.log_group, event.log_stream, event.at_ms): event for event in several}.values())
    shuffled = once + random.choices(once, k=len(once)) if once else []
    random.shuffle(shuffled)
    assert said(shuffled) == said(once)


@given(events, st.randoms(use_true_random=False))
def test_milliseconds_that_are_given_whole_keep_their_order(several: list[LogEvent], random: Random) -> None:
    """Several lines of a millisecond come together, once or more often, in any order of the milliseconds."""
    moments: dict[tuple[str, str, int], list[LogEvent]] = defaultdict(list)
    for event in several:
        moments[event.log_group, event.log_stream, event.at_ms].append(event)
    keys = list(moments)
    random.shuffle(keys)
    again = [event for key in keys for event in moments[key]]
    assert said(again) == said([event for key in sorted(moments) for event in moments[key]])


@given(events)
def test_every_message_has_a_reason_or_is_unexplained(several: list[LogEvent]) -> None:
    """Never both; and a reason has at least one attempt, whose failure it is."""
    join = Join([Sought(message_id=one, sent_at_ms=0, first_received_at_ms=100_000) for one in IDS])
    for event in several:
        join.add(event)
    reasons = join.reasons()
    assert reasons.keys() | join.unexplained() == set(IDS)
    assert reasons.keys() & join.unexplained() == set()
    for message_id, reason in reasons.items():
        attempts = join.attempts(message_id)
        assert reason.attempts == len(attempts) > 0
        assert (reason.type, reason.at_ms) == (attempts[-1].type, attempts[-1].at_ms)
