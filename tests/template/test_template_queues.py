"""What the translated template promises about the two queues."""

from typing import Any

import pytest

KINDS = pytest.mark.parametrize("fifo", ["false", "true"], ids=["standard", "fifo"])
QUEUES = ["ProcessingQueue", "ProcessingDLQ"]


def allowed_timeouts(translated: dict[str, Any]) -> list[str]:
    """List the function timeouts that the template accepts."""
    allowed: list[str] = translated["Parameters"]["FunctionTimeout"]["AllowedValues"]
    return allowed


def test_visibility_timeout_is_six_times_every_allowed_function_timeout(translated, resources) -> None:
    """A batch is not handed out again while its first attempt may still run or be throttled."""
    for timeout in allowed_timeouts(translated):
        deployed = resources(FunctionTimeout=timeout)
        mapping = deployed["ProcessorFunctionMessages"]
        window_s = int(mapping.get("MaximumBatchingWindowInSeconds", 0))
        assert deployed["ProcessorFunction"]["Timeout"] == timeout
        assert deployed["ProcessingQueue"]["VisibilityTimeout"] == 6 * int(timeout) + window_s


def test_every_mapped_timeout_is_allowed_and_fits_lambda_and_sqs(translated) -> None:
    """No timeout is offered that the mapping lacks, or that Lambda or SQS would refuse."""
    rows = translated["Mappings"]["Seconds"]
    assert list(rows) == allowed_timeouts(translated)
    assert all(1 <= int(timeout) <= 900 for timeout in rows)
    assert all(row["VisibilityTimeout"] <= 43_200 for row in rows.values())


def test_a_timeout_of_one_second_is_allowed(translated) -> None:
    """The embedded demo deploys with a function timeout of a second, so that messages die while one watches."""
    assert "1" in allowed_timeouts(translated)


@KINDS
def test_dead_letter_queue_keeps_messages_for_longer_than_the_source(resources, fifo) -> None:
    """A message cannot arrive in the dead-letter queue of a standard queue already expired."""
    deployed = resources(Fifo=fifo)
    assert deployed["ProcessingDLQ"]["MessageRetentionPeriod"] == 14 * 86_400
    assert deployed["ProcessingQueue"]["MessageRetentionPeriod"] < deployed["ProcessingDLQ"]["MessageRetentionPeriod"]


def test_every_retry_fits_into_the_retention_of_the_source(translated, resources) -> None:
    """Even at the slowest timeout a message is dead-lettered before the source queue forgets it."""
    slowest = resources(FunctionTimeout=allowed_timeouts(translated)[-1])["ProcessingQueue"]
    attempts = int(slowest["RedrivePolicy"]["maxReceiveCount"])
    assert (attempts + 1) * slowest["VisibilityTimeout"] < slowest["MessageRetentionPeriod"]


def test_source_redrives_into_the_dead_letter_queue_after_three_receives(resources) -> None:
    """A message is tried three times unless the parameter says otherwise."""
    policy = resources()["ProcessingQueue"]["RedrivePolicy"]
    assert policy == {"deadLetterTargetArn": "ProcessingDLQ.Arn", "maxReceiveCount": "3"}
    assert resources(MaxReceiveCount="5")["ProcessingQueue"]["RedrivePolicy"]["maxReceiveCount"] == "5"


@KINDS
def test_dead_letter_queue_admits_its_source_queue_only(resources, fifo) -> None:
    """The redrive allow policy names the source by the very name that the source is given."""
    deployed = resources(Fifo=fifo)
    source_arn = f"arn:aws:sqs:eu-west-1:123456789012:{deployed['ProcessingQueue']['QueueName']}"
    assert deployed["ProcessingDLQ"]["RedriveAllowPolicy"] == {
        "redrivePermission": "byQueue",
        "sourceQueueArns": [source_arn],
    }


def test_dead_letter_queue_does_not_redrive_onward(resources) -> None:
    """Looking at dead messages must not push them out of the dead-letter queue."""
    assert "RedrivePolicy" not in resources()["ProcessingDLQ"]


def test_dead_letter_queue_outlives_the_stack_and_its_name_is_generated(translated) -> None:
    """Deleting the stack keeps the dead messages, and the kept queue does not block the next deployment."""
    queue = translated["Resources"]["ProcessingDLQ"]
    assert queue["DeletionPolicy"] == queue["UpdateReplacePolicy"] == "Retain"
    assert "QueueName" not in queue["Properties"]


@pytest.mark.parametrize("name", QUEUES)
def test_queue_is_encrypted(resources, name) -> None:
    """Both queues encrypt what they hold with SQS's own keys."""
    assert resources()[name]["SqsManagedSseEnabled"] is True


@pytest.mark.parametrize("name", QUEUES)
def test_queue_refuses_requests_without_tls(resources, name) -> None:
    """Both queues have a policy that denies everything over plain HTTP, and grants nothing."""
    policy = resources()[f"{name}Policy"]
    assert policy["Queues"] == [f"ref:{name}"]
    (statement,) = policy["PolicyDocument"]["Statement"]
    assert statement["Effect"] == "Deny"
    assert (statement["Principal"], statement["Action"]) == ("*", "sqs:*")
    assert statement["Resource"] == f"{name}.Arn"
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


@pytest.mark.parametrize("name", QUEUES)
def test_fifo_makes_the_queue_fifo_with_a_bound_for_each_group(resources, name) -> None:
    """A FIFO queue has a FIFO dead-letter queue, and equal bodies are not taken for duplicates."""
    queue = resources(Fifo="true")[name]
    assert queue["FifoQueue"] is True
    assert queue["ContentBasedDeduplication"] is False
    assert (queue["DeduplicationScope"], queue["FifoThroughputLimit"]) == ("messageGroup", "perMessageGroupId")


@pytest.mark.parametrize("name", QUEUES)
def test_standard_queue_has_no_fifo_property(resources, name) -> None:
    """SQS refuses FIFO attributes on a standard queue, `FifoQueue: false` among them."""
    fifo_only = {"FifoQueue", "ContentBasedDeduplication", "DeduplicationScope", "FifoThroughputLimit"}
    assert not fifo_only & resources()[name].keys()


def test_source_queue_is_named_after_its_kind(resources) -> None:
    """A FIFO queue's name ends in .fifo, a standard one's does not."""
    assert resources()["ProcessingQueue"]["QueueName"] == "orders-queue"
    assert resources(Fifo="true")["ProcessingQueue"]["QueueName"] == "orders-queue.fifo"
