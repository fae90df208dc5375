"""The door to CloudWatch Logs: what a group is, finding every event that is meant, at a price that is bounded."""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opstool.doors.logs import insights, question
from opstool.doors.logs.logs import INDEXING_DELAY_MS, Logs
from opstool.doors.logs.phrasing import queries
from opstool.doors.logs.scan import PRICE_PER_GB_USD, Scan, Stretch
from opstool.fake import FailCalls, FakeClock, FakeLogs, Faults, LogsBehaviour
from opstool.words.awserrors import error_for
from opstool.words.errors import AccessError, NotFoundError
from opstool.words.logevent import LogEvent
from opstool.words.loggroup import LogGroup
from opstool.words.logqueries.needles import Needles

GROUP = "/aws/lambda/orders"
NOW_MS = 1_800_000_000_000
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


def uuid(number: int) -> str:
    """Return a message id."""
    return f"{number:08x}-0000-4000-8000-{number:012x}"


def filled(*, events: int = 240, size: int = 1_000, **behaviour: Any) -> FakeLogs:
    """Return a service whose group has an event of a certain size every hour until now; each tenth has a needle."""
    logs = FakeLogs(FakeClock(), behaviour=LogsBehaviour(**behaviour))
    for number in range(events):
        text = f"needle {number:04}" if number % 10 == 0 else "hay"
        logs.put(GROUP, "s", NOW_MS - number * HOUR_MS, text.ljust(size, "."))
    return logs


def find(logs: FakeLogs, scan: Scan, *, needles: tuple[str, ...] = ("needle",), since_ms: int = 0) -> list[LogEvent]:
    """Return what is found in the group until now."""
    door = Logs(logs, logs.clock)
    return list(door.find([door.describe(GROUP)], needles, since_ms=since_ms, until_ms=NOW_MS, scan=scan))


def test_a_group_is_described() -> None:
    """Among many of which the names begin alike."""
    logs = FakeLogs(FakeClock())
    for number in range(70):
        logs("logs", "CreateLogGroup", {"logGroupName": f"{GROUP}-{number}"})
    logs.put(GROUP, "s", NOW_MS - DAY_MS, "x" * 74)
    logs("logs", "PutRetentionPolicy", {"logGroupName": GROUP, "retentionInDays": 14})
    assert Logs(logs, logs.clock).describe(GROUP) == LogGroup(
        name=GROUP, stored_bytes=100, retention_days=14, created_at_ms=NOW_MS - DAY_MS, log_class="STANDARD"
    )


def test_a_group_that_is_not_there_is_an_error_with_a_code() -> None:
    """Also where a longer name begins so."""
    logs = FakeLogs(FakeClock())
    logs.put(GROUP + "-2", "s", 0, "x")
    with pytest.raises(NotFoundError, match=GROUP) as caught:
        Logs(logs, logs.clock).describe(GROUP)
    assert caught.value.code == "log_group_not_found"


def test_who_may_not_describe_a_group_can_read_it_all_the_same() -> None:
    """A group that is known by its name only is expected to be empty, and is not."""
    logs = filled()
    logs.faults = FailCalls("DescribeLogGroups", error_for("DescribeLogGroups", "AccessDeniedException", "no"))
    door, scan = Logs(logs, logs.clock), Scan()
    with pytest.raises(AccessError):
        door.describe(GROUP)
    events = list(door.find([LogGroup(name=GROUP)], ["needle"], since_ms=0, until_ms=NOW_MS, scan=scan))
    assert (len(events), scan.estimated_bytes) == (24, 0)
    assert scan.scanned_bytes > 0


def test_an_event_says_where_it_stands() -> None:
    """Group, stream, moment and text: enough to look around it."""
    logs = FakeLogs(FakeClock())
    logs.put(GROUP, "2027/01/15/[$LATEST]0a", NOW_MS - 1_001, "a needle")
    (found,) = find(logs, Scan())
    assert found == LogEvent(
        log_group=GROUP, log_stream="2027/01/15/[$LATEST]0a", at_ms=NOW_MS - 1_001, text="a needle"
    )


