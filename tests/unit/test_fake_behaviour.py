from __future__ import annotations

import gc
import threading
import time
from typing import Any

import pytest

from opstool.doors.clock import SystemClock
from opstool.doors.sqs import Sqs
from opstool.fake import Behaviour, FakeClock, FakeSqs
from opstool.words.errors import ServiceError


class OneQueue:
    """A queue of a fake, filled with numbered bodies."""

    def __init__(self, sqs: FakeSqs, *, count: int = 0, fifo: bool = False, **attributes: str) -> None:
        self.sqs = sqs
        if fifo:
            attributes = {"FifoQueue": "true", **attributes}
        name = "q.fifo" if fifo else "q"
        self.url = sqs("CreateQueue", {"QueueName": name, "Attributes": attributes})["QueueUrl"]
        for number in range(count):
            extra = {"MessageGroupId": str(number), "MessageDeduplicationId": str(number)} if fifo else {}
            self.ask("SendMessage", MessageBody=str(number), **extra)

    def ask(self, operation: str, **request: Any) -> dict[str, Any]:
        """Carry out a request on the queue."""
        return self.sqs(operation, {"QueueUrl": self.url, **request})

    def receive(self, **fields: Any) -> list[dict[str, Any]]:
        """Receive up to ten."""
        return list(self.ask("ReceiveMessage", MaxNumberOfMessages=10, **fields).get("Messages", []))

    def bodies(self, **fields: Any) -> list[str]:
        """Receive up to ten, and return their bodies."""
        return [message["Body"] for message in self.receive(**fields)]


def test_the_same_seed_gives_the_same_story() -> None:
    """Ids, order and misses repeat, and another seed tells another one."""

    def story(seed: int) -> list[Any]:
        queue = OneQueue(FakeSqs(seed=seed, behaviour=Behaviour(short_poll_misses=0.5, duplicates=0.2)), count=50)
        return [[(each["MessageId"], each["Body"]) for each in queue.receive()] for _ in range(10)]

    assert story(1) == story(1)
    assert story(1) != story(2)


def test_a_standard_queue_has_no_order_unless_asked() -> None:
    """Nobody may come to rely on one."""
    in_order = [str(number) for number in range(10)]
    assert OneQueue(FakeSqs(), count=10).bodies() != in_order
    assert OneQueue(FakeSqs(behaviour=Behaviour(shuffled=False)), count=10).bodies() == in_order


def test_a_short_poll_may_see_a_part_only_and_a_long_poll_sees_all() -> None:
    """One empty receive proves nothing."""
    queue = OneQueue(FakeSqs(behaviour=Behaviour(short_poll_misses=1.0)), count=40)
    sizes = [len(queue.bodies(VisibilityTimeout=0)) for _ in range(50)]
    assert 0 in sizes
    assert max(sizes) == 9
    assert len(queue.bodies(WaitTimeSeconds=1)) == 10


def test_a_duplicate_can_be_received_while_its_first_receiver_has_it() -> None:
    """At least once: the handle of the first receive then deletes nothing, the last one's does."""
    queue = OneQueue(FakeSqs(behaviour=Behaviour(duplicates=1.0)), count=1)
    [first], [second] = queue.receive(), queue.receive()
    assert first["MessageId"] == second["MessageId"]
    queue.ask("DeleteMessage", ReceiptHandle=first["ReceiptHandle"])
    [third] = queue.receive()
    queue.ask("DeleteMessage", ReceiptHandle=third["ReceiptHandle"])
    assert queue.receive() == []


def test_a_fifo_queue_has_no_duplicates() -> None:
    """A group stays locked whatever the knob says."""
    queue = OneQueue(FakeSqs(behaviour=Behaviour(duplicates=1.0)), count=1, fifo=True)
    assert (queue.bodies(), queue.bodies()) == (["0"], [])


def test_a_standard_queue_says_over_limit() -> None:
    """The last receive gives what there is room for, the next is refused; a delete makes room."""
    queue = OneQueue(FakeSqs(behaviour=Behaviour(in_flight_limit=15)), count=30)
    received = [*queue.receive(), *queue.receive()]
    assert len(received) == 15
    with pytest.raises(ServiceError) as caught:
        queue.receive()
    assert caught.value.code == "over_limit"
    queue.ask("DeleteMessage", ReceiptHandle=received[0]["ReceiptHandle"])
    assert len(queue.receive()) == 1


def test_a_fifo_queue_returns_nothing_at_its_limit() -> None:
    """Without an error."""
    queue = OneQueue(FakeSqs(behaviour=Behaviour(in_flight_limit=15)), count=30, fifo=True)
    assert [len(queue.bodies()) for _ in range(3)] == [10, 5, 0]


