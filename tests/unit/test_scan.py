from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from typing import Any

import pytest

from opstool.doors.sqs import Sqs
from opstool.engine.endofqueue import EndOfQueue
from opstool.engine.lease import Lease
from opstool.engine.leases import Leases
from opstool.engine.scan import Scan, most
from opstool.fake import Behaviour, FailCalls, FakeClock, Faults, no_answer, throttled
from opstool.words.errors import AccessError, ServiceError, StorageError
from opstool.words.message import Message
from opstool.words.report import Outcome, Tally
from tests.world import World, make_world


class Looking:
    """A scan over the dead-letter queue of a world, that takes what it is told to and remembers each batch."""

    def __init__(self, world: World, **options: Any) -> None:
        self.world = world
        self.leases = Leases(sqs=Sqs(world.call, world.clock), queue=world.dlq, clock=world.clock, lease_s=30)
        self.tally = Tally()
        self.stop = threading.Event()
        self.batches: list[list[Lease]] = []
        self.end = options.pop("end", EndOfQueue(world.clock))
        decide: Callable[[Message], Outcome | None] = lambda _: None  # noqa: E731 - a default
        self.scan = Scan(
            leases=self.leases,
            tally=self.tally,
            clock=world.clock,
            stop=self.stop,
            end=self.end,
            **{"decide": decide, "settle": self.batches.append, **options},
        )

    @property
    def taken(self) -> list[str]:
        """Return the ids of what was taken."""
        return [lease.message_id for batch in self.batches for lease in batch]

    def close(self) -> None:
        """Release everything."""
        self.world.fake.faults = Faults()
        self.leases.close()


@pytest.fixture
def looking(world: World) -> Iterator[Callable[..., Looking]]:
    """Make scans."""
    made: list[Looking] = []

    def make(**options: Any) -> Looking:
        made.append(Looking(world, **options))
        return made[-1]

    yield make
    for each in made:
        each.close()


def fill(world: World, count: int) -> list[str]:
    """Put messages into the dead-letter queue."""
    return world.send(world.dlq, [f"body {number}" for number in range(count)])


@pytest.mark.parametrize("workers", [1, 4])
def test_everything_is_seen_once(world: World, looking: Callable[..., Looking], workers: int) -> None:
    """Whatever the order, by however many workers."""
    ids = fill(world, 123)
    scan = looking(workers=workers)
    scan.scan.run()
    assert sorted(scan.taken) == sorted(ids)
    assert scan.tally.counts().received == 123


def test_batches_are_filled_before_they_are_settled(world: World, looking: Callable[..., Looking]) -> None:
    """One in three matches: the price stays near the floor."""
    fill(world, 90)
    scan = looking(decide=lambda message: None if int(message.body.split()[1]) % 3 == 0 else Outcome.SKIPPED)
    scan.scan.run()
    assert [len(batch) for batch in scan.batches] == [10, 10, 10]
    assert scan.tally.counts().skipped == 60


@pytest.mark.parametrize(("expected", "waited_s"), [(13, 0), (14, 1), (None, 1)])
def test_no_batch_waits_for_more_than_is_expected(
    world: World, looking: Callable[..., Looking], expected: int | None, waited_s: int
) -> None:
    """The last one would wait for a long poll that brings nothing; and what was not expected is found all the same."""
    fill(world, 13)
    settled_at: list[float] = []
    look = looking(expected=expected, settle=lambda _: settled_at.append(world.clock.monotonic()))
    began = world.clock.monotonic()
    look.scan.run()
    assert [round(each - began) for each in settled_at] == [0, waited_s]


def test_what_others_are_asking_for_counts_as_come(world: World, looking: Callable[..., Looking]) -> None:
    """A worker with a batch in hand need not ask beside them for the last messages."""
    look = looking(expected=25)
    look.scan._came, look.scan._asking = 5, 2
    assert look.scan._all_came
    look.scan._asking = 1
    assert not look.scan._all_came


def test_a_single_empty_receive_proves_nothing(tmp_path: Any) -> None:
    """A short look at some of the hosts may find nothing though there is something."""
    world = make_world(tmp_path, behaviour=Behaviour(short_poll_misses=0.9))
    fill(world, 40)
    scan = Looking(world)
    scan.scan.run()
    assert len(scan.taken) == 40
    scan.close()
    world.close()


def test_the_limit_is_a_number_of_messages_not_of_deliveries(tmp_path: Any) -> None:
    """A message that comes twice is taken twice and counts once."""
    world = make_world(tmp_path, behaviour=Behaviour(duplicates=0.9))
    fill(world, 15)
    scan = Looking(world, limit=12)

    def settle(batch: list[Lease]) -> None:
        scan.batches.append(batch)
        scan.leases._drop(batch)  # as a delete does: the next delivery is taken for a new one

    scan.scan.settle = settle
    scan.scan.run()
    assert len(scan.taken) > 12
    assert len(set(scan.taken)) == 12
    scan.close()
    world.close()