@pytest.mark.parametrize("whole", [False, True], ids=["moment", "second"])
def test_the_range_is_exact_to_the_millisecond(whole: bool) -> None:
    """Both ends are included, though queries know only seconds."""
    logs = FakeLogs(FakeClock(), behaviour=LogsBehaviour(end_second_is_whole=whole))
    for at_ms in (4_999, 5_000, 5_500, 7_300, 7_301):
        logs.put(GROUP, "s", at_ms, f"needle {at_ms}")
    door = Logs(logs, logs.clock)
    events = door.find([door.describe(GROUP)], ["needle"], since_ms=5_000, until_ms=7_300, scan=Scan())
    assert sorted(each.at_ms for each in events) == [5_000, 5_500, 7_300]
    recent = door.recent([door.describe(GROUP)], ["needle"], since_ms=5_000, until_ms=7_300, scan=Scan())
    assert sorted(each.at_ms for each in recent) == [5_000, 5_500, 7_300]


def test_more_groups_than_a_query_takes_are_asked_in_lots() -> None:
    """Each event names its own."""
    logs = FakeLogs(FakeClock())
    for number in range(120):
        logs.put(f"g{number:03}", "s", 1_000, "a needle")
    door, scan = Logs(logs, logs.clock), Scan()
    groups = [door.describe(f"g{number:03}") for number in range(120)]
    events = list(door.find(groups, ["needle"], since_ms=0, until_ms=NOW_MS, scan=scan))
    assert sorted(each.log_group for each in events) == [group.name for group in groups]
    assert scan.queries == 3


@pytest.mark.parametrize(("needles", "since_ms"), [((), 0), (("needle",), NOW_MS + 1)], ids=["no strings", "no time"])
def test_nothing_is_asked_for_nothing(needles: tuple[str, ...], since_ms: int) -> None:
    """Neither of Insights nor of the log."""
    logs = filled()
    scan = Scan()
    assert find(logs, scan, needles=needles, since_ms=since_ms) == []
    assert (scan.queries, logs.requests["FilterLogEvents"], scan.complete) == (0, 0, True)


def test_an_empty_string_is_a_mistake() -> None:
    """It would be found everywhere."""
    with pytest.raises(ValueError, match="empty"):
        Needles(["a", ""])


def test_the_last_moments_are_known_to_the_log_before_they_are_to_insights() -> None:
    """Which is why `recent` is there."""
    logs = FakeLogs(FakeClock(), behaviour=LogsBehaviour(indexing_delay_s=INDEXING_DELAY_MS / 1_000 - 1))
    logs.put(GROUP, "s", NOW_MS - 5_000, "a needle")
    assert find(logs, Scan()) == []
    door = Logs(logs, logs.clock)
    since_ms = NOW_MS - INDEXING_DELAY_MS
    events = door.recent([door.describe(GROUP)], ["needle"], since_ms=since_ms, until_ms=NOW_MS, scan=Scan())
    assert [each.text for each in events] == ["a needle"]
    logs.clock.sleep(INDEXING_DELAY_MS / 1_000)
    assert len(find(logs, Scan())) == 1


# -- the price


def test_the_estimate_is_the_share_of_the_time_of_what_is_stored() -> None:
    """Of the time that the group has existed, or that its retention leaves; and never more than all."""
    group = LogGroup(name="g", stored_bytes=1_000, retention_days=None, created_at_ms=NOW_MS - 10 * DAY_MS)
    last_day = {"since_ms": NOW_MS - DAY_MS, "until_ms": NOW_MS}
    assert group.stored_between(**last_day, now_ms=NOW_MS) == 100
    assert group.stored_between(0, NOW_MS + DAY_MS, now_ms=NOW_MS) == 1_000
    assert group.stored_between(0, NOW_MS - 11 * DAY_MS, now_ms=NOW_MS) == 0
    kept = LogGroup(name="g", stored_bytes=1_000, retention_days=5, created_at_ms=0)
    assert kept.stored_between(**last_day, now_ms=NOW_MS) == 200
    new = LogGroup(name="g", stored_bytes=1_000, retention_days=5, created_at_ms=NOW_MS - 2 * DAY_MS)
    assert new.stored_between(**last_day, now_ms=NOW_MS) == 500


