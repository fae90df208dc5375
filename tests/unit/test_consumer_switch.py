"""Pausing and resuming a consumer: which mappings, in which states, against a Lambda that is slow, busy or forbids."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from opstool.doors.functions import Functions
from opstool.doors.toolkit import Toolkit
from opstool.fake import FailCalls, Faults
from opstool.fake.mappings import FakeLambda
from opstool.verbs import consumer, history
from opstool.verbs.consumer import Outcome, Switched, Switching
from opstool.words.awserrors import error_for
from opstool.words.errors import AccessError, NotFoundError, RefusedError, ServiceError, UsageError
from tests.world import World

UPDATE, GET = "UpdateEventSourceMapping", "GetEventSourceMapping"


@pytest.fixture
def aws(world: World) -> FakeLambda:
    """Return a Lambda on the world's clock, without mappings."""
    return FakeLambda(world.clock)


def kit(world: World, aws: FakeLambda) -> Toolkit:
    """Return the toolkit of one new invocation, with a door to Lambda."""
    made = world.kit()
    made.ask = aws
    return made


def pause(world: World, aws: FakeLambda, name: str = "orders", **options: Any) -> Switched:
    """Plan a pause and carry it out."""
    return consumer.prepare(kit(world, aws), name, enabled=False, **options).execute()


def resuming(world: World, aws: FakeLambda, name: str = "orders", **options: Any) -> Switching:
    """Plan a resumption."""
    return consumer.prepare(kit(world, aws), name, enabled=True, **options)


def throttled() -> ServiceError:
    """Return Lambda's way to say too often."""
    error = error_for(UPDATE, "TooManyRequestsException", "Rate exceeded", 429)
    assert isinstance(error, ServiceError)
    return error


def busy() -> ServiceError:
    """Return Lambda's way to say not now."""
    error = error_for(UPDATE, "ResourceInUseException", "in use")
    assert isinstance(error, ServiceError)
    return error


# -- the fake itself


def test_the_fake_lists_by_page_and_by_queue(world: World, aws: FakeLambda) -> None:
    """A hundred mappings a page, as Lambda."""
    for number in range(230):
        aws.add_mapping(world.source.arn, f"function-{number}")
    aws.add_mapping(world.dlq.arn, "other")
    assert len(Functions(aws).mappings(world.source.arn)) == 230
    assert aws.requests["ListEventSourceMappings"] == 3


def test_the_fake_goes_through_the_states_and_refuses_to_be_hurried(world: World, aws: FakeLambda) -> None:
    """Enabled, Disabling, Disabled; what is on its way cannot be changed."""
    uuid = aws.add_mapping(world.source.arn, "f")
    door = Functions(aws)
    assert door.set_enabled(uuid, enabled=False) == "Disabling"
    with pytest.raises(ServiceError) as refused:
        door.set_enabled(uuid, enabled=True)
    assert refused.value.code == "busy"
    world.clock.advance(aws.settle_s)
    assert door.state(uuid) == "Disabled"
    assert door.set_enabled(uuid, enabled=False) == "Disabled"
    assert door.set_enabled(uuid, enabled=True) == "Enabling"


@pytest.mark.parametrize("ending", ["", ":live", ":7"])
def test_the_fake_knows_a_function_by_name_and_arn(aws: FakeLambda, ending: str) -> None:
    """With an alias or a version, or without."""
    arn = aws.add_function("orders-consumer", Timeout=12)
    for name in (arn + ending, "orders-consumer" + ending):
        assert Functions(aws).function(name).timeout_s == 12
    with pytest.raises(NotFoundError):
        Functions(aws).function("nobody")
    with pytest.raises(NotFoundError):
        Functions(aws).state("nobody")


# -- pausing


def test_a_pause_disables_every_mapping_and_waits_for_it(world: World, aws: FakeLambda) -> None:
    """All of them together: 20 seconds, not 40; nothing is received or deleted."""
    uuids = [aws.add_mapping(world.source.arn, name) for name in ("one", "two")]
    other = aws.add_mapping(world.dlq.arn, "other")
    began = world.clock.monotonic()
    switched = pause(world, aws)
    assert (switched.outcome, [aws.state(each) for each in uuids]) == (Outcome.DONE, ["Disabled", "Disabled"])
    assert [(each.mapping.state, each.state_after) for each in switched.switches] == [("Enabled", "Disabled")] * 2
    assert world.clock.monotonic() - began == 20
    assert (aws.state(other), aws.requests[UPDATE]) == ("Enabled", 2)


