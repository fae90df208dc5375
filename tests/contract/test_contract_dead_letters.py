"""How a message dies: at the receive that would be one too many, with its identity kept."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest

from opstool.words.errors import OpstoolError
from tests.servers.server import QueueOnServer, Server, bodies, redrive_policy

REFUSED = {"invalid_request", "aws_error"}
"""AWS answers InvalidParameterValue; moto has another code for some of these, and refuses all the same."""


def _kill(source: QueueOnServer, times: int) -> None:
    """Receive a source's messages so often that the next receive moves them."""
    for _ in range(times):
        for message in source.receive(visibility_s=60):
            source.release(message)
    assert source.receive() == []


@pytest.mark.departs(local_aws_sqs="counts a release as a receive, and lets a message die when its last receive ends")
def test_a_message_dies_at_the_receive_that_would_be_one_too_many(server: Server) -> None:
    """With maxReceiveCount 3 it is handed out three times; the fourth receive finds nothing and moves it."""
    source, dlq = server.make_pair(max_receive_count=3)
    source.send("x")
    for _ in range(3):
        source.release(source.receive_one())
    assert (source.counts(), dlq.counts()) == ((1, 0, 0), (0, 0, 0))
    assert source.receive() == []
    assert (source.counts(), dlq.counts()) == ((0, 0, 0), (1, 0, 0))


def test_the_last_receive_may_still_succeed(server: Server) -> None:
    """What is deleted in its last receive does not die."""
    source, dlq = server.make_pair(max_receive_count=1)
    source.send("x")
    source.delete(source.receive_one(visibility_s=1))
    server.wait(1)
    assert source.receive() == []
    assert dlq.counts() == (0, 0, 0)


@pytest.mark.departs(local_aws_sqs="starts the SentTimestamp anew at the death")
def test_a_dead_message_keeps_what_it_was(server: Server) -> None:
    """Id, body, attributes, trace header, group id and SentTimestamp are those of its life."""
    source, dlq = server.make_pair(max_receive_count=1)
    attributes = {"kind": {"DataType": "Binary.raw", "BinaryValue": b"\x00\xff"}}
    header = {"AWSTraceHeader": {"DataType": "String", "StringValue": "Root=1-5759e988-bd862e3fe1be46a994272793"}}
    source.send("x", MessageAttributes=attributes, MessageSystemAttributes=header, MessageGroupId="tenant")
    alive = source.receive_one(visibility_s=1)
    server.wait(1)
    assert source.receive() == []
    dead = dlq.receive_one()
    kept = ("MessageId", "Body", "MD5OfBody", "MessageAttributes", "MD5OfMessageAttributes")
    assert {name: dead[name] for name in kept} == {name: alive[name] for name in kept}
    for name in ("SentTimestamp", "AWSTraceHeader", "MessageGroupId", "SenderId"):
        assert dead["Attributes"][name] == alive["Attributes"][name]


def test_a_dead_message_names_the_queue_it_died_in(server: Server) -> None:
    """DeadLetterQueueSourceArn is what a redrive goes by; a living message has none."""
    source, dlq = server.make_pair(max_receive_count=1)
    source.send("x")
    alive = source.receive_one(visibility_s=1)
    server.wait(1)
    source.receive()
    assert "DeadLetterQueueSourceArn" not in alive["Attributes"]
    assert dlq.receive_one()["Attributes"]["DeadLetterQueueSourceArn"] == source.arn


@pytest.mark.departs(local_aws_sqs="starts the receive count anew at the death")
def test_the_receive_count_goes_on_in_the_dead_letter_queue(server: Server) -> None:
    """ApproximateReceiveCount counts across queues: the first look is the fourth receive."""
    source, dlq = server.make_pair(max_receive_count=3)
    source.send("x")
    _kill(source, 3)
    assert dlq.receive_one()["Attributes"]["ApproximateReceiveCount"] == "4"


def test_the_handle_of_a_message_that_died_deletes_nothing(server: Server) -> None:
    """It belongs to the source queue, where the message is no more; AWS says yes, others may say no."""
    source, dlq = server.make_pair(max_receive_count=1)
    source.send("x")
    message = source.receive_one(visibility_s=1)
    server.wait(1)
    source.receive()
    with suppress(OpstoolError):
        source.delete(message)
    assert bodies(dlq.receive()) == ["x"]


