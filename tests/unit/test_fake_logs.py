"""The fake CloudWatch Logs keeps the service's rules, so that what is tested on it is tested against them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from opstool.fake import FailCalls, FakeClock, FakeLogs, LogsBehaviour, throttled
from opstool.words.errors import NotFoundError, OpstoolError, ServiceError

GROUP = "/aws/lambda/orders"
NOW_MS = 1_800_000_000_000
QUERY = "fields @timestamp, @message"
DAY_MS = 86_400_000


def fake(**behaviour: Any) -> FakeLogs:
    """Return a service with one log group and three events a second apart, the last of them now."""
    logs = FakeLogs(FakeClock(), behaviour=LogsBehaviour(**behaviour))
    for index in range(3):
        logs.put(GROUP, "s", NOW_MS - 2_000 + index * 1_000, f"event {index}")
    return logs


def start(logs: FakeLogs, **changes: Any) -> str:
    """Start a query over all that there is."""
    request = {
        "logGroupNames": [GROUP],
        "startTime": 0,
        "endTime": NOW_MS // 1_000,
        "queryString": QUERY,
        "limit": 10_000,
        **changes,
    }
    return str(logs("logs", "StartQuery", request)["queryId"])


def results(logs: FakeLogs, query_id: str) -> dict[str, Any]:
    """Return the answer of one poll."""
    return logs("logs", "GetQueryResults", {"queryId": query_id})


def messages(logs: FakeLogs, **changes: Any) -> list[str]:
    """Return the messages that a query has found, once it is complete."""
    query_id = start(logs, **changes)
    while (answer := results(logs, query_id))["status"] != "Complete":
        pass
    return [each["value"] for row in answer["results"] for each in row if each["field"] == "@message"]


def refused(logs: FakeLogs, operation: str, **request: Any) -> str:
    """Return what the service says no with."""
    with pytest.raises(OpstoolError) as caught:
        logs("logs", operation, request)
    return caught.value.message


def filtered(logs: FakeLogs, **changes: Any) -> list[list[str]]:
    """Return the messages of each page of FilterLogEvents."""
    pages: list[list[str]] = []
    request: dict[str, Any] = {"logGroupName": GROUP, **changes}
    while True:
        page = logs("logs", "FilterLogEvents", request)
        pages.append([each["message"] for each in page["events"]])
        if "nextToken" not in page:
            return pages
        request = {**request, "nextToken": page["nextToken"]}


def read(logs: FakeLogs, **changes: Any) -> list[str]:
    """Return the messages of all pages of FilterLogEvents."""
    return [message for page in filtered(logs, **changes) for message in page]


def test_a_query_goes_from_scheduled_over_running_to_complete() -> None:
    """While it runs it tells a part of what it has found, and of what it has scanned."""
    logs = fake()
    query_id = start(logs)
    answers = [results(logs, query_id) for _ in range(3)]
    assert [each["status"] for each in answers] == ["Scheduled", "Running", "Complete"]
    assert [len(each["results"]) for each in answers] == [0, 2, 3]
    assert answers[2]["statistics"] == {"recordsMatched": 3.0, "recordsScanned": 3.0, "bytesScanned": 21.0}


def test_a_row_is_a_list_of_fields_and_always_has_a_pointer() -> None:
    """Times are as the service writes them; the log is ACCOUNT:NAME; what an event does not have is left out."""
    logs = fake()
    query_id = start(logs, queryString="fields @timestamp, @log, @logStream, nothing | limit 1")
    results(logs, query_id), results(logs, query_id)
    assert results(logs, query_id)["results"] == [
        [
            {"field": "@timestamp", "value": "2027-01-15 08:00:00.000"},
            {"field": "@log", "value": f"123456789012:{GROUP}"},
            {"field": "@logStream", "value": "s"},
            {"field": "@ptr", "value": f"{GROUP}/3"},
        ]
    ]


def test_a_filter_is_applied() -> None:
    """The fake is honest: what does not match is not found."""
    assert messages(fake(), queryString=f"{QUERY} | filter @message like /1|2/ | sort @timestamp asc") == [
        "event 1",
        "event 2",
    ]


def test_the_ignorant_mode_answers_with_everything() -> None:
    """As emulators do: neither filter nor pattern is applied, and not even read."""
    logs = fake(ignores_filters=True)
    assert len(messages(logs, queryString=f"{QUERY} | filter nonsense ((")) == 3
    assert filtered(logs, filterPattern="nothing") == [[], ["event 0", "event 1", "event 2"]]


@pytest.mark.parametrize(
    ("whole", "found"), [(False, ["event 0"]), (True, ["event 1", "event 0"])], ids=["moment", "second"]
)
def test_the_bounds_of_a_query_are_seconds_and_included(whole: bool, found: list[str]) -> None:
    """Whether the last second counts whole is not documented, so it can be either."""
    logs = FakeLogs(FakeClock(), behaviour=LogsBehaviour(end_second_is_whole=whole))
    for index, at_ms in enumerate((5_000, 5_999, 6_000)):
        logs.put(GROUP, "s", at_ms, f"event {index}")
    assert messages(logs, startTime=5, endTime=5) == found


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"queryString": "stats count(*)"}, "MalformedQueryException"),
        ({"queryString": QUERY + " " * 10_000}, "InvalidParameterException"),
        ({"limit": 10_001}, "InvalidParameterException"),
        ({"logGroupNames": [GROUP] * 51}, "InvalidParameterException"),
        ({"logGroupName": GROUP}, "InvalidParameterException"),
        ({"startTime": 2, "endTime": 1}, "InvalidParameterException"),
    ],
    ids=["language", "length", "rows", "groups", "two ways to name", "range"],
)
def test_a_query_beyond_the_limits_is_refused(changes: dict[str, Any], code: str) -> None:
    """With the service's own code."""
    with pytest.raises(ServiceError, match=code):
        start(fake(), **changes)