def test_what_is_stored_may_be_compressed_until_a_query_has_told() -> None:
    """The same stretch again is known exactly; another one by what was learnt, with a margin."""
    group = LogGroup(name="g", stored_bytes=1_000_000, created_at_ms=NOW_MS - 10 * DAY_MS)
    first = Stretch(groups=(group,), since_ms=NOW_MS - DAY_MS, until_ms=NOW_MS)
    before = Stretch(groups=(group,), since_ms=NOW_MS - 2 * DAY_MS, until_ms=NOW_MS - DAY_MS)
    scan = Scan()
    assert scan.estimate(first, NOW_MS) == round(100_000 / 0.15)
    scan.measure(first, 120_000, NOW_MS)
    assert scan.estimate(first, NOW_MS) == 120_000
    assert scan.estimate(Stretch(groups=(group,), since_ms=NOW_MS - 1, until_ms=NOW_MS), NOW_MS) == 120_000
    assert scan.estimate(before, NOW_MS) == round(100_000 * 1.2 * 1.5)


def test_the_price_is_told_in_dollars() -> None:
    """For a gigabyte it is the one of the price list."""
    assert Scan(scanned_bytes=1_200_000_000).cost_usd == pytest.approx(1.2 * PRICE_PER_GB_USD)


def test_a_look_up_tells_what_it_expected_and_what_it_scanned() -> None:
    """The estimate is known before the first query has ended."""
    logs, scan = filled(), Scan()
    door = Logs(logs, logs.clock)
    events = door.find([door.describe(GROUP)], ["needle"], since_ms=0, until_ms=NOW_MS, scan=scan)
    next(events)
    assert scan.estimated_bytes >= 240 * 1_000
    list(events)
    assert scan.scanned_bytes == 240 * 1_000


def test_what_would_scan_more_than_the_bound_is_not_asked() -> None:
    """The note names the option; the newest part is read as far as it fits."""
    logs, scan = filled(), Scan(limit_bytes=100_000)
    found = find(logs, scan)
    assert scan.scanned_bytes <= 100_000
    assert scan.unread == {"needle"}
    (note,) = scan.notes
    assert "--scan-limit" in note
    assert 0 < len(found) < 24
    assert max(each.at_ms for each in found) == NOW_MS


def test_a_bound_of_nothing_asks_nothing() -> None:
    """Not even of a group that seems to be small."""
    logs, scan = filled(), Scan(limit_bytes=0)
    assert find(logs, scan) == []
    assert (logs.requests["StartQuery"], scan.unread) == (0, {"needle"})


def test_a_bound_that_only_seems_too_low_is_found_to_be_enough() -> None:
    """If it were compressed it would be too much; the first part tells that it is not."""
    logs, scan = filled(), Scan(limit_bytes=400_000)
    assert len(find(logs, scan)) == 24
    assert (scan.complete, scan.notes) == (True, [])
    assert 1 < scan.queries < 8


def test_what_runs_already_counts_against_the_bound() -> None:
    """Five queries are wanted, two fit, and none tells what it scans before it has ended."""
    logs, scan = filled(stored_bytes_factor=0.15, running_polls=0), Scan(limit_bytes=600_000)
    find(logs, scan, needles=tuple(uuid(number) for number in range(4_500)))
    assert (scan.queries, scan.scanned_bytes) == (2, 480_000)
    assert len(scan.unread) == 4_500 - 2 * len(queries([uuid(number) for number in range(4_500)])[0][1])


def test_a_query_that_scans_more_than_was_expected_is_stopped() -> None:
    """Where the group tells less than it has: the bound holds all the same, but for what one poll missed."""
    logs, scan = filled(stored_bytes_factor=0.0, running_polls=50), Scan(limit_bytes=100_000)
    assert find(logs, scan) == []
    assert scan.unread == {"needle"}
    assert "--scan-limit" in scan.notes[0]
    assert (logs.requests["StopQuery"], logs.queries_under_way) == (1, 0)
    assert scan.scanned_bytes == 120_000  # what the fake's half of the way costs


@settings(max_examples=30, deadline=None)
@given(
    limit=st.integers(0, 3_000_000),
    factor=st.sampled_from([0.15, 0.3, 1.0, 1.5]),
    needles=st.sampled_from([1, 1_000, 2_500]),
    size=st.integers(100, 3_000),
    since_ms=st.integers(NOW_MS - 12 * DAY_MS, NOW_MS - 4 * DAY_MS),
)
def test_the_estimate_never_lets_a_query_exceed_the_bound(
    limit: int, factor: float, needles: int, size: int, since_ms: int
) -> None:
    """Whatever of the truth the group tells, as long as its events come evenly."""
    logs, scan = filled(size=size, stored_bytes_factor=factor), Scan(limit_bytes=limit)
    found = find(logs, scan, needles=("needle", *(uuid(number) for number in range(needles))), since_ms=since_ms)
    assert scan.scanned_bytes <= limit + scan.queries * size  # an event more may stand at the edge of a stretch
    assert logs.queries_under_way == 0
    everything = {each.at_ms for each in find(logs, Scan(), since_ms=since_ms)}
    assert {each.at_ms for each in found} <= everything
    assert not scan.complete or {each.at_ms for each in found} == everything
    assert scan.complete is (not scan.notes)


