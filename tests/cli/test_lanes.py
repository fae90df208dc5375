"""What -v tells of the way that requests take: the lane, and the reason where it is not the lean one."""

from __future__ import annotations

import io
import ssl
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import botocore
import pytest

from bench.certificate import make
from opstool.cli.main import main
from opstool.doors.clock import SystemClock
from opstool.fake import FakeSqs
from tests.lanes import without_mocks
from tests.servers.fake_endpoint import FakeEndpoint
from tests.unit.lean.server import Server, answer
from tests.world import make_queue


class Shell:
    """A terminal's environment, in which an endpoint on this machine has a dead-letter queue with one message."""

    def __init__(self, endpoint: FakeEndpoint, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.where = ("--endpoint-url", endpoint.url, "--region", "us-east-1", "--state-dir", str(folder))
        self._capsys = capsys

    def lanes(self, *options: str) -> list[str]:
        """Return what is said of the lanes by a command that looks into the queue and succeeds."""
        status = main([*options, *self.where, "dlq", "list", "orders-dlq", "--no-reasons"])
        shown = self._capsys.readouterr()
        assert status == 0, shown.err
        assert "requests: " not in shown.out
        return [line.removeprefix("requests: ") for line in shown.err.splitlines() if line.startswith("requests: ")]


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Shell]:
    """Open one, without the hooks that mocks of other tests have left to every session."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "made")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hidden")
    monkeypatch.setattr("sys.stdin", io.StringIO())
    server = FakeSqs(SystemClock())
    dlq = make_queue(server, "orders-dlq")
    make_queue(server, "orders", dlq=dlq)
    server("SendMessage", {"QueueUrl": dlq.url, "MessageBody": "died"})
    with closing(FakeEndpoint(server)) as endpoint, without_mocks():
        yield Shell(endpoint, tmp_path, capsys)


@pytest.mark.parametrize("option", ["-v", "--verbose"])
def test_the_lean_lane_is_told(shell: Shell, option: str) -> None:
    """There is nothing to explain."""
    assert shell.lanes(option) == ["lean lane"]


def test_nothing_is_told_unasked(shell: Shell) -> None:
    """It is a detail."""
    assert shell.lanes() == []


@pytest.mark.parametrize(
    ("variables", "why"),
    [({"OPSTOOL_SDK": "boto3"}, "OPSTOOL_SDK says so"), ({"AWS_RETRY_MODE": "adaptive"}, "the retry mode is adaptive")],
    ids=["asked for", "retries"],
)
def test_boto3_is_told_with_its_reason(
    shell: Shell, variables: dict[str, str], why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the user has set."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert shell.lanes("-v") == [f"boto3 ({why})"]


def test_a_hook_on_every_session_is_told(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a tracer gives one to each that a process makes; it is called."""
    called: list[str] = []

    def listen(session: Any) -> None:
        session.register("before-send.sqs", lambda event_name, **_: called.append(event_name))

    monkeypatch.setattr(botocore, "_INITIALIZERS", [listen])
    assert shell.lanes("-v") == ["boto3 (the boto3 session has a hook on before-send)"]
    assert "before-send.sqs.ReceiveMessage" in called


def test_a_value_that_means_nothing_is_an_error_of_usage(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before anything is asked."""
    monkeypatch.setenv("OPSTOOL_SDK", "curl")
    assert main([*shell.where, "dlq", "list", "orders-dlq"]) == 2
    assert "error: `OPSTOOL_SDK` is neither `boto3` nor `lean`\n\nhint: unset OPSTOOL_SDK" in capsys.readouterr().err


def test_a_server_that_is_not_trusted_is_told_with_what_would_help(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Status 1, as for every failure of AWS or the network."""
    certificate, key = make(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    for name, value in {
        "AWS_ACCESS_KEY_ID": "made",
        "AWS_SECRET_ACCESS_KEY": "hidden",
        "AWS_MAX_ATTEMPTS": "1",
    }.items():
        monkeypatch.setenv(name, value)
    with Server(answer(), context) as server:
        where = ("--endpoint-url", server.url, "--region", "us-east-1", "--state-dir", str(tmp_path))
        assert main([*where, "dlq", "list", "orders-dlq"]) == 1
        assert server.requests == []
    shown = capsys.readouterr().err
    assert "self-signed certificate" in shown
    assert "\n\nhint: AWS_CA_BUNDLE=FILE" in shown
    assert "hidden" not in shown
