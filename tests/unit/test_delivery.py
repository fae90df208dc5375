from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest

from opstool.doors.journal import Journal
from opstool.doors.sqs import Sqs
from opstool.engine.delivery import PUT_ATTEMPTS, Delivered, Delivery, OpenBodies
from opstool.engine.queuesink import QueueSink
from opstool.engine.sinks import StillOurs, all_ours
from opstool.engine.throttle import Throttle
from opstool.fake import EntryFault, FailCalls, Faults, no_answer, throttled
from opstool.words.errors import AccessError, StorageError
from opstool.words.message import Message
from opstool.words.record import State
from opstool.words.report import Tally
from tests.world import Accepted, World

ORIGIN = "arn:aws:sqs:us-east-1:123456789012:orders-dlq"


class Desk:
    """One run that delivers to the source queue of a world."""

    def __init__(self, world: World, *, run_id: str = "run-1", uncertain: Any = "resend", rate: float | None = None):
        self.world = world
        self.tally = Tally()
        self.stop = threading.Event()
        self.journal = Journal(world.state_dir / "journal.db", world.clock)
        self.delivery = Delivery(
            run_id=run_id,
            journal=self.journal,
            sink=QueueSink(Sqs(world.fake, world.clock), lambda _: world.source, run_id=run_id),
            tally=self.tally,
            throttle=Throttle(rate, world.clock),
            clock=world.clock,
            stop=self.stop,
            uncertain=uncertain,
            chance=lambda: 0.5,
        )

    def deliver(self, messages: Sequence[Message], still_ours: Any = lambda left: left) -> Delivered:
        """Deliver one batch, each message of which was received."""
        for each in messages:
            self.tally.received(each.message_id)
        return self.delivery.deliver(ORIGIN, messages, still_ours)

    @property
    def counted(self) -> int:
        """Return what is possibly sent twice."""
        return len(self.journal.possibly_sent_twice(self.delivery.run_id))

    def states(self) -> dict[str, State]:
        """Return the states in the journal."""
        return {move.record_id: move.state for move in self.journal.moves(self.delivery.run_id)}


@pytest.fixture
def desk(world: World) -> Iterator[Desk]:
    """Open a desk."""
    opened = Desk(world)
    yield opened
    opened.journal.close()


def batch(count: int, *, group: str | None = None) -> list[Message]:
    """Return messages."""
    return [Message(message_id=f"m-{number}", body=f"body {number}", group_id=group) for number in range(count)]


class Loses(Faults):
    """Lose the answers of the sends with these numbers."""

    def __init__(self, *numbers: int) -> None:
        self._numbers = numbers
        self._seen = 0

    def after(self, operation: str, request: Mapping[str, Any], response: dict[str, Any]) -> dict[str, Any]:
        """Count, and lose."""
        if operation == "SendMessageBatch":
            self._seen += 1
            if self._seen in self._numbers:
                raise no_answer(operation)
        return response


def test_the_intent_is_on_disk_before_the_send_and_the_new_id_before_the_end(world: World, desk: Desk) -> None:
    """A worker that dies in between leaves a record that says so."""
    seen: list[dict[str, State]] = []

    class Look(Faults):
        def before(self, operation: str, request: Mapping[str, Any]) -> None:
            other = Journal(world.state_dir / "journal.db", world.clock)
            seen.append({move.record_id: move.state for move in other.moves("run-1")})
            other.close()

    world.fake.faults = Look()
    assert desk.deliver(batch(2)).now == {"m-0", "m-1"}
    assert seen == [{"m-0": State.INTENT, "m-1": State.INTENT}]
    assert desk.states() == {"m-0": State.SENT, "m-1": State.SENT}


def test_a_worker_that_cannot_write_the_intent_does_not_send(world: World, desk: Desk) -> None:
    """The disk is full."""
    desk.journal._database._connection.execute("PRAGMA max_page_count = 1")
    many = [Message(message_id=f"m-{number}-{'x' * 2_000}", body="b") for number in range(10)]
    with pytest.raises(StorageError):
        desk.deliver(many)
    assert world.fake.requests["SendMessageBatch"] == 0


def test_a_throttled_send_is_repeated_and_counts_as_sent_once(world: World, desk: Desk) -> None:
    """Throttled means not accepted."""
    world.fake.faults = FailCalls("SendMessageBatch", throttled("x"), calls=[1, 2])
    assert len(desk.deliver(batch(10)).now) == 10
    assert len(world.bodies(world.source)) == 10
    assert desk.counted == 0


