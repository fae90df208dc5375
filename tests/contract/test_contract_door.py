"""The typed door over every server: our words go in and come out, whatever carries them."""

from __future__ import annotations

import pytest

from opstool.doors.clock import SystemClock
from opstool.doors.sqs import Sqs
from opstool.doors.wire import EntryFailure, Outgoing, Sent
from opstool.words.errors import NotFoundError
from opstool.words.message import Attribute, Message, md5_of_attributes, md5_of_body
from opstool.words.queue import Queue, RedrivePolicy
from tests.servers.server import QueueOnServer, Server

EVERYTHING = Message(
    message_id="from an archive",
    body='{"planes": "é 漢 \U0001f600"}\r\n\t<&>',
    attributes={
        "text": Attribute(type="String", value="x"),
        "label": Attribute(type="Number.float", value="-1.5e3"),
        "blob": Attribute(type="Binary", value=b"\x00\xff\x00"),
    },
    trace_header="Root=1-5759e988-bd862e3fe1be46a994272793",
    group_id="tenant",
)


@pytest.fixture
def sqs(server: Server) -> Sqs:
    """Give the door over the server."""
    return Sqs(server.call, SystemClock())


def _queue(made: QueueOnServer) -> Queue:
    return Queue(url=made.url, arn=made.arn)


def _body(text: str) -> Outgoing:
    return Outgoing(message=Message(message_id="-", body=text))


@pytest.mark.departs(ministack="loses the trace header of a batch's entry")
def test_a_message_is_copied_exactly(server: Server, sqs: Sqs) -> None:
    """Body, attributes of every type, trace header and group id; the MD5s of send and receive agree."""
    queue = _queue(server.make_queue())
    [sent] = sqs.send_batch(queue, [Outgoing(message=EVERYTHING, group_id=EVERYTHING.group_id)])
    assert isinstance(sent, Sent)
    [received] = sqs.receive(queue, visibility_timeout_s=30, wait_s=0)
    copy = received.message
    assert (copy.body, dict(copy.attributes)) == (EVERYTHING.body, dict(EVERYTHING.attributes))
    assert (copy.trace_header, copy.group_id) == (EVERYTHING.trace_header, EVERYTHING.group_id)
    assert copy.message_id == sent.new_id
    assert sent.md5_of_body == copy.md5_of_body == md5_of_body(EVERYTHING.body)
    assert sent.md5_of_attributes == copy.md5_of_attributes == md5_of_attributes(EVERYTHING.attributes)
    assert (copy.receive_count, copy.source_arn) == (1, None)


def test_a_copy_can_be_copied_again(server: Server, sqs: Sqs) -> None:
    """What a receive gave is what the next send takes: no part changes form on the way."""
    first, second = _queue(server.make_queue()), _queue(server.make_queue())
    sqs.send_batch(first, [Outgoing(message=EVERYTHING, group_id="tenant")])
    [one] = sqs.receive(first, visibility_timeout_s=30, wait_s=0)
    sqs.send_batch(second, [Outgoing(message=one.message, group_id=one.message.group_id)])
    [two] = sqs.receive(second, visibility_timeout_s=30, wait_s=0)
    for part in ("body", "attributes", "trace_header", "group_id", "md5_of_body", "md5_of_attributes"):
        assert getattr(two.message, part) == getattr(one.message, part)


@pytest.mark.departs(local_aws_sqs="takes every character")
def test_a_bad_entry_has_its_own_answer(server: Server, sqs: Sqs) -> None:
    """Answers stand in the order of the entries, and the sender's fault is not worth a repetition."""
    queue = _queue(server.make_queue())
    good, bad, too = sqs.send_batch(queue, [_body("good"), _body("b\x00d"), _body("too")])
    assert isinstance(good, Sent)
    assert isinstance(too, Sent)
    assert isinstance(bad, EntryFailure)
    assert (bad.code, bad.retryable) == ("InvalidMessageContents", False)


