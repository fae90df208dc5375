from __future__ import annotations

import importlib
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from opstool.doors.logs.failures import Logs
from opstool.doors.session import Connection, Session
from opstool.engine.reasons.lookup import reasons_for
from opstool.words.errors import AccessError, NotFoundError, ServiceError
from opstool.words.failureline import parse_failure_line
from opstool.words.message import Message
from opstool.words.reason import Reason, Reasons

GROUP = "/aws/lambda/orders-consumer"
LINE = {
    "level": "ERROR",
    "timestamp": "2025-01-01T00:00:00.000Z",
    "event": "record_failed",
    "schema": 1,
    "message_id": "m-1",
    "receive_count": 1,
    "error_type": "ValueError",
    "error": "no total",
    "fingerprint": "0123456789ab",
    "failed_in": "processing.process",
    "body_sha256": "0" * 64,
    "request_id": "r-1",
    "queue_arn": "arn:aws:sqs:eu-west-1:123456789012:orders",
    "permanent": False,
}


def event(at_ms: int = 1_000, **changes: Any) -> dict[str, Any]:
    """Return a log event with a failure line."""
    return {"timestamp": at_ms, "message": json.dumps({**LINE, **changes}), "eventId": "e"}


class Asked:
    """CloudWatch Logs that answers with given pages, over and over the last one."""

    def __init__(self, *pages: dict[str, Any]) -> None:
        self.pages = pages
        self.requests: list[dict[str, Any]] = []

    def __call__(self, service: str, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        """Answer one request."""
        assert (service, operation) == ("logs", "FilterLogEvents")
        self.requests.append(request)
        return self.pages[min(len(self.requests), len(self.pages)) - 1]


def failures(*pages: dict[str, Any], ids: tuple[str, ...] = ("m-1",)) -> dict[str, Reason]:
    """Return the reasons that pages of log events hold."""
    return Logs(Asked(*pages)).failures(GROUP, since_ms=0, until_ms=10_000, message_ids=ids).reasons


def test_a_failure_line_is_a_reason() -> None:
    """The line says why; the event says when; the log group says which function."""
    assert failures({"events": [event()]}) == {
        "m-1": Reason(
            type="ValueError",
            message="no total",
            fingerprint="0123456789ab",
            at_ms=1_000,
            attempts=1,
            function="orders-consumer",
            log_group=GROUP,
            request_id="r-1",
        )
    }


def test_the_last_failure_is_the_reason_and_the_attempts_are_counted() -> None:
    """Whatever the order of the events, and though an emulator may give a line twice."""
    events = [
        event(3_000, receive_count=3, request_id="r-3", error="last"),
        event(1_000),
        event(2_000, receive_count=2, request_id="r-2"),
        event(2_000, receive_count=2, request_id="r-2"),
    ]
    reason = failures({"events": events})["m-1"]
    assert (reason.message, reason.at_ms, reason.attempts, reason.request_id) == ("last", 3_000, 3, "r-3")


def test_lines_of_other_messages_and_other_events_are_left_out() -> None:
    """Emulators ignore filter patterns, so the answer is filtered again."""
    events = [event(message_id="m-2"), event(event="record_processed"), {"timestamp": 1, "message": "START m-1"}]
    assert failures({"events": events}) == {}


def test_every_page_is_read() -> None:
    """A page may be empty and still not be the last."""
    asked = Asked({"events": [], "nextToken": "a"}, {"nextToken": "b"}, {"events": [event()]})
    answer = Logs(asked).failures(GROUP, since_ms=0, until_ms=1, message_ids=["m-1"])
    assert set(answer.reasons) == {"m-1"}
    assert answer.complete
    assert [request.get("nextToken") for request in asked.requests] == [None, "a", "b"]


def test_a_log_without_end_is_read_in_part_and_says_so() -> None:
    """A listing does not wait for a year of logs."""

    def ask(_service: str, _operation: str, request: dict[str, Any]) -> dict[str, Any]:
        return {"events": [event()], "nextToken": request.get("nextToken", "") + "x"}

    answer = Logs(ask).failures(GROUP, since_ms=0, until_ms=1, message_ids=["m-1"])
    assert set(answer.reasons) == {"m-1"}
    assert not answer.complete


def test_a_token_that_comes_back_is_the_end() -> None:
    """That is how CloudWatch Logs marks the last page elsewhere, and no reason to go round in circles."""
    asked = Asked({"events": [event()], "nextToken": "same"})
    assert Logs(asked).failures(GROUP, since_ms=0, until_ms=1, message_ids=["m-1"]).complete
    assert len(asked.requests) == 2


@pytest.mark.parametrize(
    ("ids", "pattern"),
    [
        (["b", "a"], '{ ($.event = "record_failed") && ($.message_id = "a" || $.message_id = "b") }'),
        ([str(number) for number in range(100)], '{ $.event = "record_failed" }'),
        (['" || $.x = "'], '{ $.event = "record_failed" }'),
        (["x" * 2_000], '{ $.event = "record_failed" }'),
    ],
    ids=["few", "many", "hostile", "long"],
)
def test_the_server_is_asked_for_as_little_as_possible(ids: list[str], pattern: str) -> None:
    """A few ids are named in the pattern; an id that could change its meaning is not."""
    asked = Asked({})
    Logs(asked).failures(GROUP, since_ms=-5, until_ms=10, message_ids=ids)
    assert asked.requests == [{"logGroupName": GROUP, "startTime": 0, "endTime": 10, "filterPattern": pattern}]


@pytest.mark.parametrize(
    "line",
    [
        "record_failed",
        "[" * 100_000 + "record_failed",
        '["record_failed"]',
        '"record_failed"',
        *(
            json.dumps({**LINE, **changes})
            for changes in (
                {"schema": None},
                {"schema": 0},
                {"message_id": ["m-1"]},
                {"message_id": ""},
                {"error_type": 5},
                {"error_type": ""},
                {"fingerprint": "0123456789AB"},
                {"fingerprint": "0123456789ab\n"},
                {"fingerprint": None},
                {"event": ["record_failed"]},
            )
        ),
    ],
    ids=lambda line: line[:12],
)
def test_a_malformed_line_is_no_failure(line: str) -> None:
    """Anything can stand in a log, and none of it makes a listing fall over."""
    assert parse_failure_line(line) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"receive_count": "3"},
        {"receive_count": -1},
        {"receive_count": 10**400},
        {"error": None},
        {"request_id": ""},
        {"request_id": {}},
        {"schema": 2, "colour": "blue"},
    ],
    ids=str,
)
def test_a_line_with_less_or_more_than_needed_is_still_a_failure(changes: dict[str, Any]) -> None:
    """Only what carries the meaning has to be right; keys are only ever added."""
    reason = failures({"events": [event(**changes)]})["m-1"]
    assert reason.type == "ValueError"
    assert reason.request_id in {"r-1", None}


