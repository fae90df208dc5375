"""Pacing chooses when a failed message is tried again, and can do no harm when it cannot."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from consumer_under_test import FIFO_ARN, Consumer, RecordFactory

ENDPOINT = "http://127.0.0.1:1"


class SqsClient:
    """Stand in for boto3's client: keep what was asked, answer as told."""

    class meta:  # noqa: N801 - boto3's name
        """What boto3 tells of its client."""

        endpoint_url = ENDPOINT

    def __init__(self, answer: Callable[[], dict[str, Any]] = dict) -> None:
        self._answer = answer
        self.requests: list[dict[str, Any]] = []

    def change_message_visibility_batch(self, **request: Any) -> dict[str, Any]:
        """Keep a request and answer it."""
        self.requests.append(request)
        return self._answer()

    def timeouts(self) -> dict[str, int]:
        """Return the timeout that was asked for each receipt handle."""
        return {entry["ReceiptHandle"]: entry["VisibilityTimeout"] for r in self.requests for entry in r["Entries"]}


def pace(consumer: Consumer, monkeypatch: pytest.MonkeyPatch, client: SqsClient, *, jitter: float = 1.0) -> None:
    """Turn pacing on, with a client and a draw of our own."""
    pacing = consumer.pacing.Pacing(client=client, jitter=lambda: jitter)
    monkeypatch.setattr(consumer.app, "_PACING", pacing)

    def process(message: Any) -> None:
        kinds = {"permanent": consumer.processing.PermanentError, "transient": consumer.processing.TransientError}
        if message.body != "good":
            raise kinds.get(message.body, ValueError)("told to fail")

    monkeypatch.setattr(consumer.processing, "process", process)


def handle(item: dict[str, Any]) -> str:
    """Return the receipt handle of a record."""
    return str(item["receiptHandle"])


