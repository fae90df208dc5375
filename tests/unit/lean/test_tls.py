"""The lane over TLS: whom it trusts is what botocore would trust."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import pytest

from opstool.doors import lanes
from opstool.words.errors import ServiceError
from tests.lanes import DEFAULT, LANES, check_taken
from tests.unit.lean.server import DELETE, RECEIVE, SEND, Server, answer, session_at
from tests.unit.lean.tunnel import Proxy


def test_the_users_bundle_is_trusted(served: tuple[Path, ssl.SSLContext], monkeypatch: pytest.MonkeyPatch) -> None:
    """And a connection is kept, whatever the server says within TLS after an answer; a closed one is replaced."""
    monkeypatch.setenv("AWS_CA_BUNDLE", str(served[0]))
    with Server(answer(), served[1]) as server:
        session = session_at(server.url)
        for _ in range(3):
            session.sqs_call(*RECEIVE)
        assert (session.lane, server.connections) == ("lean lane", 1)
        server.hang_up()
        session.sqs_call(*SEND)
        assert (server.connections, len(server.requests)) == (2, 4)


@pytest.fixture(params=LANES)
def lane(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Take each lane in turn."""
    if request.param != DEFAULT:
        monkeypatch.setenv("OPSTOOL_SDK", request.param)
    return str(request.param)


def _error(url: str, lane: str, asked: tuple[str, dict[str, Any]] = SEND) -> ServiceError:
    session = session_at(url)
    with pytest.raises(ServiceError) as caught:
        session.sqs_call(*asked)
    check_taken(lane, session)
    return caught.value


@pytest.mark.parametrize("asked", [SEND, RECEIVE, DELETE], ids=lambda asked: asked[0])
def test_a_stranger_is_not_trusted(
    served: tuple[Path, ssl.SSLContext], lane: str, asked: tuple[str, dict[str, Any]]
) -> None:
    """Nothing is sent, and to ask again would not help; the error says why, and what would."""
    with Server(answer(), served[1]) as server:
        error = _error(server.url, lane, asked)
        assert server.requests == []
    assert (error.code, error.retryable, error.outcome_unknown) == ("no_connection", False, False)
    assert "self-signed certificate" in error.message
    assert "AWS_CA_BUNDLE" in str(error.hint)


def test_a_certificate_of_another_host_is_not_trusted(
    served: tuple[Path, ssl.SSLContext], lane: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever has signed it: no bundle would help."""
    monkeypatch.setenv("AWS_CA_BUNDLE", str(served[0]))
    with Server(answer(), served[1]) as server:
        error = _error(server.url.replace("127.0.0.1", "127.1"), lane)  # the same address, by another name
        assert server.requests == []
    assert (error.code, error.retryable, error.outcome_unknown, error.hint) == ("no_connection", False, False, None)


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n"], ids=["hangs up", "speaks no TLS"])
def test_a_handshake_that_comes_to_nothing_is_no_connection(said: bytes, lane: str) -> None:
    """Nothing was sent, and it may pass."""
    with Proxy(said) as server:  # it reads what comes first as it would a request for a tunnel
        error = _error(server.url.replace("http:", "https:"), lane)
    assert (error.code, error.retryable, error.outcome_unknown) == ("no_connection", True, False)


def test_an_answer_that_is_lost_within_tls_is_no_answer(
    served: tuple[Path, ssl.SSLContext], lane: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a new connection and on a kept one."""
    monkeypatch.setenv("AWS_CA_BUNDLE", str(served[0]))
    with Server(lambda number: None if number != 1 else answer(), served[1]) as server:
        session = session_at(server.url)
        for number, is_lost in enumerate((True, False, True), 1):
            if is_lost:
                with pytest.raises(ServiceError) as caught:
                    session.sqs_call(*SEND)
                assert (caught.value.code, caught.value.outcome_unknown) == ("no_answer", True)
            else:
                session.sqs_call(*SEND)
            assert len(server.requests) == number
        check_taken(lane, session)


def test_the_hosts_name_is_checked_and_old_versions_are_refused() -> None:
    """Urllib3 checks the name itself, so botocore's context does not."""
    context = lanes._context(True)
    assert (context.check_hostname, context.verify_mode) == (True, ssl.CERT_REQUIRED)
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2
