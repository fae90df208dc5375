"""Filter patterns: what they mean, and reading a log with them when Logs Insights cannot be used."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest

from opstool.doors.logs import filterlogevents
from opstool.doors.logs.logs import Logs
from opstool.doors.logs.phrasing import patterns, queries
from opstool.doors.logs.scan import Scan
from opstool.fake import FailCalls, FakeClock, FakeLogs, Faults, LogsBehaviour, throttled
from opstool.words.awserrors import error_for
from opstool.words.loggroup import LogGroup
from opstool.words.logqueries.filterpattern import LONGEST_PATTERN, MalformedPatternError, compile_pattern

GROUP = "/aws/lambda/orders"
NOW_MS = 1_800_000_000_000
LINE = json.dumps(
    {"event": "record_failed", "n": 3, "ok": True, "none": None, "list": [{"a": 1}], "text": "one two", "d-e": "x"}
)


@pytest.mark.parametrize(
    ("pattern", "message", "fits"),
    [
        ("", "anything", True),
        ("ERROR", "an ERROR here", True),
        ("ERROR", "[ERROR] here", True),
        ("ERROR", "an error here", False),
        ("ERROR", "ERRORS", False),
        ("ERROR here", "here is an ERROR", True),
        ("ERROR here", "an ERROR", False),
        ("?a ?b", "b", True),
        ("?a ?b", "c", False),
        ("?a b", "b", True),
        ("?a b", "a", False),
        ("ERROR -here", "an ERROR", True),
        ("ERROR -here", "an ERROR here", False),
        ("-here", "there", True),
        ('"one two"', "not one two three", True),
        ('"one two"', "two one", False),
        ('?"one two" ?"three four"', "three four", True),
        (r'"a \"quoted\" word"', 'a "quoted" word', True),
        ('"0a-1b"', '{"id":"0a-1b"}', True),
        ('"0a-1b"', "0a-1bc", False),
        ("%ERR[A-Z]+%", "ERROR", True),
        ("%ERR[A-Z]+%", "ERR", False),
    ],
)
def test_terms_are_words_or_phrases(pattern: str, message: str, fits: bool) -> None:
    """Case counts; a question mark makes one of several enough, unless there are other terms."""
    assert compile_pattern(pattern)(message) is fits


@pytest.mark.parametrize(
    ("pattern", "fits"),
    [
        ('{ $.event = "record_failed" }', True),
        ('{ $.event = "record_*" }', True),
        ("{ $.event = record_failed }", True),
        ('{ $.event = "other" }', False),
        ('{ $.event != "other" }', True),
        ('{ $.missing != "other" }', False),
        ('{ $.event = "other" || $.n = 3 }', True),
        ('{ $.event = "other" || $.n = 3 && $.ok IS FALSE }', False),
        ('{ ($.event = "record_failed") && ($.n > 2 || $.ok IS FALSE) }', True),
        ("{ $.n >= 3 && $.n < 4 && $.n <= 3.0 }", True),
        ("{ $.n = 3.0 }", True),
        ("{ $.ok IS TRUE && $.none IS NULL }", True),
        ("{ $.list[0].a = 1 && $.list[0] EXISTS && $.list[1] NOT EXISTS }", True),
        ("{ $.d-e = x }", True),
        ("{ $.text = %^one [a-z]+$% }", True),
        ("{ $.n = %3% }", False),
    ],
)
def test_a_pattern_in_braces_reads_json(pattern: str, fits: bool) -> None:
    """And binds `and` tighter than `or`."""
    assert compile_pattern(pattern)(LINE) is fits
    assert not compile_pattern(pattern)("no JSON")
    assert not compile_pattern(pattern)("[1]")


@pytest.mark.parametrize(
    "pattern",
    [
        "[a, b]",
        "a-b",
        '"open',
        '""',
        "%(a)%",
        "%[%",
        "{ $.a = }",
        "{ $.a }",
        "{ a = 1 }",
        '{ $.a = "b" ',
        "{ ($.a = 1 }",
        "{ $.a = 1 ) }",
        "{ $.a > x }",
        "{ $.a LIKE b }",
        "{ $.a = ( }",
        "{ & }",
        "x" * (LONGEST_PATTERN + 1),
        "{" + "(" * 5_000,
        "{" + "(" * 400 + "$.a = 1" + ")" * 400 + "}",
    ],
)
def test_a_pattern_that_is_not_understood_is_refused(pattern: str) -> None:
    """Nobody may take a pattern that was not applied for an answer."""
    with pytest.raises(MalformedPatternError):
        compile_pattern(pattern)


def uuid(number: int) -> str:
    """Return a message id."""
    return f"{number:08x}-0000-4000-8000-{number:012x}"


def closed(**behaviour: Any) -> FakeLogs:
    """Return a service whose queries are denied."""
    denied = error_for("StartQuery", "AccessDeniedException", "not you", 400)
    return FakeLogs(FakeClock(), faults=FailCalls("StartQuery", denied), behaviour=LogsBehaviour(**behaviour))


def found(logs: FakeLogs, needles: list[str], scan: Scan | None = None, *groups: str) -> list[str]:
    """Return the texts that are found, sorted."""
    door = Logs(logs, logs.clock)
    described = [door.describe(name) for name in groups or (GROUP,)]
    scan = scan or Scan()
    return sorted(each.text for each in door.find(described, needles, since_ms=0, until_ms=NOW_MS, scan=scan))


def test_as_many_strings_as_fit_are_in_a_pattern() -> None:
    """Each pattern is within the service's length, is understood by it, and all strings are in one."""
    needles = [uuid(number) for number in range(1_000)]
    asked = patterns(needles)
    assert [each for _, lot in asked for each in lot] == needles
    assert all(LONGEST_PATTERN - 40 < len(pattern) <= LONGEST_PATTERN for pattern, _ in asked[:-1])
    for pattern, lot in asked:
        matches = compile_pattern(pattern)
        assert [each for each in needles if matches(f"id={each}")] == list(lot)