def test_what_is_owed_keeps_a_full_scan_going(world: World, looking: Callable[..., Looking]) -> None:
    """An earlier execution took as many as the limit, and one of them is still in the queue."""
    ids = fill(world, 30)
    owed = {ids[17]}
    scan = looking(limit=2, taken={ids[17], "gone"}, owed=lambda: bool(owed))
    scan.scan.settle = lambda batch: (
        scan.batches.append(batch),
        owed.difference_update(each.message_id for each in batch),
    )
    scan.scan.run()
    assert scan.taken == [ids[17]]


def test_the_bound_of_what_may_be_held_ends_a_scan_and_says_so(world: World, looking: Callable[..., Looking]) -> None:
    """Nothing is released before the end, or it would be received again for ever."""
    fill(world, 100)
    scan = looking(in_flight_limit=30)
    scan.scan.run()
    assert scan.scan.bounded
    assert scan.tally.counts().received == 30
    assert world.visible(world.dlq) == 70


def test_the_bound_of_the_service_ends_a_scan_and_says_so(tmp_path: Any) -> None:
    """SQS answers OverLimit: others hold messages too."""
    world = make_world(tmp_path, behaviour=Behaviour(in_flight_limit=30))
    fill(world, 100)
    scan = Looking(world)
    scan.scan.run()
    assert scan.scan.bounded
    assert sum(len(batch) for batch in scan.batches) == 30
    scan.close()
    assert world.visible(world.dlq) == 100
    world.close()


@pytest.mark.parametrize("workers", [1, 8])
def test_an_outage_of_seconds_does_not_end_a_scan(world: World, looking: Callable[..., Looking], workers: int) -> None:
    """However many workers feel it at the same time."""
    fill(world, 20)
    world.fake.faults = FailCalls("ReceiveMessage", throttled("x"), calls=range(1, 9 * workers))
    scan = looking(workers=workers)
    scan.scan.run()
    assert len(scan.taken) == 20


def test_a_service_that_asks_for_a_pause_before_the_next_receive_gets_it(
    world: World, looking: Callable[..., Looking]
) -> None:
    """However short our own would be."""
    fill(world, 3)
    busy = throttled("x")
    busy.wait_s = 17.0
    world.fake.faults = FailCalls("ReceiveMessage", busy, calls=[1])
    before, look = world.clock.monotonic(), looking()
    look.scan.run()
    assert len(look.taken) == 3
    assert world.clock.monotonic() - before >= 17


def test_an_outage_that_lasts_ends_a_scan(world: World, looking: Callable[..., Looking]) -> None:
    """With the error of the last attempt."""
    world.fake.faults = FailCalls("ReceiveMessage", throttled("x"))
    with pytest.raises(ServiceError, match="throttled"):
        looking().scan.run()
    assert world.fake.requests["ReceiveMessage"] == 10


def test_an_error_that_does_not_pass_ends_a_scan_at_once(world: World, looking: Callable[..., Looking]) -> None:
    """No permission now is no permission later."""
    world.fake.faults = FailCalls("ReceiveMessage", AccessError("no"))
    with pytest.raises(AccessError):
        looking().scan.run()
    assert world.fake.requests["ReceiveMessage"] == 1


def test_messages_whose_receive_was_not_answered_are_waited_for(world: World, looking: Callable[..., Looking]) -> None:
    """They are hidden for one visibility timeout, and not lost."""
    fill(world, 10)
    world.fake.faults = FailCalls("ReceiveMessage", no_answer("x"), phase="after", calls=[1])
    scan = looking()
    scan.scan.run()
    assert len(scan.taken) == 10
    assert world.clock.monotonic() >= 30


def test_what_the_last_settling_leaves_hidden_is_waited_for(world: World, looking: Callable[..., Looking]) -> None:
    """The end is asked for after it, not before."""
    fill(world, 1)
    scan = looking()

    def settle(batch: list[Lease]) -> None:
        scan.batches.append(batch)
        if len(scan.batches) == 1:  # as a delete that failed: it reappears when its timeout ends
            scan.leases._drop(batch)
            scan.end.blind_for(30)

    scan.scan.settle = settle
    for _ in range(3):
        scan.end.saw(0)
    scan.scan.run(scan.leases.receive(wait_s=0))
    assert len(scan.batches) == 2


def test_a_stop_releases_what_was_gathered(world: World, looking: Callable[..., Looking]) -> None:
    """The batch that is being settled is finished, the rest is given back."""
    fill(world, 100)
    scan = looking()

    def settle(batch: list[Lease]) -> None:
        scan.batches.append(batch)
        scan.stop.set()

    scan.scan.settle = settle
    scan.scan.run()
    assert len(scan.batches) == 1
    assert scan.tally.counts().released == scan.tally.counts().received


