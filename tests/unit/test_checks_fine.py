"""What is as it should be, although it looks unusual: the checks cry no wolf, and say what they cannot know."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from opstool.doors.queueattributes import attributes_of
from opstool.engine.checks import examine
from opstool.engine.checks.scene import Expiry, Scene
from opstool.words.check import CheckStatus
from tests.patient import DEFAULT_KEY, KEY, Patient, alarm, arn_of, healthy, letting_send, only_over_tls, redrive_policy
from tests.unit.test_checks_each import codes, scene_of


@pytest.fixture
def patient(tmp_path: Path) -> Patient:
    """Return the healthy account."""
    return healthy(tmp_path)


def outcome(scene: Scene, code: str) -> tuple[CheckStatus, str]:
    """Return how the one check of a code ended, and what it found."""
    [check] = [each for each in examine(scene) if each.code == code]
    return check.status, check.found


def _math(expression: str, *metrics: str) -> dict[str, Any]:
    """Return an alarm on metric math."""
    dimensions = [{"Name": "QueueName", "Value": "orders-dlq"}]
    stats = [
        {
            "Id": f"m{place}",
            "MetricStat": {"Metric": {"Namespace": "AWS/SQS", "MetricName": name, "Dimensions": dimensions}},
        }
        for place, name in enumerate(metrics)
    ]
    settings = {"Metrics": [{"Id": "e", "Expression": expression}, *stats]}
    return {
        key: value for key, value in {**alarm("math"), **settings}.items() if key not in {"MetricName", "Dimensions"}
    }


_QUERY = 'SELECT MAX(ApproximateNumberOfMessagesVisible) FROM SCHEMA("AWS/SQS", QueueName)'

WATCHING = {
    "metric math": _math("DIFF(m0)", "ApproximateNumberOfMessagesVisible"),
    "a query over every queue": _math(_QUERY),
    "a query of this queue": _math(f"{_QUERY} WHERE QueueName = 'orders-dlq'"),
}


@pytest.mark.parametrize("watching", WATCHING.values(), ids=WATCHING)
def test_an_alarm_on_an_expression_is_an_alarm(patient: Patient, watching: dict[str, Any]) -> None:
    """DescribeAlarmsForMetric would not have found it."""
    patient.alarms[:] = [watching]
    assert codes(examine(scene_of(patient)), CheckStatus.FAILED) == set()


OTHERS = {
    "another queue": alarm("other", Dimensions=[{"Name": "QueueName", "Value": "orders"}]),
    "another service": alarm("other", Namespace="Mine"),
    "a query of another queue": _math(f"{_QUERY} WHERE QueueName = 'orders'"),
    "the age, which counts from the move": alarm("age", "ApproximateAgeOfOldestMessage"),
}


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
def test_an_alarm_on_something_else_is_none(patient: Patient, other: dict[str, Any]) -> None:
    """Only the depth of this very queue counts."""
    patient.alarms[:] = [other]
    assert codes(examine(scene_of(patient)), CheckStatus.FAILED) == {"depth_alarm_missing"}


def test_every_page_of_alarms_is_read(patient: Patient) -> None:
    """The alarm that counts may be the last of many."""
    patient.alarms[:0] = [OTHERS["another queue"] for _ in range(5)]
    assert codes(examine(scene_of(patient)), CheckStatus.FAILED) == set()


def test_alarms_without_end_leave_the_question_open(patient: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was not read to its end says nothing of what is missing."""
    monkeypatch.setattr("opstool.doors.alarms.MOST_PAGES", 2)
    patient.alarms[:0] = [OTHERS["another queue"] for _ in range(5)]
    status, found = outcome(scene_of(patient), "depth_alarm_missing")
    assert (status, "2 alarms" in found) == (CheckStatus.UNKNOWN, True)


