"""Through the command line, on every server: who died, why, one in full, and the doctor, as far as the server has it.

Most of these servers have SQS and little else. What is missing is never an error of a command that can go on.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from opstool.cli.main import main
from opstool.doors.sqs import Sqs
from opstool.doors.stack import Stack
from opstool.doors.toolkit import Toolkit, connect
from tests.servers.server import QueueOnServer, Server

Look = Callable[..., dict[str, Any]]
PARTIAL = 3
LONGEST_S = 20.0
"""A service that is not there is not waited for: it was minutes when each was asked again and again."""


@pytest.fixture
def kit(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Toolkit]:
    """Give opstool's toolkit for the server, far from any stack."""
    monkeypatch.chdir(tmp_path)
    clock, sqs = server.clock, Sqs(server.call, server.clock)
    if server.connection is None:
        kit = Toolkit(sqs=sqs, clock=clock, state_dir=tmp_path, stack=Stack(lambda *_: {}, None), workers=1)
    else:
        kit = replace(connect(server.connection, state_dir=tmp_path), clock=clock, sqs=sqs)
    yield kit
    kit.close()


@pytest.fixture
def look(kit: Toolkit, capsys: pytest.CaptureFixture[str]) -> Look:
    """Give a way to run a command line, which has to end with a status, and to read its document."""

    def look(*words: str, status: int = 0) -> dict[str, Any]:
        capsys.readouterr()
        began_s = time.monotonic()
        ended = main([*words, "--output", "json"], connect=lambda *_args, **_settings: kit)
        shown = capsys.readouterr()
        assert (ended, time.monotonic() - began_s < LONGEST_S) == (status, True), shown.out + shown.err
        document: dict[str, Any] = json.loads(shown.out)
        return document

    return look


def _dead(server: Server, *, fifo: bool = False) -> tuple[QueueOnServer, QueueOnServer]:
    """Let one message die."""
    source, dlq = server.make_pair(max_receive_count=1, fifo=fifo)
    source.send("one", **({"MessageGroupId": "g", "MessageDeduplicationId": "1"} if fifo else {}))
    for _ in range(20):
        source.receive(visibility_s=1)
        if dlq.counts()[0]:
            return source, dlq
        server.wait(1)
    pytest.fail("it has not died")


def test_dead_messages_are_listed_and_grouped_where_nothing_tells_why(server: Server, look: Look) -> None:
    """Their reason is unknown, and that is no failure."""
    source, dlq = _dead(server)

    [message] = look("dlq", "list", dlq.name, "--limit", "1")["messages"]
    assert (message["body"], message["reason"]) == ("one", None)
    [group] = look("dlq", "groups", dlq.name, "--limit", "1")["groups"]
    assert (group["count"], group["sample_id"]) == (1, message["message_id"])
    [queue] = look("dlq", "queues", dlq.name)["queues"]
    assert [each["name"] for each in queue["sources"]] == [source.name]


def test_a_dead_message_of_a_fifo_queue_is_shown_where_nothing_tells_why(server: Server, look: Look) -> None:
    """In full, with its group."""
    source, dlq = _dead(server, fifo=True)

    [listed] = look("dlq", "list", dlq.name, "--limit", "1")["messages"]
    message = look("dlq", "show", listed["message_id"], source.name)["message"]
    assert (message["body"], message["group_id"], message["reason"]) == ("one", "g", None)


def test_the_doctor_examines_what_there_is(server: Server, look: Look) -> None:
    """Of the queues it finds what is wrong; whatever cannot be read of the rest is unknown, and fails nothing."""
    dlq = server.make_queue(MessageRetentionPeriod="86400")
    policy = json.dumps({"deadLetterTargetArn": dlq.arn, "maxReceiveCount": 1})
    server.make_queue(RedrivePolicy=policy)

    checks = look("doctor", dlq.name, status=PARTIAL)["checks"]
    failed = {each["code"] for each in checks if each["status"] == "failed"}
    assert {"dlq_retention_short", "max_receive_count_low", "redrive_allow_open"} <= failed
    assert not {each for each in failed if each.startswith("permission_")}
