"""The doctor finds nothing in our own template: an account is made of the translated resources, and examined."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from opstool.verbs import doctor
from tests.patient import ACCOUNT, REGION, TOPIC, Patient, arn_of

FUNCTION = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:orders-consumer"
DLQ = "orders-ProcessingDLQ-1A2B3C"
POLICY_KEYS = {"RedrivePolicy", "RedriveAllowPolicy"}


def _deployed(resources: dict[str, Any]) -> dict[str, Any]:
    """Return the resources with the names that CloudFormation gives instead of the ones that stand for them."""
    text = json.dumps(resources)
    source = resources["ProcessingQueue"]["QueueName"]
    dlq = DLQ + (".fifo" if source.endswith(".fifo") else "")
    names = {
        "ProcessingDLQ.Arn": arn_of(dlq),
        "ProcessingDLQ.QueueName": dlq,
        "ProcessingQueue.Arn": arn_of(source),
        "ProcessingQueue.QueueName": source,
        "ref:ProcessorFunction": "orders-consumer",
        "ref:ProcessorLogGroup": "orders-log",
        f"arn:aws:sqs:eu-west-1:{ACCOUNT}:": arn_of(""),  # the region of the template's tests
    }
    for name, real in names.items():
        text = text.replace(json.dumps(name)[1:-1], real)
    deployed: dict[str, Any] = json.loads(text)
    deployed["ProcessingDLQ"]["QueueName"] = dlq
    return deployed


def _attributes(queue: dict[str, Any], policy: dict[str, Any]) -> dict[str, str]:
    """Return the attributes of a queue as CloudFormation sets them; a queue policy is one of them."""
    given = {key: value for key, value in queue.items() if key not in {"QueueName", *POLICY_KEYS}}
    texts = {key: str(value).lower() if isinstance(value, bool) else str(value) for key, value in given.items()}
    texts["Policy"] = json.dumps(policy["PolicyDocument"])
    return texts | {key: json.dumps(queue[key]) for key in POLICY_KEYS & queue.keys()}


def patient_of(resources: dict[str, Any], state_dir: Path) -> Patient:
    """Make the account that `sam deploy` would make."""
    deployed = _deployed(resources)
    patient = Patient(state_dir=state_dir)
    for name in ("ProcessingDLQ", "ProcessingQueue"):
        queue = deployed[name]
        patient.make_queue(queue["QueueName"], **_attributes(queue, deployed[f"{name}Policy"]))
    patient.functions[FUNCTION] = {**deployed["ProcessorFunction"], "FunctionName": "orders-consumer"}
    mapping = deployed["ProcessorFunctionMessages"]
    patient.mappings.append({**mapping, "UUID": "an-id", "FunctionArn": FUNCTION, "State": "Enabled"})
    patient.log_groups.append(
        {"logGroupName": "orders-log", "retentionInDays": int(deployed["ProcessorLogGroup"]["RetentionInDays"])}
    )
    patient.alarms += [{"AlarmName": name, **deployed[name]} for name in deployed if name.endswith("Alarm")]
    patient.outputs["ProcessingDLQARN"] = arn_of(deployed["ProcessingDLQ"]["QueueName"])
    return patient


def codes(patient: Patient, status: str) -> set[str]:
    """Return the codes of the stack's DLQ that ended so; the caller's permissions are another matter."""
    diagnosis = doctor.diagnose(patient.kit())
    return {each.code for each in diagnosis.checks if each.status == status and not each.code.startswith("permission")}


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"Fifo": "true"},
        {"FunctionTimeout": "900"},
        {"FunctionTimeout": "5", "RetryPacing": "on"},
        {"MaxReceiveCount": "5", "LogRetentionDays": "14"},
    ],
    ids=lambda given: " ".join(f"{key}={value}" for key, value in given.items()) or "as it is",
)
def test_our_template_passes_every_check(resources, tmp_path: Path, parameters: dict[str, str]) -> None:
    """With a topic to tell, nothing fails and nothing is unknown."""
    patient = patient_of(resources(AlarmTopicARN=TOPIC, **parameters), tmp_path)
    assert codes(patient, "failed") == set()
    assert codes(patient, "unknown") == set()
    assert len(codes(patient, "passed")) > 20


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({"AlarmTopicARN": ""}, "alarm_tells_nobody"),
        ({"MaxReceiveCount": "1"}, "max_receive_count_low"),
        ({"LogRetentionDays": "7"}, "log_retention_short"),
    ],
    ids=str,
)
def test_a_parameter_that_weakens_it_is_found(resources, tmp_path: Path, parameters: dict[str, str], code: str) -> None:
    """The template lets its owner choose; the doctor says what was chosen."""
    patient = patient_of(resources(**{"AlarmTopicARN": TOPIC, **parameters}), tmp_path)
    assert codes(patient, "failed") == {code}