def test_a_plan_changes_nothing(world: World, aws: FakeLambda) -> None:
    """It only says what would be."""
    aws.add_mapping(world.source.arn, "f")
    switching = consumer.prepare(kit(world, aws), "orders", enabled=False)
    assert (switching.is_needed, switching.target, aws.requests[UPDATE]) == (True, "Disabled", 0)
    assert "invocations under way are not stopped" in switching.notes
    assert "each is lost 4 days after it was sent" in switching.notes[0]


def test_what_is_disabled_already_is_nothing_to_do(world: World, aws: FakeLambda) -> None:
    """A second pause is harmless."""
    aws.add_mapping(world.source.arn, "f", state="Disabled")
    assert not consumer.prepare(kit(world, aws), "orders", enabled=False).is_needed


def test_what_somebody_is_disabling_is_waited_for(world: World, aws: FakeLambda) -> None:
    """And not asked for again."""
    uuid = aws.add_mapping(world.source.arn, "f")
    aws.put(uuid, "Disabling", then="Disabled", after_s=30)
    assert pause(world, aws).outcome is Outcome.DONE
    assert aws.requests[UPDATE] == 0


@pytest.mark.parametrize("state", ["Updating", "Creating", "Enabling"])
def test_a_mapping_on_its_way_is_switched_when_it_is_at_rest(world: World, aws: FakeLambda, state: str) -> None:
    """A deployment goes on while somebody is paged."""
    uuid = aws.add_mapping(world.source.arn, "f")
    aws.put(uuid, state, then="Enabled", after_s=60)
    assert pause(world, aws).outcome is Outcome.DONE
    assert (aws.state(uuid), aws.requests[UPDATE]) == ("Disabled", 1)


def test_lambdas_refusals_for_the_moment_are_waited_out(world: World, aws: FakeLambda) -> None:
    """Too many requests, and a change of somebody else that began between our look and our request."""
    uuid = aws.add_mapping(world.source.arn, "f")
    errors = [throttled(), busy(), throttled()]

    class Passing(Faults):
        def before(self, operation: str, request: Mapping[str, Any]) -> None:
            if operation == UPDATE and errors:
                raise errors.pop()

    aws.faults = Passing()
    assert pause(world, aws).outcome is Outcome.DONE
    assert (aws.state(uuid), aws.requests[UPDATE]) == ("Disabled", 4)


@pytest.mark.parametrize("operation", [UPDATE, GET])
def test_the_wait_is_bounded(world: World, aws: FakeLambda, operation: str) -> None:
    """Ten minutes of throttling are enough; the run is partial and tells the state."""
    aws.add_mapping(world.source.arn, "f")
    aws.faults = FailCalls(operation, throttled())
    began = world.clock.monotonic()
    switched = pause(world, aws)
    assert switched.outcome is Outcome.UNCONFIRMED
    assert switched.switches[0].state_after == "Enabled"
    assert world.clock.monotonic() - began == 600
    assert aws.requests[operation] <= 301
    assert history.runs(world.kit())[0].status == "partial"


def test_many_mappings_are_looked_at_slowly(world: World, aws: FakeLambda) -> None:
    """Five requests a second at most, of the fifteen that the account has for everything."""
    for number in range(60):
        aws.add_mapping(world.source.arn, f"function-{number}")
    began = world.clock.monotonic()
    assert pause(world, aws).outcome is Outcome.DONE
    assert aws.requests[GET] <= 60 + 5 * (world.clock.monotonic() - began)


def test_a_mapping_that_is_deleted_meanwhile_consumes_no_more(world: World, aws: FakeLambda) -> None:
    """That is as good as paused."""
    uuid = aws.add_mapping(world.source.arn, "f")
    switching = consumer.prepare(kit(world, aws), "orders", enabled=False)
    aws.remove(uuid)
    switched = switching.execute()
    assert (switched.outcome, switched.switches[0].state_after) == (Outcome.DONE, consumer.GONE)


