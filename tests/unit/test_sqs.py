from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from opstool.doors.sqs import Sqs, split
from opstool.doors.wire import EntryFailure, Outgoing, Sent
from opstool.fake import Behaviour, FailCalls, FakeClock, FakeSqs, Faults
from opstool.words.awserrors import error_for
from opstool.words.errors import NotFoundError, ServiceError, UsageError
from opstool.words.message import Attribute, Message
from opstool.words.movetask import MoveTask
from tests.world import World, make_queue, make_world


@pytest.fixture
def sqs(world: World) -> Sqs:
    """Return the door."""
    return Sqs(world.fake, world.clock)


def outgoing(body: str, **fields: Any) -> Outgoing:
    """Return an entry."""
    return Outgoing(message=Message(message_id="m", body=body, **fields))


@pytest.mark.parametrize("form", ["name", "url", "arn"])
def test_a_queue_is_found_by_name_url_and_arn(world: World, sqs: Sqs, form: str) -> None:
    """All three name the same."""
    assert sqs.resolve(getattr(world.dlq, form)) == world.dlq


@pytest.mark.parametrize(
    "arn",
    ["arn:aws:sqs:eu-central-1:123456789012:orders", "arn:aws-cn:sqs:us-east-1:123456789012:orders"],
    ids=["another region", "another partition"],
)
def test_a_queue_of_the_same_name_elsewhere_is_not_taken_for_the_one_that_was_named(sqs: Sqs, arn: str) -> None:
    """To send to the wrong region's queue is worse than not to send."""
    with pytest.raises(UsageError, match="is not here"):
        sqs.resolve(arn)


@pytest.mark.parametrize(
    "arn", ["arn:aws:sns:us-east-1:123456789012:orders", "arn:aws:sqs::123456789012:orders", "arn:x"]
)
def test_what_is_no_queues_arn_is_a_usage_error(sqs: Sqs, arn: str) -> None:
    """Nothing is asked for it."""
    with pytest.raises(UsageError, match="not the ARN"):
        sqs.resolve(arn)
    assert sqs.requests == 0


def test_a_queue_that_does_not_exist_is_named(sqs: Sqs) -> None:
    """With what to do next."""
    with pytest.raises(NotFoundError, match='queue "nowhere" does not exist') as caught:
        sqs.resolve("nowhere")
    assert caught.value.code == "queue_not_found"
    assert caught.value.hint


def test_the_attributes_are_told_in_our_words(world: World, sqs: Sqs) -> None:
    """Counts, times and the redrive policy."""
    world.send(world.dlq, ["a", "b"])
    sqs.receive(world.dlq, visibility_timeout_s=30, wait_s=0)
    world.send(world.dlq, ["c"])
    attributes = sqs.attributes(world.dlq)
    assert (attributes.depth, attributes.in_flight, attributes.retention_s) == (1, 2, 1_209_600)
    policy = sqs.attributes(world.source).redrive_policy
    assert policy is not None
    assert (policy.dlq_arn, policy.max_receive_count) == (world.dlq.arn, 1)


def test_every_queue_and_every_source_is_listed(world: World, sqs: Sqs) -> None:
    """However many pages there are."""
    for number in range(1_005):
        make_queue(world.fake, f"more-{number:04}")
    assert len(list(sqs.queue_urls())) == 1_007
    other = world.add_queue("payments", dlq=world.dlq)
    assert {source.queue.arn for source in sqs.sources(world.dlq)} == {world.source.arn, other.arn}
    assert sqs.sources(world.source) == []


def test_the_sources_are_found_where_a_server_cannot_list_them(world: World, sqs: Sqs) -> None:
    """Some emulators do not know ListDeadLetterSourceQueues: every queue is asked."""
    unknown = error_for("ListDeadLetterSourceQueues", "InvalidAction", "")
    world.fake.faults = FailCalls("ListDeadLetterSourceQueues", unknown)
    assert [source.queue.arn for source in sqs.sources(world.dlq)] == [world.source.arn]


def test_a_source_that_is_gone_by_now_is_left_out(world: World, sqs: Sqs) -> None:
    """SQS goes on listing a queue for a minute after it was deleted."""
    other = world.add_queue("payments", dlq=world.dlq)

    class Gone(Faults):
        def before(self, operation: str, request: Mapping[str, Any]) -> None:
            if operation == "GetQueueAttributes" and request["QueueUrl"] == other.url:
                raise error_for(operation, "QueueDoesNotExist", "")

    world.fake.faults = Gone()
    assert [source.queue.arn for source in sqs.sources(world.dlq)] == [world.source.arn]