def test_the_first_error_is_raised_after_the_other_workers_have_finished(
    world: World, looking: Callable[..., Looking]
) -> None:
    """Nobody is interrupted between a send and a delete."""
    fill(world, 100)
    lock, settled, begun = threading.Lock(), [], threading.Barrier(3)

    def settle(batch: list[Lease]) -> None:
        begun.wait(5)
        if batch[0].message_id == first:
            raise StorageError("disk full")
        with lock:
            settled.append(len(batch))

    scan = looking(workers=3, settle=settle)
    hands = [lease for _ in range(3) for lease in scan.leases.receive(wait_s=0)]
    first = hands[0].message_id
    with pytest.raises(StorageError):
        scan.scan.run(hands)
    assert settled == [10, 10]


def test_what_is_in_hand_is_settled_first_and_counts(world: World, looking: Callable[..., Looking]) -> None:
    """A plan that has looked already has its messages."""
    fill(world, 30)
    scan = looking(limit=10)
    hands = scan.leases.receive(wait_s=0)
    scan.scan.run(hands)
    assert scan.taken == [lease.message_id for lease in hands]


@pytest.mark.parametrize(
    ("ids", "limit", "expected"),
    [(None, None, None), (None, 5, 5), ({"a", "b"}, None, 2), ({"a", "b"}, 1, 1), (set(), None, 0)],
)
def test_how_many_can_be_taken(ids: set[str] | None, limit: int | None, expected: int | None) -> None:
    """The limit, or as many as are named."""
    assert most(ids, limit) == expected


def test_the_end_is_three_empty_receives_in_a_row_with_nothing_hidden() -> None:
    """While something may be hidden, an empty receive proves nothing, and afterwards it takes three again."""
    clock = FakeClock()
    end = EndOfQueue(clock)
    for messages in (0, 0, 5, 0, 0):
        end.saw(messages)
    assert not end.reached
    end.saw(0)
    assert end.reached
    end.blind_for(-1)
    assert end.reached
    end.blind_for(30)
    for _ in range(5):
        end.saw(0)
    assert not end.reached
    clock.advance(30)
    end.saw(0)
    end.saw(0)
    assert not end.reached
    end.saw(0)
    assert end.reached


def test_a_scan_ends_though_messages_never_cease_to_arrive(world: World, looking: Callable[..., Looking]) -> None:
    """What was sent after it began does not keep it; all that was there before is seen."""
    ids = fill(world, 25)

    class Arrivals(Faults):
        def before(self, operation: str, request: Mapping[str, Any]) -> None:
            if operation == "ReceiveMessage" and scan.leases.held < 500:
                world.clock.advance(3)
                world.ask("SendMessage", world.dlq, MessageBody="late")

    scan = looking(end=EndOfQueue(world.clock, began_ms=int(world.clock.wall() * 1000)))
    world.fake.faults = Arrivals()
    scan.scan.run()
    assert set(ids) <= set(scan.taken)
    assert scan.leases.held < 50


def test_a_receive_full_of_late_messages_proves_nothing() -> None:
    """There may be older ones behind them."""
    end = EndOfQueue(FakeClock(), began_ms=0)
    for _ in range(3):
        end.saw_sent_at([9_999] * 10)
    assert not end.reached
    for _ in range(3):
        end.saw_sent_at([9_999] * 9)
    assert end.reached
    end.blind_for(1)
    for _ in range(3):
        end.saw_sent_at([2_000])
    assert not end.reached


def test_a_body_that_is_not_taken_is_let_go_of(world: World, looking: Callable[..., Looking]) -> None:
    """A scan of a deep queue keeps ids and handles in memory."""
    fill(world, 10)
    scan = looking(decide=lambda _: Outcome.SKIPPED)
    scan.scan.run()
    assert all(lease.message is None for lease in scan.leases._held.values())
    assert scan.batches == []


def test_a_fault_in_one_receive_costs_nothing(world: World, looking: Callable[..., Looking]) -> None:
    """Errors in a row are counted, and a success in between forgets them."""

    class Flicker(Faults):
        calls = 0

        def before(self, operation: str, request: Mapping[str, Any]) -> None:
            self.calls += operation == "ReceiveMessage"
            if operation == "ReceiveMessage" and self.calls % 3:
                raise throttled(operation)

    fill(world, 100)
    world.fake.faults = Flicker()
    scan = looking()
    scan.scan.run()
    assert len(scan.taken) == 100