@pytest.mark.parametrize("needle", ['a"b', "a\\b", "ä", "a\nb", "x" * 2_000])
def test_a_string_that_cannot_be_quoted_is_sought_among_all_events(needle: str) -> None:
    """It is found all the same."""
    assert patterns([needle, "plain"]) == [("", (needle, "plain"))]
    logs = closed()
    logs.put(GROUP, "s", 1_000, f"<{needle}>")
    logs.put(GROUP, "s", 1_000, "other")
    assert found(logs, [needle]) == [f"<{needle}>"]


def test_where_queries_are_denied_the_log_is_read_and_it_is_said_once() -> None:
    """Every group, every string; the denial is asked for once."""
    logs = closed(page_events=2)
    for number in range(50):
        logs.put(f"g{number % 2}", "s", 1_000 + number, f"failed {uuid(number)}")
    scan = Scan()
    needles = [uuid(number) for number in range(1_000)]
    assert len(queries(needles)) > 1
    assert len(found(logs, needles, scan, "g0", "g1")) == 50
    assert scan.complete
    (note,) = scan.notes
    assert "`StartQuery` was denied" in note
    assert "FilterLogEvents" in note
    assert logs.requests["StartQuery"] == 1
    assert len(found(logs, needles, scan, "g0", "g1")) == 50
    assert (logs.requests["StartQuery"], len(scan.notes)) == (1, 1), "nor is it by the next look-up of the command"


@pytest.mark.parametrize("status", ["Failed", "Cancelled", "Timeout"])
def test_a_query_that_fails_is_read_instead(status: str) -> None:
    """Whatever the service calls it."""
    logs = FakeLogs(FakeClock(), behaviour=LogsBehaviour(query_end=lambda _: status))
    logs.put(GROUP, "s", 1_000, "a needle")
    scan = Scan()
    assert found(logs, ["needle"], scan) == ["a needle"]
    assert scan.complete
    assert scan.notes == [f"a query of Logs Insights ended as {status}; FilterLogEvents is used instead"]


def test_a_service_without_insights_is_read_instead() -> None:
    """An emulator may not know the operation at all."""
    unknown = error_for("StartQuery", "UnknownOperationException", "what?", 404)
    logs = FakeLogs(FakeClock(), faults=FailCalls("StartQuery", unknown))
    logs.put(GROUP, "s", 1_000, "a needle")
    assert found(logs, ["needle", "other"]) == ["a needle"]
    assert logs.requests["StartQuery"] == 1


def test_a_log_class_without_insights_is_read_and_no_query_is_asked() -> None:
    """What cannot be read either way is unread."""
    logs = FakeLogs(FakeClock())
    logs("logs", "CreateLogGroup", {"logGroupName": GROUP, "logGroupClass": "DELIVERY"})
    scan = Scan()
    assert found(logs, ["needle"], scan) == []
    assert (logs.requests["StartQuery"], logs.requests["FilterLogEvents"]) == (0, 1)
    assert scan.unread == {"needle"}


