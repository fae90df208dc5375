"""The heart of it: whatever a server says, both lanes make the same of it."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from typing import Any

import pytest

from opstool.doors.session import Session
from opstool.words.errors import OpstoolError
from tests.unit.lean.server import DELETE, RECEIVE, SEND, Server, answer, refusal, session_at

CODES = (
    "AccessDenied",
    "AccessDeniedException",
    "KmsAccessDenied",
    "ExpiredToken",
    "InvalidClientTokenId",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
    "QueueDoesNotExist",
    "RequestThrottled",
    "ThrottlingException",
    "KmsThrottled",
    "OverLimit",
    "BatchRequestTooLong",
    "InvalidParameterValueException",
    "InvalidMessageContents",
    "ReceiptHandleIsInvalid",
    "UnknownOperationException",
    "InvalidAddress",
    "SomethingNew",
)
PAGE = b"<html><body>please sign in</body></html>"
MESSAGE = {
    "MessageId": "m",
    "Body": "\u00e4\ud83d\ude00 null",
    "Attributes": {"SentTimestamp": "1"},
    "MessageAttributes": {
        "b": {"DataType": "Binary", "BinaryValue": "AP8="},
        "s": {"DataType": "String", "StringValue": "x"},
        "n": {"DataType": "Number", "StringValue": "1", "StringListValues": []},
    },
}


def _json(value: Any) -> bytes:
    return answer(200, json.dumps(value).encode())


SAID: dict[str, bytes | None] = {
    **{f"refused {code}": refusal(code, status=403 if "Denied" in code else 400) for code in CODES},
    **{
        f"refused {code} by its legacy code": refusal(code, f"x-amzn-query-error: {legacy};Sender")
        for code, legacy in (
            ("QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue"),
            ("KmsAccessDenied", "KMS.AccessDeniedException"),
            ("", "InvalidAddress"),
            ("OverLimit", ""),
        )
    },
    **{f"{status} with JSON": answer(status, b'{"message": "no"}') for status in (301, 400, 403, 404, 429, 500, 503)},
    **{f"{status} with nothing": answer(status, b"") for status in (400, 403, 404, 429, 500, 501, 502, 503, 504)},
    **{f"{status} with a page": answer(status, PAGE) for status in (302, 400, 403, 404, 500, 501, 502)},
    **{
        f"503 that asks for a pause: {said}": answer(503, b"{}", said)
        for said in (
            "Retry-After: 7",
            "x-amz-retry-after: 1500",
            "Retry-After: 90",
            "Retry-After: Fri, 01 Jan 2100 00:00:00 GMT",
            "Retry-After: Thu, 01 Jan 2015 00:00:00 GMT",
            "Retry-After: soon",
            "Retry-After: -5",
        )
    },
    "501 as some servers say it": refusal("InternalFailure", status=501),
    "a list as a refusal": answer(400, b"[1]"),
    "a null as a refusal": answer(400, b"null"),
    "a code that is a number": answer(400, b'{"__type": 5}'),
    "a code that is null": answer(400, b'{"__type": null, "message": null}'),
    "a code with its address": answer(400, b'{"__type": "OverLimit:http://x", "Message": "no"}'),
    "a refusal that is no text": answer(400, b'{"message": "\xff"}'),
    "hangs up": None,
    "half a head": b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Le",
    "cut": answer(200, b'{"Messages": [{"Id"', "Connection: close").replace(b"Length: 19", b"Length: 90"),
    "cut where it looks whole": answer(200, b'{"A": [{}', "Connection: close").replace(b"Length: 9", b"Length: 90"),
    "no JSON": answer(200, b'{"Messages": [}'),
    "a page": answer(200, PAGE),
    "a list": answer(200, b"[1]"),
    "empty": answer(200, b""),
    "empty, and not SQS": answer(200, b"").replace(b"application/x-amz-json-1.0", b"text/html"),
    "no text": answer(200, b'{"Messages": [{"Body": "\xff"}]}'),
    "no base64": _json(
        {"Messages": [{"MessageAttributes": {"b": {"DataType": "Binary", "BinaryValue": "a"}}}], "Failed": 1}
    ),
    "other types": _json({"Messages": 1, "Successful": 1}),
    "messages that are texts": _json({"Messages": ["m"], "Successful": ["m"]}),
    "attributes that are a list": _json({"Messages": [{"Attributes": [1]}], "Successful": 1}),
    "message attributes that are a list": _json({"Messages": [{"MessageAttributes": [1]}], "Successful": 1}),
    "an attribute that is a text": _json({"Messages": [{"MessageAttributes": {"a": "BinaryValue"}}], "Failed": 2}),
    "nothing": _json({}),
    "nulls": _json({"Messages": None, "Successful": None, "Failed": None}),
    "nulls within": _json({"Messages": [{"MessageId": None, "Attributes": None}], "Failed": [{"Id": None}]}),
    "a message": _json({"Messages": [MESSAGE], "Successful": [{"Id": "0", "MessageId": "m"}], "Failed": []}),
    "a confirmation": _json({"Successful": [{"Id": "0"}], "Failed": [{"Id": "1", "Code": "x", "SenderFault": True}]}),
    "chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "to the end": b'HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{"Failed": []}',
    "1.0": b'HTTP/1.0 200 OK\r\nConnection: close\r\n\r\n{"Successful": []}',
    "201": answer(201, b"{}"),
    "packed": answer(200, gzip.compress(b"{}"), "Content-Encoding: gzip"),
    "more than its length": answer(200, b"{}", "Connection: close") + b"{}",
    "chunked and a length": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n"
    b"Content-Length: 9\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
}
TOLD = ("code", "outcome_unknown", "retryable", "hint", "wait_s")
ASKED = {"SendMessageBatch": SEND, "ReceiveMessage": RECEIVE}
MEMBERS = {
    "SendMessageBatch": ("Successful", "Failed"),
    "DeleteMessageBatch": ("Successful", "Failed"),
    "ReceiveMessage": ("Messages",),
}
"""What each says; boto3 drops what it does not know, and the lane lets it pass."""


class Both:
    """A session on each lane, and the server that both of them ask."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.lean = session_at(server.url)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("OPSTOOL_SDK", "boto3")
            self.boto3 = session_at(server.url)

    def made_of(self, said: bytes | None, asked: tuple[str, dict[str, Any]]) -> list[tuple[Any, ...]]:
        """Return what each makes of an answer: the result, or all that an error says to a program."""
        self.server.says(said)
        return [self._made_of(session, asked) for session in (self.lean, self.boto3)]

    def _made_of(self, session: Session, asked: tuple[str, dict[str, Any]]) -> tuple[Any, ...]:
        before = len(self.server.requests)
        try:
            result = session.sqs_call(*asked)
        except OpstoolError as error:
            told = [getattr(error, name, None) for name in TOLD]
            return type(error).__name__, *told, len(self.server.requests) - before
        known = {name: result[name] for name in MEMBERS[asked[0]] if name in result}
        return (json.dumps(known, default=repr, sort_keys=True),)