@pytest.mark.parametrize("form", ["arn", "url"])
def test_an_address_that_leads_nowhere_is_named_with_the_way_elsewhere(world: World, sqs: Sqs, form: str) -> None:
    """It may be right in another region."""
    address = getattr(world.source, form) + "x"
    with pytest.raises(NotFoundError) as caught:
        sqs.resolve(address)
    assert address in caught.value.message
    assert "--region" in str(caught.value.hint)


@pytest.mark.parametrize("operation", ["DeleteMessageBatch", "ChangeMessageVisibilityBatch"])
def test_an_entry_that_the_answer_is_silent_about_is_not_confirmed(world: World, sqs: Sqs, operation: str) -> None:
    """An answer without a word is no yes."""
    world.send(world.dlq, ["x"])
    [(_, handle)] = sqs.receive(world.dlq, visibility_timeout_s=30, wait_s=0)

    class Silent(Faults):
        def after(self, asked: str, request: Mapping[str, Any], response: dict[str, Any]) -> dict[str, Any]:
            return {} if asked == operation else response

    world.fake.faults = Silent()
    if operation == "DeleteMessageBatch":
        failed = sqs.delete_batch(world.dlq, [handle])
    else:
        failed = sqs.change_visibility_batch(world.dlq, [handle], visibility_timeout_s=30)
    assert [(key, each.code, each.retryable) for key, each in failed.items()] == [(0, "no_answer", True)]


