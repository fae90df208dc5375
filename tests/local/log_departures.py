"""Where moto 5.2.5 departs from CloudWatch Logs: what it does not understand, it answers with everything."""

from __future__ import annotations

import threading
from typing import Any
from unittest import mock

from botocore.exceptions import ClientError

from tests.local.scenarios import Emulator, numbers, scenario


def _group(emulator: Emulator, **streams: list[tuple[int, str]]) -> str:
    """Make a log group with events in its streams: milliseconds ago, and text."""
    logs, group, now_ms = emulator.client("logs"), f"group-{next(numbers)}", emulator.now_s() * 1000
    logs.create_log_group(logGroupName=group)
    for stream, events in streams.items():
        logs.create_log_stream(logGroupName=group, logStreamName=stream)
        lines = [{"timestamp": now_ms - ago_ms, "message": text} for ago_ms, text in events]
        if lines:
            logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=lines)
    return group


def _filtered(emulator: Emulator, group: str, **request: Any) -> list[str]:
    """Return the texts that FilterLogEvents answers."""
    answer = emulator.client("logs").filter_log_events(logGroupName=group, **request)
    return [event["message"] for event in answer["events"]]


def _query(emulator: Emulator, group: str, query: str, **more: Any) -> dict[str, Any]:
    """Return what a query over the last hour answers."""
    now = emulator.now_s()
    request = {"logGroupNames": [group], "startTime": now - 3600, "endTime": now + 60, "queryString": query, **more}
    query_id = emulator.client("logs").start_query(**request)["queryId"]
    answer: dict[str, Any] = emulator.client("logs").get_query_results(queryId=query_id)
    return answer


def _messages(answer: dict[str, Any]) -> list[str]:
    return [field["value"] for row in answer["results"] for field in row if field["field"] == "@message"]


@scenario
def a_filter_pattern_of_json_is_evaluated(emulator: Emulator) -> bool:
    """Expect: only the lines whose field has the value."""
    group = _group(emulator, s=[(3, '{"id":"a"}'), (2, '{"id":"b"}'), (1, '{"other":"a"}')])
    return _filtered(emulator, group, filterPattern='{ $.id = "a" }') == ['{"id":"a"}']


@scenario
def any_of_some_terms_is_enough(emulator: Emulator) -> bool:
    """Expect: `?a ?b` matches what has one of them, and nothing else."""
    group = _group(emulator, s=[(3, "one two"), (2, "three"), (1, "four")])
    return _filtered(emulator, group, filterPattern='?"one two" ?four') == ["one two", "four"]


@scenario
def a_malformed_pattern_is_refused(emulator: Emulator) -> bool:
    """Expect: an error, and not every line."""
    group = _group(emulator, s=[(1, "line")])
    request = {"logGroupName": group, "filterPattern": "{ $.id = "}
    return emulator.error_of("filter_log_events", "logs", **request) == "InvalidParameterException"


@scenario
def filtered_events_come_in_the_order_of_their_time(emulator: Emulator) -> bool:
    """Expect: the streams of a group are interleaved."""
    group = _group(emulator, one=[(4, "first"), (2, "third")], two=[(3, "second"), (1, "fourth")])
    return _filtered(emulator, group) == ["first", "second", "third", "fourth"]


@scenario
def streams_can_be_chosen_by_a_prefix(emulator: Emulator) -> bool:
    """Expect: logStreamNamePrefix is kept."""
    group = _group(emulator, today=[(1, "new")], yesterday=[(2, "old")])
    return _filtered(emulator, group, logStreamNamePrefix="to") == ["new"]


@scenario
def a_query_filters(emulator: Emulator) -> bool:
    """Expect: rows for what the filter lets through, and no others."""
    group = _group(emulator, s=[(3, '{"id":"a"}'), (2, '{"id":"b"}'), (1, "plain a")])
    query = 'fields @timestamp, @message | filter id = "a" | sort @timestamp asc'
    return _messages(_query(emulator, group, query)) == ['{"id":"a"}']


@scenario
def a_query_keeps_the_limit_of_its_request(emulator: Emulator) -> bool:
    """Expect: so many rows at most."""
    group = _group(emulator, s=[(number, "line") for number in range(5, 0, -1)])
    return len(_query(emulator, group, "fields @message", limit=2)["results"]) == 2


