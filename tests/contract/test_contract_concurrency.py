"""Many threads on one queue: nothing is lost, and nothing handed out twice while it is in flight."""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.servers.server import Server, redrive_policy

_THREADS = 16
_MESSAGES = 1_000
_HIDDEN_S = 43_200
"""So long that virtual time, which every long poll moves, cannot end a lease in the middle."""


def _send_all(send_batch: object, count: int) -> None:
    assert callable(send_batch)
    for start in range(0, count, 10):
        send_batch(*(str(number) for number in range(start, start + 10)))


def test_sixteen_threads_receive_each_message_once(server: Server) -> None:
    """1,000 messages, received and deleted by 16 threads: each once, none lost, none left."""
    queue = server.make_queue()
    _send_all(queue.send_batch, _MESSAGES)

    def work(_: int) -> list[str]:
        mine: list[str] = []
        while messages := queue.receive(visibility_s=_HIDDEN_S):
            mine += [message["Body"] for message in messages]
            entries = [{"Id": str(n), "ReceiptHandle": each["ReceiptHandle"]} for n, each in enumerate(messages)]
            assert not queue.ask("DeleteMessageBatch", Entries=entries).get("Failed")
        return mine

    with ThreadPoolExecutor(_THREADS) as pool:
        seen = Counter(body for mine in pool.map(work, range(_THREADS)) for body in mine)
    assert seen == Counter(str(number) for number in range(_MESSAGES))
    assert queue.counts() == (0, 0, 0)


def test_senders_and_receivers_at_once_lose_nothing(server: Server) -> None:
    """Eight threads send while eight receive and delete."""
    queue = server.make_queue()
    seen: Counter[str] = Counter()
    lock = threading.Lock()
    done = threading.Event()

    def send(sender: int) -> None:
        for batch in range(5):
            queue.send_batch(*(f"{sender}-{batch}-{number}" for number in range(10)))

    def receive(_: int) -> None:
        while True:
            was_done = done.is_set()
            messages = queue.receive(visibility_s=_HIDDEN_S)
            with lock:
                seen.update(message["Body"] for message in messages)
            for message in messages:
                queue.delete(message)
            if was_done and not messages:
                return

    with ThreadPoolExecutor(_THREADS) as pool:
        receivers = [pool.submit(receive, number) for number in range(8)]
        for sender in [pool.submit(send, number) for number in range(8)]:
            sender.result()
        done.set()
        for receiver in receivers:
            receiver.result()
    assert len(seen) == 400
    assert set(seen.values()) == {1}
    assert queue.counts() == (0, 0, 0)


@pytest.mark.parametrize("fifo", [False, True], ids=["standard", "FIFO"])
def test_every_message_dies_once_under_many_threads(server: Server, fifo: bool) -> None:
    """100 messages are released by 16 threads until all are in the dead-letter queue, each once."""
    dlq = server.make_queue(fifo=fifo)
    source = server.make_queue(fifo=fifo, RedrivePolicy=redrive_policy(dlq, 2))
    for number in range(100):
        extra = {"MessageGroupId": str(number % 10), "MessageDeduplicationId": str(number)} if fifo else {}
        source.send(str(number), **extra)

    def work(_: int) -> None:
        while source.counts() != (0, 0, 0):
            for message in source.receive(visibility_s=_HIDDEN_S):
                source.release(message)

    with ThreadPoolExecutor(_THREADS) as pool:
        list(pool.map(work, range(_THREADS)))
    dead: list[str] = []
    while messages := dlq.receive(visibility_s=_HIDDEN_S):
        dead += [message["Body"] for message in messages]
        for message in messages:
            dlq.delete(message)
    assert sorted(dead, key=int) == [str(number) for number in range(100)]


@pytest.mark.steps_around(local_aws_sqs="does not lock a group")
def test_a_fifo_group_is_never_in_two_hands(server: Server) -> None:
    """Sixteen threads read ten groups: each group's messages are handed out in order."""
    queue = server.make_queue(fifo=True)
    for number in range(200):
        queue.send(str(number), MessageGroupId=str(number % 10), MessageDeduplicationId=str(number))
    handed_out: list[int] = []
    lock = threading.Lock()

    def work(_: int) -> None:
        while queue.counts() != (0, 0, 0):
            messages = queue.receive(3, visibility_s=_HIDDEN_S)
            with lock:  # the group is locked until the delete, so the order of these lines is that of the hand-outs
                handed_out.extend(int(message["Body"]) for message in messages)
            for message in messages:
                queue.delete(message)

    with ThreadPoolExecutor(_THREADS) as pool:
        list(pool.map(work, range(_THREADS)))
    for group in range(10):
        assert [number for number in handed_out if number % 10 == group] == list(range(group, 200, 10))
