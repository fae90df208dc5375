"""The lane over TLS: whom it trusts is what botocore would trust."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from bench.certificate import make
from opstool.doors import lanes
from opstool.words.errors import OpstoolError
from tests.unit.lean.server import RECEIVE, SEND, Server, answer, session_at


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ssl.SSLContext]:
    """Return a certificate for 127.0.0.1, and what serves it."""
    certificate, key = make(tmp_path_factory.mktemp("tls"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return certificate, context


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


def test_a_stranger_is_not_trusted(served: tuple[Path, ssl.SSLContext]) -> None:
    """Nothing is sent, and the error says why."""
    with Server(answer(), served[1]) as server:
        with pytest.raises(OpstoolError, match="self-signed certificate") as caught:
            session_at(server.url).sqs_call(*SEND)
        assert (caught.value.code, getattr(caught.value, "outcome_unknown", None)) == ("no_connection", False)
        assert server.requests == []


def test_the_hosts_name_is_checked_and_old_versions_are_refused() -> None:
    """Urllib3 checks the name itself, so botocore's context does not."""
    context = lanes._context(True)
    assert (context.check_hostname, context.verify_mode) == (True, ssl.CERT_REQUIRED)
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2