def test_a_service_that_asks_for_a_pause_before_the_next_send_gets_it(world: World, desk: Desk) -> None:
    """However short our own would be."""
    busy = throttled("x")
    busy.wait_s = 17.0
    world.fake.faults = FailCalls("SendMessageBatch", busy, calls=[1])
    before = world.clock.monotonic()
    assert len(desk.deliver(batch(10)).now) == 10
    assert world.clock.monotonic() - before >= 17


def test_a_target_that_stays_throttled_is_given_up_and_its_intents_are_taken_back(world: World, desk: Desk) -> None:
    """What was certainly not sent is fresh for the next run."""
    world.fake.faults = FailCalls("SendMessageBatch", throttled("x"))
    assert desk.deliver(batch(3)).now == set()
    assert world.fake.requests["SendMessageBatch"] == PUT_ATTEMPTS
    assert desk.tally.counts().failed == 3
    assert desk.states() == {}


def test_a_send_whose_answer_was_lost_is_repeated_and_counted(world: World, desk: Desk) -> None:
    """On a standard queue it is there twice now, and the report says so."""
    world.fake.faults = counting = Accepted(Loses(1))
    assert desk.deliver(batch(1)).now == {"m-0"}
    assert counting.doubled == 1
    assert desk.counted == 1


def test_with_leave_a_lost_answer_leaves_the_message_in_the_queue(world: World, desk: Desk) -> None:
    """It failed, with the reason; and its intent stays open."""
    desk = Desk(world, uncertain="leave")
    world.fake.faults = Loses(1)
    assert desk.deliver(batch(1)).now == set()
    assert [failure.code for failure in desk.tally.failures()] == ["no_answer"]
    assert desk.states() == {"m-0": State.INTENT}
    world.fake.faults = Faults()
    assert desk.deliver(batch(1)).now == set()
    assert [failure.code for failure in desk.tally.failures()] == ["uncertain"]
    assert world.fake.requests["SendMessageBatch"] == 1
    desk.journal.close()


def uncertain_desk(world: World, run_id: str) -> Desk:
    """Return the desk of a run after another process of run-1 has died between its send and its answer."""
    first = Desk(world)
    world.fake.faults = Loses(*range(1, 20))
    first.deliver(batch(1, group="a"))
    world.fake.faults = Faults()
    first.journal.close()
    return Desk(world, run_id=run_id)


@pytest.mark.parametrize(
    ("run_id", "pause_s", "copies", "counted"),
    [("run-1", 100, 1, 0), ("run-1", 400, 2, 1), ("run-2", 0, 2, 1)],
    ids=["the same run in time", "the same run too late", "another run"],
)
def test_what_a_fifo_queue_recognises_is_not_counted_and_what_it_cannot_is(
    fifo_world: World, run_id: str, pause_s: int, copies: int, counted: int
) -> None:
    """The deduplication id closes the window for five minutes, and only for the run that has it."""
    desk = uncertain_desk(fifo_world, run_id)
    fifo_world.clock.advance(pause_s)
    assert desk.deliver(batch(1, group="a")).now == {"m-0"}
    assert len(fifo_world.bodies(fifo_world.source)) == copies
    assert desk.counted == counted
    desk.journal.close()


def test_a_run_that_took_over_another_runs_intent_counts_it_even_when_it_is_resumed(fifo_world: World) -> None:
    """The first run's deduplication id stays unknown to it."""
    second = uncertain_desk(fifo_world, "run-2")
    second.journal.claim("run-2", ORIGIN, batch(1, group="a"))  # and dies
    second.journal.close()
    resumed = Desk(fifo_world, run_id="run-2")
    resumed.deliver(batch(1, group="a"))
    assert len(fifo_world.bodies(fifo_world.source)) == 2
    assert resumed.counted == 1
    resumed.journal.close()


def test_what_was_sent_before_is_not_sent_again(world: World, desk: Desk) -> None:
    """By this run or another."""
    desk.deliver(batch(2))
    other = Desk(world, run_id="run-2")
    assert other.deliver(batch(3)) == Delivered(now={"m-2"}, before={"m-0", "m-1"})
    assert len(world.bodies(world.source)) == 3
    other.journal.close()


def test_only_what_is_still_ours_is_sent(world: World, desk: Desk) -> None:
    """A lease that was lost before the send: somebody else may have the message by now."""
    assert desk.deliver(batch(3), lambda left: [each for each in left if each.message_id != "m-0"]).now == {
        "m-1",
        "m-2",
    }
    assert "body 0" not in world.bodies(world.source)
    assert set(desk.states()) == {"m-1", "m-2"}