def test_a_missing_permission_names_the_action(world: World, aws: FakeLambda) -> None:
    """When every mapping is forbidden the command fails, and the run says so."""
    aws.add_mapping(world.source.arn, "f")
    aws.faults = FailCalls(UPDATE, error_for(UPDATE, "AccessDeniedException", "not authorized", 403))
    with pytest.raises(AccessError) as caught:
        pause(world, aws)
    assert f"`{UPDATE}`" in str(caught.value.hint)
    [run] = history.runs(world.kit())
    assert (run.status, (run.report or {})["failures"][0]["code"]) == ("partial", "access_denied")


def test_one_forbidden_mapping_does_not_keep_the_others_running(world: World, aws: FakeLambda) -> None:
    """The bleeding is stopped as far as it can be; the rest is named."""
    first, second = (aws.add_mapping(world.source.arn, name) for name in ("one", "two"))
    aws.faults = FailCalls(UPDATE, error_for(UPDATE, "AccessDeniedException", "no", 403), calls=[1])
    switched = pause(world, aws)
    assert (switched.outcome, aws.state(first), aws.state(second)) == (Outcome.UNCONFIRMED, "Enabled", "Disabled")
    assert [each.error.code if each.error else None for each in switched.switches] == ["access_denied", None]


def test_a_stop_ends_the_waiting(world: World, aws: FakeLambda) -> None:
    """What was asked for goes on at Lambda; the state of the moment is told."""
    uuid = aws.add_mapping(world.source.arn, "f")
    toolkit = kit(world, aws)

    class Stop(Faults):
        def after(self, operation: str, request: Mapping[str, Any], response: dict[str, Any]) -> dict[str, Any]:
            if operation == UPDATE:
                toolkit.stop.set()
            return response

    aws.faults = Stop()
    switched = consumer.prepare(toolkit, "orders", enabled=False).execute()
    assert (switched.outcome, switched.switches[0].state_after) == (Outcome.INTERRUPTED, "Disabling")
    world.clock.advance(20)
    assert aws.state(uuid) == "Disabled"


# -- which mappings


def test_a_dlq_leads_to_its_source(world: World, aws: FakeLambda) -> None:
    """Its own name is what one has at hand; its own consumer, if it has one, is not meant."""
    own = aws.add_mapping(world.dlq.arn, "replayer")
    uuid = aws.add_mapping(world.source.arn, "f")
    switching = consumer.prepare(kit(world, aws), "orders-dlq", enabled=False)
    assert (switching.followed_from, switching.sources) == (world.dlq, (world.source,))
    switching.execute()
    assert (aws.state(uuid), aws.state(own)) == ("Disabled", "Enabled")


def test_of_several_sources_one_is_named_or_all_are_meant(world: World, aws: FakeLambda) -> None:
    """Pausing a stranger's consumer is not what one wants to do by accident."""
    second = world.add_queue("payments", dlq=world.dlq)
    uuids = [aws.add_mapping(queue.arn, "f") for queue in (world.source, second)]
    with pytest.raises(RefusedError, match='"orders", "payments"') as caught:
        consumer.prepare(kit(world, aws), "orders-dlq", enabled=False)
    assert caught.value.code == "several_sources"
    pause(world, aws, "payments")
    assert [aws.state(each) for each in uuids] == ["Enabled", "Disabled"]
    pause(world, aws, "orders-dlq", every_source=True)
    assert [aws.state(each) for each in uuids] == ["Disabled", "Disabled"]


def test_a_queue_without_mappings_is_refused(world: World, aws: FakeLambda) -> None:
    """Its consumer is something else, and would go on."""
    with pytest.raises(RefusedError) as caught:
        consumer.prepare(kit(world, aws), "orders", enabled=False)
    assert caught.value.code == "no_consumer"


def test_a_mapping_can_be_named(world: World, aws: FakeLambda) -> None:
    """One of two; a name that is none is wrong usage."""
    first, second = (aws.add_mapping(world.source.arn, name) for name in ("one", "two"))
    pause(world, aws, uuids=[second])
    assert (aws.state(first), aws.state(second)) == ("Enabled", "Disabled")
    with pytest.raises(UsageError):
        pause(world, aws, uuids=["nobody"])


