"""Order, locks and deduplication of FIFO queues."""

from __future__ import annotations

import pytest

from tests.servers.server import QueueOnServer, Server, aws_code, bodies


def _send(queue: QueueOnServer, group: str, *sent: str) -> None:
    for body in sent:
        queue.send(body, MessageGroupId=group, MessageDeduplicationId=body)


def test_a_group_comes_in_the_order_it_was_sent(server: Server) -> None:
    """Over several receives too."""
    queue = server.make_queue(fifo=True)
    sent = [f"{index:02}" for index in range(25)]
    _send(queue, "g", *sent)
    received = []
    while messages := queue.receive():
        received += bodies(messages)
        for message in messages:
            queue.delete(message)
    assert received == sent


def test_a_batch_keeps_the_order_of_its_entries(server: Server) -> None:
    """Entries of one group are stored one after the other, with rising sequence numbers."""
    queue = server.make_queue(fifo=True, ContentBasedDeduplication="true")
    response = queue.send_batch(*"abcde", MessageGroupId="g")
    numbers = [int(each["SequenceNumber"]) for each in sorted(response["Successful"], key=lambda each: each["Id"])]
    assert numbers == sorted(set(numbers))
    messages = queue.receive()
    assert bodies(messages) == list("abcde")
    assert [int(message["Attributes"]["SequenceNumber"]) for message in messages] == numbers


@pytest.mark.departs(local_aws_sqs="does not lock a group")
def test_a_group_is_locked_while_one_of_it_is_in_flight(server: Server) -> None:
    """Other groups are not; the lock ends with the delete."""
    queue = server.make_queue(fifo=True)
    _send(queue, "a", "a1", "a2")
    first = queue.receive(1)[0]
    _send(queue, "b", "b1")
    assert bodies(queue.receive()) == ["b1"]
    assert queue.receive() == []
    queue.delete(first)
    assert bodies(queue.receive()) == ["a2"]


def test_the_lock_ends_with_the_timeout_and_the_order_stays(server: Server) -> None:
    """The one that was not deleted comes first again."""
    queue = server.make_queue(fifo=True)
    _send(queue, "g", "1", "2", "3")
    assert bodies(queue.receive(2, visibility_s=1)) == ["1", "2"]
    server.wait(1)
    assert bodies(queue.receive()) == ["1", "2", "3"]


def test_a_released_message_comes_before_what_followed_it(server: Server) -> None:
    """Release all of a batch, and the group stands as before."""
    queue = server.make_queue(fifo=True)
    _send(queue, "g", "1", "2", "3")
    for message in reversed(queue.receive(2)):
        queue.release(message)
    assert bodies(queue.receive()) == ["1", "2", "3"]


@pytest.mark.departs(
    local_aws_sqs="does not lock a group", localstack="lets go of a group when the first of it is back"
)
def test_a_group_stays_locked_until_all_of_it_are_back(server: Server) -> None:
    """One that was released early does not overtake its lock, and is not lost."""
    queue = server.make_queue(fifo=True)
    _send(queue, "g", "1", "2", "3")
    first, second = queue.receive(2)
    queue.release(first)
    assert queue.receive() == []
    queue.release(second)
    assert bodies(queue.receive()) == ["1", "2", "3"]


@pytest.mark.departs(local_aws_sqs="does not lock a group")
def test_a_fifo_queue_is_read_ten_deep_in_a_group(server: Server) -> None:
    """Without deleting, the eleventh of a group cannot be seen."""
    queue = server.make_queue(fifo=True)
    _send(queue, "g", *(f"{index:02}" for index in range(12)))
    assert len(queue.receive()) == 10
    assert queue.receive() == []


def test_a_deduplication_id_is_delivered_once_in_five_minutes(server: Server) -> None:
    """The second send is accepted, answered with the first one's id, and not delivered, even after a delete."""
    queue = server.make_queue(fifo=True)
    first = queue.send("one", MessageGroupId="g", MessageDeduplicationId="d")
    queue.delete(queue.receive_one())
    server.wait(299)
    second = queue.send("two", MessageGroupId="g", MessageDeduplicationId="d")
    assert second["MessageId"] == first["MessageId"]
    assert queue.receive() == []
    server.wait(1)
    third = queue.send("three", MessageGroupId="g", MessageDeduplicationId="d")
    assert third["MessageId"] != first["MessageId"]
    assert bodies(queue.receive()) == ["three"]