def test_a_lease_that_is_lost_between_two_attempts_ends_them(world: World, desk: Desk) -> None:
    """The intent of what was certainly not sent is taken back."""
    world.fake.faults = FailCalls("SendMessageBatch", throttled("x"), calls=[1])

    def until_the_first_attempt(left: Sequence[Message]) -> Sequence[Message]:
        return [] if world.fake.requests["SendMessageBatch"] else left

    assert desk.deliver(batch(2), until_the_first_attempt).now == set()
    assert world.fake.requests["SendMessageBatch"] == 1
    assert desk.states() == {}
    assert desk.tally.counts().released == 2


def test_a_lease_that_is_lost_while_the_journal_is_written_is_noticed_before_the_send(world: World, desk: Desk) -> None:
    """A slow disk may take longer than a lease: it is asked again right before each request, and the intent goes."""
    answers = iter([batch(2), batch(1), []])
    assert desk.deliver(batch(2), lambda _: next(answers)).now == {"m-0"}
    assert world.bodies(world.source) == ["body 0"]
    assert set(desk.states()) == {"m-0"}


def test_a_group_stops_at_a_message_that_is_no_longer_ours(fifo_world: World) -> None:
    """Nothing overtakes it, in this batch or in a later one."""
    desk = Desk(fifo_world)
    messages = batch(4, group="a")
    assert desk.deliver(messages[:2], lambda left: left[1:]).now == set()
    assert desk.deliver(messages[2:]).now == set()
    assert fifo_world.bodies(fifo_world.source) == []
    desk.journal.close()


def test_a_group_stops_at_a_message_that_failed(fifo_world: World) -> None:
    """For the rest of the run."""

    class RefuseFirst(Faults):
        def entry(self, operation: str, entry: Mapping[str, Any]) -> EntryFault | None:
            return EntryFault(sender_fault=True) if entry["MessageBody"] == "body 0" else None

    desk = Desk(fifo_world)
    fifo_world.fake.faults = RefuseFirst()
    messages = batch(3, group="a")
    assert desk.deliver(messages[:2]).now == set()
    assert desk.deliver(messages[2:]).now == set()
    assert (desk.tally.counts().failed, desk.tally.counts().released) == (1, 2)
    desk.journal.close()


def test_an_error_that_the_next_batch_would_meet_is_raised(world: World, desk: Desk) -> None:
    """Nothing was sent, so nothing is uncertain."""
    world.fake.faults = FailCalls("SendMessageBatch", AccessError("no"))
    with pytest.raises(AccessError):
        desk.deliver(batch(2))
    assert desk.states() == {}
    assert desk.tally.counts().failed == 2


def test_what_is_confirmed_is_not_forgotten_for_such_an_error(world: World, desk: Desk) -> None:
    """Some entries were accepted, then the permission was taken away: the originals of those can be deleted."""

    class OneAndNoMore(Faults):
        calls = 0

        def before(self, operation: str, request: Mapping[str, Any]) -> None:
            self.calls += 1
            if self.calls > 1:
                raise AccessError("no")

        def entry(self, operation: str, entry: Mapping[str, Any]) -> EntryFault | None:
            return EntryFault() if entry["MessageBody"] == "body 1" else None

    world.fake.faults = OneAndNoMore()
    assert desk.deliver(batch(2)).now == {"m-0"}
    assert desk.tally.counts().failed == 1
    with pytest.raises(AccessError):
        desk.deliver([Message(message_id="m-9", body="next")])


def test_a_stop_during_the_backoff_gives_back_what_was_not_accepted(world: World, desk: Desk) -> None:
    """It stays in the queue, undecided."""

    class StopIt(Faults):
        def before(self, operation: str, request: Mapping[str, Any]) -> None:
            desk.stop.set()
            raise throttled(operation)

    world.fake.faults = StopIt()
    assert desk.deliver(batch(2)).now == set()
    assert desk.tally.counts().released == 2
    assert desk.states() == {}


def test_a_stop_while_waiting_for_the_pace_sends_nothing(world: World) -> None:
    """Eight workers that wait would send a burst."""
    desk = Desk(world, rate=1)
    desk.deliver(batch(10))
    end = world.clock.every(2, desk.stop.set)
    assert desk.deliver([Message(message_id="m-11", body="late")]) == Delivered(now=set(), before=set())
    assert "late" not in world.bodies(world.source)
    end()
    desk.journal.close()


