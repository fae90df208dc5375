"""The doctor on the embedded AWS: the project's own template passes, and each fault that is seeded is found."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from opstool.doors.session import Connection
from opstool.doors.toolkit import connect
from opstool.local import start
from opstool.verbs import doctor
from tests.functional.conftest import TEMPLATE, Deployed

TOPIC = "arn:aws:sns:us-east-1:123456789012:on-call"

Seed = Callable[[Deployed], None]


@pytest.fixture
def deployed(tmp_path: Path) -> Iterator[Deployed]:
    """Deploy the template with somebody to tell, and connect opstool to it."""
    with start(TEMPLATE, stack_name="doctor", parameters={"AlarmTopicARN": TOPIC}) as aws:
        settings = aws.settings
        connection = Connection(
            region=settings.region,
            endpoint_url=settings.endpoint_url,
            access_key_id=settings.access_key_id,
            secret_access_key=settings.secret_access_key,
            is_isolated=True,
        )
        kit = connect(connection, stack_name="doctor", state_dir=tmp_path / "opstool")
        yield Deployed(aws=aws, kit=kit)
        kit.close()


def _queue(output: str, **attributes: Any) -> Seed:
    """Return what sets attributes of a queue; moto forgets the policy meanwhile, and so it is set with them."""
    texts = {key: value if isinstance(value, str) else json.dumps(value) for key, value in attributes.items()}

    def seed(it: Deployed) -> None:
        sqs, url = it.client("sqs"), it.aws.outputs[output]
        present = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"]).get("Attributes", {})
        sqs.set_queue_attributes(QueueUrl=url, Attributes={**present, **texts})

    return seed


def _mapping(**settings: Any) -> Seed:
    """Return what changes the event source mapping."""

    def seed(it: Deployed) -> None:
        [mapping] = it.client("lambda").list_event_source_mappings()["EventSourceMappings"]
        it.client("lambda").update_event_source_mapping(UUID=mapping["UUID"], **settings)

    return seed


def _alarm(metric: str, **settings: Any) -> Seed:
    """Return what adds an alarm on the DLQ."""

    def seed(it: Deployed) -> None:
        it.client("cloudwatch").put_metric_alarm(
            AlarmName=f"seeded-{metric}-{len(settings)}",
            Namespace="AWS/SQS",
            MetricName=metric,
            Dimensions=[{"Name": "QueueName", "Value": it.dlq.rsplit(":", 1)[-1]}],
            Statistic="Maximum",
            Period=60,
            EvaluationPeriods=1,
            Threshold=0,
            ComparisonOperator="GreaterThanThreshold",
            AlarmActions=[TOPIC],
            **settings,
        )

    return seed


def _forget_logs(it: Deployed) -> None:
    group = it.aws.outputs["ProcessorLogGroupName"]
    it.client("logs").put_retention_policy(logGroupName=group, retentionInDays=1)


def _die_at_once(it: Deployed) -> None:
    _queue("ProcessingQueueURL", RedrivePolicy={"deadLetterTargetArn": it.dlq, "maxReceiveCount": 1})(it)


SEEDS: dict[str, Seed] = {
    "dlq_retention_short": _queue("ProcessingDLQURL", MessageRetentionPeriod="345600"),
    "visibility_short": _queue("ProcessingQueueURL", VisibilityTimeout="31"),
    "max_receive_count_low": _die_at_once,
    "redrive_allow_open": _queue("ProcessingDLQURL", RedriveAllowPolicy={"redrivePermission": "allowAll"}),
    "tls_not_required": _queue("ProcessingDLQURL", Policy=""),
    "partial_responses_off": _mapping(FunctionResponseTypes=[]),
    "consumer_disabled": _mapping(Enabled=False),
    "log_retention_short": _forget_logs,
    "alarm_wrong_metric": _alarm("NumberOfMessagesSent", TreatMissingData="notBreaching"),
    "alarm_missing_data_breaching": _alarm("ApproximateAgeOfOldestMessage", TreatMissingData="breaching"),
}


def test_our_template_passes_and_each_seeded_fault_is_found(deployed: Deployed) -> None:
    """Nothing fails at first; then each seed makes exactly its code fail, besides those before it."""
    expected: set[str] = set()
    assert _failed(deployed) == expected
    for code, seed in SEEDS.items():
        seed(deployed)
        expected.add(code)
        assert _failed(deployed) == expected


def _failed(deployed: Deployed) -> set[str]:
    return {each.code for each in doctor.diagnose(deployed.kit).failed}