@pytest.mark.parametrize(
    "named", ['ALARM("orders-dlq-depth")', "ALARM(orders-dlq-depth)", "ALARM('{arn}') OR ALARM(b)"]
)
@pytest.mark.parametrize("silence", [{"AlarmActions": []}, {"ActionsEnabled": False}], ids=["no action", "disabled"])
def test_a_composite_alarm_speaks_for_its_children(patient: Patient, named: str, silence: dict[str, Any]) -> None:
    """Who is told by a composite alarm needs no action of the alarm itself."""
    patient.alarm.update(silence)
    rule = named.replace("{arn}", patient.alarm["AlarmArn"])
    patient.composites.append({"AlarmName": "all", "AlarmRule": rule, "AlarmActions": ["arn"], "ActionsEnabled": True})
    assert codes(examine(scene_of(patient)), CheckStatus.FAILED) == set()


def test_a_composite_alarm_of_a_longer_name_speaks_for_somebody_else(patient: Patient) -> None:
    """The beginning of a name is not the name."""
    patient.alarm.update(AlarmActions=[])
    rule = 'ALARM("orders-dlq-depth-2")'
    patient.composites.append({"AlarmName": "all", "AlarmRule": rule, "AlarmActions": ["arn"], "ActionsEnabled": True})
    assert codes(examine(scene_of(patient)), CheckStatus.FAILED) == {"alarm_tells_nobody"}


@pytest.mark.parametrize(
    ("status", "spoil"),
    [
        (CheckStatus.ASKED, lambda it: it.mappings.clear()),
        (CheckStatus.ASKED, lambda it: it.mapping.update(EventSourceArn=arn_of("another"))),
    ],
    ids=["none", "of another queue"],
)
def test_a_consumer_that_is_not_lambda_cannot_be_seen(
    patient: Patient, status: CheckStatus, spoil: Callable[[Patient], object]
) -> None:
    """Without messages that wait in vain, a queue without a mapping is a question and no failure."""
    spoil(patient)
    scene = scene_of(patient)
    assert outcome(scene, "consumer_missing")[0] is status
    assert codes(examine(scene), CheckStatus.FAILED) == set()


def test_a_queue_that_somebody_takes_from_has_a_consumer(patient: Patient) -> None:
    """Messages in flight are with somebody, who is not Lambda."""
    patient.mappings.clear()
    patient.send("orders", "taken", "waits")
    url = patient.kit().sqs.resolve("orders").url
    patient.sqs("ReceiveMessage", {"QueueUrl": url, "MaxNumberOfMessages": 1, "VisibilityTimeout": 60})
    assert outcome(scene_of(patient), "consumer_missing")[0] is CheckStatus.ASKED


def test_the_alarms_of_another_queue_are_not_judged(patient: Patient) -> None:
    """Whatever is wrong with them, it is not this queue's."""
    other = {"Dimensions": [{"Name": "QueueName", "Value": "payments-dlq"}], "ActionsEnabled": False}
    patient.alarms.append(alarm("other", "NumberOfMessagesSent", TreatMissingData="breaching", **other))
    assert codes(examine(scene_of(patient)), CheckStatus.FAILED) == set()


def test_the_default_key_is_known_by_its_alias(patient: Patient) -> None:
    """It shuts services out, whether KMS may be asked or not."""
    patient.set("orders-dlq", KmsMasterKeyId=DEFAULT_KEY)
    patient.set("orders-dlq", Policy=only_over_tls("orders-dlq", letting_send("sns.amazonaws.com")))
    patient.denied.add("kms:DescribeKey")
    assert outcome(scene_of(patient), "kms_key_shuts_out")[0] is CheckStatus.FAILED


@pytest.mark.parametrize("principal", ["*", {"AWS": "arn:aws:iam::999999999999:role/sender"}], ids=str)
def test_another_account_may_use_the_key(patient: Patient, principal: object) -> None:
    """Named by a role of it, or as one of everybody."""
    patient.set("orders-dlq", KmsMasterKeyId=KEY)
    sender = {"Effect": "Allow", "Principal": {"AWS": "999999999999"}, "Action": ["SQS:SendMessage"], "Resource": "*"}
    patient.set("orders-dlq", Policy=only_over_tls("orders-dlq", sender))
    patient.keys[KEY] = {"Arn": KEY, "KeyState": "Enabled", "KeyManager": "CUSTOMER"}
    assert outcome(scene_of(patient), "kms_key_shuts_out")[0] is CheckStatus.FAILED
    patient.key_policy = {"Statement": [{"Effect": "Allow", "Principal": principal, "Action": "kms:*"}]}
    assert outcome(scene_of(patient), "kms_key_shuts_out")[0] is CheckStatus.PASSED


