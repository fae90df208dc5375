"""SQS's own move tasks, as far as opstool looks at them: whether one is under way from a queue."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from opstool.doors.clock import SystemClock
from opstool.doors.sqs import Sqs
from opstool.words.queue import Queue
from tests.servers.server import QueueOnServer, Server

pytestmark = pytest.mark.one_lane  # SQS moves the messages itself

_ENDS_WITHIN_S = 15.0


def test_every_task_is_told_with_what_was_asked(server: Server, dlq: QueueOnServer) -> None:
    """The latest first, each with its start, its target and its rate."""
    sqs, queue = Sqs(server.call, SystemClock()), Queue(url=dlq.url, arn=dlq.arn)
    target = server.make_queue()
    to = Queue(url=target.url, arn=target.arn)
    handle = sqs.move_tasks.start(queue, to=to, rate=100)
    _until(server, lambda: sqs.move_tasks.active(queue) is None)
    server.advance(0.01)  # two tasks of one millisecond have no order
    sqs.move_tasks.start(queue)
    latest, first = sqs.move_tasks.last(queue)
    assert (first.status, first.rate, first.destination_arn, first.source_arn) == ("COMPLETED", 100, to.arn, dlq.arn)
    assert (first.task_handle, first.failure_reason, bool(handle)) == (None, None, True)
    assert latest.destination_arn is None
    assert latest.started_at_ms
    assert first.started_at_ms
    assert latest.started_at_ms > first.started_at_ms


@pytest.fixture
def dlq(server: Server) -> QueueOnServer:
    """Give a dead-letter queue with five messages in it that have died."""
    if not server.has_move_tasks:
        pytest.skip(f"{server.name} has no move tasks")
    source, dlq = server.make_pair(max_receive_count=1)
    source.send_batch(*"abcde")
    _until(server, lambda: source.receive(visibility_s=1) == [] and dlq.counts()[0] == 5, pause_s=1)
    return dlq


def test_a_move_task_that_runs_is_told_until_it_is_cancelled(server: Server, dlq: QueueOnServer) -> None:
    """One message a second leaves time to look."""
    sqs, queue = Sqs(server.call, SystemClock()), Queue(url=dlq.url, arn=dlq.arn)
    assert sqs.move_tasks.active(queue) is None
    handle = server.ask("StartMessageMoveTask", SourceArn=dlq.arn, MaxNumberOfMessagesPerSecond=1)["TaskHandle"]
    task = sqs.move_tasks.active(queue)
    assert task is not None
    assert task.status == "RUNNING"
    server.ask("CancelMessageMoveTask", TaskHandle=handle)
    _until(server, lambda: sqs.move_tasks.active(queue) is None)


def test_a_move_task_that_has_ended_is_not_told(server: Server, dlq: QueueOnServer) -> None:
    """It stands in the list as COMPLETED, and its messages are gone from the queue."""
    sqs, queue = Sqs(server.call, SystemClock()), Queue(url=dlq.url, arn=dlq.arn)
    server.ask("StartMessageMoveTask", SourceArn=dlq.arn)

    def status() -> str:
        [task] = server.ask("ListMessageMoveTasks", SourceArn=dlq.arn)["Results"]
        return str(task["Status"])

    _until(server, lambda: status() == "COMPLETED")
    assert sqs.move_tasks.active(queue) is None
    assert dlq.counts() == (0, 0, 0)


def _until(server: Server, holds: Callable[[], bool], *, pause_s: float = 0.1) -> None:
    """Look again and again, while the server's time goes on."""
    deadline = time.monotonic() + _ENDS_WITHIN_S
    while not holds():
        assert time.monotonic() < deadline, "it does not come to this"
        server.advance(pause_s)