@scenario
def a_query_answers_what_it_scanned(emulator: Emulator) -> bool:
    """Expect: statistics, by which a caller knows the price."""
    group = _group(emulator, s=[(2, "1234"), (1, "other")])
    statistics = _query(emulator, group, "fields @message | filter @message like /1234/").get("statistics", {})
    found = [statistics.get(name) for name in ("recordsMatched", "recordsScanned", "bytesScanned")]
    return found == [1.0, 2.0, 9.0]


@scenario
def a_malformed_query_is_refused(emulator: Emulator) -> bool:
    """Expect: an error when it is started."""
    now = emulator.now_s()
    request = {"logGroupName": _group(emulator, s=[]), "startTime": now - 60, "endTime": now + 60}
    code = emulator.error_of("start_query", "logs", queryString="filter @message like", **request)
    return code == "MalformedQueryException"


@scenario
def a_query_of_a_time_before_its_groups_is_refused(emulator: Emulator) -> bool:
    """Expect: an error, as when the retention is over."""
    now = emulator.now_s()
    request = {"logGroupName": _group(emulator, s=[]), "startTime": now - 7200, "endTime": now - 3600}
    return emulator.error_of("start_query", "logs", queryString="fields @message", **request) == (
        "MalformedQueryException"
    )


@scenario
def an_unknown_query_is_not_found(emulator: Emulator) -> bool:
    """Expect: the service's own error."""
    return emulator.error_of("get_query_results", "logs", queryId="nothing") == "ResourceNotFoundException"


@scenario
def a_query_that_has_ended_cannot_be_stopped(emulator: Emulator) -> bool:
    """Expect: StopQuery exists, and says that the query does not run."""
    now = emulator.now_s()
    group = _group(emulator, s=[])
    request = {"logGroupName": group, "startTime": now - 60, "endTime": now + 60, "queryString": "fields @message"}
    query_id = emulator.client("logs").start_query(**request)["queryId"]
    return emulator.error_of("stop_query", "logs", queryId=query_id) == "InvalidParameterException"


@scenario
def the_retention_of_a_stacks_log_group_is_a_number(emulator: Emulator) -> bool:
    """Expect: a number also when the template has it as a text, as a parameter gives it."""
    group = {"Type": "AWS::Logs::LogGroup", "Properties": {"RetentionInDays": "30"}}
    name = emulator.stack({"G": group}, Name={"Ref": "G"})["Name"]
    (found,) = emulator.client("logs").describe_log_groups(logGroupNamePrefix=name)["logGroups"]
    return bool(found["retentionInDays"] == 30)


@scenario
def a_log_line_is_on_the_queues_clock(emulator: Emulator) -> bool:
    """Expect: a line that is written now is not refused as too far in the future when the queues' time was moved."""
    emulator.advance(86_400)
    url = emulator.queue()
    emulator.sqs.send_message(QueueUrl=url, MessageBody="b")
    now_ms = int(emulator.receive(url)[0]["Attributes"]["SentTimestamp"])
    group, logs = _group(emulator, s=[]), emulator.client("logs")
    line = {"timestamp": now_ms, "message": "now"}
    answer = logs.put_log_events(logGroupName=group, logStreamName="s", logEvents=[line])
    return "rejectedLogEventsInfo" not in answer and _filtered(emulator, group, startTime=now_ms) == ["now"]


@scenario
def a_log_group_can_be_described_while_it_grows(emulator: Emulator) -> bool:
    """Expect: a stream that is added meanwhile does not fail the call."""
    from moto.logs.models import LogStream  # noqa: PLC0415

    logs, group = emulator.client("logs"), f"group-{next(numbers)}"
    logs.create_log_group(logGroupName=group)
    for name in ("a", "b"):
        logs.create_log_stream(logGroupName=group, logStreamName=name)
    describe = LogStream.to_describe_dict
    started: list[threading.Thread] = []

    def describe_while_another_writes(self: Any) -> Any:
        request = {"logGroupName": group, "logStreamName": f"later-{len(started)}"}
        started.append(threading.Thread(target=logs.create_log_stream, kwargs=request))
        started[-1].start()
        started[-1].join(0.2)
        return describe(self)

    with mock.patch.object(LogStream, "to_describe_dict", describe_while_another_writes):
        try:
            logs.describe_log_streams(logGroupName=group)
        except ClientError:
            return False
        finally:
            for thread in started:
                thread.join()
    return True
