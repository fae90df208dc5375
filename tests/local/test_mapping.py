"""The pollers of an event source mapping keep Lambda's rules on a real queue of the emulator."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from opstool.doors.clock import SystemClock
from opstool.local.function import Answer
from opstool.local.mapping import Mapping
from opstool.local.mapping_config import MappingConfig, mapping_config
from opstool.local.server import EmbeddedServer
from opstool.words.errors import UsageError

MakeQueue = Callable[..., str]
ERROR = Answer(request_id="r", error={"errorType": "ValueError"})


class Script:
    """A function that answers what the test wants and keeps the events."""

    def __init__(self, answer: Callable[[list[dict[str, Any]]], Answer] | Answer) -> None:
        self._answer = answer
        self.batches: list[list[str]] = []

    def invoke(self, event: Any) -> Answer:
        """Answer one batch."""
        self.batches.append([record["body"] for record in event["Records"]])
        return self._answer if isinstance(self._answer, Answer) else self._answer(event["Records"])


def failing(*bodies: str) -> Callable[[list[dict[str, Any]]], Answer]:
    """Return an answer that names the messages with these bodies."""

    def answer(records: list[dict[str, Any]]) -> Answer:
        failures = [{"itemIdentifier": one["messageId"]} for one in records if one["body"] in bodies]
        return Answer(request_id="r", payload=json.dumps({"batchItemFailures": failures}))

    return answer


def config(url: str, **properties: Any) -> MappingConfig:
    """Return a mapping of the queue."""
    arn = f"arn:aws:sqs:us-east-1:123456789012:{url.rsplit('/', 1)[1]}"
    wanted = {"FunctionResponseTypes": ["ReportBatchItemFailures"], **properties}
    return mapping_config(wanted, uuid="uuid", queue_arn=arn, queue_url=url, reserved_concurrency=None)


def mapping(server: EmbeddedServer, url: str, function: Any, **properties: Any) -> Mapping:
    """Return a mapping that has not started."""
    return Mapping(config(url, **properties), function, server.settings, is_enabled=lambda: True, clock=SystemClock())


def send(sqs: Any, url: str, *bodies: str) -> None:
    """Send messages, one group for a FIFO queue."""
    for body in bodies:
        more = {"MessageGroupId": "g", "MessageDeduplicationId": body} if url.endswith(".fifo") else {}
        sqs.send_message(QueueUrl=url, MessageBody=body, **more)


def left(sqs: Any, url: str) -> tuple[int, int]:
    """Return how many messages are visible and how many in flight."""
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    return int(found["ApproximateNumberOfMessages"]), int(found["ApproximateNumberOfMessagesNotVisible"])


def test_what_failed_stays_in_flight_and_the_rest_is_deleted(
    server: EmbeddedServer, sqs: Any, make_queue: MakeQueue
) -> None:
    """Lambda does not release a failed message: its visibility timeout does."""
    url = make_queue()
    send(sqs, url, "a", "b", "c")
    mapping(server, url, Script(failing("b"))).poll_once()
    assert left(sqs, url) == (0, 1)


def test_a_failed_function_keeps_the_whole_batch(server: EmbeddedServer, sqs: Any, make_queue: MakeQueue) -> None:
    """Nothing of it is deleted."""
    url = make_queue()
    send(sqs, url, "a", "b")
    mapping(server, url, Script(ERROR)).poll_once()
    assert left(sqs, url) == (0, 2)


def test_a_message_dies_after_its_last_receive_and_names_its_source(
    server: EmbeddedServer, sqs: Any, make_queue: MakeQueue
) -> None:
    """With maxReceiveCount 2 the third receive moves it; the poller's receives are what does it."""
    dlq = make_queue()
    arn = f"arn:aws:sqs:us-east-1:123456789012:{dlq.rsplit('/', 1)[1]}"
    url = make_queue(RedrivePolicy=json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 2}))
    send(sqs, url, "poison")
    function = Script(failing("poison"))
    poller = mapping(server, url, function)
    for _ in range(2):
        poller.poll_once()
        server.advance(31)
    sqs.receive_message(QueueUrl=url)
    assert (len(function.batches), left(sqs, url), left(sqs, dlq)) == (2, (0, 0), (1, 0))


def test_messages_that_no_filter_matches_are_deleted_unseen(
    server: EmbeddedServer, sqs: Any, make_queue: MakeQueue
) -> None:
    """The function gets what matches; the rest is gone, as in Lambda."""
    url = make_queue()
    send(sqs, url, '{"kind": "a"}', '{"kind": "b"}')
    function = Script(failing())
    criteria = {"Filters": [{"Pattern": '{"body": {"kind": ["a"]}}'}]}
    mapping(server, url, function, FilterCriteria=criteria).poll_once()
    assert (function.batches, left(sqs, url)) == ([['{"kind": "a"}']], (0, 0))


def test_a_window_gathers_more_than_one_receive(server: EmbeddedServer, sqs: Any, make_queue: MakeQueue) -> None:
    """A batch of fifteen takes two receives, and does not wait once it is full."""
    url = make_queue()
    send(sqs, url, *(f"m{number}" for number in range(15)))
    function = Script(failing())
    mapping(server, url, function, BatchSize=15, MaximumBatchingWindowInSeconds=300).poll_once()
    assert [len(batch) for batch in function.batches] == [15]


