from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from opstool.doors.sqs import Sqs
from opstool.engine.lease import Lease
from opstool.engine.leases import Leases
from opstool.fake import EntryFault, FailCalls, Faults, no_answer, throttled
from opstool.fake.stored import State
from opstool.words.errors import AccessError, ServiceError
from tests.world import World


@pytest.fixture
def leases(world: World) -> Iterator[Leases]:
    """Hold nothing yet."""
    held = Leases(sqs=Sqs(world.fake, world.clock), queue=world.dlq, clock=world.clock, lease_s=30)
    yield held
    world.fake.faults = Faults()
    held.close()


class OnCall(Faults):
    """Do something once, just before an operation is carried out."""

    def __init__(self, operation: str, act: Any) -> None:
        self._operation = operation
        self._act = act

    def before(self, operation: str, request: Mapping[str, Any]) -> None:
        """Act, the first time."""
        if operation == self._operation and self._act:
            act, self._act = self._act, None
            act()


class RefuseEntries(Faults):
    """Refuse entries of a batch, one fault after the other; None lets one pass."""

    def __init__(self, operation: str, faults: list[EntryFault | None]) -> None:
        self._operation = operation
        self._current = ""
        self._faults = faults

    def before(self, operation: str, request: Mapping[str, Any]) -> None:
        """Note what is asked."""
        self._current = operation

    def entry(self, operation: str, entry: Mapping[str, Any]) -> EntryFault | None:
        """Take the next fault."""
        return self._faults.pop(0) if operation == self._operation and self._faults else None


def take(world: World, leases: Leases, count: int = 1) -> list[Lease]:
    """Let messages die, and lease them."""
    world.send(world.dlq, [f"body {number}" for number in range(count)])
    held: list[Lease] = []
    while len(held) < count:
        held += leases.receive(wait_s=1)
    return held


def test_a_lease_is_kept_alive_for_as_long_as_the_process_lives(world: World, leases: Leases) -> None:
    """A slow operator at a prompt loses nothing."""
    held = take(world, leases, 25)
    world.clock.advance(3_600)
    assert world.visible(world.dlq) == 0
    assert leases.usable(held) == held


def test_a_machine_that_slept_has_lost_its_leases(world: World, leases: Leases) -> None:
    """Monotonic time stood still meanwhile; wall time tells. The message can be received afresh."""
    held = take(world, leases)
    world.clock.jump_wall(31)
    assert leases.usable(held) == []
    assert leases.held == 0
    assert [lease.message_id for lease in leases.receive(wait_s=1)] == [held[0].message_id]


def test_a_lease_that_runs_short_is_extended_before_a_send(world: World, leases: Leases) -> None:
    """Asked in time, SQS grants it."""
    held = take(world, leases)
    world.clock.jump_wall(20)
    assert leases.usable(held) == held
    world.clock.jump_wall(20)
    assert world.visible(world.dlq) == 0


def test_four_failed_beats_lose_nothing(world: World, leases: Leases) -> None:
    """The fifth comes before the lease ends."""
    held = take(world, leases)
    world.fake.faults = FailCalls("ChangeMessageVisibilityBatch", throttled("x"), calls=[1, 2, 3, 4])
    world.clock.advance(29)
    world.fake.faults = Faults()
    world.clock.advance(31)
    assert leases.usable(held) == held
    assert world.visible(world.dlq) == 0


def test_a_lease_that_could_not_be_extended_is_given_up_in_time(world: World, leases: Leases) -> None:
    """Its age says so, though no answer ever did."""
    held = take(world, leases)
    world.fake.faults = FailCalls("ChangeMessageVisibilityBatch", no_answer("x"))
    world.clock.advance(31)
    assert leases.usable(held) == []


def test_a_handle_that_has_gone_stale_is_given_up(world: World, leases: Leases) -> None:
    """SQS says that the message is not in flight any more."""
    held = take(world, leases)
    world.ask("ChangeMessageVisibility", world.dlq, ReceiptHandle=held[0].receipt_handle, VisibilityTimeout=0)
    world.clock.advance(15)
    assert held[0].lost
    assert leases.usable(held) == []


def test_a_second_delivery_of_a_held_message_only_renews_its_handle(world: World, leases: Leases) -> None:
    """Two workers never have the same message."""
    [lease] = take(world, leases)
    first = lease.receipt_handle
    world.ask("ChangeMessageVisibility", world.dlq, ReceiptHandle=first, VisibilityTimeout=0)
    assert leases.receive(wait_s=1) == []
    assert lease.receipt_handle != first
    assert leases.delete([lease]) == ({}, set())
    assert world.bodies(world.dlq) == []