# -- everything that a plain look finds, and nothing else


def in_words(needle: str, text: str) -> bool:
    """Tell whether a string stands in a text as whole words, so that a term of a pattern is sure to find it."""
    before = r"(?<!\w)" if re.match(r"\w", needle) else ""
    after = r"(?!\w)" if re.search(r"\w\Z", needle) else ""
    return re.search(before + re.escape(needle) + after, text) is not None


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_it_finds_exactly_what_a_plain_look_finds(data: st.DataObject) -> None:
    """However the strings, the groups and the time are divided, whatever the service's freedoms, by both ways."""
    alphabet = st.text("ab/|.\n ä\"'", min_size=1, max_size=4)
    some_ids = st.integers(0, 15).map(uuid)
    texts = st.lists(st.one_of(alphabet, some_ids, st.just("hay")), min_size=1, max_size=3).map(" ".join)
    written = data.draw(st.lists(st.tuples(st.sampled_from("gh"), st.integers(0, 20_000), texts), max_size=40))
    needles = data.draw(st.lists(st.one_of(alphabet, some_ids), min_size=1, max_size=10, unique=True))
    since_ms = data.draw(st.integers(0, 12_000))
    until_ms = data.draw(st.integers(since_ms, 20_000))
    behaviour = LogsBehaviour(
        ignores_filters=data.draw(st.booleans()),
        end_second_is_whole=data.draw(st.booleans()),
        running_polls=data.draw(st.integers(0, 3)),
        most_queries=data.draw(st.integers(1, 5)),
        page_events=data.draw(st.integers(1, 50)),
        scanned_a_page=data.draw(st.integers(1, 50)),
        query_end=lambda _: data.draw(st.sampled_from(["Complete"] * 5 + ["Failed"])),
    )
    logs = FakeLogs(FakeClock(), behaviour=behaviour)
    for group in "gh":
        logs("logs", "CreateLogGroup", {"logGroupName": group})
    for group, at_ms, text in written:
        logs.put(group, "s", at_ms, text)
    with pytest.MonkeyPatch.context() as patch:
        rows = data.draw(st.integers(1, 30))
        patch.setattr(insights, "MOST_ROWS", rows)
        patch.setattr(question, "MOST_ROWS", rows)
        patch.setattr("opstool.doors.logs.phrasing._LONGEST_REGEX", data.draw(st.integers(210, 1_000)))
        patch.setattr("opstool.doors.logs.logs.MOST_GROUPS", data.draw(st.integers(1, 3)))
        patch.setattr("opstool.doors.logs.filterlogevents.MOST_PAGES", 10_000)
        scan, door = Scan(), Logs(logs, logs.clock)
        groups = [door.describe(each) for each in "gh"]
        found = list(door.find(groups, needles, since_ms=since_ms, until_ms=until_ms, scan=scan))
    plain = Counter(
        (group, at_ms, text)
        for group, at_ms, text in written
        if since_ms <= at_ms <= until_ms and any(needle in text for needle in needles)
    )
    answered = Counter((each.log_group, each.at_ms, each.text) for each in found)
    assert set(answered) <= set(plain)
    missing = [text for (group, at_ms, text), count in plain.items() if answered[group, at_ms, text] < count]
    if any("FilterLogEvents" in note for note in scan.notes):  # to whose patterns a string is a whole word
        missing = [text for text in missing if any(in_words(needle, text) for needle in needles)]
    assert all(any(needle in text for needle in scan.unread) for text in missing), "what is missing is said to be"
    assert scan.complete or any("of one second match" in note for note in scan.notes)


