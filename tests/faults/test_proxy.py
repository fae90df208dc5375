"""The fault proxy itself: what each lane sees through it, and what the server behind it has really done."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import pytest

from opstool.doors.clock import SystemClock
from opstool.fake import FakeSqs, Faults
from opstool.words.errors import ServiceError
from tests.faults.kinds import (
    KINDS,
    CutAfter,
    CutBefore,
    CutInBody,
    DeliveredAgain,
    EmptyReceives,
    Kind,
    Late,
    RefusedEntries,
    RefusedHandles,
    Reordered,
    ServerErrors,
    ServerErrorsAfter,
    StruckError,
    Surroundings,
    Throttling,
    Wire,
)
from tests.faults.line import BODIES, LATE_S, URL, Line, open_line, session_at
from tests.faults.proxy import FaultProxy
from tests.lanes import LANES, over
from tests.servers.fake_endpoint import FakeEndpoint
from tests.servers.server import aws_code

SEND = ("SendMessageBatch", {"QueueUrl": URL, "Entries": [{"Id": str(each), "MessageBody": "x"} for each in range(4)]})
RECEIVE = ("ReceiveMessage", {"QueueUrl": URL, "MaxNumberOfMessages": 10})


@pytest.fixture(params=LANES)
def line(request: pytest.FixtureRequest) -> Iterator[Line]:
    """Open a line to a fake on real time, over each lane in turn."""
    with over(request.param), open_line(FakeSqs(SystemClock()), request.param) as opened:
        yield opened


FAILING = {
    ServerErrors: False,
    Throttling: False,
    CutBefore: False,
    ServerErrorsAfter: True,
    CutInBody: True,
    CutAfter: True,
    Late: True,
}
"""The kinds that fail a whole request, and whether the server has carried it out all the same."""


@pytest.mark.parametrize(("kind", "acts"), FAILING.items(), ids=lambda each: getattr(each, "name", str(each)))
def test_a_fault_is_on_the_wire_what_it_is_in_memory(line: Line, kind: type[Kind], acts: bool) -> None:
    """The same error of ours for a send and a receive, once, and the server has acted or not."""
    for operation, request in (SEND, RECEIVE):
        struck = line.strike(kind)
        on_the_wire = line.error(operation, request, hasty=kind is Late)
        around = Surroundings(seed=1, rate=1.0, fifo=False, ask=line.proxy.ask, sleep=lambda _: None)
        in_memory = FakeSqs(faults=kind(around))
        in_memory("CreateQueue", {"QueueName": "orders"})
        with pytest.raises(StruckError) as expected:
            in_memory(operation, dict(request))
        assert is_like(on_the_wire, expected.value)
        assert struck.strikes == 1  # the time-out of the hasty one is long enough for the server to act
        assert line.proxy.asked[operation] == 1
        assert line.proxy.forwarded[operation] == int(acts)
    line.proxy.faults = Faults()
    assert line.depths() == ((0, 4) if acts else (0, 0))


def is_like(one: ServiceError, other: ServiceError) -> bool:
    """Tell whether two errors mean the same to whoever has to go on."""
    return (one.code, one.outcome_unknown, one.retryable) == (other.code, other.outcome_unknown, other.retryable)


@pytest.mark.parametrize("kind", [CutBefore, CutAfter, ServerErrors])
def test_a_delete_is_repeated_by_the_client_until_it_is_done(line: Line, kind: type[Kind]) -> None:
    """Struck once; to delete twice is to delete. An answer that ends in its middle it leaves to the engine."""
    line.fill()
    handles = [each["ReceiptHandle"] for each in line.call("ReceiveMessage", {"MaxNumberOfMessages": 10})["Messages"]]
    line.proxy.faults = Once(line.strike(kind))
    entries = [{"Id": str(index), "ReceiptHandle": handle} for index, handle in enumerate(handles)]
    answer = line.call("DeleteMessageBatch", {"Entries": entries})
    assert len(answer["Successful"]) == 4
    assert line.proxy.asked["DeleteMessageBatch"] == 2
    assert line.depths() == (0, 0)


class Once(Faults):
    """Let a kind strike the first request only."""

    def __init__(self, kind: Kind) -> None:
        self.kind = kind

    def before(self, operation: str, request: Mapping[str, Any]) -> dict[str, Any] | None:
        """Strike, unless it has."""
        return self.kind.before(operation, request) if not self.kind.strikes else None

    def after(self, operation: str, request: Mapping[str, Any], response: dict[str, Any]) -> dict[str, Any]:
        """Strike, unless it has."""
        return self.kind.after(operation, request, response) if not self.kind.strikes else response


class Refused(Faults):
    """Refuse the entries with these ids."""

    def __init__(self, *ids: str) -> None:
        self.ids = ids

    def entry(self, operation: str, entry: Mapping[str, Any]) -> Any:
        """Refuse, or not."""
        kind = RefusedEntries(Surroundings(seed=1, rate=1.0, fifo=False, ask=no_ask, sleep=no_sleep))
        return kind.entry(operation, entry) if entry["Id"] in self.ids else None


def no_ask(operation: str, request: dict[str, Any]) -> dict[str, Any]:
    """Ask for nothing."""
    raise AssertionError(operation)


def no_sleep(seconds: float) -> None:
    """Wait for nothing."""
    raise AssertionError(seconds)


def test_refused_entries_do_not_reach_the_server(line: Line) -> None:
    """The others do, and the answer names all of them."""
    line.proxy.faults = Refused("1", "3")
    answer = line.call(*SEND)
    assert [each["Id"] for each in answer["Successful"]] == ["0", "2"]
    assert [each["Id"] for each in answer["Failed"]] == ["1", "3"]
    assert {each["Code"] for each in answer["Failed"]} <= {"InternalError", "InvalidParameterValue"}
    assert line.depths() == (2, 0)


def test_a_batch_of_which_every_entry_is_refused_is_not_forwarded(line: Line) -> None:
    """All fail, and the server has never heard of it."""
    line.strike(RefusedEntries)
    answer = line.call(*SEND)
    assert len(answer["Failed"]) == 4
    assert not answer.get("Successful")
    assert (line.proxy.asked["SendMessageBatch"], line.fake.requests["SendMessageBatch"]) == (1, 0)


def test_an_empty_receive_has_asked_nobody(line: Line) -> None:
    """The messages are there."""
    line.fill()
    line.strike(EmptyReceives)
    assert line.call(*RECEIVE) == {}
    assert line.depths() == (4, 0)


def test_what_is_delivered_again_is_visible_at_once(line: Line) -> None:
    """The proxy asks the server for it itself, past every fault."""
    line.fill()
    line.strike(DeliveredAgain)
    assert len(line.call(*RECEIVE)["Messages"]) == 4
    assert line.depths() == (4, 0)
    line.proxy.faults = Faults()
    assert len(line.call(*RECEIVE)["Messages"]) == 4


def test_a_refused_handle_is_none_that_the_server_knows(line: Line) -> None:
    """A delete with it fails, and the message stays."""
    line.fill()
    line.strike(RefusedHandles)
    handle = line.call(*RECEIVE)["Messages"][0]["ReceiptHandle"]
    line.proxy.faults = Faults()
    answer = line.call("DeleteMessageBatch", {"Entries": [{"Id": "0", "ReceiptHandle": handle}]})
    assert answer["Failed"][0]["Code"] == "ReceiptHandleIsInvalid"
    assert line.depths() == (0, 4)


def test_a_reordered_answer_says_the_same(line: Line) -> None:
    """Every message once."""
    line.fill()
    line.strike(Reordered)
    assert sorted(each["Body"] for each in line.call(*RECEIVE)["Messages"]) == list(BODIES)


def test_every_kind_has_its_way_over_the_wire() -> None:
    """A new kind is not left out here unnoticed."""
    others = {RefusedEntries, EmptyReceives, DeliveredAgain, RefusedHandles, Reordered}
    assert {*FAILING, *others} == set(KINDS)


class Answered(Faults):
    """Fail every receive in one way."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire

    def before(self, operation: str, request: Mapping[str, Any]) -> dict[str, Any] | None:
        """Fail."""
        raise StruckError(ServiceError("made to fail"), self.wire)