@pytest.fixture(scope="module")
def both() -> Iterator[Both]:
    """Open both lanes once: a client of boto3's takes longer than all that is asked of it here."""
    with Server(b"") as server:
        yield Both(server)


@pytest.mark.parametrize("asked", ASKED.values(), ids=ASKED)
@pytest.mark.parametrize("said", SAID.values(), ids=SAID)
def test_both_lanes_make_the_same_of_it(said: bytes | None, asked: tuple[str, dict[str, Any]], both: Both) -> None:
    """The class of the error, its code, what it promises, its hint, and how often the server was asked."""
    ours, theirs = both.made_of(said, asked)
    assert (both.lean.lane, both.boto3.lane) == ("lean lane", "boto3 (OPSTOOL_SDK says so)")
    assert ours == theirs


@pytest.mark.parametrize(
    ("said", "wait_s"),
    [("Retry-After: 7", 7.0), ("x-amz-retry-after: 1500", 1.5), ("Retry-After: 90", 20.0), ("Retry-After: soon", 0.0)],
)
def test_how_long_the_service_wants_to_be_left_alone_is_told(said: str, wait_s: float, both: Both) -> None:
    """Twenty seconds at most: whoever retries, a send as well, waits for so long."""
    for told in both.made_of(answer(503, b"{}", said), SEND):
        assert told[1 + TOLD.index("wait_s")] == pytest.approx(wait_s)


@pytest.mark.parametrize(
    "name", ["refused AccessDenied", "refused OverLimit", "400 with a page", "nothing", "a confirmation"]
)
def test_so_they_do_for_a_delete(name: str, both: Both) -> None:
    """What is worth no second attempt."""
    ours, theirs = both.made_of(SAID[name], DELETE)
    assert ours == theirs


def test_a_parameter_that_json_cannot_say_is_refused_by_boto3() -> None:
    """In its words, and nothing is sent."""
    with Server(answer()) as server:
        session = session_at(server.url)
        session.sqs_call(*SEND)
        entries = [{"Id": "0", "MessageBody": b"secret"}]
        with pytest.raises(OpstoolError) as caught:
            session.sqs_call("SendMessageBatch", {"QueueUrl": "q", "Entries": entries})
        assert caught.value.code == "invalid_setting"
        assert "secret" not in str(caught.value)
        assert len(server.requests) == 1


@pytest.mark.parametrize("mode", ["legacy", "standard"])
@pytest.mark.parametrize("most", ["", "1", "2"], ids=["as often as it is", "once", "twice"])
def test_a_delete_is_asked_as_often_as_botocore_would(mode: str, most: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the mode and the number that the user has set."""
    monkeypatch.setenv("AWS_RETRY_MODE", mode)
    if most:
        monkeypatch.setenv("AWS_MAX_ATTEMPTS", most)
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda _: None)
    monkeypatch.setattr("opstool.doors.clock.SystemClock.sleep", lambda *_: None)
    with Server(answer(500)) as server:
        ours, theirs = Both(server).made_of(answer(500), DELETE)
    assert ours == theirs
    assert ours[-1] == int(most or {"legacy": 5, "standard": 3}[mode])