def test_a_repeated_id_is_a_success_in_a_batch(server: Server) -> None:
    """Accepted and not delivered: the entry stands in Successful."""
    queue = server.make_queue(fifo=True)
    first = queue.send("x", MessageGroupId="g", MessageDeduplicationId="d")
    [again] = queue.send_batch("x", MessageGroupId="g", MessageDeduplicationId="d")["Successful"]
    assert again["MessageId"] == first["MessageId"]
    assert queue.counts() == (1, 0, 0)


def test_the_content_is_the_id_where_the_queue_says_so(server: Server) -> None:
    """ContentBasedDeduplication hashes the body and not the attributes; an id that is given goes before it."""
    queue = server.make_queue(fifo=True, ContentBasedDeduplication="true")
    attribute = {"a": {"DataType": "String", "StringValue": "x"}}
    queue.send("x", MessageGroupId="g")
    queue.send("x", MessageGroupId="h", MessageAttributes=attribute)
    queue.send("x", MessageGroupId="g", MessageDeduplicationId="own")
    assert queue.counts() == (2, 0, 0)


@pytest.mark.departs(localstack="delivers every repetition then, in the same group too")
def test_deduplication_may_be_a_matter_of_the_group(server: Server) -> None:
    """DeduplicationScope messageGroup lets other groups use the same id."""
    queue = server.make_queue(fifo=True, DeduplicationScope="messageGroup")
    for group in ("g", "h", "g"):
        queue.send("x", MessageGroupId=group, MessageDeduplicationId="d")
    assert queue.counts() == (2, 0, 0)


def test_a_fifo_send_needs_a_group(server: Server) -> None:
    """MessageGroupId is required."""
    queue = server.make_queue(fifo=True)
    error = queue.refusal("SendMessage", MessageBody="x", MessageDeduplicationId="d")
    assert aws_code(error) == "MissingParameter"


def test_a_fifo_send_needs_a_deduplication_id(server: Server) -> None:
    """Unless the content is the id."""
    error = server.make_queue(fifo=True).refusal("SendMessage", MessageBody="x", MessageGroupId="g")
    assert aws_code(error) == "InvalidParameterValue"


def test_a_fifo_message_has_no_delay_of_its_own(server: Server) -> None:
    """DelaySeconds is the queue's on FIFO."""
    error = server.make_queue(fifo=True).refusal(
        "SendMessage", MessageBody="x", MessageGroupId="g", MessageDeduplicationId="d", DelaySeconds=5
    )
    assert aws_code(error) == "InvalidParameterValue"


@pytest.mark.departs(moto="a delayed message hides those of its group that went before it")
def test_a_fifo_queue_may_delay_all_its_messages(server: Server) -> None:
    """Each for its own time, and in order."""
    queue = server.make_queue(fifo=True, DelaySeconds="10")
    _send(queue, "g", "1")
    server.wait(5)
    _send(queue, "g", "2")
    assert (queue.receive(), queue.counts()) == ([], (0, 0, 2))
    server.wait(5)
    [first] = queue.receive()
    queue.delete(first)
    assert (first["Body"], queue.receive()) == ("1", [])
    server.wait(5)
    assert bodies(queue.receive()) == ["2"]


@pytest.mark.parametrize(
    "received_again",
    [
        pytest.param(False, marks=pytest.mark.departs(ministack="deletes it while nobody else has it")),
        pytest.param(True, marks=pytest.mark.departs(localstack="says yes, and deletes nothing")),
    ],
)
def test_an_expired_handle_deletes_nothing_on_fifo(server: Server, received_again: bool) -> None:
    """The delete is refused, and the message stays."""
    queue = server.make_queue(fifo=True)
    _send(queue, "g", "x")
    message = queue.receive_one(visibility_s=1)
    server.wait(1)
    if received_again:
        queue.receive_one(visibility_s=1)
    queue.refusal("DeleteMessage", ReceiptHandle=message["ReceiptHandle"])
    server.wait(1)
    assert bodies(queue.receive()) == ["x"]


def test_group_and_deduplication_id_are_shown(server: Server) -> None:
    """With the sequence number that the send answered."""
    queue = server.make_queue(fifo=True)
    sent = queue.send("x", MessageGroupId="g", MessageDeduplicationId="d")
    system = queue.receive_one()["Attributes"]
    assert (system["MessageGroupId"], system["MessageDeduplicationId"]) == ("g", "d")
    assert system["SequenceNumber"] == sent["SequenceNumber"]