def test_a_delete_is_repeated_when_the_handle_was_renewed_meanwhile(world: World, leases: Leases) -> None:
    """A stale delete of a standard queue "succeeds" and does nothing."""
    [lease] = take(world, leases)

    def deliver_again() -> None:
        world.ask("ChangeMessageVisibility", world.dlq, ReceiptHandle=lease.receipt_handle, VisibilityTimeout=0)
        assert leases.receive(wait_s=0) == []

    world.fake.faults = OnCall("DeleteMessageBatch", deliver_again)
    assert leases.delete([lease]) == ({}, set())
    assert world.bodies(world.dlq) == []


def test_a_delete_after_the_lease_had_lapsed_is_doubtful(world: World, leases: Leases) -> None:
    """Somebody else may have received the message, and then the delete did nothing, though SQS said yes."""
    held = take(world, leases)

    def lapse() -> None:
        world.clock.jump_wall(31)
        world.ask("ReceiveMessage", world.dlq)

    world.fake.faults = OnCall("DeleteMessageBatch", lapse)
    assert leases.delete(held) == ({}, {held[0].message_id})
    assert len(world.bodies(world.dlq)) == 1


def test_a_delete_whose_answer_was_lost_is_repeated(world: World, leases: Leases) -> None:
    """To delete what is gone is no failure."""
    held = take(world, leases, 10)
    world.fake.faults = FailCalls("DeleteMessageBatch", no_answer("x"), phase="after", calls=[1])
    assert leases.delete(held) == ({}, set())
    assert world.bodies(world.dlq) == []


def test_a_delete_that_failed_for_good_is_told_though_others_were_repeated(world: World, leases: Leases) -> None:
    """Each message has its own answer."""
    held = take(world, leases, 3)
    refusals = [EntryFault(code="ReceiptHandleIsInvalid", sender_fault=True), EntryFault(), None]
    world.fake.faults = RefuseEntries("DeleteMessageBatch", refusals)
    failed, _ = leases.delete(held)
    assert {key: failure.code for key, failure in failed.items()} == {held[0].message_id: "ReceiptHandleIsInvalid"}
    assert [message.message_id for message in world.stored(world.dlq)] == [held[0].message_id]


def test_a_delete_is_given_up_after_three_attempts(world: World, leases: Leases) -> None:
    """The message reappears when its visibility timeout ends."""
    held = take(world, leases, 2)
    world.fake.faults = FailCalls("DeleteMessageBatch", throttled("x"))
    assert {failure.code for failure in leases.delete(held).failed.values()} == {"throttled"}
    assert world.fake.requests["DeleteMessageBatch"] == 3
    world.clock.advance(31)
    assert world.visible(world.dlq) == 2


def test_a_delete_that_is_denied_is_raised(world: World, leases: Leases) -> None:
    """The next one would be denied too."""
    held = take(world, leases)
    world.fake.faults = FailCalls("DeleteMessageBatch", AccessError("no"))
    with pytest.raises(AccessError):
        leases.delete(held)


def test_closing_shows_everything_again_at_once(world: World, leases: Leases) -> None:
    """The next engineer does not find an empty queue."""
    take(world, leases, 95)
    leases.close()
    assert world.visible(world.dlq) == 95


def test_no_beat_hides_a_message_after_it_was_released(world: World, leases: Leases) -> None:
    """The heartbeat ends first."""
    take(world, leases, 3)
    leases.close()
    world.clock.advance(300)
    assert {message.state for message in world.stored(world.dlq)} == {State.VISIBLE}


def test_a_release_that_fails_leaves_it_to_the_timeout(world: World, leases: Leases) -> None:
    """Nothing is lost by it, and nothing is raised: a report must still be made."""
    take(world, leases, 3)
    world.fake.faults = FailCalls("ChangeMessageVisibilityBatch", ServiceError("no"))
    leases.close()
    world.clock.advance(31)
    assert world.visible(world.dlq) == 3


def test_the_body_of_a_released_message_is_forgotten(world: World, leases: Leases) -> None:
    """A long scan holds ids and handles only."""
    [lease] = take(world, leases)
    lease.forget_body()
    with pytest.raises(AssertionError):
        _ = lease.content


def test_a_heartbeat_extends_several_batches_at_once(world: World, leases: Leases) -> None:
    """One after the other, five thousand messages would lapse before their turn came."""
    take(world, leases, 20)
    both = threading.Barrier(2)

    class Meet(Faults):
        def before(self, operation: str, request: Mapping[str, Any]) -> None:
            if operation == "ChangeMessageVisibilityBatch":
                both.wait(5)

    world.fake.faults = Meet()
    world.clock.advance(12)
    assert world.fake.requests["ChangeMessageVisibilityBatch"] == 2
    assert not both.broken