def test_endless_texts_are_cut() -> None:
    """A listing stays a listing."""
    reason = failures({"events": [event(error="x" * 100_000, error_type="y" * 100_000)]})["m-1"]
    assert (len(reason.message), len(reason.type)) == (1_024, 256)


def test_the_consumers_own_line_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """What consumer/failures.py writes is what this door understands."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "consumer"))
    describe: Callable[..., Any] = importlib.import_module("failures").describe
    record = {"messageId": "m-1", "body": "SECRET", "attributes": {"ApproximateReceiveCount": "2"}}
    failure = describe(record, ValueError("no total"), request_id="r-1", permanent=False)
    line = parse_failure_line(json.dumps(failure.line()))
    assert line is not None
    assert (line.message_id, line.error_type, line.receive_count) == ("m-1", "ValueError", 2)
    assert line.fingerprint == failure.fingerprint


MESSAGES = [
    Message(message_id="m-1", body="b", sent_at_ms=500_000),
    Message(message_id="m-2", body="b", sent_at_ms=9**9),
]


def test_the_log_is_read_from_the_earliest_send_until_now() -> None:
    """With a minute on both sides, because clocks differ."""
    asked = Asked({"events": [event()]})
    assert set(reasons_for(MESSAGES, logs=Logs(asked), log_group=GROUP, now_ms=10**9).found) == {"m-1"}
    assert (asked.requests[0]["startTime"], asked.requests[0]["endTime"]) == (440_000, 10**9 + 60_000)


def test_a_log_that_cannot_be_read_is_a_note_and_no_error() -> None:
    """The listing goes on without reasons, and says why once."""

    def ask(_service: str, _operation: str, _request: dict[str, Any]) -> dict[str, Any]:
        raise AccessError("`FilterLogEvents` was denied: no")

    reasons = reasons_for(MESSAGES, logs=Logs(ask), log_group=GROUP, now_ms=0)
    assert reasons.found == {}
    assert reasons.notes == (
        f"the reasons could not be read from the log group `{GROUP}`: `FilterLogEvents` was denied: no",
    )


def test_a_log_read_in_part_is_a_note() -> None:
    """A missing reason is a finding only when the whole log was read."""

    def ask(_service: str, _operation: str, request: dict[str, Any]) -> dict[str, Any]:
        return {"nextToken": request.get("nextToken", "") + "x"}

    note = reasons_for(MESSAGES, logs=Logs(ask), log_group=GROUP, now_ms=0).notes[0]
    assert note is not None
    assert "only the first part" in note


def test_without_a_log_group_there_is_a_note() -> None:
    """Nobody wonders why the column is empty."""
    assert reasons_for(MESSAGES, logs=None, log_group=None, now_ms=0).notes


def test_without_messages_nothing_is_asked() -> None:
    """An empty queue costs no call."""
    assert reasons_for([], logs=Logs(Asked()), log_group=GROUP, now_ms=0) == Reasons()


@pytest.fixture
def session() -> Iterator[Session]:
    """Give a session whose AWS is moto, inside this process."""
    with mock_aws():
        yield Session(Connection(region="eu-west-1", access_key_id="testing", secret_access_key="testing"))


def test_reasons_are_found_in_a_log_group(session: Session) -> None:
    """Through boto3, from events as CloudWatch Logs keeps them."""
    now_ms = int(time.time() * 1_000)  # CloudWatch Logs takes no events that are old
    client = boto3.client("logs", "eu-west-1", aws_access_key_id="testing", aws_secret_access_key="testing")
    client.create_log_group(logGroupName=GROUP)
    client.create_log_stream(logGroupName=GROUP, logStreamName="s")
    client.put_log_events(
        logGroupName=GROUP,
        logStreamName="s",
        logEvents=[{"timestamp": now_ms, "message": each} for each in ("START", json.dumps(LINE))],
    )
    answer = Logs(session.ask).failures(GROUP, since_ms=0, until_ms=now_ms + 1_000, message_ids=["m-1"])
    assert answer.reasons["m-1"].at_ms == now_ms
    assert answer.complete


def test_a_log_group_that_does_not_exist_is_named(session: Session) -> None:
    """It may be the wrong stack."""
    with pytest.raises(NotFoundError, match=GROUP) as error:
        Logs(session.ask).failures(GROUP, since_ms=0, until_ms=5_000, message_ids=["m-1"])
    assert error.value.code == "log_group_not_found"


def test_other_errors_stay_what_they_are() -> None:
    """A throttled look-up is told apart from a missing log group."""

    def ask(_service: str, _operation: str, _request: dict[str, Any]) -> dict[str, Any]:
        raise ServiceError("`FilterLogEvents` was throttled", code="throttled")

    with pytest.raises(ServiceError, match="throttled"):
        Logs(ask).failures(GROUP, since_ms=0, until_ms=5_000, message_ids=["m-1"])