def test_a_key_whose_policy_may_not_be_read_is_open(patient: Patient) -> None:
    """The missing permission is named, although the key itself could be described."""
    patient.set("orders-dlq", KmsMasterKeyId=KEY)
    patient.set("orders-dlq", Policy=only_over_tls("orders-dlq", letting_send("sns.amazonaws.com")))
    patient.keys[KEY] = {"Arn": KEY, "KeyState": "Enabled", "KeyManager": "CUSTOMER"}
    patient.denied.add("kms:GetKeyPolicy")
    expected = (CheckStatus.UNKNOWN, "`kms:GetKeyPolicy` is not allowed")
    assert outcome(scene_of(patient), "kms_key_shuts_out") == expected


def test_the_fix_of_a_policy_keeps_its_other_statements(patient: Patient) -> None:
    """The command sets the policy whole, so what stands in it must stand in the command."""
    patient.set(
        "orders", Policy={"Version": "2012-10-17", "Id": "ours", "Statement": letting_send("sns.amazonaws.com")}
    )
    [failed] = [each for each in examine(scene_of(patient)) if each.status is CheckStatus.FAILED]
    assert failed.fix is not None
    [command] = failed.fix.commands
    policy = json.loads(json.loads(str(command[-1]))["Policy"])
    assert policy["Id"] == "ours"
    assert [each["Effect"] for each in policy["Statement"]] == ["Allow", "Deny"]


@pytest.mark.parametrize("value", ["", "false", None])
def test_what_sqs_does_not_say_is_encrypted_is_not(value: str | None) -> None:
    """An attribute that is absent is off, and not unknown."""
    values = {} if value is None else {"SqsManagedSseEnabled": value}
    assert not attributes_of(values).sse_managed


@pytest.mark.parametrize("text", ["", "{", "[]", '"x"', "{}", '{"redrivePermission": null}'])
def test_a_redrive_allow_policy_that_is_none_names_no_queue(text: str) -> None:
    """An emulator may keep anything."""
    policy = attributes_of({"RedriveAllowPolicy": text}).redrive_allow_policy
    assert policy is None or policy.source_arns == ()


def test_a_single_message_needs_no_partial_answer(patient: Patient) -> None:
    """With batches of one there is nothing to report apart."""
    patient.mapping.update(BatchSize=1, FunctionResponseTypes=[])
    assert codes(examine(scene_of(patient)), CheckStatus.FAILED) == set()


def test_a_function_with_little_time_for_a_message_is_asked_about(patient: Patient) -> None:
    """Lambda's defaults of 3 s for 10 messages are nobody's decision."""
    patient.function.update(Timeout=3)
    status, found = outcome(scene_of(patient), "batch_time_short")
    assert (status, "0.3 s" in found) == (CheckStatus.ASKED, True)


def test_a_function_with_another_dlq_is_asked_about(patient: Patient) -> None:
    """It may be invoked asynchronously by others, too."""
    patient.function.update(DeadLetterConfig={"TargetArn": arn_of("of-the-function")})
    status, found = outcome(scene_of(patient), "function_dlq_useless")
    assert (status, "of-the-function" in found) == (CheckStatus.ASKED, True)


def test_a_dlq_of_sns_needs_no_redrive_policy(patient: Patient) -> None:
    """Its policy names the service whose dead messages come."""
    patient.set("orders", RedrivePolicy="")
    patient.set("orders-dlq", Policy=only_over_tls("orders-dlq", letting_send("sns.amazonaws.com")))
    assert outcome(scene_of(patient), "dlq_unused")[0] is CheckStatus.PASSED


@pytest.mark.parametrize("settings", [{}, {"retentionInDays": 14}], ids=["never", "as long"])
def test_a_log_that_lives_as_long_is_long_enough(patient: Patient, settings: dict[str, int]) -> None:
    """Without a retention it lives for ever."""
    patient.log_groups[-1] = {"logGroupName": "/aws/lambda/orders-consumer", **settings}
    assert codes(examine(scene_of(patient)), CheckStatus.FAILED) == set()