def test_very_many_messages_get_longer_leases(world: World, leases: Leases) -> None:
    """A heartbeat is sure to extend a thousand in a second."""
    leases._held = dict.fromkeys(map(str, range(100_000)))  # type: ignore[assignment]
    assert leases.lease_s == 100
    leases._held = {}
    assert leases.lease_s == 30


def test_what_could_not_be_released_is_counted_over_all_batches(world: World, leases: Leases) -> None:
    """Whoever looks next has to know how many are hidden; a hold that ended well has nothing to say."""
    take(world, leases, 5)
    leases.close()
    assert leases.notes == ()
    world.clock.advance(1)
    held = take(world, leases, 20)
    world.fake.faults = FailCalls("ChangeMessageVisibilityBatch", throttled("x"))
    leases.release(held)
    assert leases.notes == (f"{len(held)} messages could not be released: they stay hidden for up to 30 s more",)


def test_a_beat_asks_for_nothing_that_needs_no_asking(world: World, leases: Leases) -> None:
    """Neither for what was just taken, nor for what is lost: each request costs money."""
    take(world, leases)
    leases.keep_alive()
    assert world.fake.requests["ChangeMessageVisibilityBatch"] == 0
    world.clock.jump_wall(31)
    leases.keep_alive()
    assert world.fake.requests["ChangeMessageVisibilityBatch"] == 0


def test_a_lease_is_over_at_the_very_moment_it_ends(world: World, leases: Leases) -> None:
    """From then on SQS may give the message to anybody: it is not sent, and a delete of it is doubtful."""
    sent, deleted = take(world, leases, 2)
    world.clock.jump_wall(30)
    assert leases.delete([deleted]).doubtful == {deleted.message_id}
    assert leases.usable([sent]) == []


def test_a_lease_that_was_taken_for_longer_lasts_longer(world: World, leases: Leases) -> None:
    """It is ours as long as was asked for, and needs a beat less often; one that was taken before it does not."""
    [short] = take(world, leases)
    others = dict.fromkeys(map(str, range(100_000)))
    leases._held.update(others)  # type: ignore[arg-type]
    [long] = take(world, leases)
    for each in others:
        del leases._held[each]
    world.clock.jump_wall(31)
    assert leases.usable([short, long]) == [long]
    before = world.fake.requests["ChangeMessageVisibilityBatch"]
    leases.keep_alive()
    assert world.fake.requests["ChangeMessageVisibilityBatch"] == before


def test_a_beat_that_finds_a_message_just_deleted_makes_nothing_doubtful(world: World, leases: Leases) -> None:
    """SQS refuses to hide what is gone, and its answer may be heard before that to the delete."""
    held = take(world, leases, 3)
    world.clock.jump_wall(12)

    class BeatBeforeTheAnswer(Faults):
        def after(self, operation: str, request: Mapping[str, Any], response: dict[str, Any]) -> dict[str, Any]:
            if operation == "DeleteMessageBatch":
                leases.keep_alive()
            return response

    world.fake.faults = BeatBeforeTheAnswer()
    assert leases.delete(held) == ({}, set())
    assert world.fake.requests["ChangeMessageVisibilityBatch"] == 1


def test_a_message_that_comes_back_while_its_delete_is_repeated_for_others_is_a_new_lease(
    world: World, leases: Leases
) -> None:
    """SQS said yes to a stale handle: the message is received again at once, and belongs to whoever received it."""
    stale, slow = take(world, leases, 2)
    world.ask("ChangeMessageVisibility", world.dlq, ReceiptHandle=stale.receipt_handle, VisibilityTimeout=0)
    world.ask("ReceiveMessage", world.dlq, VisibilityTimeout=0)
    again: list[Lease] = []

    class SlowEntry(Faults):
        refused = False

        def before(self, operation: str, request: Mapping[str, Any]) -> None:
            if operation == "DeleteMessageBatch" and self.refused:
                world.fake.faults = Faults()
                again.extend(leases.receive(wait_s=0))

        def entry(self, operation: str, entry: Mapping[str, Any]) -> EntryFault | None:
            if operation == "DeleteMessageBatch" and entry["ReceiptHandle"] == slow.receipt_handle:
                self.refused = True
                return EntryFault()
            return None

    world.fake.faults = SlowEntry()
    assert leases.delete([stale, slow]).failed == {}
    assert [lease.message_id for lease in again] == [stale.message_id]
    assert leases.usable(again) == again


def test_leases_that_ended_before_their_turn_are_counted_together(world: World, leases: Leases) -> None:
    """However many batches they were found in."""
    first, second = take(world, leases, 2)
    world.clock.jump_wall(31)
    assert leases.usable([first]) == leases.usable([second]) == []
    hidden, note = leases.notes
    assert "may stay hidden for up to 30 s more" in hidden
    assert note.startswith("our hold on 2 messages ended before their turn")