def test_a_log_group_that_is_not_there_is_not_found() -> None:
    """Whichever operation asks for it."""
    with pytest.raises(NotFoundError):
        start(fake(), logGroupNames=["other"])
    for operation in ("FilterLogEvents", "GetLogEvents", "PutLogEvents"):
        assert "does not exist" in refused(fake(), operation, logGroupName="other", logStreamName="s", logEvents=[])


def test_too_many_queries_at_once_are_refused() -> None:
    """One that has ended or was stopped makes room."""
    logs = fake(most_queries=2)
    first, _ = start(logs), start(logs)
    with pytest.raises(ServiceError) as caught:
        start(logs)
    assert caught.value.code == "limit_exceeded"
    logs("logs", "StopQuery", {"queryId": first})
    assert logs.queries_under_way == 1
    start(logs)


def test_a_query_that_has_ended_cannot_be_stopped() -> None:
    """And an unknown one neither."""
    logs = fake()
    query_id = start(logs)
    for _ in range(3):
        results(logs, query_id)
    assert "not running" in refused(logs, "StopQuery", queryId=query_id)
    assert "does not exist" in refused(logs, "StopQuery", queryId="nonsense")


def test_queries_time_out_and_results_expire() -> None:
    """After an hour, and after a week."""
    logs = fake(running_polls=10**9)
    query_id = start(logs)
    logs.clock.sleep(3_601)
    assert results(logs, query_id)["status"] == "Timeout"
    logs.clock.sleep(8 * 86_400)
    assert "does not exist" in refused(logs, "GetQueryResults", queryId=query_id)


def test_a_test_says_how_a_query_ends() -> None:
    """By the request, so that one of several may fail."""
    logs = fake(query_end=lambda request: "Failed" if "bad" in request["queryString"] else "Complete")
    query_id = start(logs, queryString=f"{QUERY} # bad")
    assert [results(logs, query_id)["status"] for _ in range(3)][-1] == "Failed"
    assert results(logs, query_id)["results"] == []