@given(texts=st.lists(st.text("abc-", max_size=8)), needles=st.lists(st.text("abc-", min_size=1, max_size=5)))
def test_many_strings_are_sought_as_each_would_be(texts: list[str], needles: list[str]) -> None:
    """Whatever they have in common, and wherever they overlap."""
    sought = Needles(needles)
    for text in texts:
        assert sought.are_in(text) is any(needle in text for needle in needles)


def test_ten_thousand_ids_are_few_queries() -> None:
    """Each query scans everything again, so their number is the price."""
    logs, scan = filled(events=10), Scan()
    find(logs, scan, needles=tuple(uuid(number) for number in range(10_000)))
    assert scan.queries == 11


# -- around a moment


def stream(**behaviour: Any) -> FakeLogs:
    """Return a service with a stream of ten events, a second apart, and another stream beside it."""
    logs = FakeLogs(FakeClock(), behaviour=LogsBehaviour(**behaviour))
    for number in range(10):
        logs.put(GROUP, "s", number * 1_000, f"event {number}")
        logs.put(GROUP, "other", number * 1_000, "of another stream")
    return logs


@pytest.mark.parametrize("page_events", [1, 3, 100])
def test_the_events_around_a_moment_come_in_order(page_events: int) -> None:
    """Of one stream, both ends included, however many pages they are on."""
    logs = stream(page_events=page_events)
    events = Logs(logs, logs.clock).around(GROUP, "s", since_ms=2_000, until_ms=5_000)
    assert [each.text for each in events] == [f"event {number}" for number in range(2, 6)]
    assert events[0] == LogEvent(log_group=GROUP, log_stream="s", at_ms=2_000, text="event 2")


def test_what_stands_around_is_bounded() -> None:
    """By the limit, and by the pages that are read for it."""
    logs = stream(page_events=1)
    assert len(Logs(logs, logs.clock).around(GROUP, "s", since_ms=0, until_ms=NOW_MS, limit=3)) == 3
    assert logs.requests["GetLogEvents"] == 3
    for number in range(50):
        logs.put(GROUP, "s", number, "more")
    assert len(Logs(logs, logs.clock).around(GROUP, "s", since_ms=0, until_ms=NOW_MS)) == 20


def test_a_stream_that_is_gone_is_an_error() -> None:
    """Which the caller can say in words."""
    logs = stream()
    with pytest.raises(NotFoundError) as caught:
        Logs(logs, logs.clock).around("gone", "s", since_ms=0, until_ms=1)
    assert caught.value.code == "log_group_not_found"


def test_nothing_of_the_log_is_in_a_note() -> None:
    """Lines are private."""

    class Refuse(Faults):
        def before(self, operation: str, request: Mapping[str, Any]) -> None:
            if operation in {"StartQuery", "FilterLogEvents"}:
                raise error_for(operation, "AccessDeniedException", "not authorized")

    logs = FakeLogs(FakeClock(), faults=Refuse())
    logs.put(GROUP, "s", 1_000, "secret needle")
    scan = Scan()
    stop = threading.Event()
    door = Logs(logs, logs.clock, stop)
    assert list(door.find([LogGroup(name=GROUP)], ["secret"], since_ms=0, until_ms=NOW_MS, scan=scan)) == []
    assert len(scan.notes) == 2
    assert "secret" not in " ".join(scan.notes)


@pytest.mark.parametrize("ended_ms", [NOW_MS - 11 * DAY_MS, NOW_MS - 10 * DAY_MS])
def test_a_group_that_began_later_is_not_asked(ended_ms: int) -> None:
    """AWS refuses a query that ends before its log groups begin, and another group of the question would be lost."""
    old, new = "/aws/lambda/old", "/aws/lambda/new"
    logs = FakeLogs(FakeClock())
    logs.put(old, "s", NOW_MS - 20 * DAY_MS, "needle")
    logs.put(new, "s", NOW_MS - 10 * DAY_MS, "needle")
    asked: list[tuple[str, ...]] = []

    def note(service: str, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        if operation == "StartQuery":
            asked.append(tuple(request["logGroupNames"]))
        return logs(service, operation, request)

    door, scan = Logs(note, logs.clock), Scan()
    groups = [door.describe(each) for each in (old, new)]
    found = list(door.find(groups, ["needle"], since_ms=0, until_ms=ended_ms, scan=scan))
    both = ended_ms >= NOW_MS - 10 * DAY_MS
    assert asked == [(old, new) if both else (old,)]
    assert (len(found), scan.complete) == (1 + both, True)