def test_a_log_group_that_is_not_there_is_a_question(patient: Patient) -> None:
    """Lambda makes it at the first run, or may not; another whose name begins so is not it."""
    patient.log_groups[:] = [each for each in patient.log_groups if each["logGroupName"].endswith("another")]
    assert outcome(scene_of(patient), "log_retention_short")[0] is CheckStatus.ASKED


def test_a_log_in_plain_text_is_not_filtered(patient: Patient) -> None:
    """Levels are of the JSON format only."""
    patient.function["LoggingConfig"] = {"LogFormat": "Text", "ApplicationLogLevel": "FATAL"}
    assert codes(examine(scene_of(patient)), CheckStatus.FAILED) == set()


def test_a_disabled_mapping_of_the_dlq_is_no_consumer(patient: Patient) -> None:
    """Some enable one by hand to redrive."""
    patient.mappings.append({**patient.mapping, "EventSourceArn": arn_of("orders-dlq"), "State": "Disabled"})
    assert codes(examine(scene_of(patient)), CheckStatus.FAILED) == set()


@pytest.mark.parametrize("condition", ["Bool", "BoolIfExists"])
@pytest.mark.parametrize("principal", ["*", {"AWS": "*"}, {"AWS": ["*"]}], ids=str)
@pytest.mark.parametrize("value", ["false", ["false"], False], ids=str)
def test_tls_may_be_required_in_many_spellings(
    patient: Patient, condition: str, principal: object, value: object
) -> None:
    """IAM takes each of them."""
    deny = {"Effect": "Deny", "Principal": principal, "Action": "SQS:*", "Resource": "*"}
    patient.set("orders", Policy={"Statement": {**deny, "Condition": {condition: {"AWS:SecureTransport": value}}}})
    assert codes(examine(scene_of(patient)), CheckStatus.FAILED) == set()


@pytest.mark.parametrize(
    "change",
    [
        {"Effect": "Allow"},
        {"Action": "sqs:SendMessage"},
        {"Principal": {"AWS": "arn:aws:iam::123456789012:root"}},
        {"Condition": {"Bool": {"aws:SecureTransport": "true"}}},
        {"Condition": {"StringEquals": {"aws:PrincipalAccount": "false"}}},
    ],
    ids=str,
)
def test_a_statement_that_does_not_close_plain_http_is_none(patient: Patient, change: dict[str, object]) -> None:
    """It has to deny everything to everybody, and when there is no TLS."""
    deny = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "sqs:*",
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    patient.set("orders", Policy={"Statement": [{**deny, **change}]})
    assert codes(examine(scene_of(patient)), CheckStatus.FAILED) == {"tls_not_required"}


def test_a_policy_that_is_no_json_is_no_policy(patient: Patient) -> None:
    """An emulator may keep anything; nothing is changed by a command then."""
    patient.set("orders", Policy="{")
    [failed] = [each for each in examine(scene_of(patient)) if each.status is CheckStatus.FAILED]
    assert failed.code == "tls_not_required"
    assert failed.fix is not None
    assert failed.fix.commands == ()


@pytest.mark.parametrize(
    ("soonest_ms", "status"),
    [(None, CheckStatus.PASSED), (86_400_000, CheckStatus.PASSED), (86_399_999, CheckStatus.FAILED)],
    ids=["empty", "a day", "less"],
)
def test_a_day_is_the_line(patient: Patient, soonest_ms: int | None, status: CheckStatus) -> None:
    """A message with a day left can be looked at tomorrow morning."""
    scene = replace(scene_of(patient), expiry=Expiry(soonest_ms=soonest_ms, now_ms=0))
    assert outcome(scene, "messages_expire_soon")[0] is status


def test_a_fifo_dlq_may_keep_messages_for_less(tmp_path: Path) -> None:
    """The move starts their clock again."""
    patient = Patient(state_dir=tmp_path)
    patient.make_queue("orders-dlq.fifo", FifoQueue="true", MessageRetentionPeriod="3600")
    patient.make_queue("orders.fifo", FifoQueue="true", RedrivePolicy=redrive_policy("orders-dlq.fifo", 5))
    assert outcome(scene_of(patient, "orders-dlq.fifo"), "dlq_retention_short")[0] is CheckStatus.PASSED