def test_what_the_pattern_did_not_filter_is_filtered_here() -> None:
    """An emulator answers with everything, and the result is the same."""
    logs = closed(ignores_filters=True)
    for text in ("a needle", "hay", "needless", "need le"):
        logs.put(GROUP, "s", 1_000, text)
    assert found(logs, ["needle"]) == ["a needle", "needless"]


def test_reading_ends_at_the_bound_of_pages_and_says_which_strings_were_not_sought(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Those whose pattern was read to its end are known."""
    monkeypatch.setattr(filterlogevents, "MOST_PAGES", 8)
    logs = closed()
    needles = [uuid(number) for number in range(60)]
    for number, needle in enumerate(needles):
        logs.put(GROUP, "s", 1_000 + number, f"{needle} {'x' * 200_000}")
    scan = Scan()
    assert len(found(logs, needles, scan)) < 60
    assert 0 < len(scan.unread) < 60
    assert logs.requests["FilterLogEvents"] == 8
    assert any("only the first part" in note for note in scan.notes)


def test_all_the_look_ups_of_a_command_share_a_bound_of_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """A minute is enough, however many things are looked up."""
    monkeypatch.setattr(filterlogevents, "MOST_PAGES_A_SCAN", 5)
    logs, scan = closed(), Scan()
    logs.put(GROUP, "s", 1_000, "a needle")
    assert [len(found(logs, ["needle"], scan)) for _ in range(4)] == [1, 1, 0, 0]
    assert (scan.pages, logs.requests["FilterLogEvents"], scan.unread) == (5, 5, {"needle"})


def test_a_small_log_is_read_whole_rather_than_pattern_by_pattern() -> None:
    """One page of everything is less than forty of patterns."""
    logs = closed(first_page_is_empty=False)
    needles = [uuid(number) for number in range(1_000)]
    logs.put(GROUP, "s", NOW_MS - 1_000, needles[7])
    assert found(logs, needles) == [needles[7]]
    assert logs.requests["FilterLogEvents"] == 1


def test_a_group_that_cannot_be_read_does_not_keep_the_others_from_it() -> None:
    """It is unread, with the reason."""
    logs = closed()
    logs.put(GROUP, "s", 1_000, "a needle")
    scan = Scan()
    groups = [LogGroup(name="gone"), LogGroup(name=GROUP)]
    events = Logs(logs, logs.clock).find(groups, ["needle"], since_ms=0, until_ms=NOW_MS, scan=scan)
    assert [each.text for each in events] == ["a needle"]
    assert scan.unread == {"needle"}
    assert scan.notes[-1] == "the log group `gone` could not be read: the log group `gone` does not exist"


def test_throttling_is_waited_out() -> None:
    """On the clock, and not for ever."""
    logs = FakeLogs(FakeClock(), faults=FailCalls("FilterLogEvents", throttled("FilterLogEvents"), calls={1, 2, 3}))
    logs.put(GROUP, "s", 1_000, "a needle")
    scan = Scan()
    door = Logs(logs, logs.clock)

    def recent() -> list[str]:
        events = door.recent([LogGroup(name=GROUP)], ["needle"], since_ms=0, until_ms=NOW_MS, scan=scan)
        return [each.text for each in events]

    assert recent() == ["a needle"]
    assert logs.clock.monotonic() == 0.5 + 1.0 + 2.0
    logs.faults = FailCalls("FilterLogEvents", throttled("FilterLogEvents"))
    assert recent() == []
    assert scan.unread == {"needle"}
    assert logs.clock.monotonic() < 30


def test_reading_stops_when_it_is_told_to() -> None:
    """Between two pages."""
    stop = threading.Event()

    class Interrupt(Faults):
        def after(self, operation: str, request: Any, response: dict[str, Any]) -> dict[str, Any]:
            stop.set()
            return response

    logs = FakeLogs(FakeClock(), faults=Interrupt())
    logs.put(GROUP, "s", 1_000, "a needle")
    scan = Scan()
    door = Logs(logs, logs.clock, stop)
    assert list(door.recent([LogGroup(name=GROUP)], ["needle"], since_ms=0, until_ms=NOW_MS, scan=scan)) == []
    assert logs.requests["FilterLogEvents"] == 1
    assert not scan.complete