@pytest.mark.parametrize(
    ("code", "status", "expected"),
    [
        ("RequestThrottled", 403, ("throttled", False)),
        ("ThrottlingException", 400, ("throttled", False)),
        ("InternalFailure", 500, ("aws_error", True)),
        ("ServiceUnavailable", 503, ("aws_error", True)),
        ("OverLimit", 403, ("over_limit", False)),
    ],
)
def test_a_refusal_has_the_shape_that_sqs_gives_it(
    line: Line, code: str, status: int, expected: tuple[str, bool]
) -> None:
    """The client finds the code, opstool the meaning."""
    line.proxy.faults = Answered(Wire(status=status, code=code))
    error = line.error(*RECEIVE)
    assert (error.code, error.outcome_unknown) == expected
    assert aws_code(error) == code
    response = getattr(error.__cause__, "response", None)  # botocore's
    assert response is None or response["ResponseMetadata"]["HTTPStatusCode"] == status


def test_a_delayed_refusal_is_no_answer(line: Line) -> None:
    """The client has stopped waiting by then."""
    line.proxy.faults = Answered(Wire(status=503, code="ServiceUnavailable", delay_s=LATE_S))
    assert line.error(*RECEIVE, hasty=True).code == "no_answer"


def test_a_cut_is_a_reset_or_a_plain_end_by_the_dice(line: Line) -> None:
    """A raw client sees both, and never a byte of an answer."""
    line.strike(CutAfter)
    seen = {what_a_raw_client_sees(line.proxy.url) for _ in range(24)}
    assert seen == {"reset", "end"}


