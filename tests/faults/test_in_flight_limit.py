"""SQS lets about 120,000 messages be in flight: what has to hold more says so and ends, what need not is not bounded.

A standard queue answers OverLimit, a FIFO queue shows nothing: https://docs.aws.amazon.com/AWSSimpleQueueService/
latest/SQSDeveloperGuide/quotas-messages.html
"""

from __future__ import annotations

import resource
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from opstool.doors.archive import read_archive
from opstool.fake import Behaviour
from opstool.verbs import browse, export, history, purge, redrive
from opstool.words.filters import Selection
from opstool.words.report import Report, Status
from tests.cli.world import World as ScreenWorld
from tests.faults.promises import check_counts, check_status
from tests.faults.results import RecordRun
from tests.faults.scale import FULL, MESSAGES
from tests.world import World, make_world

LIMIT = MESSAGES // 2
STOPPED = "the scan stopped at SQS's limit of messages in flight"
SUITE = "In-flight limit"
TRUE_LIMIT = 120_000
MARKED = Selection(body_contains="marked")


def body_of(number: int) -> str:
    """Return a body in a group of its own on a FIFO queue; every fourth is marked."""
    return f"{number}:{'' if number % 4 else 'marked'}"


def numbered(count: int) -> list[str]:
    """Return so many bodies."""
    return [body_of(number) for number in range(count)]