def test_a_batch_is_never_larger_than_its_size(server: EmbeddedServer, sqs: Any, make_queue: MakeQueue) -> None:
    """BatchSize bounds what the function is given."""
    url = make_queue()
    send(sqs, url, *"abcde")
    function = Script(failing())
    poller = mapping(server, url, function, BatchSize=2)
    for _ in range(3):
        poller.poll_once()
    assert [len(batch) for batch in function.batches] == [2, 2, 1]


def test_a_payload_is_at_most_six_megabytes(server: EmbeddedServer, sqs: Any, make_queue: MakeQueue) -> None:
    """Ten messages of the largest size take two invocations."""
    url = make_queue()
    send(sqs, url, *(str(number) + "x" * 1_000_000 for number in range(8)))
    function = Script(failing())
    mapping(server, url, function).poll_once()
    assert [len(batch) for batch in function.batches] == [6, 2]


def test_a_group_comes_in_order_and_waits_for_its_failed_message(
    server: EmbeddedServer, sqs: Any, make_queue: MakeQueue
) -> None:
    """On a FIFO queue nothing of a group overtakes what failed before it."""
    url = make_queue(fifo=True)
    send(sqs, url, "1", "2", "3", "4")
    function = Script(failing("2", "3"))
    poller = mapping(server, url, function, BatchSize=3)
    poller.poll_once()
    poller.poll_once()
    server.advance(31)
    poller.poll_once()
    assert function.batches == [["1", "2", "3"], ["2", "3", "4"]]


def test_no_more_batches_at_once_than_the_maximum_concurrency(
    server: EmbeddedServer, sqs: Any, make_queue: MakeQueue
) -> None:
    """Two pollers carry two batches, however many messages wait."""
    url = make_queue()
    send(sqs, url, *"abcdefgh")
    both, finish = threading.Barrier(3), threading.Event()
    busy: list[int] = []

    def answer(records: list[dict[str, Any]]) -> Answer:
        busy.append(len(records))
        if len(busy) <= 2:
            both.wait(10)
            finish.wait(10)
        return failing()(records)

    running = mapping(server, url, Script(answer), BatchSize=1, ScalingConfig={"MaximumConcurrency": 2})
    running.start()
    both.wait(10)
    in_flight = left(sqs, url)[1]
    finish.set()
    stop(server, running)
    assert in_flight == 2


def test_a_disabled_mapping_takes_nothing(server: EmbeddedServer, sqs: Any, make_queue: MakeQueue) -> None:
    """While it is disabled its queue is left alone; enabled again it goes on."""
    url = make_queue()
    enabled, asked, seen = threading.Event(), threading.Event(), threading.Event()

    def is_enabled() -> bool:
        asked.set()
        return enabled.is_set()

    def answer(records: list[dict[str, Any]]) -> Answer:
        seen.set()
        return failing()(records)

    running = Mapping(config(url), Script(answer), server.settings, is_enabled=is_enabled, clock=SystemClock())
    running.start()
    send(sqs, url, "a")
    assert asked.wait(10)
    assert left(sqs, url) == (1, 0)
    enabled.set()
    assert seen.wait(10)
    stop(server, running)


def test_a_poller_outlives_an_error_of_the_emulator(server: EmbeddedServer, sqs: Any, make_queue: MakeQueue) -> None:
    """A deleted queue or a failed call ends no poller."""
    url = make_queue()
    running = mapping(server, url, Script(failing()))
    sqs.delete_queue(QueueUrl=url)
    running.start()
    time.sleep(0.1)  # there is no event to wait for: the pollers only must not end
    assert running.is_polling()
    stop(server, running)


def stop(server: EmbeddedServer, running: Mapping) -> None:
    """Stop the pollers without waiting for their long polls."""
    running.stop()
    while running.is_polling():
        server.end_long_polls()
        running.join(0.02)


@pytest.mark.parametrize(
    ("queue", "properties"),
    [
        ("q", {"BatchSize": 11}),
        ("q", {"BatchSize": 10_001, "MaximumBatchingWindowInSeconds": 1}),
        ("q", {"BatchSize": 0}),
        ("q.fifo", {"BatchSize": 11, "MaximumBatchingWindowInSeconds": 1}),
        ("q.fifo", {"MaximumBatchingWindowInSeconds": 1}),
    ],
)
def test_a_mapping_that_lambda_refuses_is_refused(queue: str, properties: dict[str, Any]) -> None:
    """A wrong batch size or window is an error here too, before anything runs."""
    with pytest.raises(UsageError, match="Lambda refuses"):
        config(f"http://127.0.0.1:1/123456789012/{queue}", **properties)


def test_its_pollers_rest_when_all_of_them_have_seen_that_it_is_disabled(
    server: EmbeddedServer, make_queue: MakeQueue
) -> None:
    """One that still waits for messages, or has a batch, could take one more."""
    enabled, script = threading.Event(), Script(Answer(request_id="r", payload="{}"))
    running = Mapping(config(make_queue()), script, server.settings, is_enabled=enabled.is_set, clock=SystemClock())
    enabled.set()
    running._resting.add("one of them")
    assert not running.all_rest()
    running._resting.clear()
    running.start()
    try:
        enabled.clear()
        deadline = time.monotonic() + 10
        while not running.all_rest():
            assert time.monotonic() < deadline
            server.end_long_polls()
        enabled.set()
        while running.all_rest():
            assert time.monotonic() < deadline
    finally:
        running.stop()
        server.end_long_polls()
        running.join(5)