def test_a_cut_in_the_body_comes_after_half_of_it(line: Line) -> None:
    """The head promises more than arrives."""
    line.fill()
    line.strike(CutInBody)
    head, _, body = raw_answer(line.proxy.url).partition(b"\r\n\r\n")
    length = next(int(each.split(b":")[1]) for each in head.split(b"\r\n") if each.startswith(b"Content-Length"))
    assert 0 < len(body) == length // 2


def what_a_raw_client_sees(url: str) -> str:
    """Return how a connection ends after which no byte was answered."""
    try:
        answer = raw_answer(url)
    except ConnectionResetError:
        return "reset"
    assert not answer
    return "end"


def raw_answer(url: str) -> bytes:
    """Return what a receive is answered, until the connection ends; a reset after the first bytes is an end, too."""
    body = json.dumps(RECEIVE[1]).encode()
    address = urlsplit(url)
    head = f"POST / HTTP/1.1\r\nHost: {address.netloc}\r\nX-Amz-Target: AmazonSQS.ReceiveMessage\r\n"
    received = b""
    with socket.create_connection((address.hostname, address.port), timeout=5) as client:
        client.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        try:
            while data := client.recv(65_536):
                received += data
        except ConnectionResetError:
            if not received:
                raise
    return received


def test_faults_can_be_exchanged_while_it_runs(line: Line) -> None:
    """The next request meets the new ones."""
    line.strike(ServerErrors)
    assert line.error(*SEND).code == "aws_error"
    line.strike(Throttling)
    assert line.error(*SEND).code == "throttled"
    line.proxy.faults = Faults()
    assert len(line.call(*SEND)["Successful"]) == 4


class AtAnyAddress(FakeSqs):
    """Takes every queue URL for that of `orders`."""

    def __call__(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        """Carry out one request."""
        return super().__call__(operation, {**request, "QueueUrl": URL} if "QueueUrl" in request else request)


@pytest.mark.parametrize("lane", LANES)
def test_no_request_goes_past_the_proxy(lane: str) -> None:
    """The client sends a queue's URL along, and asks the endpoint that it was given, also when the URL is another's."""
    bystander = FakeSqs()
    elsewhere = FakeEndpoint(bystander)
    try:
        with open_line(AtAnyAddress(SystemClock()), lane) as line:
            queue = {"QueueUrl": f"{elsewhere.url}/123456789012/orders"}
            line.call("SendMessageBatch", {**SEND[1], **queue})
            [*_, message] = line.call("ReceiveMessage", {**queue, "MaxNumberOfMessages": 10})["Messages"]
            entry = {"Id": "0", "ReceiptHandle": message["ReceiptHandle"]}
            line.call("ChangeMessageVisibilityBatch", {**queue, "Entries": [{**entry, "VisibilityTimeout": 9}]})
            line.call("DeleteMessageBatch", {**queue, "Entries": [entry]})
            line.call("GetQueueAttributes", {**queue, "AttributeNames": ["All"]})
            asked = {name: count for name, count in line.fake.requests.items() if name != "CreateQueue"}
            assert asked == line.proxy.asked == line.proxy.forwarded
            assert sum(asked.values()) == 5
    finally:
        elsewhere.close()
    assert not bystander.requests


def test_another_service_passes(line: Line) -> None:
    """It is asked, and its refusal comes back as it is."""
    line.strike(CutBefore)
    with pytest.raises(ServiceError, match="GetCallerIdentity"):
        line.session.identity()
    assert line.proxy.asked["another service"] == 1


def test_closing_leaves_no_thread(line: Line) -> None:
    """Not for a kept connection, nor for an answer that is still late."""
    line.call(*SEND)
    line.strike(Late)
    line.error(*SEND, hasty=True)
    assert any(each.name == "fault-proxy-connection" for each in threading.enumerate())
    began = time.monotonic()
    line.proxy.close()
    assert time.monotonic() - began < LATE_S / 10
    assert not [each for each in threading.enumerate() if each.name.startswith("fault-proxy")]
    assert line.error(*RECEIVE).code == "no_connection"


def test_what_breaks_in_the_proxy_is_told_when_it_is_closed(line: Line) -> None:
    """A fault that is wrong itself is no fault of the wire."""

    class Wrong(Faults):
        def before(self, operation: str, request: Mapping[str, Any]) -> dict[str, Any] | None:
            raise KeyError(operation)

    proxy = FaultProxy(line.endpoint.url, Wrong())
    with pytest.raises(ServiceError):
        session_at(proxy.url, lane=line.lane).sqs_call(*RECEIVE)
    with pytest.raises(KeyError):
        proxy.close()