def test_insights_learns_of_an_event_later_than_the_log() -> None:
    """As long as the indexing delay says."""
    logs = fake(indexing_delay_s=30)
    assert messages(logs) == []
    assert read(logs) == ["event 0", "event 1", "event 2"]
    logs.clock.sleep(30)
    assert len(messages(logs)) == 3


def test_pages_are_bounded_and_may_be_empty() -> None:
    """By number, by size, by how much was looked at; both ends of the range are included."""
    logs = fake(page_events=2)
    assert filtered(logs) == [[], ["event 0", "event 1"], ["event 2"]]
    logs.behaviour = LogsBehaviour(page_bytes=1)
    assert filtered(logs, startTime=NOW_MS - 1_000, endTime=NOW_MS) == [[], ["event 1"], ["event 2"]]
    logs.behaviour = LogsBehaviour(first_page_is_empty=False, scanned_a_page=1)
    assert filtered(logs, filterPattern='"event 2"') == [[], [], ["event 2"]]
    assert filtered(logs, limit=1) == [["event 0"], ["event 1"], ["event 2"]]


def test_pages_go_on_within_one_millisecond() -> None:
    """A token names an event, not a time."""
    logs = FakeLogs(FakeClock(), behaviour=LogsBehaviour(page_events=2))
    for index in range(5):
        logs.put(GROUP, "s", 1_000, str(index))
    assert filtered(logs) == [[], ["0", "1"], ["2", "3"], ["4"]]


def test_only_some_streams_are_read() -> None:
    """By name or by prefix, not by both."""
    logs = fake()
    logs.put(GROUP, "other", NOW_MS, "another")
    assert read(logs, logStreamNames=["other"]) == ["another"]
    assert read(logs, logStreamNamePrefix="ot") == ["another"]
    both = {"logGroupName": GROUP, "logStreamNames": ["s"], "logStreamNamePrefix": "s"}
    assert "exclude each other" in refused(logs, "FilterLogEvents", **both)


def test_a_wrong_pattern_or_token_is_refused() -> None:
    """And not taken for one that matches all."""
    assert "pattern" in refused(fake(), "FilterLogEvents", logGroupName=GROUP, filterPattern="{ nonsense }")
    assert "nextToken" in refused(fake(), "FilterLogEvents", logGroupName=GROUP, nextToken="nonsense")


def test_the_events_of_a_stream_end_with_a_token_that_repeats() -> None:
    """Forward; the end of the range is not included, unlike elsewhere."""
    logs = fake(page_events=2)
    logs.put(GROUP, "other", NOW_MS, "another")
    request: dict[str, Any] = {"logGroupName": GROUP, "logStreamName": "s", "startFromHead": True}
    first = logs("logs", "GetLogEvents", request)
    second = logs("logs", "GetLogEvents", {**request, "nextToken": first["nextForwardToken"]})
    third = logs("logs", "GetLogEvents", {**request, "nextToken": second["nextForwardToken"]})
    assert [[each["message"] for each in page["events"]] for page in (first, second, third)] == [
        ["event 0", "event 1"],
        ["event 2"],
        [],
    ]
    assert third["nextForwardToken"] == second["nextForwardToken"]
    assert len(logs("logs", "GetLogEvents", {**request, "startTime": NOW_MS, "endTime": NOW_MS})["events"]) == 0


def test_groups_are_described_in_pages_by_prefix_or_by_part_of_the_name() -> None:
    """By a part of the name the answer is brief, as the service's is."""
    logs = FakeLogs(FakeClock())
    for index in range(60):
        logs("logs", "CreateLogGroup", {"logGroupName": f"g-{index:02}"})
    first = logs("logs", "DescribeLogGroups", {"logGroupNamePrefix": "g-"})
    second = logs("logs", "DescribeLogGroups", {"logGroupNamePrefix": "g-", "nextToken": first["nextToken"]})
    names = [each["logGroupName"] for each in first["logGroups"] + second["logGroups"]]
    assert (len(first["logGroups"]), names) == (50, [f"g-{index:02}" for index in range(60)])
    assert "nextToken" not in second
    (found,) = logs("logs", "DescribeLogGroups", {"logGroupNamePattern": "-07"})["logGroups"]
    assert set(found) == {"logGroupName", "creationTime", "arn"}


