from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from opstool.doors.stack import Stack
from opstool.fake import FailCalls, Faults, no_answer
from opstool.verbs import testbatch
from opstool.words.errors import RefusedError, UsageError
from opstool.words.message import Attribute
from opstool.words.report import Status
from tests.world import World, make_queue


def test_ten_messages_go_to_the_source_queue(world: World) -> None:
    """As the original's script sent them."""
    batch = testbatch.prepare(world.kit(), "orders", messages=testbatch.made_up())
    report = batch.execute()
    assert (report.status, report.counts.succeeded) == (Status.DONE, 10)
    assert [json.loads(body) for body in world.bodies(world.source)] == [
        {"message": f"Test message-{number}"} for number in range(1, 11)
    ]


def test_some_can_be_made_such_that_the_consumer_rejects_them() -> None:
    """The last ones; there cannot be more of them than there are."""
    bodies = [json.loads(message.body) for message in testbatch.made_up(5, poison=2)]
    assert ["message" in body for body in bodies] == [True, True, True, False, False]
    for poison in (-1, 6):
        with pytest.raises(UsageError):
            testbatch.made_up(5, poison=poison)


def test_without_a_name_the_stacks_queue_is_meant(world: World) -> None:
    """Its output has the ARN."""
    kit = world.kit()
    outputs = [{"OutputKey": "ProcessingQueueARN", "OutputValue": world.source.arn}]
    kit.stack = Stack(lambda *_: {"Stacks": [{"Outputs": outputs}]}, "processor")
    assert testbatch.prepare(kit, messages=testbatch.made_up(1)).plan.queue == world.source


def test_a_dead_letter_queue_is_refused(world: World) -> None:
    """Test messages are for the consumer; the way to send them is in the hint."""
    with pytest.raises(RefusedError) as caught:
        testbatch.prepare(world.kit(), "orders-dlq", messages=testbatch.made_up())
    assert caught.value.code == "is_a_dlq"
    assert "orders" in str(caught.value.hint)


def test_nothing_to_send_is_a_usage_error(world: World) -> None:
    """An empty file, for example."""
    with pytest.raises(UsageError):
        testbatch.prepare(world.kit(), "orders", messages=[])


def test_attributes_and_a_group_are_added_to_each(world: World) -> None:
    """To those that it has."""
    messages = testbatch.made_up(3)
    testbatch.prepare(world.kit(), "orders", messages=messages, attributes={"a": "1"}, group_id="g").execute()
    assert {each.group_id for each in world.stored(world.source)} == {"g"}
    assert {each.attributes["a"] for each in world.stored(world.source)} == {Attribute(type="String", value="1")}


def test_lines_become_bodies() -> None:
    """As they stand; blank ones are left out, and one that is not JSON is named."""
    assert [each.body for each in testbatch.from_lines(['{"a": 1}\n', "\n", "[2]"])] == ['{"a": 1}', "[2]"]
    with pytest.raises(UsageError, match="line 2 is not JSON"):
        testbatch.from_lines(["1", "nonsense"])


def test_a_lambda_event_becomes_its_messages() -> None:
    """Body, attributes and group."""
    record = {
        "body": "x",
        "attributes": {"MessageGroupId": "g"},
        "messageAttributes": {"a": {"dataType": "String", "stringValue": "1"}},
    }
    [message] = testbatch.from_event({"Records": [record]})
    assert (message.body, message.group_id) == ("x", "g")
    assert message.attributes == {"a": Attribute(type="String", value="1")}


def test_the_shipped_event_becomes_its_messages() -> None:
    """Each of its ten records, bytes as bytes."""
    event = json.loads((Path(__file__).parents[2] / "events" / "test-event.json").read_text())
    messages = testbatch.from_event(event)
    assert [each.body for each in messages] == [record["body"] for record in event["Records"]]
    assert messages[6].attributes["checksum"] == Attribute(type="Binary", value=bytes(range(12)))


BAD_BASE64 = {"body": "x", "messageAttributes": {"a": {"dataType": "Binary", "binaryValue": "?"}}}


@pytest.mark.parametrize(
    "event",
    [{}, [], None, *({"Records": records} for records in (None, [{}], ["x"], [None], [BAD_BASE64]))],
    ids=repr,
)
def test_what_is_no_event_is_a_usage_error(event: object) -> None:
    """And no traceback."""
    with pytest.raises(UsageError):
        testbatch.from_event(event)


def test_a_message_may_be_sent_twice_and_then_it_is_counted(world: World) -> None:
    """As with any other verb."""
    world.fake.faults = FailCalls("SendMessageBatch", no_answer("x"), phase="after", calls=[1])
    report = testbatch.prepare(world.kit(), "orders", messages=testbatch.made_up(5)).execute()
    assert (report.status, report.counts.succeeded, report.possibly_sent_twice) == (Status.DONE, 5, 5)


def test_a_stop_ends_it(world: World) -> None:
    """What is in hand is finished."""
    kit = world.kit()

    class Stop(Faults):
        def before(self, operation: str, request: Mapping[str, Any]) -> None:
            if operation == "SendMessageBatch":
                kit.stop.set()

    world.fake.faults = Stop()
    report = testbatch.prepare(kit, "orders", messages=testbatch.made_up(30)).execute()
    assert (report.status, report.counts.succeeded) == (Status.INTERRUPTED, 10)


def test_messages_are_followed_until_each_is_consumed_or_dead(world: World) -> None:
    """Dead are those that lie in the DLQ under the id of their send."""
    batch = testbatch.prepare(world.kit(), "orders", messages=testbatch.made_up(6, poison=2))
    batch.execute()

    def consume() -> None:
        for message in world.ask("ReceiveMessage", world.source, MaxNumberOfMessages=10).get("Messages", []):
            timeout = {"ReceiptHandle": message["ReceiptHandle"]}
            if "poison" in message["Body"]:
                world.ask("ChangeMessageVisibility", world.source, VisibilityTimeout=0, **timeout)
            else:
                world.ask("DeleteMessage", world.source, **timeout)

    end = world.clock.every(1, consume)
    fate = batch.follow()
    end()
    assert (len(fate.consumed), len(fate.dead), fate.unknown) == (4, 2, ())
    assert world.visible(world.dlq) == 2


def test_messages_that_nobody_consumes_are_unknown_in_the_end(world: World) -> None:
    """The wait is bounded by what the redrive policy allows."""
    batch = testbatch.prepare(world.kit(), "orders", messages=testbatch.made_up(3))
    batch.execute()
    fate = batch.follow(timeout_s=30)
    assert (len(fate.unknown), fate.consumed, fate.dead) == (3, (), ())


def test_a_queue_without_a_dlq_can_be_followed_too(world: World) -> None:
    """Then nothing can be dead."""
    lonely = make_queue(world.fake, "lonely")
    batch = testbatch.prepare(world.kit(), "lonely", messages=testbatch.made_up(3))
    batch.execute()
    world.ask("PurgeQueue", lonely)
    assert len(batch.follow().consumed) == 3
