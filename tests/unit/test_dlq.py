from __future__ import annotations

import json

import pytest

from opstool.doors.stack import Stack
from opstool.engine.dlq import locate, locate_to_change
from opstool.words.errors import NotFoundError, RefusedError, UsageError
from tests.world import World, make_queue


def test_a_queue_that_is_somebodys_dlq_is_taken_literally(world: World) -> None:
    """With its sources."""
    found = locate(world.kit(), "orders-dlq")
    assert (found.queue, found.is_dlq, found.followed_from) == (world.dlq, True, None)
    assert [source.queue for source in found.sources] == [world.source]


def test_a_source_queue_leads_to_its_dlq_and_that_is_said(world: World) -> None:
    """The person named the queue they know."""
    found = locate_to_change(world.kit(), "orders", not_a_dlq=False)
    assert (found.queue, found.followed_from) == (world.dlq, world.source)


def test_a_dlq_with_a_redrive_policy_of_its_own_is_refused(world: World) -> None:
    """Each receive of ours would count there, and push messages onward."""
    last = make_queue(world.fake, "last")
    policy = json.dumps({"deadLetterTargetArn": last.arn, "maxReceiveCount": 5})
    world.ask("SetQueueAttributes", world.dlq, Attributes={"RedrivePolicy": policy})
    world.send(world.dlq, ["x"])
    for name in ("orders-dlq", "orders"):
        with pytest.raises(RefusedError) as caught:
            locate(world.kit(), name)
        assert caught.value.code == "dlq_has_redrive_policy"
    assert world.fake.requests["ReceiveMessage"] == 0


def test_a_queue_that_is_nobodys_dlq_can_be_read_and_not_changed(world: World) -> None:
    """Unless that is insisted on."""
    make_queue(world.fake, "other")
    assert not locate(world.kit(), "other").is_dlq
    with pytest.raises(RefusedError) as caught:
        locate_to_change(world.kit(), "other", not_a_dlq=False)
    assert caught.value.code == "not_a_dlq"
    assert locate_to_change(world.kit(), "other", not_a_dlq=True).queue.name == "other"


def test_without_a_name_the_stacks_dlq_is_meant(world: World) -> None:
    """Its output has the ARN."""
    kit = world.kit()
    outputs = [{"OutputKey": "ProcessingDLQARN", "OutputValue": world.dlq.arn}]
    kit.stack = Stack(lambda *_: {"Stacks": [{"Outputs": outputs}]}, "processor")
    assert locate(kit, None).queue == world.dlq


def test_without_a_name_and_a_stack_it_is_a_usage_error(world: World) -> None:
    """Nothing is guessed."""
    with pytest.raises(UsageError):
        locate(world.kit(), None)
    with pytest.raises(NotFoundError):
        locate(world.kit(), "nowhere")
