"""Whether somebody is told when messages die.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/dead-letter-queues-alarms-cloudwatch.html
"""

from __future__ import annotations

from collections.abc import Iterator

from opstool.engine.checks.fixes import ALARM_TOPIC
from opstool.engine.checks.scene import Scene, Unread
from opstool.words.alarm import DEPTH, SENT, SQS, Alarm, Alarms
from opstool.words.check import Check, Command, Fix, Rule

WATCHED = Rule(
    code="depth_alarm_missing",
    title="an alarm watches the depth of the DLQ",
    why="messages in a DLQ are silent until they expire; without an alarm the customer is the one who tells you",
)
METRIC = Rule(
    code="alarm_wrong_metric",
    title="no alarm waits for a metric that does not move",
    why="NumberOfMessagesSent of a DLQ does not count the messages that SQS moves into it: the alarm stays green",
)
MISSING_DATA = Rule(
    code="alarm_missing_data_breaching",
    title="a quiet queue is not taken for a full one",
    why="SQS sends no metrics for a queue that is not in use, so the alarm rings all night and is soon ignored",
)
TOLD = Rule(
    code="alarm_tells_nobody",
    title="an alarm on the DLQ tells somebody",
    why="an alarm without an action changes its colour on a page that nobody looks at",
)
ACTIONS = Rule(
    code="alarm_actions_disabled",
    title="the alarms' actions are enabled",
    why="actions switched off for a deployment and forgotten are no actions",
)


def watched(scene: Scene) -> Iterator[Check]:
    """Check that an alarm, metric math and queries included, watches the number of visible messages."""
    name = scene.dlq.name
    yield from _unread(scene, WATCHED)
    if isinstance(scene.alarms, Unread):
        return
    watching = [each.name for each in scene.alarms.metric if each.watches(DEPTH, name)]
    if watching:
        yield WATCHED.passed(name, f"{DEPTH}, by {', '.join(watching)}")
    elif not scene.alarms.complete:
        yield WATCHED.unknown(name, f"none of the first {len(scene.alarms.metric):,} alarms; more were not read")
    else:
        fix = Fix(commands=(_put(name),), template=_template(name))
        yield WATCHED.failed(name, f"no alarm on {DEPTH}", wanted="an alarm above 0", fix=fix)


def _put(queue_name: str) -> Command:
    metric = ("--namespace", SQS, "--metric-name", DEPTH, "--dimensions", f"Name=QueueName,Value={queue_name}")
    when = ("--statistic", "Maximum", "--period", "60", "--evaluation-periods", "1", "--threshold", "0")
    how = ("--comparison-operator", "GreaterThanThreshold", "--treat-missing-data", "notBreaching")
    put = ("aws", "cloudwatch", "put-metric-alarm", "--alarm-name", f"{queue_name}-depth")
    return (*put, *metric, *when, *how, "--alarm-actions", ALARM_TOPIC)


def _template(queue_name: str) -> tuple[str, ...]:
    return (
        "Type: AWS::CloudWatch::Alarm",
        "Properties:",
        f"  Namespace: {SQS}",
        f"  MetricName: {DEPTH}",
        f"  Dimensions: [{{Name: QueueName, Value: {queue_name}}}]",
        "  Statistic: Maximum",
        "  Period: 60",
        "  EvaluationPeriods: 1",
        "  Threshold: 0",
        "  ComparisonOperator: GreaterThanThreshold",
        "  TreatMissingData: notBreaching",
        "  AlarmActions: [the ARN of an SNS topic]",
    )


def metric(scene: Scene) -> Iterator[Check]:
    """Check that no alarm watches what SQS's own moves do not count in."""
    yield from _unread(scene, METRIC)
    for alarm in _of_dlq(scene):
        if alarm.watches(SENT, scene.dlq.name):
            fix = Fix(template=(f"MetricName: {DEPTH} # of the alarm", "Statistic: Maximum"))
            yield METRIC.failed(alarm.name, SENT, wanted=DEPTH, fix=fix)
        else:
            yield METRIC.passed(alarm.name, ", ".join(dict.fromkeys(each.name for each in alarm.metrics)))


def missing_data(scene: Scene) -> Iterator[Check]:
    """Check that missing data does not ring."""
    yield from _unread(scene, MISSING_DATA)
    for alarm in _of_dlq(scene):
        if alarm.missing_data == "breaching":
            fix = Fix(template=("TreatMissingData: notBreaching # of the alarm",))
            yield MISSING_DATA.failed(alarm.name, "breaching", wanted="notBreaching", fix=fix)
        else:
            yield MISSING_DATA.passed(alarm.name, alarm.missing_data)


def told(scene: Scene) -> Iterator[Check]:
    """Check that of the alarms on the depth one has an action, or is named by a composite alarm that has one."""
    yield from _unread(scene, TOLD)
    silent = [each for each in _alarms(scene).metric if each.watches(DEPTH, scene.dlq.name)]
    telling = [each.name for each in silent if each.actions or _alarms(scene).told_by_another(each)]
    if telling:
        yield TOLD.passed(scene.dlq.name, f"by {', '.join(telling)}")
    elif silent:
        fix = Fix(template=("AlarmActions: [the ARN of an SNS topic] # of the alarm",))
        found = f"no action, and no composite alarm with one: {', '.join(each.name for each in silent)}"
        yield TOLD.failed(scene.dlq.name, found, wanted="an SNS topic, or another action", fix=fix)


def actions(scene: Scene) -> Iterator[Check]:
    """Check that the actions are enabled."""
    yield from _unread(scene, ACTIONS)
    for alarm in _of_dlq(scene):
        if not alarm.actions:
            continue
        if alarm.actions_enabled or _alarms(scene).told_by_another(alarm):
            yield ACTIONS.passed(alarm.name, "enabled" if alarm.actions_enabled else "a composite alarm tells instead")
        else:
            fix = Fix(
                commands=(("aws", "cloudwatch", "enable-alarm-actions", "--alarm-names", alarm.name),),
                template=("ActionsEnabled: true # of the alarm",),
            )
            yield ACTIONS.failed(alarm.name, "disabled", wanted="enabled", fix=fix)


def _unread(scene: Scene, rule: Rule) -> Iterator[Check]:
    """Yield that a rule is open, where the alarms could not be read."""
    if isinstance(scene.alarms, Unread):
        yield rule.unknown(scene.dlq.name, scene.alarms.reason)


def _alarms(scene: Scene) -> Alarms:
    return Alarms() if isinstance(scene.alarms, Unread) else scene.alarms


def _of_dlq(scene: Scene) -> list[Alarm]:
    """Return the alarms on the DLQ by its name."""
    return [each for each in _alarms(scene).metric if each.watches_queue(scene.dlq.name)]