def test_the_living_are_received_past_the_dying(server: Server) -> None:
    """One receive moves the dead and returns the living."""
    source, dlq = server.make_pair(max_receive_count=1)
    source.send("dying")
    source.release(source.receive_one())
    source.send("living")
    received = source.receive() or source.receive()
    assert bodies(received) == ["living"]
    assert dlq.counts() == (1, 0, 0)


def test_a_dead_message_expires_by_the_time_it_was_first_sent(server: Server) -> None:
    """On a standard queue the death does not restart the retention."""
    source, dlq = server.make_pair(max_receive_count=1)
    dlq.ask("SetQueueAttributes", Attributes={"MessageRetentionPeriod": "100"})
    source.send("x")
    server.wait(90)
    source.release(source.receive_one())
    assert source.receive() == []
    assert dlq.counts() == (1, 0, 0)
    server.wait(11)
    assert dlq.receive() == []


def test_a_fifo_message_that_dies_starts_its_time_anew(server: Server) -> None:
    """On FIFO the SentTimestamp and so the retention restart, and its old id is its deduplication id."""
    source, dlq = server.make_pair(max_receive_count=1, fifo=True)
    sent = source.send("x", MessageGroupId="g", MessageDeduplicationId="d")
    server.wait(90)
    alive = source.receive_one()
    source.release(alive)
    assert source.receive() == []
    dead = dlq.receive_one()
    assert int(dead["Attributes"]["SentTimestamp"]) >= int(alive["Attributes"]["SentTimestamp"]) + 90_000
    assert dead["MessageId"] == sent["MessageId"] == dead["Attributes"]["MessageDeduplicationId"]
    assert dead["Attributes"]["MessageGroupId"] == "g"


def test_the_next_of_a_group_follows_the_one_that_died(server: Server) -> None:
    """A poison message holds its group up for its own receives only."""
    source, dlq = server.make_pair(max_receive_count=1, fifo=True)
    for body in ("poison", "next", "last"):
        source.send(body, MessageGroupId="g", MessageDeduplicationId=body)
    source.release(source.receive(1)[0])
    received = source.receive() or source.receive()
    assert bodies(received) == ["next", "last"]
    assert bodies(dlq.receive()) == ["poison"]


def test_messages_die_in_their_order_on_fifo(server: Server) -> None:
    """The dead-letter queue of a FIFO queue has the group's order too."""
    source, dlq = server.make_pair(max_receive_count=1, fifo=True)
    for body in "abcde":
        source.send(body, MessageGroupId="g", MessageDeduplicationId=body)
    for message in source.receive(visibility_s=1):
        assert message["Attributes"]["ApproximateReceiveCount"] == "1"
    server.wait(1)
    assert source.receive() == []
    assert bodies(dlq.receive()) == list("abcde")


@pytest.mark.departs(ministack="has no ListDeadLetterSourceQueues")
def test_the_sources_of_a_dead_letter_queue_are_listed(server: Server) -> None:
    """Every queue whose redrive policy points there, and no other."""
    dlq = server.make_queue()
    sources = [server.make_queue(RedrivePolicy=redrive_policy(dlq, 3)) for _ in range(3)]
    other, _ = server.make_pair(max_receive_count=3)
    listed = dlq.ask("ListDeadLetterSourceQueues")["queueUrls"]
    assert sorted(listed) == sorted(source.url for source in sources)
    assert other.url not in listed


@pytest.mark.departs(
    moto="answers every source at once, without a token",
    ministack="has no ListDeadLetterSourceQueues",
    localstack="answers every source at once, without a token",
)
def test_the_sources_come_by_page(server: Server) -> None:
    """MaxResults bounds a page, NextToken asks for the next."""
    dlq = server.make_queue()
    sources = [server.make_queue(RedrivePolicy=redrive_policy(dlq, 3)) for _ in range(5)]
    sizes: list[int] = []
    listed: list[str] = []
    token: dict[str, str] = {}
    while True:
        page = dlq.ask("ListDeadLetterSourceQueues", MaxResults=2, **token)
        sizes.append(len(page["queueUrls"]))
        listed += page["queueUrls"]
        if not page.get("NextToken"):
            break
        token = {"NextToken": page["NextToken"]}
    assert sizes == [2, 2, 1]
    assert sorted(listed) == sorted(source.url for source in sources)