def test_deleting_a_batch_empties_the_queue(server: Server, sqs: Sqs) -> None:
    """No failures, and nothing left."""
    made = server.make_queue()
    queue = _queue(made)
    sqs.send_batch(queue, [_body(str(number)) for number in range(10)])
    received = sqs.receive(queue, visibility_timeout_s=30, wait_s=0)
    assert not sqs.delete_batch(queue, [each.receipt_handle for each in received])
    assert made.counts() == (0, 0, 0)


def test_a_bad_handle_fails_at_its_place(server: Server, sqs: Sqs) -> None:
    """Failures are named by their place in the request."""
    queue = _queue(server.make_queue())
    sqs.send_batch(queue, [_body("x")])
    [received] = sqs.receive(queue, visibility_timeout_s=30, wait_s=0)
    failed = sqs.delete_batch(queue, [received.receipt_handle, "nonsense"])
    assert list(failed) == [1]
    assert failed[1].code == "ReceiptHandleIsInvalid"


def test_releasing_a_batch_shows_it(server: Server, sqs: Sqs) -> None:
    """A visibility timeout of 0 gives all back."""
    made = server.make_queue()
    queue = _queue(made)
    sqs.send_batch(queue, [_body("a"), _body("b")])
    received = sqs.receive(queue, visibility_timeout_s=30, wait_s=0)
    handles = [each.receipt_handle for each in received]
    assert not sqs.change_visibility_batch(queue, handles, visibility_timeout_s=0)
    assert made.counts() == (2, 0, 0)


def test_a_dead_message_names_its_source(server: Server, sqs: Sqs) -> None:
    """Id and source ARN are there in our words."""
    source, dlq = server.make_pair(max_receive_count=1)
    sent = source.send("x")
    source.release(source.receive_one())
    assert source.receive() == []
    [dead] = sqs.receive(_queue(dlq), visibility_timeout_s=30, wait_s=0)
    assert (dead.message.message_id, dead.message.source_arn) == (sent["MessageId"], source.arn)


def test_sources_carry_their_receive_count(server: Server, sqs: Sqs) -> None:
    """Each source queue with its maxReceiveCount."""
    source, dlq = server.make_pair(max_receive_count=4)
    [found] = sqs.sources(_queue(dlq))
    assert (found.queue, found.max_receive_count) == (_queue(source), 4)


def test_attributes_are_read_in_our_words(server: Server, sqs: Sqs) -> None:
    """Counts, times and the redrive policy."""
    source, dlq = server.make_pair(max_receive_count=4)
    source.send("x")
    attributes = sqs.attributes(_queue(source))
    assert (attributes.depth, attributes.in_flight, attributes.delayed) == (1, 0, 0)
    assert (attributes.retention_s, attributes.visibility_timeout_s) == (345_600, 30)
    assert attributes.redrive_policy == RedrivePolicy(dlq_arn=dlq.arn, max_receive_count=4)
    assert sqs.attributes(_queue(dlq)).redrive_policy is None


@pytest.mark.parametrize("by", ["name", "url", "arn"])
def test_a_queue_is_resolved_by_any_of_its_names(server: Server, sqs: Sqs, by: str) -> None:
    """Name, URL and ARN lead to the same queue."""
    made = server.make_queue()
    assert sqs.resolve(getattr(made, by)) == _queue(made)


def test_a_missing_queue_is_not_found(server: Server, sqs: Sqs) -> None:
    """By name, whatever the server calls the error."""
    with pytest.raises(NotFoundError) as caught:
        sqs.resolve("contract-missing")
    assert caught.value.code == "queue_not_found"


def test_fifo_ids_are_those_that_were_given(server: Server, sqs: Sqs) -> None:
    """Group and deduplication id come back, and a repeated id answers the first message's id."""
    queue = _queue(server.make_queue(fifo=True))
    entry = Outgoing(message=Message(message_id="-", body="x"), group_id="g", deduplication_id="d")
    [first] = sqs.send_batch(queue, [entry])
    [again] = sqs.send_batch(queue, [entry])
    assert isinstance(first, Sent)
    assert isinstance(again, Sent)
    assert again.new_id == first.new_id
    [received] = sqs.receive(queue, visibility_timeout_s=30, wait_s=0)
    assert (received.message.group_id, received.message.deduplication_id) == ("g", "d")
