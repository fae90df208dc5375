from __future__ import annotations

import pytest

from opstool.engine.dlq import locate
from opstool.engine.routes import Routes
from opstool.engine.sinks import Rejected
from opstool.fake import FailCalls, throttled
from opstool.verbs import redrive
from opstool.words.errors import RefusedError
from opstool.words.message import Attribute, Message
from opstool.words.queue import Queue
from tests.world import World, make_queue


def routes(world: World, to: Queue | None = None) -> Routes:
    """Return the routes of the world's DLQ."""
    kit = world.kit()
    return Routes(sqs=kit.sqs, dlq=locate(kit, world.dlq.arn), journal=kit.journal, to=to)


def test_a_message_goes_to_the_queue_it_died_in(world: World) -> None:
    """Also where several queues share the DLQ."""
    payments = world.add_queue("payments", dlq=world.dlq)
    route = routes(world)
    assert route(Message(message_id="1", body="x", source_arn=world.source.arn)) == world.source
    assert route(Message(message_id="2", body="x", source_arn=payments.arn)) == payments


def test_a_source_that_no_longer_has_this_dlq_is_looked_up_once(world: World) -> None:
    """Its redrive policy was changed, and the queue is still there."""
    former = make_queue(world.fake, "former")
    route = routes(world)
    before = world.fake.requests["GetQueueUrl"]
    for number in range(3):
        assert route(Message(message_id=str(number), body="x", source_arn=former.arn)) == former
    assert world.fake.requests["GetQueueUrl"] == before + 1


def test_a_source_that_is_gone_is_no_route(world: World) -> None:
    """And is named; the message stays."""
    arn = "arn:aws:sqs:us-east-1:123456789012:gone"
    rejected = routes(world)(Message(message_id="1", body="x", source_arn=arn))
    assert isinstance(rejected, Rejected)
    assert rejected.code == "source_gone"
    assert arn in rejected.message


def test_a_source_that_could_not_be_asked_for_is_asked_for_again(world: World) -> None:
    """A moment's throttling is not the end of a queue."""
    former = make_queue(world.fake, "former")
    route = routes(world)
    message = Message(message_id="1", body="x", source_arn=former.arn)
    world.fake.faults = FailCalls("GetQueueUrl", throttled("GetQueueUrl"), calls=[1])
    first = route(message)
    assert isinstance(first, Rejected)
    assert (first.code, first.retryable) == ("source_unknown", True)
    assert route(message) == former


def test_without_a_source_the_only_queue_of_the_dlq_is_certain(world: World) -> None:
    """Put there by hand, or by an emulator that does not say."""
    assert routes(world)(Message(message_id="1", body="x")) == world.source


def test_without_a_source_several_queues_are_not(world: World) -> None:
    """The list is given, and the way to choose."""
    world.add_queue("payments", dlq=world.dlq)
    rejected = routes(world)(Message(message_id="1", body="x"))
    assert isinstance(rejected, Rejected)
    assert (rejected.code, "orders, payments" in rejected.message) == ("no_certain_target", True)
    world.send(world.dlq, ["by hand"])
    with pytest.raises(RefusedError) as caught:
        redrive.prepare(world.kit(), world.dlq.arn)
    assert (caught.value.code, caught.value.hint) == ("no_certain_target", "name the queue to send to with --to")
    assert world.visible(world.dlq) == 1


def test_a_message_that_turns_up_later_without_a_source_fails_alone(world: World) -> None:
    """The plan saw only the first ten."""
    world.add_queue("payments", dlq=world.dlq)
    world.die([f"body {number}" for number in range(10)])
    with redrive.prepare(world.kit(), world.dlq.arn) as run:
        world.send(world.dlq, ["by hand"])
        report = run.execute()
    assert (report.counts.succeeded, report.counts.failed) == (10, 1)
    assert world.bodies(world.dlq) == ["by hand"]


def test_a_target_that_was_named_goes_before_everything(world: World) -> None:
    """Whoever names one means it."""
    other = make_queue(world.fake, "other")
    assert routes(world, other)(Message(message_id="1", body="x", source_arn=world.source.arn)) == other


LAMBDA_ASYNC = {
    "RequestID": Attribute(type="String", value="e5c1d1d2-9b1e-4c56-8a34-111122223333"),
    "ErrorCode": Attribute(type="Number", value="200"),
    "ErrorMessage": Attribute(type="String", value="the total is secret"),
}


def test_what_another_service_put_here_has_no_source(world: World) -> None:
    """Though the DLQ has one queue only; what it says of its error is nobody's to read in ours."""
    rejected = routes(world)(Message(message_id="1", body="x", attributes=LAMBDA_ASYNC))
    assert isinstance(rejected, Rejected)
    assert (rejected.code, rejected.retryable, rejected.error) == ("not_from_sqs", False, None)
    assert "lambda_async" in rejected.message
    assert "secret" not in rejected.message


def test_a_source_goes_before_what_the_attributes_say(world: World) -> None:
    """A consumer may write the attributes that Lambda writes."""
    message = Message(message_id="1", body="x", attributes=LAMBDA_ASYNC, source_arn=world.source.arn)
    assert routes(world)(message) == world.source


def test_a_target_that_was_named_takes_them_all(world: World) -> None:
    """Whoever names one knows what came from where."""
    other = make_queue(world.fake, "other")
    assert routes(world, other)(Message(message_id="1", body="x", attributes=LAMBDA_ASYNC)) == other