@pytest.mark.departs(ministack="has no ListDeadLetterSourceQueues")
def test_a_queue_that_is_nobodys_dead_letter_queue_has_no_sources(server: Server) -> None:
    """The list is empty, not an error."""
    assert not server.make_queue().ask("ListDeadLetterSourceQueues").get("queueUrls")


def test_a_redrive_policy_can_be_taken_away(server: Server) -> None:
    """After that nothing dies."""
    source, dlq = server.make_pair(max_receive_count=1)
    source.send("x")
    source.ask("SetQueueAttributes", Attributes={"RedrivePolicy": ""})
    for _ in range(3):
        source.release(source.receive_one())
    assert dlq.counts() == (0, 0, 0)


@pytest.mark.departs(ministack="has no ListDeadLetterSourceQueues")
def test_a_queue_without_a_redrive_policy_is_nobodys_source(server: Server) -> None:
    """Not any more, once it was taken away."""
    source, dlq = server.make_pair(max_receive_count=1)
    source.ask("SetQueueAttributes", Attributes={"RedrivePolicy": ""})
    assert not dlq.ask("ListDeadLetterSourceQueues").get("queueUrls")


NO_NUMBER = pytest.param("many", marks=pytest.mark.departs(local_aws_sqs="takes what is no number"))


@pytest.mark.parametrize("count", [0, 1_001, NO_NUMBER])
def test_a_receive_count_that_makes_no_sense_is_refused(server: Server, count: int | str) -> None:
    """The maxReceiveCount is 1 to 1,000."""
    dlq = server.make_queue()
    policy = {"RedrivePolicy": redrive_policy(dlq, count)}
    assert server.make_queue().refusal("SetQueueAttributes", Attributes=policy).code in REFUSED


@pytest.mark.departs(moto="refuses it and sets it all the same", localstack="takes it")
def test_a_dead_letter_queue_that_is_not_there_is_refused(server: Server) -> None:
    """A redrive policy cannot point to nothing."""
    queue = server.make_queue()
    policy = json.dumps({"deadLetterTargetArn": f"{queue.arn}-missing", "maxReceiveCount": 3})
    queue.refusal("SetQueueAttributes", Attributes={"RedrivePolicy": policy})
    assert "RedrivePolicy" not in queue.attributes()


@pytest.mark.departs(localstack="takes it", ministack="takes it")
def test_a_dead_letter_queue_of_the_other_type_is_refused(server: Server) -> None:
    """A FIFO queue's dead-letter queue is FIFO."""
    dlq = server.make_queue()
    policy = {"RedrivePolicy": redrive_policy(dlq, 3)}
    assert server.make_queue(fifo=True).refusal("SetQueueAttributes", Attributes=policy).code in REFUSED


def test_the_redrive_allow_policy_can_be_read(server: Server) -> None:
    """What was set is what is shown."""
    source = server.make_queue()
    policy: dict[str, Any] = {"redrivePermission": "byQueue", "sourceQueueArns": [source.arn]}
    dlq = server.make_queue(RedriveAllowPolicy=json.dumps(policy))
    assert json.loads(dlq.attributes("RedriveAllowPolicy")["RedriveAllowPolicy"]) == policy


@pytest.mark.departs(
    moto="does not enforce RedriveAllowPolicy",
    local_aws_sqs="does not enforce RedriveAllowPolicy",
    localstack="does not enforce RedriveAllowPolicy",
    ministack="does not enforce RedriveAllowPolicy",
)
def test_a_queue_that_is_not_allowed_cannot_use_a_dead_letter_queue(server: Server) -> None:
    """The redrive allow policy names who may."""
    allowed, other = server.make_queue(), server.make_queue()
    policy = {"redrivePermission": "byQueue", "sourceQueueArns": [allowed.arn]}
    dlq = server.make_queue(RedriveAllowPolicy=json.dumps(policy))
    redrive = {"RedrivePolicy": redrive_policy(dlq, 3)}
    allowed.ask("SetQueueAttributes", Attributes=redrive)
    assert other.refusal("SetQueueAttributes", Attributes=redrive).code == "invalid_request"