def test_an_answer_that_was_overtaken_brings_back_no_old_handle(world: World, leases: Leases) -> None:
    """Two workers receive one message; whichever answer is read first, the handle of the later receive counts."""
    world.send(world.dlq, ["body"])
    later: list[Lease] = []

    class Overtaken(Faults):
        def after(self, operation: str, request: Mapping[str, Any], response: dict[str, Any]) -> dict[str, Any]:
            world.fake.faults = Faults()
            [message] = response["Messages"]
            world.ask("ChangeMessageVisibility", world.dlq, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0)
            later.extend(leases.receive(wait_s=0))
            return response

    world.fake.faults = Overtaken()
    assert leases.receive(wait_s=0) == []
    assert leases.delete(later) == ({}, set())
    assert world.bodies(world.dlq) == []


def test_a_receive_that_was_not_answered_is_spoken_of_until_it_is_over(world: World, leases: Leases) -> None:
    """What it took is hidden for one visibility timeout, from everybody."""
    world.fake.faults = FailCalls("ReceiveMessage", no_answer("x"), calls=[1])
    with pytest.raises(ServiceError):
        leases.receive(wait_s=0)
    [note] = leases.notes
    assert note == "an answer was lost or late: some messages may stay hidden for up to 30 s more"
    world.clock.advance(30)
    assert leases.notes == ()
    world.fake.faults = FailCalls("ReceiveMessage", throttled("x"), calls=[1])
    with pytest.raises(ServiceError):
        leases.receive(wait_s=0)
    assert leases.notes == ()


def test_longer_leases_are_told_of_before_they_are_asked_for_and_once(world: World, leases: Leases) -> None:
    """A resume has to wait for the longest of them, whatever happens meanwhile."""
    leases._held = dict.fromkeys(map(str, range(35_000)))  # type: ignore[assignment]
    leases.receive(wait_s=0)  # where nobody wants to know, nobody is told
    told: list[tuple[int, int]] = []
    leases.before_longer = lambda seconds: told.append((seconds, world.fake.requests["ReceiveMessage"]))
    leases._held = dict.fromkeys(map(str, range(40_000)))  # type: ignore[assignment]
    for _ in range(2):
        leases.receive(wait_s=0)
    leases._held = {}
    leases.receive(wait_s=0)
    assert told == [(40, 1)]
    assert leases.longest_s == 40


def test_an_extension_counts_for_the_others_though_one_was_delivered_again_meanwhile(
    world: World, leases: Leases
) -> None:
    """Its answer is about a handle that is over; theirs is not."""
    again, other = take(world, leases, 2)

    def deliver_again() -> None:
        world.ask("ChangeMessageVisibility", world.dlq, ReceiptHandle=again.receipt_handle, VisibilityTimeout=0)
        assert leases.receive(wait_s=0) == []

    world.fake.faults = OnCall("ChangeMessageVisibilityBatch", deliver_again)
    world.clock.advance(12)
    world.clock.jump_wall(26)
    assert leases.usable([again, other]) == [again, other]


def test_whoever_may_not_extend_is_told_so(world: World, leases: Leases) -> None:
    """Else a permission that is missing looks like a slow target."""
    held = take(world, leases)
    world.fake.faults = FailCalls("ChangeMessageVisibilityBatch", AccessError("not allowed"))
    world.clock.advance(31)
    assert leases.usable(held) == []
    hidden, note = leases.notes
    assert "may stay hidden for up to 30 s more" in hidden
    assert note.startswith("our hold on 1 messages ended before their turn (it was not extended: not allowed)")


def test_the_last_handle_counts_though_an_earlier_answer_comes_after_it(world: World, leases: Leases) -> None:
    """Two workers receive one message: with the handle that is over nothing could be deleted."""
    [message_id] = world.send(world.dlq, ["body"])
    taken: list[Lease] = []

    class Overtaken(Faults):
        def after(self, operation: str, request: Mapping[str, Any], response: dict[str, Any]) -> dict[str, Any]:
            if operation == "ReceiveMessage" and not taken:
                handle = response["Messages"][0]["ReceiptHandle"]
                world.ask("ChangeMessageVisibility", world.dlq, ReceiptHandle=handle, VisibilityTimeout=0)
                world.fake.faults = Faults()
                taken.extend(leases.receive(wait_s=0))
            return response

    world.fake.faults = Overtaken()
    assert leases.receive(wait_s=0) == []
    [lease] = taken
    assert lease.message_id == message_id
    assert leases.delete([lease]) == ({}, set())
    assert world.bodies(world.dlq) == []
