"""TLS through a proxy's tunnel: over both lanes, nothing is sent until SQS itself is there, and errors say the same."""

from __future__ import annotations

import json
import socket
import ssl
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from opstool.doors.session import Session
from opstool.words.errors import OpstoolError, ServiceError
from tests.lanes import BOTO3, DEFAULT, LANES, check_taken
from tests.unit.lean.server import RECEIVE, SEND, Server, answer, session_at
from tests.unit.lean.tunnel import OPENED, Proxy, Says

NOWHERE = "https://127.0.0.1:1"
"""Where no proxy here leads."""
Made = Callable[..., Session]


@pytest.fixture(params=LANES)
def lane(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Take each lane in turn; NO_PROXY names nobody, for the endpoint is as near as the proxy."""
    monkeypatch.setenv("NO_PROXY", "")
    if request.param != DEFAULT:
        monkeypatch.setenv("OPSTOOL_SDK", request.param)
    return str(request.param)


@pytest.fixture
def behind(monkeypatch: pytest.MonkeyPatch, served: tuple[Path, ssl.SSLContext]) -> Made:
    """Return what makes a session behind a proxy, which trusts the server's certificate."""
    monkeypatch.setenv("AWS_CA_BUNDLE", str(served[0]))

    def make(proxy: Proxy, url: str = NOWHERE, *, timeout_s: float = 2.0) -> Session:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        return session_at(url, timeout_s=timeout_s)

    return make


def _error(session: Session, lane: str) -> ServiceError:
    with pytest.raises(OpstoolError) as caught:
        session.sqs_call(*SEND)
    check_taken(lane, session)
    assert isinstance(caught.value, ServiceError)
    assert "secret" not in f"{caught.value} {caught.value.hint}"
    return caught.value


def test_a_tunnel_leads_to_the_server(served: tuple[Path, ssl.SSLContext], behind: Made, lane: str) -> None:
    """Asked for once, and kept; the proxy learns the address, and nothing of what is said in it."""
    with Server(answer(200, b'{"Messages": []}'), served[1]) as server, Proxy(to=server.url) as proxy:
        session = behind(proxy, server.url)
        for _ in range(3):
            assert session.sqs_call(*RECEIVE)["Messages"] == []
        check_taken(lane, session)
        assert len(server.requests) == 3
        assert b"POST / HTTP/1.1\r\n" in server.requests[0]
        [asked] = proxy.asked
    address = server.url.removeprefix("https://").encode()
    assert asked.startswith(b"CONNECT %s HTTP/1." % address)
    assert b"authorization" not in asked.lower()


def test_a_tunnel_that_was_closed_while_idle_is_opened_anew(
    served: tuple[Path, ssl.SSLContext], behind: Made, lane: str
) -> None:
    """Before a byte of a send is written."""
    with Server(answer(), served[1]) as server, Proxy(to=server.url) as proxy:
        session = behind(proxy, server.url)
        session.sqs_call(*SEND)
        server.hang_up()
        proxy.await_ends()
        session.sqs_call(*SEND)
        check_taken(lane, session)
        assert (len(server.requests), len(proxy.asked)) == (2, 2)


SAID: dict[str, tuple[bytes, str]] = {
    "403": (b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno", "403"),
    "407": (b'HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm="x"\r\n\r\n', "407"),
    "502": (b"HTTP/1.0 502 Bad Gateway\r\n\r\n", "502"),
    "hangs up": (b"", "hung up"),
    "hangs up in its head": (b"HTTP/1.1 200 Connection esta", "hung up"),
    "garbage": (b"SSH-2.0-OpenSSH_9.6 200 OK\r\n\r\n", "does not speak HTTP"),
    "a status that is no number": (b"HTTP/1.1 2OO OK\r\n\r\n", "does not speak HTTP"),
    "hangs up once it is open": (OPENED, ""),
    "no TLS once it is open": (OPENED + b"HTTP/1.1 400 Bad Request\r\n\r\n", ""),
}


@pytest.mark.parametrize(("said", "words"), SAID.values(), ids=SAID)
def test_a_proxy_that_opens_no_tunnel_is_no_connection(said: bytes, words: str, behind: Made, lane: str) -> None:
    """Nothing was sent to SQS, so nothing is uncertain; asked once."""
    with Proxy(said) as proxy:
        error = _error(behind(proxy), lane)
        assert len(proxy.asked) == 1
    assert (error.code, error.retryable, error.outcome_unknown, error.hint) == ("no_connection", True, False, None)
    if lane == DEFAULT:
        assert words in error.message


def _endless(client: socket.socket, over: threading.Event) -> None:
    client.sendall(b"HTTP/1.1 200 OK\r\n")
    while not over.is_set():
        client.sendall(b"A: b\r\n" * 1_000)


def _silent(_: socket.socket, over: threading.Event) -> None:
    over.wait(20)


def _dripping(client: socket.socket, over: threading.Event) -> None:
    """Say a byte now and then, each well within the time-out."""
    client.sendall(b"HTTP/1.1 200 OK\r\nA: ")
    while not over.wait(0.05):
        client.sendall(b"b")


@pytest.mark.parametrize(
    ("says", "words", "timeout_s"),
    [(_endless, "does not come to an end", 10.0), (_silent, "timed out", 0.3), (_dripping, "timed out", 0.3)],
    ids=["endless", "silent", "dripping"],
)
def test_a_proxy_holds_nobody(
    says: Says, words: str, timeout_s: float, behind: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However it goes about it. boto3 would wait for one that drips."""
    monkeypatch.setenv("NO_PROXY", "")
    with Proxy(says) as proxy:
        began = time.monotonic()
        error = _error(behind(proxy, timeout_s=timeout_s), DEFAULT)
        assert time.monotonic() - began < 10
    assert (error.code, error.retryable, error.outcome_unknown) == ("no_connection", True, False)
    assert words in error.message


def test_a_silent_proxy_is_no_connection_over_boto3(behind: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """Botocore calls it a time-out of the answer, but nothing was asked."""
    monkeypatch.setenv("NO_PROXY", "")
    monkeypatch.setenv("OPSTOOL_SDK", BOTO3)
    with Proxy(_silent) as proxy:
        error = _error(behind(proxy, timeout_s=0.3), BOTO3)
    assert (error.code, error.retryable, error.outcome_unknown) == ("no_connection", True, False)


def test_a_closed_port_in_the_proxys_place_is_no_connection(behind: Made, lane: str) -> None:
    """The proxy is down."""
    with Proxy() as proxy:
        pass
    error = _error(behind(proxy), lane)
    assert (error.code, error.retryable, error.outcome_unknown) == ("no_connection", True, False)


def test_a_stranger_behind_a_tunnel_is_not_trusted(
    served: tuple[Path, ssl.SSLContext], behind: Made, lane: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a proxy that reads along is one, until somebody names its certificate."""
    with Server(answer(), served[1]) as server, Proxy(to=server.url) as proxy:
        session = behind(proxy, server.url)
        monkeypatch.delenv("AWS_CA_BUNDLE")
        error = _error(session, lane)
        assert server.requests == []
    assert (error.code, error.retryable, error.outcome_unknown) == ("no_connection", False, False)
    assert "AWS_CA_BUNDLE" in str(error.hint)


def test_an_answer_that_is_lost_in_a_tunnel_is_no_answer(
    served: tuple[Path, ssl.SSLContext], behind: Made, lane: str
) -> None:
    """The server has read the request: that the tunnel was once opened says nothing about it."""
    with Server(lambda _: None, served[1]) as server, Proxy(to=server.url) as proxy:
        error = _error(behind(proxy, server.url), lane)
        assert len(server.requests) == 1
        assert json.loads(server.requests[0].partition(b"\r\n\r\n")[2]) == SEND[1]
    assert (error.code, error.retryable, error.outcome_unknown) == ("no_answer", True, True)


def test_an_answer_that_a_plain_proxy_loses_is_no_answer(monkeypatch: pytest.MonkeyPatch, lane: str) -> None:
    """It has read the request, and may have passed it on: botocore calls both a failure to connect to the proxy."""
    with Server(lambda _: None) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        error = _error(session_at("http://sqs.example.test"), lane)
        assert len(proxy.requests) == 1
    assert (error.code, error.retryable, error.outcome_unknown) == ("no_answer", True, True)


def test_a_closed_port_in_a_plain_proxys_place_is_no_connection(monkeypatch: pytest.MonkeyPatch, lane: str) -> None:
    """Nothing was passed on."""
    with Server(b"") as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
    error = _error(session_at("http://sqs.example.test"), lane)
    assert (error.code, error.retryable, error.outcome_unknown) == ("no_connection", True, False)
