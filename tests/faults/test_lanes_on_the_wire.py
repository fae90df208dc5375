"""What comes over the wire and is no good answer: each lane says the same error, and asks as often as it may.

Batches of sends, and receives, are asked once, whatever happens: a second might send twice, or hide messages. What may
be repeated is, until it is done. What the lanes make of every shape of answer is in tests/unit/lean/test_both_lanes.py.
"""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from opstool.words.errors import OpstoolError
from tests.faults.line import session_at
from tests.lanes import BOTO3, LANES, check_taken, over
from tests.unit.lean.server import DELETE, RECEIVE, SEND, Server, answer, read_request, refusal

TIMEOUT_S = 0.4
RESET = struct.pack("ii", 1, 0)
"""SO_LINGER of no time: closing sends a reset instead of a FIN."""
ONCE: dict[str, tuple[str, dict[str, Any]]] = {SEND[0]: SEND, RECEIVE[0]: RECEIVE}
CUT = answer(200, b'{"Successful": [], "Messages": [], "Failed": []}', "Connection: close")[:-9]

FAILING: dict[str, tuple[bytes | None, tuple[str, bool]]] = {
    "cut before any answer": (None, ("no_answer", True)),
    "cut in the head": (b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Ty", ("no_answer", True)),
    "cut in the body": (CUT, ("no_answer", True)),
    "503 that asks to wait": (refusal("ServiceUnavailable", "Retry-After: 30", status=503), ("aws_error", True)),
    "500": (refusal("InternalFailure", status=500), ("aws_error", True)),
    "429 of a proxy": (answer(429, b"slow down", "Retry-After: 30"), ("throttled", False)),
    "throttled, in JSON": (refusal("RequestThrottled", status=403), ("throttled", False)),
    "throttled, in JSON with a name": (refusal("ThrottlingException"), ("throttled", False)),
    "throttled, with the legacy code beside it": (
        refusal("RequestThrottled", "x-amzn-query-error: RequestThrottled;Sender", status=403),
        ("throttled", False),
    ),
    "throttled, in the header alone": (
        answer(403, b'{"__type": ""}', "x-amzn-query-error: RequestThrottled;Sender"),
        ("throttled", False),
    ),
    "over the limit": (refusal("OverLimit", status=403), ("over_limit", False)),
    "garbled": (answer(200, b'{"Messages": [}'), ("no_answer", True)),
    "somebody else's page": (answer(200, b"<html>sign in</html>"), ("no_answer", True)),
    "no HTTP": (b"SSH-2.0-OpenSSH_9.6 Connection: close\r\n\r\n", ("no_answer", True)),
}
GOOD: dict[str, bytes] = {
    "HTTP/1.0": b'HTTP/1.0 200 OK\r\nConnection: close\r\n\r\n{"Failed": []}',
    "HTTP/1.0 with a length": b"HTTP/1.0 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}",
    "in chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1\r\n}\r\n0\r\n\r\n",
    "after a 100": b"HTTP/1.1 100 Continue\r\n\r\n" + answer(),
}


@pytest.fixture(params=LANES)
def lane(request: pytest.FixtureRequest) -> Iterator[str]:
    """Give each lane in turn, and hold every session to it."""
    with over(request.param):
        yield request.param


@pytest.mark.parametrize("operation", ONCE)
@pytest.mark.parametrize(("said", "expected"), FAILING.values(), ids=FAILING)
def test_what_is_asked_once_fails_in_the_same_words(
    said: bytes | None, expected: tuple[str, bool], operation: str, lane: str
) -> None:
    """The code, and whether it may have been done; no wait is worth a second one."""
    with Server(lambda _: said) as server:
        error = _error(server.url, lane, operation)
        assert (error.code, getattr(error, "outcome_unknown", False)) == expected
        assert len(server.requests) == 1


@pytest.mark.parametrize("asked", [SEND, RECEIVE, DELETE], ids=lambda asked: asked[0])
@pytest.mark.parametrize("said", GOOD.values(), ids=GOOD)
def test_every_form_of_a_good_answer_is_understood(said: bytes, asked: tuple[str, dict[str, Any]], lane: str) -> None:
    """Twice over, on a connection that may be kept and on one that may not."""
    with Server(lambda _: said) as server:
        session = session_at(server.url, lane=lane)
        for _ in range(2):
            session.sqs_call(*asked)
        assert len(server.requests) == 2


@pytest.mark.parametrize("asked", [SEND, RECEIVE, DELETE], ids=lambda asked: asked[0])
def test_a_connection_that_was_closed_while_idle_is_nobodys_error(asked: tuple[str, dict[str, Any]], lane: str) -> None:
    """The next request takes another connection, and is asked once."""
    with Server(answer()) as server:
        session = session_at(server.url, lane=lane)
        for times in range(1, 4):
            session.sqs_call(*asked)
            assert (len(server.requests), server.connections) == (times, times)
            server.hang_up()


@pytest.mark.parametrize("operation", ONCE)
def test_a_reset_after_the_request_is_no_answer(operation: str, lane: str) -> None:
    """The server has read it, and may have acted."""
    with _resetting() as (url, seen):
        error = _error(url, lane, operation)
    assert (error.code, getattr(error, "outcome_unknown", False)) == ("no_answer", True)
    assert len(seen) == 1


@pytest.mark.parametrize("operation", ONCE)
def test_a_slow_answer_is_no_answer(operation: str, lane: str) -> None:
    """It is given up after the time-out, and not asked for again; what comes late is not the next request's answer."""
    release = threading.Event()

    def slowly(number: int) -> bytes:
        if number == 0:
            release.wait(20)
        return answer(200, b'{"Failed": [%d]}' % number) if number == 0 else answer()

    with Server(slowly) as server:
        session = session_at(server.url, lane=lane, timeout_s=TIMEOUT_S)
        with pytest.raises(OpstoolError) as caught:
            session.sqs_call(*ONCE[operation])
        release.set()
        assert (caught.value.code, getattr(caught.value, "outcome_unknown", False)) == ("no_answer", True)
        check_taken(lane, session)
        assert "Failed" not in session.sqs_call(*ONCE[operation])
        assert len(server.requests) == 2


@pytest.mark.parametrize("first", ["500", "throttled, in JSON", "cut before any answer", "503 that asks for no wait"])
def test_a_delete_is_asked_until_it_is_done(first: str, lane: str) -> None:
    """To delete twice is to delete."""
    bad = refusal("ServiceUnavailable", "Retry-After: 0", status=503) if "no wait" in first else FAILING[first][0]
    with Server(lambda number: answer() if number else bad) as server:
        session_at(server.url, lane=lane).sqs_call(*DELETE)
        assert len(server.requests) == 2


@pytest.mark.parametrize("asked", [SEND, RECEIVE, DELETE], ids=lambda asked: asked[0])
@pytest.mark.parametrize("skew", [timedelta(hours=1), timedelta(hours=-1)], ids=["late", "early"])
def test_a_clock_that_is_wrong_is_made_up_for(skew: timedelta, asked: tuple[str, dict[str, Any]], lane: str) -> None:
    """What is refused for its time has done nothing: the lean lane signs it by the server's clock, and asks again.

    boto3 in its legacy mode says so, once, and leaves the clock to its owner.
    """
    theirs = format_datetime(datetime.now(UTC) + skew, usegmt=True)
    refused = refusal("RequestTimeTooSkewed", f"Date: {theirs}", status=403)
    with Server(lambda number: answer() if number else refused) as server:
        session = session_at(server.url, lane=lane)
        if lane == BOTO3:
            with pytest.raises(OpstoolError, match="RequestTimeTooSkewed"):
                session.sqs_call(*asked)
            assert len(server.requests) == 1
            return
        session.sqs_call(*asked)
        session.sqs_call(*asked)
        assert len(server.requests) == 3
        for each in server.requests[1:]:
            assert abs(_signed_at(each) - datetime.now(UTC) - skew) < timedelta(minutes=1)


def _error(url: str, lane: str, operation: str) -> OpstoolError:
    session = session_at(url, lane=lane, timeout_s=5.0)
    began = time.monotonic()
    with pytest.raises(OpstoolError) as caught:
        session.sqs_call(*ONCE[operation])
    assert time.monotonic() - began < 5, "it has waited for something"
    check_taken(lane, session)
    return caught.value


def _signed_at(request: bytes) -> datetime:
    [said] = [line for line in request.decode().split("\r\n") if line.lower().startswith("x-amz-date")]
    return datetime.strptime(said.split(":")[1].strip(), "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)


@contextmanager
def _resetting() -> Iterator[tuple[str, list[bytes]]]:
    """Serve what reads each request whole and resets the connection."""
    seen: list[bytes] = []

    def serve() -> None:
        while True:
            connection, _ = listener.accept()
            with connection:
                request = read_request(connection)
                if not request:
                    return
                seen.append(request)
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}", seen
        finally:
            with socket.create_connection(listener.getsockname()):
                pass
            thread.join()
