"""The promises as checks over plain facts: what a report says, and where the messages are.

Nothing here knows which server the queues are on. A check raises AssertionError that says what was broken.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from opstool.words.report import Report, Status

NOT_FAILED = {"gone", "not_seen", "id_not_found", "poison", "not_mended"}
"""What a report names although it did not fail: it was never received, or it is skipped."""
"""Failures that name messages which the run has not received, so that no count has them."""
MAY_BE_THERE = {"no_answer", "aws_error"}
"""Failures of a send that leave open whether the copy was accepted: the answer was lost, or a 5xx."""


@dataclass(frozen=True, kw_only=True)
class Ending:
    """Where the messages are in the end, by their bodies, in the queues' own order."""

    at_target: Sequence[str]
    in_dlq: Sequence[str]


def check_counts(report: Report) -> None:
    """Check that each message has one outcome, and that each that failed is named once with its reason."""
    counts = report.counts
    outcomes = counts.succeeded + counts.skipped + counts.failed + counts.released + counts.returned
    assert counts.received == outcomes
    assert min(counts.succeeded, counts.skipped, counts.failed, counts.released, counts.returned) >= 0
    named = [each for failure in report.failures if failure.code not in NOT_FAILED for each in failure.message_ids]
    assert len(named) == len(set(named)) == counts.failed


def check_status(report: Report) -> None:
    """Check that the status says what the rest of the report says."""
    counts = report.counts
    assert report.status is not Status.REFUSED
    if report.status is Status.DONE:
        assert counts.failed == 0
        assert report.error_code is None
        assert not report.failures
    if report.error_code:
        assert report.status is Status.PARTIAL
        assert report.error_code in {failure.code for failure in report.failures}
    if report.status is Status.PARTIAL:
        assert counts.failed or counts.released or report.failures or report.error_code or report.notes


def check_left(report: Report, *, meant: Collection[str], in_dlq: Collection[str]) -> None:
    """Check by ids that what a run has left in its queue is what it says: nothing when done, and whatever failed.

    A message that was sent and not confirmed as deleted may be gone all the same.
    """
    if report.status is Status.DONE:
        left = set(meant) & set(in_dlq)
        assert not left, f"done, and {len(left)} are left"
    stay = {failure.code: failure.message_ids for failure in report.failures if failure.code != "not_deleted"}
    for code, ids in stay.items():
        assert code == "gone" or set(ids) <= set(in_dlq), f"{code} is said of messages that are not there"


def check_gone(reports: Sequence[Report], *, gone: Collection[str]) -> None:
    """Check that the runs together own up to each message that has left the queue, once."""
    succeeded = sum(report.counts.succeeded for report in reports)
    open_deletes = ids_named(reports, codes={"not_deleted"}) & set(gone)
    assert succeeded <= len(gone) <= succeeded + len(open_deletes), (succeeded, len(gone), len(open_deletes))


def check_nothing_lost(bodies: Iterable[str], *places: Iterable[str]) -> None:
    """Check that each body is somewhere, and that nothing else is."""
    wanted, found = set(bodies), {body for place in places for body in place}
    assert not wanted - found, f"{len(wanted - found)} are lost, such as {min(wanted - found)!r}"
    assert not found - wanted, "something is there that was never sent"


def check_doubles(ending: Ending, told: Collection[str], *, may_double: bool, must_double: bool) -> None:
    """Check that what is at the target twice was told of, by body.

    `may_double`: a send can have been carried out without an answer. `must_double`: each that had no answer was.
    """
    doubled = {body for body, count in Counter(ending.at_target).items() if count > 1}
    assert doubled <= set(told), f"{len(doubled - set(told))} were sent twice, and nobody said so"
    if not may_double:
        assert not doubled, f"{len(doubled)} were sent twice though every answer came"
    if must_double:
        assert doubled == set(told), f"{len(set(told) - doubled)} were said to be sent twice and were not"


def check_order(bodies: Iterable[str]) -> None:
    """Check that the numbers of each group ascend; a body is `group:number`, and only its first copy counts."""
    last: dict[str, int] = {}
    for group, number in (body.split(":")[:2] for body in dict.fromkeys(bodies)):
        assert last.get(group, -1) < int(number), f"group {group} is out of order"
        last[group] = int(number)


def ids_named(reports: Iterable[Report], *, codes: Collection[str]) -> set[str]:
    """Return the ids that the reports name as failed for one of these reasons."""
    failures = (failure for report in reports for failure in report.failures)
    return {each for failure in failures if failure.code in codes for each in failure.message_ids}


def told_of(reports: Iterable[Report], bodies: Mapping[str, str]) -> set[str]:
    """Return the bodies of all that these reports say may have been sent twice; `bodies` by id."""
    return {bodies[each] for report in reports for each in report.possibly_sent_twice_ids}