# -- resuming


def test_a_resumption_enables_what_was_paused_from_here_and_leaves_the_rest(world: World, aws: FakeLambda) -> None:
    """What somebody has disabled for a reason of their own stays disabled, and is named."""
    theirs = aws.add_mapping(world.source.arn, "theirs", state="Disabled")
    ours = aws.add_mapping(world.source.arn, "ours")
    pause(world, aws)
    switching = resuming(world, aws)
    assert [(each.mapping.uuid, each.changes, each.paused_here) for each in switching.switches] == [
        (theirs, False, False),
        (ours, True, True),
    ]
    assert any("1 disabled mappings stay so" in note for note in switching.notes)
    assert switching.execute().outcome is Outcome.DONE
    assert (aws.state(ours), aws.state(theirs)) == ("Enabled", "Disabled")


def test_without_a_record_all_that_are_disabled_are_meant_and_it_is_said(world: World, aws: FakeLambda) -> None:
    """A colleague's laptop has its own journal."""
    uuids = [aws.add_mapping(world.source.arn, name, state="Disabled") for name in ("one", "two")]
    switching = resuming(world, aws)
    assert any("2 of them were not paused from here" in note for note in switching.notes)
    switching.execute()
    assert [aws.state(each) for each in uuids] == ["Enabled", "Enabled"]


def test_what_somebody_was_disabling_when_we_paused_is_not_enabled_with_ours(world: World, aws: FakeLambda) -> None:
    """A pause that waits for another's is none of ours."""
    theirs, ours = (aws.add_mapping(world.source.arn, name) for name in ("theirs", "ours"))
    aws.put(theirs, "Disabling", then="Disabled", after_s=30)
    pause(world, aws)
    assert {each.mapping.uuid: each.changes for each in resuming(world, aws).switches} == {theirs: False, ours: True}


def test_a_pause_that_was_only_waited_for_again_is_still_ours(world: World, aws: FakeLambda) -> None:
    """The same command again goes on waiting for what the first has begun."""
    uuid = aws.add_mapping(world.source.arn, "f")
    pause(world, aws)
    aws.put(uuid, "Disabling", then="Disabled", after_s=30)
    world.clock.advance(1)
    pause(world, aws)
    [switch] = resuming(world, aws).switches
    assert switch.paused_here is True


def test_what_was_resumed_since_is_no_longer_ours(world: World, aws: FakeLambda) -> None:
    """The latest run decides: disabled by somebody after our resumption is disabled by somebody."""
    uuid = aws.add_mapping(world.source.arn, "f")
    pause(world, aws)
    world.clock.advance(60)
    resuming(world, aws).execute()
    aws.put(uuid, "Disabled")
    world.clock.advance(60)
    [switch] = resuming(world, aws).switches
    assert switch.paused_here is False


def test_a_mapping_of_another_can_be_resumed_by_its_name(world: World, aws: FakeLambda) -> None:
    """Named is meant, whoever has disabled it."""
    theirs = aws.add_mapping(world.source.arn, "theirs", state="Disabled")
    ours = aws.add_mapping(world.source.arn, "ours")
    pause(world, aws)
    resuming(world, aws, uuids=[theirs]).execute()
    assert (aws.state(theirs), aws.state(ours)) == ("Enabled", "Disabled")


def test_it_is_in_the_journal_with_who_and_why(world: World, aws: FakeLambda) -> None:
    """Like every change, with the mappings and the states they were in."""
    uuid = aws.add_mapping(world.source.arn, "f")
    toolkit = kit(world, aws)
    switched = consumer.prepare(toolkit, "orders", enabled=False).execute(note="ticket 4711")
    [run] = history.runs(toolkit)
    assert (run.run_id, run.verb, run.queue, run.note) == (switched.run_id, consumer.PAUSE, "orders", "ticket 4711")
    assert (run.status, run.plan["options"]) == ("done", {"mappings": [{"uuid": uuid, "state": "Enabled"}]})
    with pytest.raises(RefusedError):
        history.resume(toolkit, run.run_id)
