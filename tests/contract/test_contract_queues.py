"""Queues themselves: made, found, listed, changed, taken away."""

from __future__ import annotations

from typing import Any

import pytest

from tests.servers.server import Server, aws_code

pytestmark = pytest.mark.one_lane  # queues are not what is asked for ten messages at a time

FIFO_WITHOUT_ATTRIBUTE = pytest.param(
    "queue.fifo", marks=pytest.mark.departs(moto="takes a name that ends in .fifo without FifoQueue")
)

REFUSED = {"invalid_request", "aws_error"}
"""AWS has InvalidAttributeValue for some of these and InvalidParameterValue for others, and so have the servers."""


def test_a_queue_is_found_by_its_name(server: Server) -> None:
    """GetQueueUrl answers the URL that CreateQueue gave, and the ARN ends in the name."""
    queue = server.make_queue()
    assert server.ask("GetQueueUrl", QueueName=queue.name)["QueueUrl"] == queue.url
    assert queue.arn.split(":")[:3] == ["arn", "aws", "sqs"]
    assert queue.arn.endswith(f":{queue.name}")


def test_a_queue_that_is_not_there_is_not_found(server: Server) -> None:
    """The error has a stable code."""
    assert server.refusal("GetQueueUrl", QueueName="contract-missing").code == "queue_not_found"


def test_making_a_queue_twice_is_the_same_queue(server: Server) -> None:
    """With the same attributes; other ones are refused."""
    queue = server.make_queue(VisibilityTimeout="60")
    again = server.ask("CreateQueue", QueueName=queue.name, Attributes={"VisibilityTimeout": "60"})
    assert again["QueueUrl"] == queue.url
    error = server.refusal("CreateQueue", QueueName=queue.name, Attributes={"VisibilityTimeout": "61"})
    assert aws_code(error) in {"QueueNameExists", "QueueAlreadyExists"}


def test_a_deleted_queue_is_gone(server: Server) -> None:
    """With its messages."""
    queue = server.make_queue()
    queue.send("x")
    queue.ask("DeleteQueue")
    assert server.refusal("GetQueueUrl", QueueName=queue.name).code == "queue_not_found"
    assert queue.refusal("ReceiveMessage").code == "queue_not_found"


@pytest.mark.departs(
    moto="a deleted queue can be made again at once",
    localstack="a deleted queue can be made again at once",
    ministack="a deleted queue can be made again at once",
)
def test_a_deleted_queue_cannot_be_made_again_for_a_minute(server: Server) -> None:
    """QueueDeletedRecently within 60 s."""
    queue = server.make_queue()
    queue.ask("DeleteQueue")
    assert aws_code(server.refusal("CreateQueue", QueueName=queue.name)) == "QueueDeletedRecently"
    server.wait(60)
    assert server.ask("CreateQueue", QueueName=queue.name)["QueueUrl"] == queue.url


def test_a_new_queue_has_awss_defaults(server: Server) -> None:
    """Thirty seconds of visibility, four days of retention, no delay, no wait."""
    values = server.make_queue().attributes()
    assert values["VisibilityTimeout"] == "30"
    assert values["MessageRetentionPeriod"] == "345600"
    assert values["DelaySeconds"] == "0"
    assert values["ReceiveMessageWaitTimeSeconds"] == "0"
    assert int(values["CreatedTimestamp"]) > 0


@pytest.mark.departs(ministack="shows all when none is asked for")
def test_only_the_attributes_that_are_asked_for_are_shown(server: Server) -> None:
    """By name; none without a name."""
    queue = server.make_queue()
    assert set(queue.attributes("QueueArn", "DelaySeconds")) == {"QueueArn", "DelaySeconds"}
    assert "Attributes" not in queue.ask("GetQueueAttributes")


@pytest.mark.departs(ministack="shows what there is")
def test_an_attribute_that_does_not_exist_is_refused(server: Server) -> None:
    """InvalidAttributeName for a read and for a change."""
    queue = server.make_queue()
    assert aws_code(queue.refusal("GetQueueAttributes", AttributeNames=["Depth"])) == "InvalidAttributeName"