@pytest.fixture(params=[False, True], ids=["standard", "fifo"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    """Make queues that let `LIMIT` be in flight, with twice as many dead."""
    world = make_world(tmp_path / "state", fifo=request.param, behaviour=Behaviour(in_flight_limit=LIMIT))
    world.die(numbered(2 * LIMIT))
    yield world
    world.close()


def list_all(world: World, path: Path) -> browse.Listing:
    """List everything."""
    return browse.list_messages(world.kit(), world.dlq.arn, limit=None)


def list_marked(world: World, path: Path) -> browse.Listing:
    """List what is marked: the rest has to be held as well."""
    return browse.list_messages(world.kit(), world.dlq.arn, MARKED, limit=None)


def export_all(world: World, path: Path) -> Report:
    """Export everything."""
    return export.export(world.kit(), world.dlq.arn, to=path)


def export_marked(world: World, path: Path) -> Report:
    """Export what is marked."""
    return export.export(world.kit(), world.dlq.arn, MARKED, to=path)


@pytest.mark.parametrize("look", [list_all, list_marked, export_all, export_marked])
def test_a_look_that_would_hold_more_says_what_it_saw_and_ends(
    world: World, look: Callable[[World, Path], Any], tmp_path: Path, record_run: RecordRun
) -> None:
    """Partial, with a note; everything is visible again at once."""
    try:
        seen = look(world, tmp_path / "out.jsonl")
        counts = seen.counts
        assert 0 < counts.received <= LIMIT
        assert seen.partial if isinstance(seen, browse.Listing) else seen.status is Status.PARTIAL
        assert f"{STOPPED}, after {counts.received} messages" in " ".join(seen.notes) or world.fifo
        assert world.fifo or counts.received == LIMIT
        assert world.visible(world.dlq) == 2 * LIMIT
        if isinstance(seen, Report):
            assert len(list(read_archive(tmp_path / "out.jsonl"))) == counts.succeeded
    finally:
        record_run(SUITE, f"{look.__name__.replace('_', ' ')}, more than can be held", messages=2 * LIMIT)


@pytest.mark.parametrize("verb", [redrive, purge])
def test_a_filtered_run_takes_what_it_saw_and_says_that_it_did_not_see_all(
    world: World, verb: Any, record_run: RecordRun
) -> None:
    """What was found is dealt with; doing it again goes on with the rest, because what was taken makes room."""
    try:
        with verb.prepare(world.kit(), world.dlq.arn, MARKED) as run:
            report = run.execute()
        assert report.status is Status.PARTIAL
        check_counts(report)
        check_status(report)
        left = Counter(world.bodies(world.dlq))
        assert sum(left.values()) == 2 * LIMIT - report.counts.succeeded
        assert sum("marked" in body for body in left) == LIMIT // 2 - report.counts.succeeded
        assert world.visible(world.dlq) == sum(left.values())
    finally:
        record_run(SUITE, f"filtered {verb.__name__.split('.')[-1]}, more than can be held", messages=2 * LIMIT)


@pytest.mark.parametrize("workers", [1, 4])
@pytest.mark.parametrize("verb", [redrive, purge])
def test_a_whole_run_is_not_bounded_by_it(world: World, verb: Any, workers: int, record_run: RecordRun) -> None:
    """What is sent or archived is deleted at once, so that never more than the batches in hand are in flight."""
    try:
        with verb.prepare(world.kit(workers=workers), world.dlq.arn) as run:
            report = run.execute()
        assert report.status is Status.DONE
        assert report.counts.succeeded == report.counts.received == 2 * LIMIT
        assert not world.bodies(world.dlq)
    finally:
        record_run(SUITE, f"whole {verb.__name__.split('.')[-1]}", messages=2 * LIMIT)


def hold_by_others(world: World, count: int) -> None:
    """Be another consumer who holds so many for an hour."""
    while count:
        fields = {"MaxNumberOfMessages": min(10, count), "VisibilityTimeout": 3_600}
        count -= len(world.ask("ReceiveMessage", world.dlq, **fields)["Messages"])


def test_a_look_at_a_queue_that_others_have_filled_ends_and_says_so(world: World, record_run: RecordRun) -> None:
    """Nothing can be received: standard queues say OverLimit, FIFO queues say nothing at all."""
    try:
        hold_by_others(world, LIMIT)
        listing = list_all(world, Path())
        assert listing.seen == 0
        assert listing.partial
        assert any(STOPPED in note for note in listing.notes) or world.fifo
        assert any(f"approximately {LIMIT} more messages were in flight elsewhere" in note for note in listing.notes)
    finally:
        record_run(SUITE, "list, others hold all that may be held", messages=2 * LIMIT)


@pytest.mark.parametrize("verb", [redrive, purge])
def test_a_whole_run_at_a_queue_that_others_have_filled_is_not_done(
    world: World, verb: Any, record_run: RecordRun
) -> None:
    """It says that it was not; once the others have let go, the same run is resumed and finishes everything."""
    try:
        hold_by_others(world, LIMIT)
        with verb.prepare(world.kit(), world.dlq.arn) as run:
            report = run.execute()
        assert report.status is not Status.DONE
        assert report.counts.succeeded == 0
        world.clock.advance(3_700)
        with history.resume(world.kit(), str(report.run_id)) as again:
            assert again.execute().status is Status.DONE
        assert not world.bodies(world.dlq)
    finally:
        record_run(SUITE, f"whole {verb.__name__.split('.')[-1]}, others hold all that may be held", messages=2 * LIMIT)


@pytest.mark.parametrize("verb", [redrive, purge])
def test_a_whole_run_goes_on_in_the_little_room_that_others_leave(
    world: World, verb: Any, record_run: RecordRun
) -> None:
    """With room for seven it takes seven at a time: what is gathered is settled when SQS says that it is too much."""
    try:
        hold_by_others(world, LIMIT - 7)
        with verb.prepare(world.kit(), world.dlq.arn) as run:
            report = run.execute()
        assert report.status is Status.DONE
        assert report.counts.succeeded == LIMIT + 7
    finally:
        record_run(SUITE, f"whole {verb.__name__.split('.')[-1]}, others leave room for seven", messages=2 * LIMIT)


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[ScreenWorld]:
    """Make the queues of a command line that let twenty be in flight, with thirty dead."""
    screen = ScreenWorld(tmp_path / "screen", monkeypatch, behaviour=Behaviour(in_flight_limit=20))
    screen.kill(*numbered(30))
    yield screen
    for kit in screen.kits:
        kit.close()


@pytest.mark.parametrize(
    "argv",
    [
        ("dlq", "list", "orders-dlq", "--limit", "100"),
        ("dlq", "export", "orders-dlq"),
        ("dlq", "redrive", "orders-dlq", "--body-contains", "marked", "--yes"),
        ("dlq", "purge", "orders-dlq", "--body-contains", "marked", "--confirm", "orders-dlq"),
    ],
    ids=["list", "export", "filtered redrive", "filtered purge"],
)
def test_the_screen_says_that_a_scan_could_not_hold_more(screen: ScreenWorld, argv: tuple[str, ...]) -> None:
    """Status 3, and the words for a person."""
    ended = screen.run(*argv)
    assert ended.status == 3
    assert f"{STOPPED}, after 20 messages" in ended.err + ended.out


@pytest.mark.parametrize(
    "argv",
    [("redrive", "orders-dlq", "--yes"), ("purge", "orders-dlq", "--confirm", "orders-dlq")],
    ids=["redrive", "purge"],
)
def test_the_screen_says_nothing_of_it_when_everything_is_meant(screen: ScreenWorld, argv: tuple[str, ...]) -> None:
    """Status 0, and nothing is left."""
    ended = screen.run("dlq", *argv)
    assert ended.status == 0
    assert STOPPED not in ended.err + ended.out
    assert screen.depth(screen.dlq) == 0


@pytest.mark.skipif(not FULL, reason="holding 120,000 messages takes a while: FAULTS=full")
@pytest.mark.parametrize("fifo", [False, True], ids=["standard", "fifo"])
def test_the_true_limit_is_reached_in_bounded_time_and_memory(
    fifo: bool, tmp_path: Path, record_run: RecordRun
) -> None:
    """A look holds 120,000 and stops, in less than a gigabyte and ten minutes; a whole redrive takes 1,000 more."""
    world = make_world(tmp_path / "state", fifo=fifo)
    messages = TRUE_LIMIT + 1_000
    fill(world, messages)
    world.calls = -messages  # a run of this size asks more often than any other test
    try:
        before_kib, began_s = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter()
        listing = browse.list_messages(world.kit(), world.dlq.arn, MARKED, limit=None)
        grown_mib = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kib) / 1024
        assert listing.partial
        assert listing.seen == TRUE_LIMIT
        assert grown_mib < 1024
        assert time.perf_counter() - began_s < 600
        with redrive.prepare(world.kit(), world.dlq.arn) as run:
            report = run.execute()
        assert (report.status, report.counts.succeeded) == (Status.DONE, messages)
    finally:
        record_run(SUITE, f"the true limit, {'FIFO' if fifo else 'standard'}", messages=messages, runs=2)
        world.close()


def fill(world: World, count: int) -> None:
    """Put messages straight into the DLQ."""
    for first in range(0, count, 10):
        bodies = [body_of(number) for number in range(first, first + 10)]
        entries: list[dict[str, Any]] = [{"Id": str(index), "MessageBody": body} for index, body in enumerate(bodies)]
        for index, entry in enumerate(entries if world.fifo else ()):
            entry |= {"MessageGroupId": f"g{first + index}", "MessageDeduplicationId": f"d{first + index}"}
        world.ask("SendMessageBatch", world.dlq, Entries=entries)