def test_a_machine_that_slept_has_lost_its_leases() -> None:
    """The service's time goes on while the caller's monotonic clock stands still."""
    clock = FakeClock()
    queue = OneQueue(FakeSqs(clock), count=1)
    assert len(queue.bodies()) == 1
    clock.jump_wall(30)
    assert len(queue.bodies()) == 1


def test_a_long_poll_on_an_empty_queue_takes_its_time() -> None:
    """Twenty virtual seconds, and no others."""
    clock = FakeClock()
    queue = OneQueue(FakeSqs(clock))
    assert queue.bodies(WaitTimeSeconds=20) == []
    assert clock.monotonic() == 20


def test_a_long_poll_lets_a_heartbeat_work() -> None:
    """What is kept alive beside the wait stays hidden through it."""
    clock = FakeClock()
    queue = OneQueue(FakeSqs(clock), count=1)
    [held] = queue.receive(VisibilityTimeout=10)
    handle = held["ReceiptHandle"]

    def beat() -> None:
        queue.ask("ChangeMessageVisibility", ReceiptHandle=handle, VisibilityTimeout=10)

    end = clock.every(5, beat)
    assert queue.bodies(WaitTimeSeconds=20) == []
    assert queue.bodies(WaitTimeSeconds=20) == []
    end()
    assert queue.bodies(WaitTimeSeconds=20) == ["0"]


def test_a_long_poll_ends_at_the_moment_a_hidden_message_shows() -> None:
    """It does not wait for its own end."""
    clock = FakeClock()
    queue = OneQueue(FakeSqs(clock), count=1)
    queue.receive(VisibilityTimeout=3)
    assert queue.bodies(WaitTimeSeconds=20) == ["0"]
    assert clock.monotonic() == 3


def test_the_queues_own_wait_time_is_a_long_poll() -> None:
    """ReceiveMessageWaitTimeSeconds holds where the receive says nothing."""
    clock = FakeClock()
    OneQueue(FakeSqs(clock), ReceiveMessageWaitTimeSeconds="7").receive()
    assert clock.monotonic() == 7


def test_the_services_clock_may_differ_from_ours() -> None:
    """The Date header tells, and the door learns it."""
    clock = FakeClock()
    queue = OneQueue(FakeSqs(clock, behaviour=Behaviour(skew_s=-300)), count=1)
    door = Sqs(queue.sqs, clock)
    door.attributes(door.resolve("q"))
    [message] = queue.receive(MessageSystemAttributeNames=["SentTimestamp"])
    sent_at_ms = int(message["Attributes"]["SentTimestamp"])
    assert sent_at_ms == round((clock.wall() - 300) * 1_000)
    assert abs(door.now_ms() - sent_at_ms) <= 1_000


def test_the_fake_works_on_real_time_too() -> None:
    """A long poll on the system's clock ends as soon as a message is sent."""
    queue = OneQueue(FakeSqs(SystemClock()))
    found: list[str] = []
    poll = threading.Thread(target=lambda: found.extend(queue.bodies(WaitTimeSeconds=20)), daemon=True)
    poll.start()
    give_up_at = time.monotonic() + 5
    while not queue.sqs._registry.find(queue.url).waiters and time.monotonic() < give_up_at:
        time.sleep(0.001)
    queue.ask("SendMessage", MessageBody="x")
    poll.join(timeout=5)
    assert found == ["x"]


def test_a_deep_queue_is_as_fast_as_a_shallow_one() -> None:
    """No operation walks the queue: five times the messages take about five times the time."""

    def seconds(count: int) -> float:
        queue = OneQueue(FakeSqs())
        began = time.process_time()
        for start in range(0, count, 10):
            batch = [{"Id": str(number), "MessageBody": str(start + number)} for number in range(10)]
            queue.ask("SendMessageBatch", Entries=batch)
        while messages := queue.receive():
            handles = [{"Id": str(n), "ReceiptHandle": each["ReceiptHandle"]} for n, each in enumerate(messages)]
            queue.ask("DeleteMessageBatch", Entries=handles)
        return time.process_time() - began

    gc.disable()  # its pauses grow with what other tests have left behind
    try:
        slowdown = min(seconds(10_000) / seconds(2_000) for _ in range(3))
    finally:
        gc.enable()
    assert slowdown < 3 * 5, "five times the messages take five times as long, and not twenty-five times"


def test_memory_of_deleted_messages_is_given_back() -> None:
    """The heaps keep no more than twice the living, and a rest."""
    queue = OneQueue(FakeSqs())
    for _ in range(500):
        batch = [{"Id": str(number), "MessageBody": "x"} for number in range(10)]
        queue.ask("SendMessageBatch", Entries=batch)
        handles = [{"Id": str(n), "ReceiptHandle": each["ReceiptHandle"]} for n, each in enumerate(queue.receive())]
        queue.ask("DeleteMessageBatch", Entries=handles)
    stored = queue.sqs._registry.find(queue.url)
    assert len(stored._expiring) <= 1_010
    assert len(stored._waking) <= 1_010
