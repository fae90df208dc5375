from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from opstool.fake import (
    EntryFault,
    FailCalls,
    FakeSqs,
    Faults,
    no_answer,
    no_connection,
    server_error,
    throttled,
)
from opstool.words.errors import OpstoolError, ServiceError


@pytest.fixture
def sqs() -> FakeSqs:
    """Give a service with one queue."""
    sqs = FakeSqs()
    sqs("CreateQueue", {"QueueName": "q"})
    return sqs


URL = "https://sqs.us-east-1.amazonaws.com/123456789012/q"


def _depth(sqs: FakeSqs) -> int:
    sqs.faults = Faults()
    values = sqs("GetQueueAttributes", {"QueueUrl": URL, "AttributeNames": ["All"]})["Attributes"]
    return int(values["ApproximateNumberOfMessages"])


def _send(sqs: FakeSqs) -> dict[str, Any]:
    return sqs("SendMessage", {"QueueUrl": URL, "MessageBody": "x"})


def test_a_fault_before_leaves_the_request_undone(sqs: FakeSqs) -> None:
    """A throttled send has sent nothing."""
    sqs.faults = FailCalls("SendMessage", throttled("SendMessage"))
    with pytest.raises(ServiceError) as caught:
        _send(sqs)
    assert (caught.value.code, caught.value.retryable, caught.value.outcome_unknown) == ("throttled", True, False)
    assert _depth(sqs) == 0


def test_a_fault_after_loses_the_answer_of_what_was_done(sqs: FakeSqs) -> None:
    """The message is there, and the sender cannot know."""
    sqs.faults = FailCalls("SendMessage", no_answer("SendMessage"), phase="after")
    with pytest.raises(ServiceError) as caught:
        _send(sqs)
    assert caught.value.outcome_unknown
    assert _depth(sqs) == 1


def test_only_the_named_calls_fail(sqs: FakeSqs) -> None:
    """Counted from 1, and only those of the operation."""
    sqs.faults = FailCalls("SendMessage", no_connection("SendMessage"), calls={2})
    _send(sqs)
    sqs("GetQueueUrl", {"QueueName": "q"})
    with pytest.raises(OpstoolError):
        _send(sqs)
    _send(sqs)
    assert _depth(sqs) == 2


def test_an_entry_can_fail_while_the_others_go_through(sqs: FakeSqs) -> None:
    """Failed holds what the fault said, and nothing of that entry is stored."""

    class SecondFails(Faults):
        def entry(self, operation: str, entry: Mapping[str, Any]) -> EntryFault | None:
            return EntryFault(code="InternalError") if entry["Id"] == "1" else None

    sqs.faults = SecondFails()
    entries = [{"Id": str(number), "MessageBody": "x"} for number in range(3)]
    response = sqs("SendMessageBatch", {"QueueUrl": URL, "Entries": entries})
    assert [each["Id"] for each in response["Successful"]] == ["0", "2"]
    assert response["Failed"] == [
        {"Id": "1", "SenderFault": False, "Code": "InternalError", "Message": "the service failed"}
    ]
    assert _depth(sqs) == 2


def test_a_fault_may_give_another_answer(sqs: FakeSqs) -> None:
    """An answer can be garbled after the request was carried out."""

    class WrongMd5(Faults):
        def after(self, operation: str, request: Mapping[str, Any], response: dict[str, Any]) -> dict[str, Any]:
            return {**response, "MD5OfMessageBody": "0" * 32}

    sqs.faults = WrongMd5()
    assert _send(sqs)["MD5OfMessageBody"] == "0" * 32
    assert _depth(sqs) == 1


def test_a_fault_may_speak_to_the_service_itself(sqs: FakeSqs) -> None:
    """No lock is held while it is asked: a rival can receive in the middle of another's request."""

    class Rival(Faults):
        def before(self, operation: str, request: Mapping[str, Any]) -> None:
            sqs.faults = Faults()
            _send(sqs)

    sqs.faults = Rival()
    _send(sqs)
    assert _depth(sqs) == 2


def test_a_500_leaves_the_outcome_open() -> None:
    """As the real transport says it."""
    error = server_error("SendMessageBatch")
    assert isinstance(error, ServiceError)
    assert (error.outcome_unknown, error.retryable) == (True, True)


def test_an_unknown_parameter_is_the_callers_bug(sqs: FakeSqs) -> None:
    """A misspelt member is found before anything is done."""
    with pytest.raises(ValueError, match="VisibilityTimeoutSeconds"):
        sqs("ReceiveMessage", {"QueueUrl": URL, "VisibilityTimeoutSeconds": 3})
    with pytest.raises(ValueError, match="MessageBody"):
        sqs("SendMessage", {"QueueUrl": URL})


def test_requests_are_counted_by_operation(sqs: FakeSqs) -> None:
    """So that a test can hold a price."""
    _send(sqs)
    _send(sqs)
    assert (sqs.requests["SendMessage"], sqs.requests["CreateQueue"]) == (2, 1)
