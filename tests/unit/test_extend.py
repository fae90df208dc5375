"""Raising the retention: never lowering it, looked at right before, confirmed right after, kept in the journal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from opstool.fake import FailCalls, Faults
from opstool.verbs import extend, history
from opstool.verbs.extend import Outcome, Template
from opstool.words.awserrors import error_for
from opstool.words.errors import AccessError, RefusedError, StorageError, UsageError
from opstool.words.queue import Queue
from tests.world import World

DAY_S = 86_400
SET = "SetQueueAttributes"


def keep(world: World, seconds: int, queue: Queue | None = None) -> None:
    """Set the retention as a colleague would."""
    world.ask(SET, queue or world.dlq, Attributes={"MessageRetentionPeriod": str(seconds)})


def kept_s(world: World) -> int:
    """Return the retention of the dead-letter queue."""
    return world.kit().sqs.attributes(world.dlq).retention_s


def test_the_retention_is_raised_to_14_days_unless_told_otherwise(world: World) -> None:
    """And SQS is asked whether it is."""
    keep(world, 4 * DAY_S)
    extension = extend.prepare(world.kit(), "orders-dlq")
    assert (extension.from_s, extension.to_s, extension.is_needed) == (4 * DAY_S, 14 * DAY_S, True)
    assert kept_s(world) == 4 * DAY_S
    extended = extension.execute()
    assert (extended.outcome, extended.retention_s, kept_s(world)) == (Outcome.DONE, 14 * DAY_S, 14 * DAY_S)


def test_a_message_about_to_expire_is_still_there_afterwards(world: World) -> None:
    """That is what it is for."""
    keep(world, 4 * DAY_S)
    world.die(["dead"])
    world.clock.advance(4 * DAY_S - 60)
    extend.prepare(world.kit(), "orders-dlq", to_s=5 * DAY_S).execute()
    world.clock.advance(120)
    assert world.bodies(world.dlq) == ["dead"]


@pytest.mark.parametrize("to_s", [60, 4 * DAY_S - 1])
def test_a_lower_value_is_refused(world: World, to_s: int) -> None:
    """SQS would delete what is older at once."""
    keep(world, 4 * DAY_S)
    with pytest.raises(RefusedError) as caught:
        extend.prepare(world.kit(), "orders-dlq", to_s=to_s)
    assert (caught.value.code, world.fake.requests[SET]) == ("would_lower_retention", 1)


@pytest.mark.parametrize("to_s", [0, 59, 14 * DAY_S + 1])
def test_what_sqs_does_not_admit_is_a_usage_error(world: World, to_s: int) -> None:
    """Before anything is asked."""
    with pytest.raises(UsageError):
        extend.prepare(world.kit(), "orders-dlq", to_s=to_s)
    assert world.calls == 0


def test_nothing_to_do_changes_nothing(world: World) -> None:
    """It is 14 days already."""
    extension = extend.prepare(world.kit(), "orders-dlq")
    assert not extension.is_needed
    extended = extension.execute()
    assert (extended.outcome, extended.run_id) == (Outcome.NOTHING_TO_DO, None)
    assert world.fake.requests[SET] == 0


@pytest.mark.parametrize("raised_to_s", [7 * DAY_S, 14 * DAY_S], ids=["as far", "further"])
def test_what_a_colleague_has_raised_meanwhile_is_not_lowered(world: World, raised_to_s: int) -> None:
    """The attribute is read again right before the change."""
    keep(world, 4 * DAY_S)
    extension = extend.prepare(world.kit(), "orders-dlq", to_s=7 * DAY_S)
    keep(world, raised_to_s)
    extended = extension.execute()
    assert (extended.outcome, extended.retention_s) == (Outcome.NOTHING_TO_DO, raised_to_s)
    assert kept_s(world) == raised_to_s


def test_a_value_that_is_told_late_is_waited_for(world: World) -> None:
    """SQS may take up to a minute to tell a new attribute."""
    keep(world, 4 * DAY_S)
    extension = extend.prepare(world.kit(), "orders-dlq")
    old = [4 * DAY_S] * 2

    class Late(Faults):
        def after(self, operation: str, request: Mapping[str, Any], response: dict[str, Any]) -> dict[str, Any]:
            if operation == "GetQueueAttributes" and old and world.fake.requests[SET] == 2:
                told = {**response["Attributes"], "MessageRetentionPeriod": str(old.pop())}
                return {**response, "Attributes": told}
            return response

    world.fake.faults = Late()
    assert (extension.execute().outcome, old) == (Outcome.DONE, [])


def test_a_value_that_is_not_told_in_the_end_is_said(world: World) -> None:
    """The wait is bounded, and the run is partial."""
    keep(world, 4 * DAY_S)
    kit = world.kit()
    extension = extend.prepare(kit, "orders-dlq")

    class Swallowing(Faults):
        def before(self, operation: str, request: Mapping[str, Any]) -> dict[str, Any] | None:
            return {} if operation == SET else None

    world.fake.faults = Swallowing()
    began = world.clock.monotonic()
    extended = extension.execute()
    assert (extended.outcome, extended.retention_s) == (Outcome.UNCONFIRMED, 4 * DAY_S)
    assert world.clock.monotonic() - began == 7.5
    assert history.runs(kit)[0].status == "partial"


def test_it_is_in_the_journal_with_who_and_why(world: World) -> None:
    """Like every change."""
    keep(world, 4 * DAY_S)
    kit = world.kit()
    extended = extend.prepare(kit, "orders-dlq", to_s=7 * DAY_S).execute(note="ticket 4711")
    [run] = history.runs(kit)
    assert (run.run_id, run.verb, run.queue, run.status) == (extended.run_id, "extend", "orders-dlq", "done")
    assert (run.note, run.audit["who"]) == ("ticket 4711", "unknown")
    assert run.plan["options"] == {"from_s": 4 * DAY_S, "to_s": 7 * DAY_S}
    with pytest.raises(RefusedError):
        history.resume(kit, run.run_id)


def test_without_a_journal_nothing_is_changed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who cannot write down what they do does not do it."""
    keep(world, 4 * DAY_S)
    kit = world.kit()
    extension = extend.prepare(kit, "orders-dlq")

    def full(*_: object) -> None:
        raise StorageError("the disk is full")

    monkeypatch.setattr(kit.journal, "start_run", full)
    with pytest.raises(StorageError):
        extension.execute()
    assert kept_s(world) == 4 * DAY_S


