"""A redrive by SQS's own move task, on every server that has them: to its end, cancelled half way, and failed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from opstool.doors.sqs import Sqs
from opstool.doors.stack import Stack
from opstool.doors.toolkit import Toolkit
from opstool.verbs import history, native
from opstool.words.errors import RefusedError
from opstool.words.queue import Queue
from opstool.words.report import Report, Status, Tally
from tests.servers.server import QueueOnServer, Server

pytestmark = pytest.mark.one_lane  # SQS moves the messages itself

COUNT = 1_000
_WITHIN_S = 60.0

Pair = tuple[QueueOnServer, QueueOnServer]


@pytest.fixture
def pair(server: Server) -> Pair:
    """Give a source queue and its dead-letter queue; skip what has no move tasks."""
    if not server.has_move_tasks:
        pytest.skip(f"{server.name} has no move tasks")
    return server.make_pair(max_receive_count=1)


@pytest.fixture
def kit(server: Server, tmp_path: Path) -> Iterator[Toolkit]:
    """Give a toolkit over the server, on the server's time."""
    kit = Toolkit(
        sqs=Sqs(server.call, server.clock), clock=server.clock, state_dir=tmp_path, stack=Stack(lambda *_: {}, None)
    )
    yield kit
    kit.close()


def let_die(pair: Pair, count: int) -> None:
    """Send so many, and receive them until they are in the DLQ."""
    source, dlq = pair
    for begin in range(0, count, 10):
        source.send_batch(*(str(number) for number in range(begin, min(begin + 10, count))))
    deadline = time.monotonic() + _WITHIN_S
    while source.receive(visibility_s=0) or dlq.counts()[0] < count:
        assert time.monotonic() < deadline, "they do not die"


def redrive(kit: Toolkit, dlq: QueueOnServer, *, rate: int | None = None) -> Report:
    """Plan and carry out."""
    with native.prepare(kit, dlq.name, rate=rate) as run:
        return run.execute()


def test_a_thousand_are_moved_with_progress_and_an_end(server: Server, kit: Toolkit, pair: Pair) -> None:
    """The counts grow on the way, and are what really moved."""
    source, dlq = pair
    let_die(pair, COUNT)
    seen: list[int] = []

    @contextmanager
    def watch(_doing: str, tally: Tally, expected: int | None) -> Iterator[None]:
        assert expected == COUNT
        end = server.clock.every(0.5, lambda: seen.append(tally.counts().succeeded))
        yield
        end()

    kit.watch = watch
    report = redrive(kit, dlq, rate=300)
    assert (report.status, report.engine, report.counts.succeeded) == (Status.DONE, "native", COUNT)
    assert seen == sorted(seen)
    assert any(0 < each < COUNT for each in seen), "nobody was told how far it is"
    assert (source.counts()[0], dlq.counts()[0]) == (COUNT, 0)


def test_half_way_it_is_cancelled_and_what_has_moved_is_told(server: Server, kit: Toolkit, pair: Pair) -> None:
    """Ctrl-C: the task ends, the rest stays, and history knows it."""
    source, dlq = pair
    let_die(pair, COUNT)
    end = server.clock.every(4, kit.stop.set)
    report = redrive(kit, dlq, rate=50)
    end()
    moved = source.counts()[0]
    assert (report.status, 0 < moved < COUNT) == (Status.INTERRUPTED, True)
    assert report.counts.succeeded == moved
    assert any("does not come back" in note for note in report.notes)
    [task] = kit.sqs.move_tasks.last(_queue(kit, dlq))
    assert task.status == "CANCELLED"
    server.advance(1)
    assert (source.counts()[0], dlq.counts()[0]) == (moved, COUNT - moved)
    assert history.runs(kit)[0].status == "interrupted"


@pytest.mark.departs(localstack="does not look for the source: its own AttributeError is the reason it tells")
def test_a_message_without_a_source_fails_it_in_words(server: Server, kit: Toolkit, pair: Pair) -> None:
    """One that came after the plan had looked: it is partial where some have moved, an error where nothing has."""
    _, dlq = pair
    let_die(pair, 5)
    with native.prepare(kit, dlq.name) as run:
        dlq.send_batch("by hand")
        report = run.execute()
    assert [each.code for each in report.failures] == ["no_certain_target"]
    assert "--to QUEUE" in report.failures[0].message
    assert (report.error_code == "no_certain_target") == (report.counts.succeeded == 0)


def test_a_second_task_is_refused_before_it_is_asked_for(server: Server, kit: Toolkit, pair: Pair) -> None:
    """And the first one goes on."""
    _, dlq = pair
    let_die(pair, 20)
    with native.prepare(kit, dlq.name, rate=1, detach=True) as run:
        assert run.execute().status is Status.DETACHED
    with pytest.raises(RefusedError) as caught:
        native.prepare(kit, dlq.name)
    assert caught.value.code == "move_task_active"
    active = kit.sqs.move_tasks.active(_queue(kit, dlq))
    assert active
    assert active.task_handle
    kit.sqs.move_tasks.cancel(active.task_handle)


def _queue(kit: Toolkit, dlq: QueueOnServer) -> Queue:
    return kit.sqs.resolve(dlq.name)