def test_a_group_says_what_it_stores_and_for_how_long() -> None:
    """Each event costs 26 bytes more; what is stored may be told as if it were compressed."""
    logs = fake(stored_bytes_factor=0.5)
    logs("logs", "PutRetentionPolicy", {"logGroupName": GROUP, "retentionInDays": 7})
    (found,) = logs("logs", "DescribeLogGroups", {"logGroupNamePrefix": GROUP})["logGroups"]
    assert (found["storedBytes"], found["retentionInDays"]) == (round(0.5 * 3 * (7 + 26)), 7)
    assert (found["creationTime"], found["logGroupClass"]) == (NOW_MS - 2_000, "STANDARD")


def test_what_is_older_than_the_retention_is_gone() -> None:
    """For every way to read."""
    logs = fake()
    logs("logs", "PutRetentionPolicy", {"logGroupName": GROUP, "retentionInDays": 1})
    logs.clock.sleep(86_400 - 1)
    assert messages(logs) == ["event 2", "event 1"]
    assert read(logs) == ["event 1", "event 2"]


def test_events_are_put_in_as_the_api_does() -> None:
    """In order, into a stream that is there; what is too old or too new is left out."""
    logs = FakeLogs(FakeClock())
    put = {"logGroupName": GROUP, "logStreamName": "s"}
    logs("logs", "CreateLogGroup", {"logGroupName": GROUP})
    events = [{"timestamp": NOW_MS + days * DAY_MS, "message": str(days)} for days in (-15, -1, 0, 1)]
    assert "stream does not exist" in refused(logs, "PutLogEvents", **put, logEvents=events)
    logs("logs", "CreateLogStream", put)
    logs("logs", "PutLogEvents", {**put, "logEvents": events})
    assert read(logs) == ["-1", "0"]
    assert "in order" in refused(logs, "PutLogEvents", **put, logEvents=events[::-1])
    assert "already exists" in refused(logs, "CreateLogGroup", logGroupName=GROUP)
    assert "already exists" in refused(logs, "CreateLogStream", **put)
    assert "not valid" in refused(logs, "CreateLogGroup", logGroupName="a b")


@pytest.mark.parametrize(
    ("log_class", "operation"),
    [("DELIVERY", "StartQuery"), ("INFREQUENT_ACCESS", "FilterLogEvents"), ("INFREQUENT_ACCESS", "GetLogEvents")],
)
def test_a_log_class_takes_only_what_it_supports(log_class: str, operation: str) -> None:
    """Delivery cannot be queried; infrequent access cannot be read event by event."""
    logs = FakeLogs(FakeClock())
    logs("logs", "CreateLogGroup", {"logGroupName": "g", "logGroupClass": log_class})
    request: dict[str, Any] = {"logGroupName": "g", "logStreamName": "s"}
    if operation == "StartQuery":
        request = {"logGroupNames": ["g"], "startTime": 0, "endTime": 1, "queryString": QUERY}
    assert "not supported" in refused(logs, operation, **request)


def test_what_it_does_not_know_is_an_unknown_operation() -> None:
    """And so is another service."""
    for service, operation in (("logs", "Nonsense"), ("lambda", "StartQuery")):
        with pytest.raises(ServiceError) as caught:
            fake()(service, operation, {})
        assert caught.value.code == "unknown_operation"


def test_faults_are_said_by_the_test_and_calls_are_counted() -> None:
    """In the way of the other fake."""
    logs = fake()
    logs.faults = FailCalls("StartQuery", throttled("StartQuery"), calls={1})
    with pytest.raises(ServiceError, match="throttled"):
        start(logs)
    start(logs)
    assert logs.requests["StartQuery"] == 2
    assert replace(logs.behaviour, most_queries=1).most_queries == 1