class Lacking(Faults):
    """Takes a key out of every answer to an operation, wherever it stands."""

    def __init__(self, operation: str, key: str) -> None:
        self._operation = operation
        self._key = key

    def after(self, operation: str, request: Mapping[str, Any], response: dict[str, Any]) -> dict[str, Any]:
        """Answer without it."""
        return self._without(response) if operation == self._operation else response

    def _without(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {key: self._without(each) for key, each in value.items() if key != self._key}
        return [self._without(each) for each in value] if isinstance(value, list) else value


@pytest.mark.parametrize(
    ("operation", "key"),
    [
        ("GetQueueUrl", "QueueUrl"),
        ("GetQueueAttributes", "QueueArn"),
        ("GetQueueAttributes", "Attributes"),
        ("ReceiveMessage", "MessageId"),
        ("ReceiveMessage", "ReceiptHandle"),
    ],
)
def test_an_answer_that_lacks_what_sqs_promises_names_it(world: World, sqs: Sqs, operation: str, key: str) -> None:
    """A server that is nearly SQS ends in an error that a person can act on, not in a traceback."""
    world.send(world.dlq, ["secret"])
    world.fake.faults = Lacking(operation, key)

    def act() -> None:
        sqs.describe(sqs.resolve(world.dlq.name).url)
        sqs.receive(world.dlq, visibility_timeout_s=30, wait_s=0)

    with pytest.raises(ServiceError, match=f"`{operation}`: the answer has no `{key}`") as caught:
        act()
    assert (caught.value.code, caught.value.retryable) == ("bad_answer", False)
    assert "secret" not in str(caught.value)


def test_an_answer_in_another_form_quotes_nothing_of_it(world: World, sqs: Sqs) -> None:
    """A count that is no number, for one."""

    class Odd(Faults):
        def after(self, operation: str, request: Mapping[str, Any], response: dict[str, Any]) -> dict[str, Any]:
            return {"Attributes": {**response["Attributes"], "ApproximateNumberOfMessages": "secret"}}

    world.fake.faults = Odd()
    with pytest.raises(ServiceError, match="not in the form of SQS") as caught:
        sqs.describe(world.dlq.url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "policy", ["no JSON", "[]", "{}", '{"deadLetterTargetArn": "arn:aws:sqs:x:1:q", "maxReceiveCount": "many"}']
)
def test_a_redrive_policy_that_sqs_would_not_take_is_none(world: World, sqs: Sqs, policy: str) -> None:
    """LocalStack keeps one that it has refused; the queue is described all the same."""

    class Kept(Faults):
        def after(self, operation: str, request: Mapping[str, Any], response: dict[str, Any]) -> dict[str, Any]:
            return {"Attributes": {**response["Attributes"], "RedrivePolicy": policy}}

    world.fake.faults = Kept()
    queue, attributes = sqs.describe(world.dlq.url)
    assert (queue, attributes.redrive_policy) == (world.dlq, None)


@pytest.mark.parametrize("key", ["MessageId", "Id", "Successful"])
def test_a_send_without_a_new_id_is_not_confirmed(world: World, sqs: Sqs, key: str) -> None:
    """Nothing may be deleted on the strength of such an answer."""
    world.fake.faults = Lacking("SendMessageBatch", key)
    assert sqs.send_batch(world.source, [outgoing("a"), outgoing("b")]) == [None, None]


def test_an_answer_about_an_entry_that_was_not_asked_for_confirms_nothing(world: World, sqs: Sqs) -> None:
    """Not the entry at that place in the answer, and no other."""

    class Elsewhere(Faults):
        def after(self, operation: str, request: Mapping[str, Any], response: dict[str, Any]) -> dict[str, Any]:
            for each in response.get("Successful", []):
                each["Id"] = f"1{each['Id']}"
            return response

    world.send(world.dlq, ["x"])
    [(_, handle)] = sqs.receive(world.dlq, visibility_timeout_s=30, wait_s=0)
    world.fake.faults = Elsewhere()
    assert sqs.send_batch(world.source, [outgoing("a")]) == [None]
    assert list(sqs.delete_batch(world.dlq, [handle])) == [0]


@pytest.mark.parametrize(
    ("code", "retryable"),
    [("InvalidMessageContents", False), ("ReceiptHandleIsInvalid", False), ("InternalError", True)],
)
def test_what_stays_wrong_is_not_repeated_whoever_is_blamed(world: World, sqs: Sqs, code: str, retryable: bool) -> None:
    """LocalStack says of no entry that its failure is the sender's."""

    class Failed(Faults):
        def after(self, operation: str, request: Mapping[str, Any], response: dict[str, Any]) -> dict[str, Any]:
            return {"Failed": [{"Id": "0", "Code": code, "SenderFault": False}]}

    world.fake.faults = Failed()
    [failure] = sqs.send_batch(world.source, [outgoing("x")])
    assert isinstance(failure, EntryFailure)
    assert failure.retryable is retryable


@pytest.mark.parametrize("date", ["soon", "Wed, 99999999999999999999 Oct 2015 07:28:00 GMT"])
def test_a_date_that_cannot_be_read_is_as_good_as_none(world: World, date: str) -> None:
    """Some servers write their own."""

    def call(operation: str, request: dict[str, Any]) -> dict[str, Any]:
        answer = world.fake(operation, request)
        return {**answer, "ResponseMetadata": {"HTTPHeaders": {"date": date}}}

    sqs = Sqs(call, world.clock)
    sqs.attributes(world.dlq)
    assert sqs.now_ms() == int(world.clock.wall() * 1000)


def test_a_message_is_received_with_everything_that_is_known_of_it(world: World, sqs: Sqs) -> None:
    """And can be sent on as it is."""
    attributes = {"n": Attribute(type="Number.int", value="1"), "b": Attribute(type="Binary", value=b"\xff")}
    sent = outgoing("body", attributes=attributes, trace_header="Root=1-5759e988-bd862e3fe1be46a994272793")
    [answer] = sqs.send_batch(world.source, [sent])
    assert isinstance(answer, Sent)
    world.reject_all(world.source)
    [(message, handle)] = sqs.receive(world.dlq, visibility_timeout_s=30, wait_s=0)
    assert handle
    assert (message.message_id, message.body, message.attributes) == (answer.new_id, "body", attributes)
    assert message.source_arn == world.source.arn
    assert message.sent_at_ms == int(world.clock.wall() * 1000)
    assert (message.md5_of_body, message.md5_of_attributes) == (answer.md5_of_body, answer.md5_of_attributes)
    assert message.trace_header == sent.message.trace_header


def test_answers_stand_in_the_order_of_the_entries(world: World, sqs: Sqs) -> None:
    """Whatever order SQS gives them in; one without an answer is None."""

    class Shuffle(Faults):
        def after(self, operation: str, request: Mapping[str, Any], response: dict[str, Any]) -> dict[str, Any]:
            failed = [{"Id": "1", "SenderFault": True, "Code": "AWS.SimpleQueueService.X", "Message": "no"}]
            return {**response, "Successful": response["Successful"][:1:-1], "Failed": failed}

    world.fake.faults = Shuffle()
    answers = sqs.send_batch(world.source, [outgoing(str(number)) for number in range(4)])
    assert answers[0] is None
    assert answers[1] == EntryFailure(code="X", message="no", retryable=False)
    by_body = {each.body: each.message_id for each in world.stored(world.source)}
    assert [each.new_id for each in answers[2:] if isinstance(each, Sent)] == [by_body["2"], by_body["3"]]


@pytest.mark.parametrize(
    ("code", "sender_fault", "retryable"),
    [
        ("InternalError", False, True),
        ("InvalidMessageContents", True, False),
        ("KMS.ThrottlingException", True, True),
        ("RequestThrottled", True, True),
        ("OverLimit", True, True),
    ],
)
def test_a_failed_entry_is_tried_again_when_the_service_is_at_fault(
    world: World, code: str, sender_fault: bool, retryable: bool
) -> None:
    """Or when it was only too fast."""

    def call(operation: str, request: dict[str, Any]) -> dict[str, Any]:
        return {"Failed": [{"Id": "0", "SenderFault": sender_fault, "Code": code, "Message": ""}]}

    [failure] = Sqs(call, world.clock).send_batch(world.source, [outgoing("x")])
    assert isinstance(failure, EntryFailure)
    assert failure.retryable is retryable


def test_requests_are_counted_and_each_64_kb_is_billed(world: World, sqs: Sqs) -> None:
    """As SQS's price list has it."""
    sqs.send_batch(world.source, [outgoing("x" * 65_536), outgoing("y")])
    assert (sqs.requests, sqs.billed_requests) == (1, 2)
    sqs.receive(world.source, visibility_timeout_s=30, wait_s=0)
    assert (sqs.requests, sqs.billed_requests) == (2, 4)
    sqs.delete_batch(world.source, ["nonsense"])
    assert (sqs.requests, sqs.billed_requests) == (3, 5)


def test_the_time_is_the_services(tmp_path: Any) -> None:
    """A laptop's clock may be ten minutes slow; SentTimestamps are not."""
    world = make_world(tmp_path, behaviour=Behaviour(skew_s=600))
    sqs = Sqs(world.fake, world.clock)
    sqs.attributes(world.dlq)
    assert abs(sqs.now_ms() - int((world.clock.wall() + 600) * 1000)) <= 2_000


def test_no_move_task_is_none(world: World, sqs: Sqs) -> None:
    """The fake runs none."""
    assert sqs.move_tasks.active(world.dlq) is None


def test_a_running_move_task_is_told() -> None:
    """And one that has ended is not."""
    answers = [{"Status": "COMPLETED"}, {"Status": "RUNNING"}]
    clock = FakeClock()
    queue = make_queue(FakeSqs(clock), "q")
    assert Sqs(lambda *_: {"Results": answers}, clock).move_tasks.active(queue) == MoveTask(status="RUNNING")
    assert Sqs(lambda *_: {"Results": answers[:1]}, clock).move_tasks.active(queue) is None


@pytest.mark.parametrize(
    ("sizes", "batches"),
    [
        ([1] * 25, [10, 10, 5]),
        ([1_048_576], [1]),
        ([1_048_575, 1], [2]),
        ([1_048_576, 1], [1, 1]),
        ([400_000] * 5, [2, 2, 1]),
        ([], []),
    ],
    ids=["by count", "one of 1 MiB", "just fits", "just too many", "by bytes", "nothing"],
)
def test_messages_are_split_into_batches_that_sqs_takes(sizes: list[int], batches: list[int]) -> None:
    """Ten entries and 1,048,576 bytes; the order is kept."""
    messages = [Message(message_id=str(number), body="x" * size) for number, size in enumerate(sizes)]
    cut = list(split(messages))
    assert [len(batch) for batch in cut] == batches
    assert [each for batch in cut for each in batch] == messages


def test_attributes_count_against_the_size_of_a_batch() -> None:
    """Names, types and values; the limit is over everything."""
    attribute = {"name": Attribute(type="String", value="v" * 100)}
    messages = [Message(message_id=str(number), body="x" * 524_200, attributes=attribute) for number in range(2)]
    assert [len(batch) for batch in split(messages)] == [1, 1]


def test_a_redrive_policy_is_read_however_its_number_is_written(world: World, sqs: Sqs) -> None:
    """As a number or as text: both are found in templates."""
    policy = {"deadLetterTargetArn": world.dlq.arn, "maxReceiveCount": "5"}
    world.ask("SetQueueAttributes", world.source, Attributes={"RedrivePolicy": json.dumps(policy)})
    [source] = sqs.sources(world.dlq)
    assert source.max_receive_count == 5


@pytest.mark.parametrize("named", ["Successful", "Failed"])
def test_a_null_among_the_answers_of_a_batch_answers_nothing(world: World, sqs: Sqs, named: str) -> None:
    """Neither that it was sent, nor that it was deleted."""

    class Null(Faults):
        def after(self, operation: str, request: Mapping[str, Any], response: dict[str, Any]) -> dict[str, Any]:
            return {named: [None]}

    world.fake.faults = Null()
    assert sqs.send_batch(world.source, [outgoing("x")]) == [None]
    assert [each.code for each in sqs.delete_batch(world.source, ["handle"]).values()] == ["no_answer"]
