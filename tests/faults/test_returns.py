"""A consumer that rejects everything while we redrive: the run ends, and moves each message at most once.

Every message has a name in an attribute, so that the books (tests/properties/ledger.py) tell two with the same body
apart, which opstool cannot: on the line to the server they check each send for a return of its own run, and for a
second copy that nobody counts.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from opstool.engine.run import Run
from opstool.fake.stored import State
from opstool.verbs import history, redrive
from opstool.words.filters import Selection
from opstool.words.message import Attribute
from opstool.words.report import Report, Status
from tests.faults.promises import check_counts, check_status
from tests.faults.results import RecordRun
from tests.faults.scale import MESSAGES, over_lanes
from tests.properties.account import Account, account_in_memory, account_on
from tests.properties.ledger import NAME, Act, Content
from tests.properties.line import Trouble, troubled
from tests.servers import opened_over
from tests.world import Died

SUITE = "Returns"
COUNT = MESSAGES // 4
MARKED = Selection(body_contains="marked")


class LostSends(Trouble):
    """Nothing but answers of sends is lost."""

    def before(self, operation: str, request: object) -> None:
        """Decide that the answer will be lost."""
        self.step()
        self._loses = operation == "SendMessageBatch" and self._strikes()

    def entry(self, operation: str, entry: object) -> None:
        """Refuse nothing."""


def kill(account: Account, bodies: list[str]) -> list[str]:
    """Let messages die; return their ids, in their order."""
    fifo = account.queues["dlq"].is_fifo
    for number, body in enumerate(bodies):
        name = {NAME: Attribute(type="String", value=f"m{len(account.ledger.contents)}")}
        account.send("orders", Content(body=body, attributes=name, group_id=f"g{number % 5}" if fifo else None))
    account.reject_all("orders")
    return list(account.ledger.instances)


def bodies(count: int, *, twins: bool = False) -> list[str]:
    """Return bodies, every second one marked; with `twins` there are only two different ones."""
    return [f"{'marked' if number % 2 else 'plain'}{'' if twins else number}" for number in range(count)]


def carry_out(account: Account, run: Run, trouble: Trouble) -> Report | None:
    """Execute a run while the consumers reject what it sends; None when it dies."""
    account.ledger.act = Act(run_id=run.plan.run_id, verb="redrive")
    with troubled(account.line, run.kit, trouble):
        try:
            with run:
                return run.execute()
        except Died:
            return None
        finally:
            account.ledger.act = None


def sent_by(account: Account, run_id: str | None) -> set[str]:
    """Return the ids of which a run has sent a copy."""
    instances = account.ledger.instances
    return {
        record_id
        for (_, record_id), new_ids in account.ledger.copies.items()
        if any(instances[each].run_id == run_id for each in new_ids)
    }


def check(account: Account, report: Report, originals: list[str]) -> None:
    """Check what holds after every run: nothing lost, nothing of ours hidden, and a report that adds up."""
    check_counts(report)
    check_status(report)
    census = account.census()
    names = {account.ledger.instances[key].name for messages in census.values() for key in messages}
    assert names == set(account.ledger.contents)
    assert account.ledger.doubled(str(report.run_id)) <= set(report.possibly_sent_twice_ids)
    assert report.counts.succeeded == sum(key not in census["dlq"] for key in originals)
    assert all(each.state is State.VISIBLE for each in census["dlq"].values())


@pytest.fixture(params=[False, True], ids=["standard", "fifo"])
def account(request: pytest.FixtureRequest, tmp_path: Path) -> Account:
    """Make the queues in memory."""
    return account_in_memory(tmp_path, fifo=request.param)


@pytest.mark.parametrize("age_s", [0, 5], ids=["just dead", "dead for a while"])
@pytest.mark.parametrize("losses", [0.0, 0.4], ids=["", "answers lost"])
@pytest.mark.parametrize("twins", [False, True], ids=["", "equal bodies"])
@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("selection", [Selection(), MARKED], ids=["whole", "filtered"])
def test_each_message_is_moved_at_most_once_while_everything_comes_back(
    account: Account,
    selection: Selection,
    workers: int,
    twins: bool,
    losses: float,
    age_s: int,
    record_run: RecordRun,
) -> None:
    """After every send the consumer rejects all there is; the run leaves it alone, counts it, and ends."""
    originals = kill(account, bodies(COUNT, twins=twins))
    account.advance(age_s)
    trouble = LostSends(rate=losses, budget=20, after_send=account.reject_sources)
    doubled = counted = 0
    try:
        report = carry_out(account, redrive.prepare(account.kit(workers=workers), _dlq(account), selection), trouble)
        assert report
        doubled, counted = len(account.ledger.doubled(str(report.run_id))), report.possibly_sent_twice
        check(account, report, originals)
        if selection.is_everything and not account.queues["dlq"].is_fifo:
            assert report.counts.returned > 0
        if selection.is_everything and (age_s or not losses or not twins):
            left = report.counts.failed + report.counts.released  # after six lost answers in a row
            # On a FIFO queue nobody sees what stands behind a message that stays, and the report says so.
            behind = COUNT - report.counts.succeeded - left
            assert behind == 0 or (left and account.queues["dlq"].is_fifo and report.status is Status.PARTIAL)
            assert losses or not left
    finally:
        row = f"{'filtered' if selection is MARKED else 'whole'}{', answers lost' if losses else ''}"
        record_run(SUITE, row, messages=COUNT, strikes=20 - trouble.budget, doubled=doubled, counted=counted)


def _dlq(account: Account) -> str:
    return account.queues["dlq"].arn


def test_equal_bodies_that_cannot_be_told_from_returns_are_left_and_sent_by_the_next_run(
    account: Account, record_run: RecordRun
) -> None:
    """A message that died within two seconds of the plan may be our own, when its body is that of a lost send.

    SQS's time is known to two seconds, and the body is all there is to know it by. Left in the DLQ it is safe; sent
    it might be a return. The next run knows better.
    """
    originals = kill(account, ["the same"] * COUNT)
    trouble = LostSends(rate=0.5, budget=3, after_send=account.reject_sources)
    try:
        first = carry_out(account, redrive.prepare(account.kit(), _dlq(account)), trouble)
        assert first
        check(account, first, originals)
        account.advance(5)
        second = carry_out(account, redrive.prepare(account.kit(), _dlq(account)), Trouble())
        assert second
        assert not set(originals) & account.census()["dlq"].keys()
        assert sent_by(account, first.run_id) | sent_by(account, second.run_id) >= set(originals)
    finally:
        record_run(SUITE, "equal bodies, just dead, answers lost", messages=COUNT, runs=2, strikes=3 - trouble.budget)


@pytest.mark.parametrize("limit", [1, 7, COUNT])
def test_a_limit_counts_messages_and_not_their_returns(account: Account, limit: int, record_run: RecordRun) -> None:
    """As many originals as the limit says, however often they come back."""
    originals = kill(account, bodies(COUNT))
    try:
        run = redrive.prepare(account.kit(), _dlq(account), limit=limit)
        report = carry_out(account, run, Trouble(after_send=account.reject_sources))
        assert report
        check(account, report, originals)
        assert (report.status, report.counts.succeeded) == (Status.DONE, limit)
        assert sent_by(account, report.run_id) <= set(originals)
    finally:
        record_run(SUITE, "with a limit", messages=COUNT)


@pytest.mark.parametrize("losses", [0.0, 0.5], ids=["", "answers lost"])
@pytest.mark.parametrize("dies_at", [12, 15, 18, 22, 26])
@pytest.mark.parametrize("limit", [None, 15])
def test_a_run_that_dies_among_its_returns_is_resumed_and_still_moves_each_once(
    account: Account, dies_at: int, losses: float, limit: int | None, record_run: RecordRun
) -> None:
    """What the first life has sent lies in the DLQ again when the second begins, and no clock has moved between."""
    originals = kill(account, bodies(COUNT))
    kit = account.kit()
    run = redrive.prepare(kit, _dlq(account), limit=limit)
    trouble = LostSends(seed=dies_at, rate=losses, budget=9, dies_at=dies_at, after_send=account.reject_sources)
    try:
        assert carry_out(account, run, trouble) is None
        again = history.resume(account.kit(), run.plan.run_id)
        assert isinstance(again, Run)
        report = carry_out(account, again, Trouble(after_send=account.reject_sources))
        assert report
        check_counts(report)
        assert len(sent_by(account, report.run_id)) == (limit or COUNT)
        gone = set(originals) - account.census()["dlq"].keys()
        assert len(gone) == (limit or COUNT)
    finally:
        record_run(SUITE, "died and resumed", messages=COUNT, runs=2, strikes=9 - trouble.budget)


@contextmanager
def consumer_in_a_thread(account: Account) -> Iterator[None]:
    """Reject everything for as long as the block lasts, at any moment."""
    ended = threading.Event()

    def reject() -> None:
        while not ended.wait(0.001):
            account.reject_sources()

    thread = threading.Thread(target=reject)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


@pytest.mark.parametrize("workers", [1, 4])
def test_a_consumer_of_its_own_pace_changes_nothing(account: Account, workers: int, record_run: RecordRun) -> None:
    """The consumer is a thread of its own: it rejects before an answer arrives, between two batches, or later."""
    originals = kill(account, bodies(COUNT))
    try:
        with consumer_in_a_thread(account):
            report = carry_out(account, redrive.prepare(account.kit(workers=workers), _dlq(account)), Trouble())
        assert report
        account.advance(60)
        account.reject_sources()
        check_counts(report)
        assert sent_by(account, report.run_id) == set(originals)
        assert len(account.census()["dlq"]) == COUNT
    finally:
        record_run(SUITE, "the consumer is a thread", messages=COUNT)


@pytest.mark.parametrize("fifo", [False, True], ids=["standard", "fifo"])
@pytest.mark.parametrize(("name", "lane"), over_lanes("moto", "local-aws-sqs"))
def test_on_a_real_server_a_consumer_of_its_own_pace_changes_nothing(
    name: str, lane: str, fifo: bool, tmp_path: Path, record_run: RecordRun
) -> None:
    """Over HTTP, in real time, with the consumer in a thread; the returns keep the ids that our sends were given.

    local-aws-sqs sets SentTimestamp and receive count anew when a message dies, so that a return looks as young there
    as on a FIFO queue of AWS; its id it keeps, and by that it is known.
    """
    server = opened_over(name, lane)
    account = account_on(server, tmp_path, fifo=fifo)
    count = 20
    try:
        kill(account, bodies(count))
        with consumer_in_a_thread(account):
            report = carry_out(account, redrive.prepare(account.kit(workers=4), _dlq(account)), Trouble())
        assert report
        check_counts(report)
        account.reject_sources()
        left = account.drain("dlq")
        assert sorted(left.values()) == sorted(account.ledger.contents)
        moved = sent_by(account, report.run_id)
        assert report.counts.succeeded == len(moved)
        assert len(left.keys() & account.ledger.copies_of(str(report.run_id))) == len(moved), "a return has another id"
        assert len(moved) == count or report.status is not Status.DONE
    finally:
        record_run(SUITE, f"{name}, the consumer is a thread", messages=count)
        server.close()
