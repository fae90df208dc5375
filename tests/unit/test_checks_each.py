"""Each check finds its fault, and only that: a healthy account is spoilt in one place, and one code fails."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from opstool.engine.checks import RULES, examine
from opstool.engine.checks.reading import read_scene
from opstool.engine.checks.scene import Expiry, Scene
from opstool.words.check import Check, CheckStatus
from opstool.words.queue import Queue
from tests.patient import (
    DEFAULT_KEY,
    KEY,
    Patient,
    alarm,
    arn_of,
    healthy,
    letting_send,
    map_function,
    only_over_tls,
    redrive_policy,
)

QUESTIONS = {"idempotency_key", "batch_time_short"}
"""What never fails, because only a person knows."""
HOUR_MS = 3_600_000


@pytest.fixture
def patient(tmp_path: Path) -> Patient:
    """Return the healthy account."""
    return healthy(tmp_path)


def scene_of(patient: Patient, name: str = "orders-dlq") -> Scene:
    """Return the scene of a DLQ."""
    kit = patient.kit()
    queue, attributes = kit.sqs.describe(kit.sqs.resolve(name).url)
    return read_scene(kit, queue, attributes)


def codes(checks: list[Check], status: CheckStatus) -> set[str]:
    """Return the codes that ended so."""
    return {each.code for each in checks if each.status is status}


def _abandon(patient: Patient) -> None:
    patient.set("orders", RedrivePolicy="")


def _redrive_on(patient: Patient) -> None:
    patient.make_queue("orders-dlq-dlq")
    onward = {"deadLetterTargetArn": arn_of("orders-dlq-dlq"), "maxReceiveCount": 3}
    patient.set("orders-dlq", RedrivePolicy=onward)


def _stand_still(patient: Patient) -> None:
    patient.mappings.clear()
    patient.send("orders", "waits")


def _consume_the_dlq(patient: Patient) -> None:
    patient.mappings.append({**patient.mapping, "EventSourceArn": arn_of("orders-dlq"), "UUID": "of-the-dlq"})


def _encrypt(patient: Patient, *, state: str = "Enabled", key: str = KEY) -> None:
    patient.set("orders-dlq", KmsMasterKeyId=key)
    patient.keys[key] = {"Arn": KEY, "KeyState": state, "KeyManager": "AWS" if key == DEFAULT_KEY else "CUSTOMER"}


def _shut_out(patient: Patient) -> None:
    _encrypt(patient, key=DEFAULT_KEY)
    patient.set("orders-dlq", Policy=only_over_tls("orders-dlq", letting_send("sns.amazonaws.com")))


def _not_named_by_the_key(patient: Patient) -> None:
    _encrypt(patient)
    patient.key_policy = {"Statement": [letting_send("events.amazonaws.com")]}
    patient.set("orders-dlq", Policy=only_over_tls("orders-dlq", letting_send("sns.amazonaws.com")))


def _hurry_kms(patient: Patient) -> None:
    _encrypt(patient)
    patient.set("orders-dlq", KmsDataKeyReusePeriodSeconds="60")


def _fifo_source(scene: Scene) -> Scene:
    return _moved(scene, arn_of("orders.fifo"))


def _source_elsewhere(scene: Scene) -> Scene:
    return _moved(scene, "arn:aws:sqs:eu-west-1:123456789012:orders")


def _moved(scene: Scene, arn: str) -> Scene:
    """Give the source another address, as SQS itself would hardly let it have."""
    [source] = scene.known_sources
    allowed = replace(scene.attributes, redrive_allow_policy=None)
    if scene.attributes.redrive_allow_policy:
        allowed = replace(
            allowed, redrive_allow_policy=replace(scene.attributes.redrive_allow_policy, source_arns=(arn,))
        )
    return replace(scene, sources=(replace(source, queue=Queue(url=source.queue.url, arn=arn)),), attributes=allowed)


@dataclass(frozen=True)
class Case:
    """A fault: what is done to the account, or to the scene where the in-memory SQS would refuse it."""

    code: str
    harm: Callable[[Patient], object] = lambda _: None
    scene: Callable[[Scene], Scene] = lambda scene: scene
    name: str = ""


CASES = (
    Case("dlq_retention_short", lambda it: it.set("orders-dlq", MessageRetentionPeriod="345600")),
    Case("dlq_retention_short", lambda it: it.set("orders", MessageRetentionPeriod="1209600"), name="both longest"),
    Case("messages_expire_soon", scene=lambda it: replace(it, expiry=Expiry(soonest_ms=24 * HOUR_MS - 1, now_ms=0))),
    Case("dlq_unused", _abandon),
    Case("max_receive_count_low", lambda it: it.set("orders", RedrivePolicy=redrive_policy("orders-dlq", 2))),
    Case(
        "max_receive_count_low", lambda it: it.set("orders", RedrivePolicy=redrive_policy("orders-dlq", 1)), name="one"
    ),
    Case("dlq_redrives_on", _redrive_on),
    Case("dlq_type_differs", scene=_fifo_source),
    Case("dlq_elsewhere", scene=_source_elsewhere),
    Case("redrive_allow_open", lambda it: it.set("orders-dlq", RedriveAllowPolicy="")),
    Case(
        "redrive_allow_open",
        lambda it: it.set("orders-dlq", RedriveAllowPolicy={"redrivePermission": "allowAll"}),
        name="said",
    ),
    Case("redrive_allow_blocks", lambda it: it.set("orders-dlq", RedriveAllowPolicy={"redrivePermission": "denyAll"})),
    Case(
        "redrive_allow_blocks",
        lambda it: it.set(
            "orders-dlq", RedriveAllowPolicy={"redrivePermission": "byQueue", "sourceQueueArns": [arn_of("other")]}
        ),
        name="another named",
    ),
    Case("consumer_missing", _stand_still),
    Case("consumer_missing", lambda it: it.functions.clear(), name="function gone"),
    Case("consumer_disabled", lambda it: it.mapping.update(State="Disabled")),
    Case("several_consumers", lambda it: map_function(it, "orders-audit", "orders")),
    Case("partial_responses_off", lambda it: it.mapping.pop("FunctionResponseTypes")),
    Case("filter_deletes", lambda it: it.mapping.update(FilterCriteria={"Filters": [{"Pattern": '{"body":{}}'}]})),
    Case("dlq_has_consumer", _consume_the_dlq),
    Case("visibility_short", lambda it: it.set("orders", VisibilityTimeout="179")),
    Case("visibility_short", lambda it: it.mapping.update(MaximumBatchingWindowInSeconds=1), name="window"),
    Case(
        "function_dlq_useless",
        lambda it: it.function.update(DeadLetterConfig={"TargetArn": arn_of("orders-dlq")}),
    ),
    Case("log_retention_short", lambda it: it.log_groups[-1].update(retentionInDays=13)),
    Case("log_level_hides", lambda it: it.function["LoggingConfig"].update(ApplicationLogLevel="FATAL")),
    Case("depth_alarm_missing", lambda it: it.alarms.clear()),
    Case("alarm_wrong_metric", lambda it: it.alarms.append(alarm("wrong", "NumberOfMessagesSent"))),
    Case("alarm_missing_data_breaching", lambda it: it.alarm.update(TreatMissingData="breaching")),
    Case("alarm_tells_nobody", lambda it: it.alarm.update(AlarmActions=[])),
    Case("alarm_actions_disabled", lambda it: it.alarm.update(ActionsEnabled=False)),
    Case("queue_unencrypted", lambda it: it.set("orders", SqsManagedSseEnabled="false")),
    Case("tls_not_required", lambda it: it.set("orders-dlq", Policy="")),
    Case("kms_key_unusable", lambda it: _encrypt(it, state="PendingDeletion")),
    Case("kms_key_unusable", lambda it: it.set("orders-dlq", KmsMasterKeyId="alias/gone"), name="gone"),
    Case("kms_key_shuts_out", _shut_out),
    Case("kms_key_shuts_out", _not_named_by_the_key, name="not named"),
    Case("kms_data_key_reuse_short", _hurry_kms),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.code} {case.name}".strip())
def test_each_fault_is_found_and_nothing_else(patient: Patient, case: Case) -> None:
    """One setting is spoilt, one code fails, with a fix that says what to type or to write."""
    case.harm(patient)
    checks = examine(case.scene(scene_of(patient)))
    assert codes(checks, CheckStatus.FAILED) == {case.code}
    [failed] = [each for each in checks if each.status is CheckStatus.FAILED]
    assert failed.fix is not None
    assert failed.fix.commands or failed.fix.template
    assert failed.found
    assert failed.wanted


def test_every_check_has_a_fault_that_it_finds() -> None:
    """A check that no fault of the table makes fail would be no check; the questions never fail."""
    assert {each.code for each in CASES} == {each.code for each in RULES} - QUESTIONS


def test_a_healthy_account_passes(patient: Patient) -> None:
    """Nothing fails and nothing is unknown; one question is left, and one look that nobody asked for."""
    checks = examine(scene_of(patient))
    assert codes(checks, CheckStatus.FAILED) == codes(checks, CheckStatus.UNKNOWN) == set()
    assert codes(checks, CheckStatus.ASKED) == {"idempotency_key"}
    assert codes(checks, CheckStatus.SKIPPED) == {"messages_expire_soon"}


def test_a_healthy_account_with_a_key_of_its_own_passes(patient: Patient) -> None:
    """The key is enabled, its policy names the service that sends, and its data keys last."""
    _not_named_by_the_key(patient)
    patient.key_policy = {"Statement": letting_send("sns.amazonaws.com")}
    checks = examine(scene_of(patient))
    assert codes(checks, CheckStatus.FAILED) == set()
    assert codes(checks, CheckStatus.PASSED) >= {"kms_key_unusable", "kms_key_shuts_out", "kms_data_key_reuse_short"}


@pytest.mark.parametrize("code", [each.code for each in RULES])
def test_codes_are_stable_and_told_once(code: str) -> None:
    """A code is snake case and stands for one rule, which says what is right and why."""
    [rule] = [each for each in RULES if each.code == code]
    assert code.replace("_", "").isalnum()
    assert code == code.lower()
    assert rule.title
    assert rule.why


def test_a_mapping_that_is_being_updated_is_neither_enabled_nor_disabled(patient: Patient) -> None:
    """Lambda's state does not say which it was; where it may hand messages out, it counts as one that does."""
    patient.mapping.update(State="Updating")
    assert codes(examine(scene_of(patient)), CheckStatus.UNKNOWN) == {"consumer_disabled"}
    map_function(patient, "orders-audit", "orders")
    assert codes(examine(scene_of(patient)), CheckStatus.FAILED) == {"several_consumers"}
