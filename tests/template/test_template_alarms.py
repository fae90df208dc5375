"""What the translated template promises about the alarms."""

import json
import re
from typing import Any

import pytest

ALARMS = [
    "DLQDepthAlarm",
    "DLQArrivalsAlarm",
    "DLQReminderAlarm",
    "SourceAgeAlarm",
    "FunctionErrorsAlarm",
    "FunctionThrottlesAlarm",
]
TOPIC = "arn:aws:sns:eu-west-1:123456789012:on-call"
EVERY_ALARM = pytest.mark.parametrize("name", ALARMS)


def metrics_of(alarm: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the metrics that an alarm with a metric math expression reads, by their id."""
    return {one["Id"]: one["MetricStat"] for one in alarm["Metrics"] if "MetricStat" in one}


def expression_of(alarm: dict[str, Any]) -> str:
    """Return the one expression that an alarm watches."""
    (watched,) = [one for one in alarm["Metrics"] if one["ReturnData"]]
    expression: str = watched["Expression"]
    return expression


def dimension(name: str, value: str) -> list[dict[str, str]]:
    """Spell the one dimension of a metric."""
    return [{"Name": name, "Value": value}]


def test_these_are_all_the_alarms(translated) -> None:
    """An alarm that is added is added to these tests too."""
    found = {name for name, resource in translated["Resources"].items() if resource["Type"] == "AWS::CloudWatch::Alarm"}
    assert found == set(ALARMS)


@EVERY_ALARM
def test_alarm_is_quiet_while_there_are_no_data(resources, name) -> None:
    """SQS and Lambda send metrics only while something happens; silence is not a failure."""
    assert resources()[name]["TreatMissingData"] == "notBreaching"


@EVERY_ALARM
def test_alarm_speaks_at_the_first_bad_datapoint(resources, name) -> None:
    """No alarm waits for a second datapoint, which a queue that fell quiet would never send."""
    alarm = resources()[name]
    assert alarm["EvaluationPeriods"] == 1
    assert alarm["ComparisonOperator"] == "GreaterThanThreshold"
    assert alarm.get("DatapointsToAlarm", 1) == 1


@EVERY_ALARM
def test_alarm_says_which_command_to_run(resources, name) -> None:
    """Whoever is woken can paste the command, with its stack and region, out of the notification."""
    description = resources()[name]["AlarmDescription"]
    assert re.search(r"\. See [a-z -]+: opstool dlq list --stack-name orders --region eu-west-1$", description)
    assert len(description) <= 1024


@EVERY_ALARM
def test_alarm_notifies_the_topic_when_one_is_given(resources, name) -> None:
    """The topic is notified of the alarm; the recovery is not worth waking anybody."""
    alarm = resources(AlarmTopicARN=TOPIC)[name]
    assert alarm["AlarmActions"] == [TOPIC]
    assert "OKActions" not in alarm


@EVERY_ALARM
def test_alarm_has_no_action_without_a_topic(resources, name) -> None:
    """By default an alarm only changes its state."""
    assert "AlarmActions" not in resources()[name]


def test_no_alarm_counts_messages_sent(translated) -> None:
    """NumberOfMessagesSent of a dead-letter queue does not count what SQS itself moves into it."""
    assert "NumberOfMessagesSent" not in json.dumps(translated["Resources"])


def test_depth_alarm_is_on_while_the_dead_letter_queue_is_not_empty(resources) -> None:
    """One dead message is enough."""
    alarm = resources()["DLQDepthAlarm"]
    assert (alarm["Namespace"], alarm["MetricName"]) == ("AWS/SQS", "ApproximateNumberOfMessagesVisible")
    assert alarm["Dimensions"] == dimension("QueueName", "ProcessingDLQ.QueueName")
    assert (alarm["Statistic"], alarm["Threshold"]) == ("Maximum", 0)


def test_arrivals_alarm_speaks_again_for_a_queue_that_is_not_empty(resources) -> None:
    """It watches the increase of the depth, which is zero again as soon as nothing more arrives."""
    alarm = resources()["DLQArrivalsAlarm"]
    assert expression_of(alarm) == "DIFF(visible + in_flight)"
    assert alarm["Threshold"] == 0


def test_arrivals_alarm_is_not_fooled_by_looking(resources) -> None:
    """Messages that are received and given back are in flight meanwhile, and in flight is counted in."""
    metrics = metrics_of(resources()["DLQArrivalsAlarm"])
    assert {one: stat["Metric"]["MetricName"] for one, stat in metrics.items()} == {
        "visible": "ApproximateNumberOfMessagesVisible",
        "in_flight": "ApproximateNumberOfMessagesNotVisible",
    }
    for stat in metrics.values():
        assert stat["Metric"]["Dimensions"] == dimension("QueueName", "ProcessingDLQ.QueueName")
        # SQS sends one datapoint a minute: a longer period could add the most visible to the most in flight.
        assert (stat["Period"], stat["Stat"]) == (60, "Maximum")


@pytest.mark.parametrize("hour", ["0", "8", "23"])
def test_reminder_alarm_speaks_daily_at_its_hour(resources, hour) -> None:
    """It is on for one hour of the day while the queue is not empty, so each day it changes and notifies."""
    alarm = resources(ReminderHourUTC=hour)["DLQReminderAlarm"]
    assert expression_of(alarm) == f"IF(HOUR(visible) == {hour}, visible, 0)"
    (stat,) = metrics_of(alarm).values()
    assert stat["Metric"]["MetricName"] == "ApproximateNumberOfMessagesVisible"
    assert stat["Metric"]["Dimensions"] == dimension("QueueName", "ProcessingDLQ.QueueName")


def test_source_age_alarm_is_not_set_off_by_retries_alone(translated, resources) -> None:
    """A failing message is in the age metric for three visibility timeouts at most; the alarm waits for five."""
    for timeout in translated["Parameters"]["FunctionTimeout"]["AllowedValues"]:
        deployed = resources(FunctionTimeout=timeout)
        alarm, visibility_timeout_s = deployed["SourceAgeAlarm"], deployed["ProcessingQueue"]["VisibilityTimeout"]
        assert alarm["Threshold"] == max(900, 5 * visibility_timeout_s)
        assert alarm["Threshold"] < deployed["ProcessingQueue"]["MessageRetentionPeriod"]
        assert (alarm["Namespace"], alarm["MetricName"]) == ("AWS/SQS", "ApproximateAgeOfOldestMessage")
        assert alarm["Dimensions"] == dimension("QueueName", "ProcessingQueue.QueueName")


@pytest.mark.parametrize(
    ("name", "metric"), [("FunctionErrorsAlarm", "Errors"), ("FunctionThrottlesAlarm", "Throttles")]
)
def test_function_alarm_is_on_at_the_first(resources, name, metric) -> None:
    """One failed or throttled invocation is a whole batch that was tried in vain."""
    alarm = resources()[name]
    assert (alarm["Namespace"], alarm["MetricName"]) == ("AWS/Lambda", metric)
    assert alarm["Dimensions"] == dimension("FunctionName", "ref:ProcessorFunction")
    assert (alarm["Statistic"], alarm["Threshold"]) == ("Sum", 0)
