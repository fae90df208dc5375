"""The emulator's server is on loopback only, and not for browsers."""

from __future__ import annotations

import http.client
import socket
import threading
import time
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import pytest

from opstool.local.server import INSTANCE_HEADER, INSTANCE_PATH, EmbeddedServer


def ask(server: EmbeddedServer, path: str, **headers: str) -> int:
    """Return the status of a GET."""
    connection = http.client.HTTPConnection("127.0.0.1", urlsplit(server.endpoint_url).port or 0, timeout=5)
    try:
        connection.request("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})
        return connection.getresponse().status
    finally:
        connection.close()


def test_it_listens_on_loopback_only(server: EmbeddedServer) -> None:
    """Its address is 127.0.0.1, and no other of this machine is bound."""
    assert server.endpoint_url.startswith("http://127.0.0.1:")
    assert server._server.socket.getsockname()[0] == "127.0.0.1"


def test_a_page_in_a_browser_is_refused(server: EmbeddedServer) -> None:
    """Neither an Origin nor a host name of somebody else's gets an answer."""
    assert ask(server, "/", Origin="https://example.com") == 403
    assert ask(server, "/", Host="rebound.example.com") == 403


def test_only_who_knows_the_instance_gets_its_answer(server: EmbeddedServer) -> None:
    """The instance answers to its id, and to nothing else."""
    assert ask(server, INSTANCE_PATH, **{INSTANCE_HEADER: "secret"}) == 204
    assert ask(server, INSTANCE_PATH, **{INSTANCE_HEADER: "wrong"}) == 404
    assert ask(server, INSTANCE_PATH) == 404


def test_the_date_of_an_answer_is_the_queues_time(server: EmbeddedServer, sqs: Any) -> None:
    """A client takes from it when a message was sent; queue time that was moved forward is in it too."""
    server.advance(1_000)
    headers = sqs.list_queues()["ResponseMetadata"]["HTTPHeaders"]
    assert 990 < parsedate_to_datetime(headers["date"]).timestamp() - time.time() < 1_010


def test_a_long_poll_blocks_nobody_and_wakes_for_a_message(server: EmbeddedServer, sqs: Any) -> None:
    """While one waits, another sends at once, and the one that waits gets it."""
    url = sqs.create_queue(QueueName="long-poll")["QueueUrl"]
    got: list[Any] = []
    waiter = threading.Thread(
        target=lambda: got.append(sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20).get("Messages"))
    )
    waiter.start()
    started = time.monotonic()
    server.settings.client("sqs").send_message(QueueUrl=url, MessageBody="b")
    waiter.join()
    assert time.monotonic() - started < 10
    assert [message["Body"] for message in got[0]] == ["b"]


def test_a_long_poll_wakes_when_time_is_moved(server: EmbeddedServer, sqs: Any) -> None:
    """A message that becomes visible by `advance` reaches the receive that already waits."""
    url = sqs.create_queue(QueueName="advanced", Attributes={"VisibilityTimeout": "600"})["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="b")
    sqs.receive_message(QueueUrl=url)
    mover = threading.Timer(0.1, server.advance, args=[601])
    mover.start()
    started = time.monotonic()
    assert sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20)["Messages"]
    assert time.monotonic() - started < 10
    mover.join()


def test_the_users_proxy_and_profile_do_not_bend_its_clients(
    server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client of the emulator reaches it, whatever the environment says."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.setenv("AWS_PROFILE", "there-is-no-such-profile")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "https://sqs.us-east-1.amazonaws.com")
    assert server.settings.client("sqs").list_queues()["ResponseMetadata"]["HTTPStatusCode"] == 200


def test_a_closed_server_frees_its_port_and_forgets() -> None:
    """After the last server of a process closes, its queues are gone."""
    first = EmbeddedServer()
    port = urlsplit(first.endpoint_url).port or 0
    first.close()
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0
