"""The examination as a whole: what is examined, what cannot be read, and what it leaves alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from opstool.engine.checks import RULES
from opstool.fake import Faults
from opstool.verbs import doctor
from opstool.verbs.doctor import Diagnosis
from opstool.words.check import CheckStatus
from opstool.words.errors import AccessError, InterruptedRunError, NotFoundError
from tests.patient import KEY, Patient, arn_of, healthy, map_function, redrive_policy
from tests.unit.test_checks_each import scene_of

OURS = {each.code for each in RULES}


@pytest.fixture
def patient(tmp_path: Path) -> Patient:
    """Return the healthy account."""
    return healthy(tmp_path)


def codes(diagnosis: Diagnosis, status: CheckStatus) -> set[str]:
    """Return the codes that ended so, without those of the caller's permissions."""
    return {each.code for each in diagnosis.checks if each.status is status} & OURS


@pytest.mark.parametrize(
    ("name", "followed"), [("orders-dlq", None), ("orders", "orders"), (None, None), (arn_of("orders"), "orders")]
)
def test_a_dlq_a_source_or_nothing_can_be_named(patient: Patient, name: str | None, followed: str | None) -> None:
    """A source queue's redrive policy is followed; nothing means the stack's DLQ."""
    found = doctor.diagnose(patient.kit(), name)
    assert (found.queue.name, found.followed_from and found.followed_from.name) == ("orders-dlq", followed)
    assert [each.name for each in found.sources] == ["orders"]


def test_a_dlq_with_a_redrive_policy_of_its_own_is_examined(patient: Patient) -> None:
    """The other commands refuse it; here it is a finding, and a look at its messages is refused all the same."""
    patient.make_queue("further")
    patient.set("orders-dlq", RedrivePolicy={"deadLetterTargetArn": arn_of("further"), "maxReceiveCount": 2})
    found = doctor.diagnose(patient.kit(), "orders-dlq", expiry=True)
    assert found.queue.name == "orders-dlq"
    assert codes(found, CheckStatus.FAILED) == {"dlq_redrives_on"}
    assert codes(found, CheckStatus.UNKNOWN) == {"messages_expire_soon"}


def test_a_dlq_that_is_gone_is_said(patient: Patient) -> None:
    """The source's redrive policy names a queue that does not exist."""
    kit = patient.kit()
    patient.sqs("DeleteQueue", {"QueueUrl": kit.sqs.resolve("orders-dlq").url})
    with pytest.raises(NotFoundError) as raised:
        doctor.diagnose(kit, "orders")
    assert raised.value.code == "dlq_not_found"


def test_no_message_is_received_unless_asked(patient: Patient) -> None:
    """Looking adds to receive counts, and a third look hides a message from the age alarm."""
    patient.send("orders-dlq", "dead")
    doctor.diagnose(patient.kit())
    assert patient.sqs.requests["ReceiveMessage"] == 0


@pytest.mark.parametrize(("hours", "status"), [(0, CheckStatus.PASSED), (13 * 24 + 1, CheckStatus.FAILED)])
def test_expiry_is_looked_for_when_asked(patient: Patient, hours: int, status: CheckStatus) -> None:
    """The deadline is the first send and the DLQ's retention; the message is there afterwards."""
    patient.send("orders-dlq", "dead")
    patient.clock.advance(hours * 3600)
    found = doctor.diagnose(patient.kit(), expiry=True)
    assert codes(found, status) >= {"messages_expire_soon"}
    assert doctor.diagnose(patient.kit(), expiry=True).counts == found.counts


OF_FUNCTIONS = {
    "visibility_short",
    "batch_time_short",
    "function_dlq_useless",
    "log_retention_short",
    "log_level_hides",
}
OF_MAPPINGS = OF_FUNCTIONS | {
    "consumer_missing",
    "consumer_disabled",
    "several_consumers",
    "partial_responses_off",
    "filter_deletes",
}
MISSING = {
    "lambda:ListEventSourceMappings": OF_MAPPINGS | {"dlq_has_consumer"},
    "lambda:GetFunctionConfiguration": OF_FUNCTIONS,
    "logs:DescribeLogGroups": {"log_retention_short"},
    "cloudwatch:DescribeAlarms": {
        "depth_alarm_missing",
        "alarm_wrong_metric",
        "alarm_missing_data_breaching",
        "alarm_tells_nobody",
        "alarm_actions_disabled",
    },
    "kms:DescribeKey": {"kms_key_unusable"},
    "sqs:ListDeadLetterSourceQueues": OF_MAPPINGS
    | {
        "dlq_retention_short",
        "dlq_unused",
        "max_receive_count_low",
        "dlq_type_differs",
        "dlq_elsewhere",
        "redrive_allow_blocks",
    },
}


