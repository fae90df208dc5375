"""Receiving hides, counts and stamps; a release undoes it, and time ends it."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from tests.servers.server import QueueOnServer, Server, aws_code, bodies

_POLL_S = 3
"""local-aws-sqs lets every long poll last its whole time."""


def test_a_received_message_is_hidden(server: Server) -> None:
    """Nobody else receives it before its timeout is over."""
    queue = server.make_queue()
    queue.send("x")
    queue.receive_one()
    assert queue.receive() == []


@pytest.mark.departs(local_aws_sqs="counts what is in flight among what is visible too")
def test_what_is_in_flight_is_counted_apart(server: Server) -> None:
    """A message is visible or in flight, not both."""
    queue = server.make_queue()
    queue.send("x")
    queue.receive_one()
    assert queue.counts() == (0, 1, 0)


def test_a_message_comes_back_after_its_timeout(server: Server) -> None:
    """The same message, with another handle."""
    queue = server.make_queue()
    queue.send("x")
    first = queue.receive_one(visibility_s=1)
    server.wait(1)
    second = queue.receive_one()
    assert second["MessageId"] == first["MessageId"]
    assert second["ReceiptHandle"] != first["ReceiptHandle"]


def test_the_queue_decides_the_timeout_when_the_receive_does_not(server: Server) -> None:
    """VisibilityTimeout of the queue is the default of a receive."""
    queue = server.make_queue(VisibilityTimeout="7")
    queue.send("x")
    assert len(queue.ask("ReceiveMessage")["Messages"]) == 1
    server.wait(6)
    assert queue.counts() == (0, 1, 0)
    server.wait(1)
    assert queue.counts() == (1, 0, 0)


@pytest.mark.steps_around(local_aws_sqs="may hand out what it does not hide several times in one receive")
def test_a_receive_that_does_not_hide_leaves_the_message_visible(server: Server) -> None:
    """A visibility timeout of 0 hands out and shows at once."""
    queue = server.make_queue()
    queue.send("x")
    queue.receive_one(visibility_s=0)
    assert queue.counts() == (1, 0, 0)


@pytest.mark.departs(local_aws_sqs="counts a change of visibility as a receive")
def test_every_receive_is_counted_and_the_first_is_stamped(server: Server) -> None:
    """ApproximateReceiveCount rises; ApproximateFirstReceiveTimestamp and SentTimestamp stay."""
    queue = server.make_queue()
    queue.send("x")
    server.wait(2)
    seen = []
    for _ in range(3):
        message = queue.receive_one()
        seen.append(message["Attributes"])
        queue.release(message)
    assert [each["ApproximateReceiveCount"] for each in seen] == ["1", "2", "3"]
    assert len({each["ApproximateFirstReceiveTimestamp"] for each in seen}) == 1
    assert len({each["SentTimestamp"] for each in seen}) == 1
    first, sent = int(seen[0]["ApproximateFirstReceiveTimestamp"]), int(seen[0]["SentTimestamp"])
    assert 2_000 <= first - sent < 60_000


def test_a_release_shows_the_message_at_once(server: Server) -> None:
    """ChangeMessageVisibility to 0 gives it back."""
    queue = server.make_queue()
    queue.send("x")
    queue.release(queue.receive_one())
    assert queue.receive_one()["Body"] == "x"


def test_a_heartbeat_counts_from_the_moment_it_is_made(server: Server) -> None:
    """A new timeout replaces what was left of the old one."""
    queue = server.make_queue()
    queue.send("x")
    message = queue.receive_one(visibility_s=10)
    server.wait(8)
    queue.ask("ChangeMessageVisibility", ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=10)
    server.wait(9)
    assert queue.counts() == (0, 1, 0)
    server.wait(1)
    assert queue.counts() == (1, 0, 0)


def test_a_message_is_hidden_for_twelve_hours_at_most(server: Server) -> None:
    """A heartbeat that would go beyond 43,200 s since the receive is refused, and changes nothing."""
    queue = server.make_queue()
    queue.send("x")
    message = queue.receive_one(visibility_s=100)
    server.wait(50)
    handle = message["ReceiptHandle"]
    error = queue.refusal("ChangeMessageVisibility", ReceiptHandle=handle, VisibilityTimeout=43_200)
    assert aws_code(error) == "InvalidParameterValue"
    queue.ask("ChangeMessageVisibility", ReceiptHandle=handle, VisibilityTimeout=43_140)


@pytest.mark.departs(local_aws_sqs="hides it", localstack="hides it", ministack="hides it")
def test_a_message_that_is_visible_again_cannot_be_hidden_by_its_old_handle(server: Server) -> None:
    """The lease is over: MessageNotInflight."""
    queue = server.make_queue()
    queue.send("x")
    message = queue.receive_one(visibility_s=1)
    server.wait(1)
    error = queue.refusal("ChangeMessageVisibility", ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=5)
    assert error.code == "stale_receipt_handle"


@pytest.mark.departs(localstack="says of no failure that it is the sender's")
def test_a_batch_of_visibility_changes_names_each_that_failed(server: Server) -> None:
    """The entries stand on their own."""
    queue = server.make_queue()
    queue.send_batch("a", "b")
    kept, gone = queue.receive()
    queue.delete(gone)
    response = queue.ask(
        "ChangeMessageVisibilityBatch",
        Entries=[
            {"Id": "kept", "ReceiptHandle": kept["ReceiptHandle"], "VisibilityTimeout": 0},
            {"Id": "gone", "ReceiptHandle": gone["ReceiptHandle"], "VisibilityTimeout": 0},
        ],
    )
    assert [each["Id"] for each in response["Successful"]] == ["kept"]
    assert [(each["Id"], each["SenderFault"]) for each in response["Failed"]] == [("gone", True)]
    assert bodies(queue.receive()) == [kept["Body"]]


@pytest.mark.parametrize(
    ("wrong", "value"),
    [
        pytest.param("MaxNumberOfMessages", 0, marks=pytest.mark.departs(localstack="does not check the lower bound")),
        ("MaxNumberOfMessages", 11),
        pytest.param(
            "VisibilityTimeout", 43_201, marks=pytest.mark.departs(localstack="takes it", ministack="takes it")
        ),
        pytest.param("WaitTimeSeconds", 21, marks=pytest.mark.steps_around(ministack="takes it, and waits so long")),
    ],
)
def test_a_receive_outside_the_bounds_is_refused(server: Server, wrong: str, value: int) -> None:
    """Ten messages, twelve hours and twenty seconds are the most."""
    assert server.make_queue().refusal("ReceiveMessage", **{wrong: value}).code == "invalid_request"


def test_ten_messages_come_in_one_receive(server: Server) -> None:
    """The eleventh waits for the next."""
    queue = server.make_queue()
    queue.send_batch(*"abcdefghij")
    queue.send("k")
    first, second = queue.receive(), queue.receive()
    assert (len(first), len(second)) == (10, 1)
    assert sorted(bodies(first + second)) == list("abcdefghijk")


def test_only_what_is_asked_for_is_shown(server: Server) -> None:
    """System attributes and message attributes come by name, the latter also by prefix."""
    queue = server.make_queue()
    attributes = {name: {"DataType": "String", "StringValue": name} for name in ("order.id", "order.at", "other")}
    queue.send("x", MessageAttributes=attributes)

    def shown(system: list[str], custom: list[str]) -> tuple[set[str], set[str]]:
        message = queue.receive_one(
            MessageSystemAttributeNames=system, AttributeNames=system, MessageAttributeNames=custom
        )
        queue.release(message)
        return set(message.get("Attributes", {})), set(message.get("MessageAttributes", {}))

    assert shown([], []) == (set(), set())
    assert shown(["SentTimestamp"], ["other"]) == ({"SentTimestamp"}, {"other"})
    assert shown(["SenderId", "ApproximateReceiveCount"], ["order.*"]) == (
        {"SenderId", "ApproximateReceiveCount"},
        {"order.id", "order.at"},
    )
    assert shown(["All"], [".*"])[1] == set(attributes)


@pytest.mark.departs(local_aws_sqs="knows the older name only")
def test_system_attributes_are_asked_for_by_their_newer_name(server: Server) -> None:
    """MessageSystemAttributeNames alone is enough."""
    queue = server.make_queue()
    queue.send("x")
    [message] = queue.ask("ReceiveMessage", MessageSystemAttributeNames=["All"])["Messages"]
    assert {"SenderId", "SentTimestamp", "ApproximateReceiveCount"} <= set(message["Attributes"])


def test_a_delayed_message_shows_when_its_delay_is_over(server: Server) -> None:
    """The delay of the message goes before that of the queue."""
    queue = server.make_queue(DelaySeconds="20")
    queue.send("own", DelaySeconds=5)
    queue.send("queue's")
    assert queue.counts() == (0, 0, 2)
    server.wait(5)
    assert bodies(queue.receive()) == ["own"]
    server.wait(15)
    assert "queue's" in bodies(queue.receive())


@pytest.mark.departs(localstack="takes every delay", ministack="takes every delay")
def test_a_delay_beyond_fifteen_minutes_is_refused(server: Server) -> None:
    """DelaySeconds is 900 at most."""
    assert server.make_queue().refusal("SendMessage", MessageBody="x", DelaySeconds=901).code == "invalid_request"


def test_a_long_poll_ends_with_the_message_it_waits_for(server: Server) -> None:
    """A message that is sent during the wait is in the answer."""
    queue = server.make_queue()
    answers: list[list[dict[str, Any]]] = []
    poll = threading.Thread(target=lambda: answers.append(_poll_until_found(queue)))
    poll.start()
    queue.send("x")
    poll.join(timeout=30)
    assert [bodies(answer) for answer in answers] == [["x"]]


def _poll_until_found(queue: QueueOnServer) -> list[dict[str, Any]]:
    """Poll again where virtual time has let the first wait pass before the message was sent."""
    while not (found := queue.receive(wait_s=_POLL_S)):
        pass
    return found


def test_a_long_poll_waits_for_a_hidden_message(server: Server) -> None:
    """A visibility timeout that ends during the wait is not missed."""
    queue = server.make_queue()
    queue.send("x")
    queue.receive_one(visibility_s=1)
    assert bodies(queue.receive(wait_s=_POLL_S)) == ["x"]


def test_an_expired_message_is_gone(server: Server) -> None:
    """Retention counts from the send, for what is visible and for what is in flight."""
    queue = server.make_queue(MessageRetentionPeriod="60")
    queue.send_batch("a", "b")
    queue.receive(1, visibility_s=600)
    server.wait(59)
    assert queue.counts() == (1, 1, 0)
    server.wait(2)
    assert queue.receive() == []
    assert queue.counts() == (0, 0, 0)


def test_a_longer_retention_saves_what_is_stored(server: Server) -> None:
    """Raising MessageRetentionPeriod holds for the messages that are there."""
    queue = server.make_queue(MessageRetentionPeriod="60")
    queue.send("x")
    queue.ask("SetQueueAttributes", Attributes={"MessageRetentionPeriod": "120"})
    server.wait(100)
    assert bodies(queue.receive(visibility_s=0)) == ["x"]


def test_a_purge_takes_what_is_in_flight_too(server: Server) -> None:
    """Within a minute."""
    queue = server.make_queue()
    queue.send_batch("a", "b", "c")
    queue.receive(1)
    queue.ask("PurgeQueue")
    server.wait(60)
    assert queue.counts() == (0, 0, 0)


@pytest.mark.departs(localstack="purges at any time", ministack="purges at any time")
def test_a_queue_is_purged_only_once_a_minute(server: Server) -> None:
    """PurgeQueueInProgress for the second within 60 s."""
    queue = server.make_queue()
    queue.ask("PurgeQueue")
    assert aws_code(queue.refusal("PurgeQueue")) == "PurgeQueueInProgress"
    server.wait(61)
    queue.ask("PurgeQueue")