def test_a_missing_permission_names_the_action(world: World) -> None:
    """And the run says why it failed."""
    keep(world, 4 * DAY_S)
    kit = world.kit()
    extension = extend.prepare(kit, "orders-dlq")
    world.fake.faults = FailCalls(SET, error_for(SET, "AccessDenied", "no policy allows it", 403))
    with pytest.raises(AccessError) as caught:
        extension.execute()
    assert "`SetQueueAttributes`" in str(caught.value.hint)
    [run] = history.runs(kit)
    assert (run.status, (run.report or {})["failures"][0]["code"]) == ("partial", "access_denied")


def test_a_source_queue_leads_to_its_dlq(world: World) -> None:
    """Its own retention stays as it is."""
    keep(world, 4 * DAY_S)
    extension = extend.prepare(world.kit(), "orders")
    assert (extension.dlq.queue, extension.dlq.followed_from) == (world.dlq, world.source)
    extension.execute()
    assert world.kit().sqs.attributes(world.source).retention_s == 4 * DAY_S


def test_a_queue_that_is_nobodys_dlq_is_taken_only_when_insisted(world: World) -> None:
    """As with every verb that changes something."""
    plain = world.add_queue("plain")
    with pytest.raises(RefusedError) as caught:
        extend.prepare(world.kit(), "plain")
    assert caught.value.code == "not_a_dlq"
    extend.prepare(world.kit(), "plain", not_a_dlq=True).execute()
    assert world.kit().sqs.attributes(plain).retention_s == 14 * DAY_S


def test_messages_are_looked_at_only_when_asked(world: World) -> None:
    """Then the plan tells the soonest expiry now and afterwards."""
    keep(world, 4 * DAY_S)
    world.die(["dead"])
    sent_at_ms = world.stored(world.dlq)[0].sent_at_ms
    before = world.fake.requests["ReceiveMessage"]
    assert extend.prepare(world.kit(), "orders-dlq").soonest_expiry_ms is None
    assert world.fake.requests["ReceiveMessage"] == before
    extension = extend.prepare(world.kit(), "orders-dlq", expiry=True)
    assert extension.soonest_expiry_ms == sent_at_ms + 4 * DAY_S * 1000
    assert extension.soonest_expiry_then_ms == sent_at_ms + 14 * DAY_S * 1000


def test_the_template_that_made_the_queue_is_named(world: World) -> None:
    """It has to be changed as well; asking may be forbidden, and another queue's answer is none."""
    keep(world, 4 * DAY_S)
    kit = world.kit()

    def ask(service: str, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        assert (service, operation) == ("cloudformation", "DescribeStackResources")
        physical = {"PhysicalResourceId": request["PhysicalResourceId"]}
        other = {"StackName": "other", "LogicalResourceId": "Other", "PhysicalResourceId": "other"}
        return {"StackResources": [other, {"StackName": "processor", "LogicalResourceId": "ProcessingDLQ", **physical}]}

    assert extend.prepare(kit, "orders-dlq").template is None
    kit.ask = ask
    assert extend.prepare(kit, "orders-dlq").template == Template(stack="processor", resource="ProcessingDLQ")