@pytest.mark.departs(
    moto="does not check the values of attributes", localstack="does not check the values of attributes"
)
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("VisibilityTimeout", "43201"),
        ("MessageRetentionPeriod", "59"),
        ("MessageRetentionPeriod", "1209601"),
        ("DelaySeconds", "901"),
        ("ReceiveMessageWaitTimeSeconds", "21"),
        ("MaximumMessageSize", "1023"),
        ("MaximumMessageSize", "1048577"),
    ],
)
def test_an_attribute_outside_its_bounds_is_refused(server: Server, name: str, value: str) -> None:
    """And the old value stays."""
    queue = server.make_queue()
    before = queue.attributes().get(name)
    assert queue.refusal("SetQueueAttributes", Attributes={name: value}).code in REFUSED
    assert queue.attributes().get(name) == before


UNCHECKED_POLICY = "does not check redrive allow policies"


@pytest.mark.departs(moto=UNCHECKED_POLICY, localstack=UNCHECKED_POLICY, ministack=UNCHECKED_POLICY)
@pytest.mark.parametrize("policy", ["{}", '{"redrivePermission": "byQueue"}'])
def test_a_redrive_allow_policy_that_makes_no_sense_is_refused(server: Server, policy: str) -> None:
    """It needs a permission, and with byQueue the queues."""
    queue = server.make_queue()
    assert queue.refusal("SetQueueAttributes", Attributes={"RedriveAllowPolicy": policy}).code in REFUSED
    assert "RedriveAllowPolicy" not in queue.attributes()


def test_a_changed_attribute_holds_at_once(server: Server) -> None:
    """For the messages that are there too."""
    queue = server.make_queue()
    queue.send("x")
    queue.ask("SetQueueAttributes", Attributes={"VisibilityTimeout": "5"})
    queue.ask("ReceiveMessage")
    server.wait(5)
    assert queue.counts() == (1, 0, 0)


def test_queues_are_listed_by_prefix(server: Server) -> None:
    """The prefix is that of the name."""
    made = [server.make_queue() for _ in range(3)]
    listed = server.ask("ListQueues", QueueNamePrefix=made[0].name)["QueueUrls"]
    assert made[0].url in listed
    assert made[1].url not in listed
    assert not server.ask("ListQueues", QueueNamePrefix="contract-missing").get("QueueUrls")


def test_queues_are_listed_by_page(server: Server) -> None:
    """MaxResults bounds a page, NextToken asks for the next; together they are every queue once."""
    made = {server.make_queue().url for _ in range(5)}
    listed: list[str] = []
    request: dict[str, Any] = {"MaxResults": 2}
    while True:
        page = server.ask("ListQueues", **request)
        assert len(page.get("QueueUrls", [])) <= 2
        listed += page.get("QueueUrls", [])
        if not page.get("NextToken"):
            break
        request["NextToken"] = page["NextToken"]
    assert made <= set(listed)
    assert len(listed) == len(set(listed))


@pytest.mark.departs(ministack="takes every name")
@pytest.mark.parametrize("name", ["with space", "x" * 81, "dot.ted", FIFO_WITHOUT_ATTRIBUTE])
def test_a_name_that_sqs_does_not_take_is_refused(server: Server, name: str) -> None:
    """Letters, digits, hyphens and underscores; `.fifo` for FIFO queues only."""
    assert server.refusal("CreateQueue", QueueName=name).code == "invalid_request"


@pytest.mark.departs(
    moto="sets FIFO attributes on a standard queue", ministack="sets FIFO attributes on a standard queue"
)
def test_fifo_attributes_are_for_fifo_queues(server: Server) -> None:
    """A standard queue has no content based deduplication."""
    queue = server.make_queue()
    assert queue.refusal("SetQueueAttributes", Attributes={"ContentBasedDeduplication": "true"}).code in REFUSED


def test_a_fifo_queue_says_that_it_is_one(server: Server) -> None:
    """FifoQueue is true, and the deduplication settings are shown."""
    values = server.make_queue(fifo=True).attributes()
    assert values["FifoQueue"] == "true"
    assert values["ContentBasedDeduplication"] == "false"


@pytest.mark.departs(ministack="has no ListMessageMoveTasks")
def test_a_queue_without_move_tasks_has_an_empty_list_of_them(server: Server) -> None:
    """Which is not an error."""
    assert not server.ask("ListMessageMoveTasks", SourceArn=server.make_queue().arn).get("Results")


def test_an_operation_that_is_not_there_is_named(server: Server) -> None:
    """So that a caller can tell a server that lacks move tasks from one that has none running."""
    expected = "invalid_request" if server.has_move_tasks else "unknown_operation"
    assert server.refusal("StartMessageMoveTask", SourceArn=server.make_queue().arn).code == expected