@pytest.mark.parametrize("action", MISSING)
def test_a_missing_permission_leaves_open_what_needs_it(patient: Patient, action: str) -> None:
    """Those checks are unknown and name the action as IAM does; the others go on, and nothing fails of it."""
    patient.set("orders-dlq", KmsMasterKeyId=KEY)
    patient.keys[KEY] = {"Arn": KEY, "KeyState": "Enabled", "KeyManager": "CUSTOMER"}
    patient.denied.add(action)
    found = doctor.diagnose(patient.kit(), "orders-dlq")
    assert codes(found, CheckStatus.UNKNOWN) == MISSING[action]
    assert codes(found, CheckStatus.FAILED) == set()
    reasons = {each.found for each in found.checks if each.status is CheckStatus.UNKNOWN and each.code in OURS}
    assert reasons == {f"`{action}` is not allowed"}


def test_without_any_permission_beside_the_queue_the_queue_is_examined(patient: Patient) -> None:
    """What SQS tells of the DLQ itself is judged."""
    patient.denied |= set(MISSING)
    found = doctor.diagnose(patient.kit(), "orders-dlq")
    assert codes(found, CheckStatus.PASSED) >= {"queue_unencrypted", "tls_not_required", "dlq_redrives_on"}


def test_the_source_that_was_named_is_examined_where_sources_may_not_be_listed(patient: Patient) -> None:
    """One source at least is known then."""
    patient.denied.add("sqs:ListDeadLetterSourceQueues")
    found = doctor.diagnose(patient.kit(), "orders")
    assert codes(found, CheckStatus.UNKNOWN) == set()
    assert [each.name for each in found.sources] == ["orders"]


def test_a_queue_that_may_not_be_described_is_an_error(patient: Patient) -> None:
    """There is nothing to examine then."""
    patient.denied.add("sqs:GetQueueAttributes")
    with pytest.raises(AccessError):
        doctor.diagnose(patient.kit(), "orders-dlq")


@pytest.mark.parametrize("operation", ["DescribeAlarms", "ReceiveMessage"])
def test_an_interrupted_examination_is_none(patient: Patient, monkeypatch: pytest.MonkeyPatch, operation: str) -> None:
    """Whether it was reading settings or looking at messages; what was held is released."""
    patient.send("orders-dlq", "dead")
    kit = patient.kit()
    stopping, faults = patient.ask, patient.sqs.faults

    def ask(service: str, asked: str, request: dict[str, Any], /) -> dict[str, Any]:
        if asked == operation:
            kit.stop.set()
        return stopping(service, asked, request)

    class Stopping(Faults):
        def before(self, asked: str, request: Mapping[str, Any]) -> dict[str, Any] | None:
            if asked == operation:
                kit.stop.set()
            return faults.before(asked, request)

    kit.ask, patient.sqs.faults = ask, Stopping()
    with pytest.raises(InterruptedRunError):
        doctor.diagnose(kit, "orders-dlq", expiry=True)
    assert patient.kit().sqs.describe(kit.sqs.resolve("orders-dlq").url)[1].depth == 1


def test_each_source_is_examined(patient: Patient) -> None:
    """A second source queue with faults of its own is named in its checks."""
    patient.set("orders-dlq", RedriveAllowPolicy="")
    patient.make_queue("refunds", RedrivePolicy=redrive_policy("orders-dlq", 1))
    map_function(patient, "refunds-consumer", "refunds")
    found = doctor.diagnose(patient.kit(), "orders-dlq")
    failed = {(each.code, each.subject) for each in found.failed}
    assert failed == {
        ("redrive_allow_open", "orders-dlq"),
        ("max_receive_count_low", "refunds"),
        ("visibility_short", "refunds to refunds-consumer"),
        ("tls_not_required", "refunds"),
    }


def test_each_thing_is_read_once(patient: Patient) -> None:
    """A function that consumes two queues is asked for once, and so are its log group and the alarms."""
    patient.set("orders-dlq", RedriveAllowPolicy="")
    patient.make_queue("refunds", RedrivePolicy=redrive_policy("orders-dlq", 3))
    patient.mappings.append({**patient.mapping, "EventSourceArn": arn_of("refunds"), "UUID": "another"})
    scene_of(patient)
    asked = [str(each) for each in patient.asked if each[0] != "lambda:ListEventSourceMappings"]
    assert len(asked) == len(set(asked))