def test_an_archive_that_cannot_be_written_takes_its_intents_back(world: World, desk: Desk) -> None:
    """Nothing of it is kept, so nothing is uncertain."""

    class FullDisk(QueueSink):
        def put(self, messages: Sequence[Message], still_ours: StillOurs = all_ours) -> Any:
            raise StorageError("disk full")

    sink = FullDisk(Sqs(world.fake, world.clock), lambda _: world.source, run_id="run-1")
    object.__setattr__(desk.delivery, "sink", sink)
    with pytest.raises(StorageError):
        desk.deliver(batch(2))
    assert desk.states() == {}


def test_a_body_whose_answer_was_lost_is_recognised_under_another_id() -> None:
    """And the message itself is not its own return."""
    open_bodies = OpenBodies()
    one, same, other = (Message(message_id=key, body=body) for key, body in [("1", "x"), ("2", "x"), ("3", "y")])
    assert not open_bodies.is_return(same)
    open_bodies.add(one.message_id, one.body_sha256)
    assert [open_bodies.is_return(each) for each in (one, same, other)] == [False, True, False]


def test_a_stop_ends_the_backoff_at_once(world: World, desk: Desk) -> None:
    """Ctrl-C is heard while a throttled target is waited for."""
    world.fake.faults = FailCalls("SendMessageBatch", throttled("x"))
    end = world.clock.every(0.5, desk.stop.set)
    assert desk.deliver(batch(2)).now == set()
    assert world.clock.monotonic() == 0.5
    assert desk.tally.counts().released == 2
    end()


def test_a_message_that_is_tried_again_takes_its_place_in_the_pace_again(world: World) -> None:
    """A rate is what the target is asked to bear, refused or not."""
    desk = Desk(world, rate=10)
    world.fake.faults = FailCalls("SendMessageBatch", throttled("x"), calls=[1])
    assert len(desk.deliver(batch(10)).now) == 10
    assert world.clock.monotonic() == 1.0
    desk.journal.close()


class LosesThenRefuses(Loses):
    """Lose the first answer, and refuse every entry after it for good."""

    def entry(self, operation: str, entry: Mapping[str, Any]) -> EntryFault | None:
        """Refuse."""
        return EntryFault(code="InvalidMessageContents", sender_fault=True) if self._seen else None


def test_a_refusal_after_a_lost_answer_is_no_certainty(world: World, desk: Desk) -> None:
    """The first send may have been accepted: that is what the report has to say, and the intent stays."""
    world.fake.faults = LosesThenRefuses(1)
    assert desk.deliver(batch(1)).now == set()
    assert [failure.code for failure in desk.tally.failures()] == ["no_answer"]
    assert desk.states() == {"m-0": State.INTENT}


def test_a_stop_after_a_lost_answer_leaves_the_message_uncertain(world: World, desk: Desk) -> None:
    """It is not given back undecided: it may be in the target."""

    class LosesAndStops(Loses):
        def before(self, operation: str, request: Mapping[str, Any]) -> None:
            desk.stop.set()

    world.fake.faults = LosesAndStops(1)
    assert desk.deliver(batch(1)).now == set()
    assert [failure.code for failure in desk.tally.failures()] == ["no_answer"]
    assert desk.states() == {"m-0": State.INTENT}


def test_a_lease_that_is_lost_at_the_last_attempt_leaves_no_intent(world: World, desk: Desk) -> None:
    """It was certainly not sent, so the next run finds it fresh, and this one gives it back."""
    world.fake.faults = FailCalls("SendMessageBatch", throttled("x"), calls=range(1, PUT_ATTEMPTS))
    asked_after_the_last: list[int] = []

    def until_the_last(left: Sequence[Message]) -> Sequence[Message]:
        if world.fake.requests["SendMessageBatch"] < PUT_ATTEMPTS - 1:
            return left
        asked_after_the_last.append(len(left))
        return left if len(asked_after_the_last) == 1 else []

    assert desk.deliver(batch(2), until_the_last).now == set()
    assert desk.states() == {}
    assert desk.tally.counts().released == 2


def test_what_an_earlier_run_may_have_sent_is_recognised_when_it_comes_back(world: World) -> None:
    """Under whatever id it has there."""
    desk = Desk(world, uncertain="leave")
    desk.journal.claim("run-0", ORIGIN, batch(1))  # and dies
    assert desk.deliver(batch(1)).now == set()
    assert desk.delivery.open_bodies.is_return(Message(message_id="another", body="body 0"))
    desk.journal.close()