def test_a_permanent_failure_is_tried_again_at_once(
    consumer: Consumer, record: RecordFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its attempts are used up in seconds, and SQS dead-letters the message itself, with its id."""
    client = SqsClient()
    pace(consumer, monkeypatch, client)
    bad = record("permanent", receives=2)
    assert consumer.invoke(record("good"), bad) == [bad["messageId"]]
    assert client.requests == [
        {
            "QueueUrl": f"{ENDPOINT}/123456789012/processing-queue",
            "Entries": [{"Id": "0", "ReceiptHandle": handle(bad), "VisibilityTimeout": 0}],
        }
    ]


@pytest.mark.parametrize(
    ("receives", "bound"), [(0, 30), (1, 30), (2, 60), (3, 120), (5, 480), (6, 900), (50, 900), (10**9, 900)]
)
@pytest.mark.parametrize("jitter", [0.0, 0.5, 0.999])
def test_a_transient_failure_backs_off(
    consumer: Consumer,
    record: RecordFactory,
    monkeypatch: pytest.MonkeyPatch,
    receives: int,
    bound: int,
    jitter: float,
) -> None:
    """The wait is drawn between 5 s and a bound that doubles with each receive, up to a quarter of an hour."""
    client = SqsClient()
    pace(consumer, monkeypatch, client, jitter=jitter)
    bad = record("transient", receives=receives)
    consumer.invoke(bad)
    assert client.timeouts() == {handle(bad): round(5 + jitter * (bound - 5))}


def test_a_failure_that_nobody_classified_keeps_the_timing_of_its_queue(
    consumer: Consumer, record: RecordFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bug says nothing about when to try again."""
    client = SqsClient()
    pace(consumer, monkeypatch, client)
    consumer.invoke(record("bug"))
    assert client.requests == []


def test_a_hopeless_message_does_not_spin_for_ever(
    consumer: Consumer, record: RecordFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A queue without a redrive policy never lets go of it, so from the tenth receive it is slowed down."""
    client = SqsClient()
    pace(consumer, monkeypatch, client)
    soon, late = record("permanent", receives=9), record("permanent", receives=10)
    consumer.invoke(soon, late)
    assert client.timeouts() == {handle(soon): 0, handle(late): 900}


def test_many_failures_are_changed_ten_at_a_time(
    consumer: Consumer, record: RecordFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten entries is what a request may hold; their ids differ even when a message came twice."""
    client = SqsClient()
    pace(consumer, monkeypatch, client)
    items = [record("permanent") for _ in range(24)]
    consumer.invoke(*items, items[0])
    assert [len(request["Entries"]) for request in client.requests] == [10, 10, 5]
    assert all(len({entry["Id"] for entry in r["Entries"]}) == len(r["Entries"]) for r in client.requests)


def test_skipped_messages_of_a_paced_group_are_freed_with_it(
    consumer: Consumer, record: RecordFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In flight they would block their group, whatever the timeout of the message that failed."""
    client = SqsClient()
    pace(consumer, monkeypatch, client)
    backing_off, behind = record("transient", group="a"), record("good", group="a")
    bug, behind_bug = record("bug", group="b"), record("good", group="b")
    consumer.invoke(backing_off, bug, behind, behind_bug)
    assert client.timeouts() == {handle(backing_off): 30, handle(behind): 0}
    assert client.requests[0]["QueueUrl"].endswith("/" + FIFO_ARN.rpartition(":")[2])


def _raise() -> dict[str, Any]:
    raise OSError("connection refused")


def _refuse() -> dict[str, Any]:
    return {"Failed": [{"Id": "0", "Code": "ReceiptHandleIsInvalid", "SenderFault": True}]}


@pytest.mark.parametrize(
    ("answer", "counts"), [(_raise, {"OSError": 1}), (_refuse, {"ReceiptHandleIsInvalid": 1})], ids=["error", "refusal"]
)
def test_a_timeout_that_cannot_be_changed_changes_nothing_else(
    consumer: Consumer,
    record: RecordFactory,
    monkeypatch: pytest.MonkeyPatch,
    answer: Callable[[], dict[str, Any]],
    counts: dict[str, int],
) -> None:
    """The same messages are returned, and a warning says what was left."""
    pace(consumer, monkeypatch, SqsClient(answer))
    bad = record("permanent")
    assert consumer.invoke(record("good"), bad) == [bad["messageId"]]
    (warning,) = consumer.lines("pacing_incomplete")
    assert (warning["level"], warning["counts"]) == ("WARNING", counts)


def test_an_endpoint_that_does_not_answer_is_asked_once(
    consumer: Consumer, record: RecordFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each try costs its timeouts, and the function is paid by time."""
    client = SqsClient(_raise)
    pace(consumer, monkeypatch, client)
    consumer.invoke(*(record("permanent") for _ in range(30)))
    assert len(client.requests) == 1


def test_pacing_leaves_the_function_time_to_answer(
    consumer: Consumer, record: RecordFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A function that times out loses its answer, and with it what it did for the whole batch."""
    client = SqsClient()
    pace(consumer, monkeypatch, client)
    consumer.context.remaining_ms = consumer.pacing.NEEDED_MS - 1
    bad = record("permanent")
    assert consumer.invoke(bad) == [bad["messageId"]]
    assert client.requests == []
    assert [line["counts"] for line in consumer.lines("pacing_incomplete")] == [{"out_of_time": 1}]


@pytest.mark.parametrize("arn", [None, "", "no-arn", 7], ids=repr)
def test_a_queue_that_cannot_be_named_is_left_alone(
    consumer: Consumer, record: RecordFactory, monkeypatch: pytest.MonkeyPatch, arn: Any
) -> None:
    """Without an ARN there is no queue to ask."""
    client = SqsClient()
    pace(consumer, monkeypatch, client)
    bad = record("permanent")
    bad["eventSourceARN"] = arn
    assert consumer.invoke(bad) == [bad["messageId"]]
    assert client.requests == []


@pytest.mark.parametrize("value", [None, "off", "OFF", "", "yes", "1", "true"])
def test_pacing_is_off_unless_it_is_on(consumer: Consumer, monkeypatch: pytest.MonkeyPatch, value: str | None) -> None:
    """Only the template's own word turns it on."""
    if value is not None:
        monkeypatch.setenv("RETRY_PACING", value)
    assert consumer.pacing.create() is None


@pytest.mark.parametrize("value", ["on", "On", " on "])
def test_the_client_has_short_timeouts_and_the_environments_endpoint(
    consumer: Consumer, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    """A call that hangs must not take the batch with it, and a local stack must be reached like AWS."""
    monkeypatch.setenv("RETRY_PACING", value)
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", ENDPOINT)
    client = consumer.pacing.create()._client
    config = client.meta.config
    assert (client.meta.region_name, client.meta.endpoint_url) == ("eu-west-1", ENDPOINT)
    assert (config.connect_timeout, config.read_timeout) == (0.5, 1.0)
    assert config.retries["total_max_attempts"] == 1


def test_the_function_starts_without_pacing_when_there_can_be_no_client(
    consumer: Consumer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A function that cannot start handles nothing at all."""
    monkeypatch.setenv("RETRY_PACING", "on")  # and no region anywhere
    assert consumer.pacing.create() is None
    (warning,) = consumer.lines("pacing_unavailable")
    assert warning["error_type"] == "NoRegionError"


def test_a_real_queue_dead_letters_a_permanent_failure_after_its_three_attempts(
    consumer: Consumer, record: RecordFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Through boto3 and HTTP, against moto: three receives without a wait, then the message is in the other queue."""
    moto_server = pytest.importorskip("moto.server")
    boto3 = pytest.importorskip("boto3")
    server = moto_server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        endpoint = "http://{}:{}".format(*server.get_host_and_port())
        for name, value in (
            ("AWS_ENDPOINT_URL", endpoint),
            ("AWS_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", "made-up"),
            ("AWS_SECRET_ACCESS_KEY", "made-up"),
            ("RETRY_PACING", "on"),
        ):
            monkeypatch.setenv(name, value)
        sqs = boto3.client("sqs", region_name="us-east-1")
        dlq = sqs.create_queue(QueueName="processing-dlq")["QueueUrl"]
        dlq_arn = sqs.get_queue_attributes(QueueUrl=dlq, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        policy = f'{{"deadLetterTargetArn": "{dlq_arn}", "maxReceiveCount": 3}}'
        queue = sqs.create_queue(
            QueueName="processing-queue", Attributes={"RedrivePolicy": policy, "VisibilityTimeout": "600"}
        )["QueueUrl"]
        message_id = sqs.send_message(QueueUrl=queue, MessageBody="not json")["MessageId"]
        for receives in (1, 2, 3):
            (message,) = sqs.receive_message(QueueUrl=queue)["Messages"]
            item = {**record("not json", receives=receives), "messageId": message_id}
            assert consumer.invoke({**item, "receiptHandle": message["ReceiptHandle"]}) == [message_id]
        assert "Messages" not in sqs.receive_message(QueueUrl=queue)
        (dead,) = sqs.receive_message(QueueUrl=dlq)["Messages"]
        assert (dead["MessageId"], dead["Body"]) == (message_id, "not json")
        assert consumer.lines("pacing_incomplete") == []
    finally:
        server.stop()
