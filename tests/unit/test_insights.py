"""Logs Insights: the query language as far as it is evaluated here, and following queries to their end."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest

from opstool.doors.logs import insights
from opstool.doors.logs.logs import Logs
from opstool.doors.logs.phrasing import LONGEST_QUERY, queries
from opstool.doors.logs.scan import Scan
from opstool.fake import FailCalls, FakeClock, FakeLogs, Faults, LogsBehaviour, server_error, throttled
from opstool.words.awserrors import error_for
from opstool.words.errors import ServiceError
from opstool.words.loggroup import LogGroup
from opstool.words.logqueries.insightsquery import MalformedQueryError, Record, evaluate

GROUP = "/aws/lambda/orders"
NOW_MS = 1_800_000_000_000
REQUEST_ID = "01234567-89ab-cdef-0123-456789abcdef"
JSON_LINE = json.dumps({"event": "failed", "n": 3, "ok": True, "in": {"a": [{"b": "c"}]}, "@x": "y", "d-e": "f"})
LINES = (JSON_LINE, f"START RequestId: {REQUEST_ID} Version: $LATEST", 'a/b "quoted" | done', "two\nlines")


def record(at_ms: int, message: str) -> Record:
    """Return an event as the evaluator takes it."""
    return Record(at_ms=at_ms, message=message, log_stream="s", log="1:g", ptr=f"p{at_ms}", ingested_at_ms=at_ms + 5)


def matching(condition: str) -> list[int]:
    """Return which lines a filter lets through, by their number."""
    records = [record(number, line) for number, line in enumerate(LINES)]
    rows = evaluate(f"fields @ptr | filter {condition} | sort @timestamp asc", records).rows
    return [int(row[0]["value"][1:]) for row in rows]


@pytest.mark.parametrize(
    ("condition", "lines"),
    [
        ("@message like /START/", [1]),
        ("@message like /START|done/", [1, 2]),
        ("@message like /start/", []),
        ("@message like /(?i)start/", [1]),
        (r"@message like /a\/b/", [2]),
        (r"@message like /\" \| d/", [2]),
        ("@message =~ /t.o/", [3]),
        ('@message like "RequestId: "', [1]),
        ("@message like 'two'", [3]),
        (r'@message like "\"quoted\""', [2]),
        ("@message not like /START|done/", [0, 3]),
        ("not @message like /START|done/", [0, 3]),
        ('event = "failed"', [0]),
        ('event != "failed"', [1, 2, 3]),
        ("n = 3.0 and n >= 3 and n < 4 and n > 2 and n <= 3", [0]),
        ('n = "3"', [0]),
        ("ok = 1", [0]),
        ('in.a.0.b = "c"', [0]),
        ('@@x = "y" or @message like "two"', [0, 3]),
        ('`d-e` = "f"', [0]),
        ('event in ["other", "failed"]', [0]),
        ('event not in ["other"]', [0, 1, 2, 3]),
        ("event in []", []),
        (f'@requestId = "{REQUEST_ID}"', [1]),
        ('@logStream = "s" and @log = "1:g" and @timestamp < 1', [0]),
        ("@timestamp >= 2", [2, 3]),
        ('(@message like "two" or event = "failed") and not (n = 3)', [3]),
        ('@message like "two" or event = "failed" and n = 4', [3]),
        ('NOT event = "failed" AND @message LIKE /two/', [3]),
        ("missing > 1 or missing like /./", []),
    ],
)
def test_a_filter_means_what_the_service_documents(condition: str, lines: list[int]) -> None:
    """Case counts in texts and not in operators; a missing field fulfils no comparison."""
    assert matching(condition) == lines


@pytest.mark.parametrize(
    "query",
    [
        "stats count(*) by bin(5m)",
        "parse @message '*' as x",
        "fields ispresent(a)",
        "fields a as b",
        "fields",
        "",
        "fields a | | limit 1",
        "limit 0",
        "limit 10001",
        "limit x",
        "sort a sideways",
        "sort a asc desc",
        "filter",
        "filter a",
        "filter a = ",
        "filter a = b",
        "filter a = /b/",
        "filter a like b",
        "filter a like /(/",
        "filter a in 3",
        "filter a in [1 2]",
        "filter a not = 1",
        "filter (a = 1",
        "filter a = 1)",
        "filter a = 1 b = 2",
        "filter a LIKE // or b",
        "filter a ~ 1",
        'filter a = "open',
        "filter " + "(" * 5_000,
        "filter " + "not " * 5_000 + "a = 1",
    ],
)
def test_what_is_not_understood_is_refused(query: str) -> None:
    """Nobody may take a filter that was not applied for an answer."""
    with pytest.raises(MalformedQueryError):
        evaluate(query, [record(1, "x")])


def test_the_newest_rows_come_first_and_a_comment_counts_for_nothing() -> None:
    """Unless it is said otherwise."""
    records = [record(number, line) for number, line in enumerate(LINES)]
    newest = evaluate("fields @ptr # filter nonsense\n| limit 2", records).rows
    assert [row[0]["value"] for row in newest] == ["p3", "p2"]
    by_field = evaluate("fields @ptr | sort n desc, @timestamp asc", records, limit=3).rows
    assert [row[0]["value"] for row in by_field] == ["p0", "p1", "p2"]


def test_statistics_count_what_was_looked_at_and_what_fits() -> None:
    """Whatever the limit is."""
    done = evaluate('filter @message like "two" or n = 3 | limit 1', [record(i, line) for i, line in enumerate(LINES)])
    assert (done.records_matched, done.records_scanned, len(done.rows)) == (2, 4, 1)
    assert done.bytes_scanned == sum(len(line) for line in LINES)


def uuid(number: int) -> str:
    """Return a message id."""
    return f"{number:08x}-0000-4000-8000-{number:012x}"


def test_as_many_ids_as_fit_are_in_a_query() -> None:
    """Whole where they all fit into one; else by their first group, which saves queries, and each query is money."""
    few = [uuid(number) for number in range(200)]
    ((query, asked),) = queries(few)
    assert (len(asked), few[7] in query) == (200, True)
    many = [uuid(number) for number in range(2_000)]
    lots = queries(many)
    assert [each for _, lot in lots for each in lot] == many
    assert len(lots) == 3
    assert all(len(query) <= LONGEST_QUERY for query, _ in lots)
    assert len(lots[0][0]) > LONGEST_QUERY - 12


@pytest.mark.parametrize(
    "needle",
    ["a/b", "a|b", "a\\b", 'say "x"', "it's", "50% (half) [a] {b} ^$ . * + ?", "# no comment", "ä€😀", "`", "|", "/"],
)
def test_no_string_breaks_out_of_the_query(needle: str) -> None:
    """It is found literally, and nothing else is."""
    logs = FakeLogs(FakeClock())
    logs.put(GROUP, "s", 1_000, f"before {needle} after")
    logs.put(GROUP, "s", 1_000, "hay")
    assert found(logs, [needle, "zzz"]) == [f"before {needle} after"]
    assert logs.requests["FilterLogEvents"] == 0


@pytest.mark.parametrize("needle", ["one\ntwo", "one\r\ntwo", "\n", "x\u2028y", "long" * 5_000])
def test_a_string_of_several_lines_or_pages_is_found_whole(needle: str) -> None:
    """The query asks for a part of it; the rest is looked at here."""
    logs = FakeLogs(FakeClock())
    logs.put(GROUP, "s", 1_000, f"<{needle}>")
    logs.put(GROUP, "s", 1_000, f"<{needle[:-1]}>")
    assert found(logs, [needle]) == [f"<{needle}>"]


def service(**behaviour: Any) -> FakeLogs:
    """Return a service with three needles among the hay, a day apart."""
    logs = FakeLogs(FakeClock(), behaviour=LogsBehaviour(**behaviour))
    for number in range(30):
        logs.put(GROUP, "s", NOW_MS - number * 8_640_000, "a needle" if number % 10 == 0 else "hay")
    return logs


def found(
    logs: FakeLogs, needles: list[str], scan: Scan | None = None, *, stop: threading.Event | None = None
) -> list[str]:
    """Return the texts that are found, sorted."""
    door = Logs(logs, logs.clock, stop)
    events = door.find([door.describe(GROUP)], needles, since_ms=0, until_ms=NOW_MS, scan=scan or Scan())
    return sorted(each.text for each in events)


def test_a_query_is_followed_to_its_end_with_growing_pauses() -> None:
    """Quickly at first, and on the clock that was given."""
    logs = service(scheduled_polls=5, running_polls=10)
    scan = Scan()
    assert found(logs, ["needle"], scan) == ["a needle"] * 3
    assert logs.requests["GetQueryResults"] == 16
    assert 20 < logs.clock.monotonic() < 16 * 4
    assert (scan.queries, scan.complete, scan.notes) == (1, True, [])
    assert scan.scanned_bytes == 27 * 3 + 3 * 8


def test_a_query_that_takes_too_long_is_stopped() -> None:
    """What it was to find is unread; nothing goes on running, or costing."""
    logs = service(running_polls=10**9)
    scan = Scan(answered=1)
    assert found(logs, ["needle"], scan) == []
    assert scan.unread == {"needle"}
    assert scan.notes == ["a query of the logs took longer than 120 seconds"]
    assert (logs.queries_under_way, logs.requests["StopQuery"]) == (0, 1)
    assert 120 < logs.clock.monotonic() < 130


def test_where_no_query_ever_ends_the_log_is_filtered() -> None:
    """An emulator that starts queries and does not carry them out costs one wait, not one for each question."""
    logs = service(running_polls=10**9)
    scan = Scan()
    needles = ["needle", *(uuid(number) for number in range(5_000))]
    assert found(logs, needles, scan) == ["a needle"] * 3
    assert (scan.complete, scan.is_insights_closed) == (True, True)
    assert scan.notes == ["a query of the logs took longer than 120 seconds; FilterLogEvents is used instead"]
    assert 120 < logs.clock.monotonic() < 130


@pytest.mark.parametrize(
    "answers",
    [
        {"StartQuery": {}},
        {"GetQueryResults": {"status": "Complete", "results": [[{"value": "a needle"}]]}},
        {"GetQueryResults": {"status": "Complete", "results": ["a needle"]}},
        {"GetQueryResults": {"status": "Complete", "statistics": {"bytesScanned": "many"}}},
        {"GetQueryResults": {"status": "Complete", "results": [[{"field": "@message", "value": "a needle"}]]}},
        {"StartQuery": error_for("StartQuery", "InternalFailure", "", 501)},
        {"StartQuery": error_for("StartQuery", "MalformedQueryException", "no", 400)},
    ],
    ids=["no query", "no field", "no row", "no number", "no time", "501", "400"],
)
def test_an_odd_answer_leads_to_the_other_way_of_reading(answers: dict[str, Any]) -> None:
    """Emulators answer what AWS never does: no error, nothing missed, and one note."""
    logs = service()

    def ask(service: str, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        answer = answers.get(operation)
        if isinstance(answer, Exception):
            raise answer
        return logs(service, operation, request) if answer is None else answer

    door = Logs(ask, logs.clock)
    scan = Scan()
    needles = ["needle", *(uuid(number) for number in range(5_000))]
    events = door.find([door.describe(GROUP)], needles, since_ms=0, until_ms=NOW_MS, scan=scan)
    assert sorted({each.text for each in events}) == ["a needle"]
    assert (scan.complete, len(scan.notes)) == (True, 1)
    assert logs.clock.monotonic() < 20


def test_a_service_that_hangs_is_not_waited_for_again_and_again() -> None:
    """boto3 has waited for its time-out some times by then; a look-up has many stretches."""
    calls: Counter[str] = Counter()

    def ask(_service: str, operation: str, _request: dict[str, Any]) -> dict[str, Any]:
        calls[operation] += 1
        raise ServiceError("no answer", code="no_answer", retryable=True)

    scan = Scan()
    for needle in ("a", "b", "c"):
        found = Logs(ask, FakeClock()).find([LogGroup(name=GROUP)], [needle], since_ms=0, until_ms=5_000, scan=scan)
        assert list(found) == []
    assert calls == {"StartQuery": 1, "FilterLogEvents": 1}
    assert scan.unread == {"a", "b", "c"}


def test_an_interruption_stops_the_queries() -> None:
    """Ctrl-C while they run."""
    stop = threading.Event()

    class Interrupt(Faults):
        def before(self, operation: str, request: Mapping[str, Any]) -> None:
            if operation == "GetQueryResults":
                stop.set()

    logs = service(running_polls=10**9)
    logs.faults = Interrupt()
    scan = Scan()
    assert found(logs, [uuid(number) for number in range(5_000)], scan, stop=stop) == []
    assert (logs.queries_under_way, logs.requests["StopQuery"]) == (0, insights.MOST_AT_ONCE)
    assert len(scan.unread) == 5_000
    assert scan.notes == ["reading the logs was interrupted"]


def test_whoever_waits_no_more_stops_the_queries() -> None:
    """The iterator is closed after the first event."""
    logs = service()
    door = Logs(logs, logs.clock)
    needles = ["needle", *(uuid(number) for number in range(5_000))]
    events = door.find([door.describe(GROUP)], needles, since_ms=0, until_ms=NOW_MS, scan=Scan())
    next(events)
    assert logs.queries_under_way > 0
    events.close()
    assert logs.queries_under_way == 0


def test_only_a_few_queries_run_at_once() -> None:
    """The quota is shared with every dashboard of the account."""
    logs = service()
    most = 0

    class Count(Faults):
        def before(self, operation: str, request: Mapping[str, Any]) -> None:
            nonlocal most
            most = max(most, logs.queries_under_way)

    logs.faults = Count()
    assert found(logs, ["needle", *(uuid(number) for number in range(9_000))]) == ["a needle"] * 3
    assert logs.requests["StartQuery"] == 10
    assert most == insights.MOST_AT_ONCE


@pytest.mark.parametrize("most_queries", [1, 2, 3])
def test_a_full_quota_is_waited_for(most_queries: int) -> None:
    """With what runs already, not by reading the log in the slow way."""
    logs = service(most_queries=most_queries)
    scan = Scan()
    assert found(logs, ["needle", *(uuid(number) for number in range(4_000))], scan) == ["a needle"] * 3
    assert (scan.complete, scan.notes, scan.queries) == (True, [], 5)
    assert logs.clock.monotonic() < 20


def test_a_quota_that_stays_full_is_read_around() -> None:
    """After the pauses, which are bounded."""
    logs = service()
    logs.faults = FailCalls("StartQuery", error_for("StartQuery", "LimitExceededException", "too many"))
    scan = Scan()
    assert found(logs, ["needle"], scan) == ["a needle"] * 3
    assert (logs.requests["StartQuery"], logs.clock.monotonic()) == (6, 15.5)
    assert "FilterLogEvents is used instead" in scan.notes[0]


@pytest.mark.parametrize("operation", ["StartQuery", "GetQueryResults"])
def test_throttling_and_server_errors_are_waited_out(operation: str) -> None:
    """And nothing of it is worth a note."""
    logs = service()
    logs.faults = FailCalls(operation, throttled(operation), calls={1, 2})
    scan = Scan()
    assert found(logs, ["needle"], scan) == ["a needle"] * 3
    logs.faults = FailCalls(operation, server_error(operation), calls={1})
    assert found(logs, ["needle"], scan) == ["a needle"] * 3
    assert (scan.complete, scan.notes, logs.requests["FilterLogEvents"]) == (True, [], 0)


def test_results_that_may_not_be_read_are_read_around_and_the_query_is_stopped() -> None:
    """StartQuery and GetQueryResults are two permissions."""
    logs = service()
    logs.faults = FailCalls("GetQueryResults", error_for("GetQueryResults", "AccessDeniedException", "no"))
    scan = Scan()
    assert found(logs, ["needle"], scan) == ["a needle"] * 3
    assert (logs.queries_under_way, scan.complete, len(scan.notes)) == (0, True, 1)


@pytest.fixture
def few_rows(monkeypatch: pytest.MonkeyPatch) -> int:
    """Let an answer hold four rows, here and in the service."""
    for module in ("opstool.doors.logs.insights", "opstool.doors.logs.question"):
        monkeypatch.setattr(f"{module}.MOST_ROWS", 4)
    return 4


def test_a_full_answer_is_asked_for_in_halves(few_rows: int) -> None:
    """Each event comes once, however often its time was halved."""
    logs = FakeLogs(FakeClock())
    for number in range(100):
        logs.put(GROUP, "s", NOW_MS - 86_400_000 + number * number * 1_000, f"needle {number:02}")
    scan = Scan()
    assert found(logs, ["needle"], scan) == [f"needle {number:02}" for number in range(100)]
    assert (scan.complete, scan.notes) == (True, [])
    assert scan.queries > 100 / few_rows


def test_more_in_a_second_than_an_answer_holds_is_unread(few_rows: int) -> None:
    """The service knows no shorter time; what it gave is there."""
    logs = FakeLogs(FakeClock())
    for number in range(20):
        logs.put(GROUP, "s", NOW_MS - 5_000, f"needle {number:02}")
    scan = Scan()
    assert len(found(logs, ["needle"], scan)) == few_rows
    assert scan.unread == {"needle"}
    assert "of one second match" in scan.notes[0]


def test_what_the_query_did_not_filter_is_filtered_here(few_rows: int) -> None:
    """An emulator answers with everything: more is asked for, and the result is the same."""
    logs = FakeLogs(FakeClock(), behaviour=LogsBehaviour(ignores_filters=True))
    for number in range(50):
        logs.put(GROUP, "s", NOW_MS - 86_400_000 + number * 60_000, "a needle" if number % 10 == 0 else "hay")
    scan = Scan()
    assert found(logs, ["needle"], scan) == ["a needle"] * 5
    assert scan.complete
    assert scan.queries > 50 / few_rows


def test_answers_of_emulators_are_understood() -> None:
    """Times as numbers, a log without its account or none at all, rows that are no events."""

    def ask(service: str, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        if operation == "StartQuery":
            return {"queryId": "q"}
        rows: list[dict[str, Any]] = [
            {"@timestamp": 1_000, "@message": "needle 1"},
            {"@timestamp": "1970-01-01 00:00:02.500", "@message": "needle 2", "@log": GROUP, "@logStream": "s"},
            {"@timestamp": "nonsense", "@message": "needle 3"},
            {"@timestamp": 1_000},
            {"@timestamp": 9_000, "@message": "needle too late"},
        ]
        return {
            "status": "Complete",
            "results": [[{"field": name, "value": value} for name, value in row.items()] for row in rows],
        }

    group = LogGroup(name=GROUP)
    events = list(Logs(ask, FakeClock()).find([group], ["needle"], since_ms=0, until_ms=5_000, scan=Scan()))
    assert [(each.at_ms, each.text, each.log_group) for each in events] == [
        (1_000, "needle 1", GROUP),
        (2_500, "needle 2", GROUP),
    ]