def test_a_service_that_fails_is_asked_less_and_less_often(
    world: World, looking: Callable[..., Looking], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each wait is as long as the one before, or longer, up to some seconds: an outage is not made worse by us."""
    monkeypatch.setattr("opstool.engine.scan.random.random", lambda: 1.0)
    asked: list[float] = []

    class Down(Faults):
        def before(self, operation: str, request: Mapping[str, Any]) -> None:
            if operation == "ReceiveMessage":
                asked.append(world.clock.monotonic())
                raise throttled(operation)

    world.fake.faults = Down()
    with pytest.raises(ServiceError):
        looking().scan.run()
    waits = [later - earlier for earlier, later in pairwise(asked)]
    assert waits == sorted(waits)
    assert waits[0] < 1
    assert 4 < waits[-1] < 10


def test_a_stop_ends_the_wait_for_a_service_that_fails(
    world: World, looking: Callable[..., Looking], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C is heard at once, also in an outage."""
    monkeypatch.setattr("opstool.engine.scan.random.random", lambda: 1.0)
    world.fake.faults = FailCalls("ReceiveMessage", throttled("x"))
    scan = looking()
    end = world.clock.every(5.5, scan.stop.set)
    scan.scan.run()
    assert world.clock.monotonic() == 5.5
    end()


def test_the_shortest_blindness_counts_and_none_does_not() -> None:
    """After half a second the count begins anew; after no time at all there was nothing to wait for."""
    clock = FakeClock()
    end = EndOfQueue(clock)
    for _ in range(3):
        end.saw(0)
    end.blind_for(0)
    assert end.reached
    end.blind_for(0.5)
    assert not end.reached
    clock.advance(0.5)
    end.saw(0)
    end.saw(0)
    assert not end.reached
    end.saw(0)
    assert end.reached


def test_a_scan_ends_though_every_other_answer_is_lost(world: World, looking: Callable[..., Looking]) -> None:
    """An empty receive proves nothing after a lost one, and none is ever far enough from one: it says so and ends."""
    fill(world, 5)
    world.fake.faults = FailCalls("ReceiveMessage", no_answer("ReceiveMessage"), calls=range(2, 20_000, 2))
    scan = looking()
    with pytest.raises(ServiceError):
        scan.scan.run()
    assert scan.tally.counts().received == 5
    assert 300 < world.clock.monotonic() < 400


def test_receives_that_bring_only_what_is_held_are_not_empty(world: World, looking: Callable[..., Looking]) -> None:
    """The same ten again and again hide those behind them, but they must not keep the scan for ever."""
    fill(world, 15)

    class TheSameAgain(Faults):
        first: dict[str, Any] = {}  # noqa: RUF012 - set once
        left = 5

        def before(self, operation: str, request: Mapping[str, Any]) -> dict[str, Any] | None:
            if operation == "ReceiveMessage" and self.first and self.left:
                self.left -= 1
                return self.first
            return None

        def after(self, operation: str, request: Mapping[str, Any], response: dict[str, Any]) -> dict[str, Any]:
            if operation == "ReceiveMessage" and not self.first:
                self.first = response
            return response

    world.fake.faults = again = TheSameAgain()
    scan = looking()
    scan.scan.run()
    assert scan.tally.counts().received == 15
    again.left = 10_000
    ending = looking(end=EndOfQueue(world.clock))
    ending.scan.run()
    assert again.left > 9_900


def test_no_worker_begins_another_batch_after_an_error(world: World, looking: Callable[..., Looking]) -> None:
    """A full disk met by one will be met by all: what they have not begun stays where it is."""
    fill(world, 100)
    settled: list[str] = []

    def settle(batch: list[Lease]) -> None:
        if batch[0].message_id == first:
            raise StorageError("disk full")
        while scan.scan._failure is None:
            time.sleep(0.001)
        settled.extend(lease.message_id for lease in batch)

    scan = looking(workers=2, settle=settle)
    hands = [lease for _ in range(4) for lease in scan.leases.receive(wait_s=0)]
    first = hands[0].message_id
    with pytest.raises(StorageError):
        scan.scan.run(hands)
    assert settled == [lease.message_id for lease in hands[20:30]]


def test_a_batch_does_not_wait_for_ever_to_be_full(world: World, looking: Callable[..., Looking]) -> None:
    """Where messages come seconds apart, what was taken first is settled soon."""
    fill(world, 1)
    waited: list[float] = []

    class Trickle(Faults):
        def before(self, operation: str, request: Mapping[str, Any]) -> None:
            if operation == "ReceiveMessage":
                world.clock.advance(3)
                world.ask("SendMessage", world.dlq, MessageBody="one more")

    def settle(batch: list[Lease]) -> None:
        waited.append(world.clock.monotonic())
        scan.stop.set()

    scan = looking(settle=settle)
    world.fake.faults = Trickle()
    scan.scan.run()
    assert len(waited) == 1
    assert waited[0] < 10
