"""The door to CloudWatch: every alarm of the account and region.

All of them are read, because DescribeAlarmsForMetric leaves out the alarms on metric math:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DescribeAlarmsForMetric.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from opstool.doors.ask import Ask
from opstool.words.alarm import Alarm, Alarms, CompositeAlarm, Metric

_PAGE = 100
"""Alarms of one page: the most that DescribeAlarms gives."""
MOST_PAGES = 100
"""Pages that are read: 10,000 alarms, twice the default quota of an account and region."""


def all_alarms(ask: Ask, *, pages: int | None = None) -> Alarms:
    """Return the metric and composite alarms of so many pages at most, a request each; raise OpstoolError."""
    metric: list[Alarm] = []
    composite: list[CompositeAlarm] = []
    request: dict[str, Any] = {"AlarmTypes": ["MetricAlarm", "CompositeAlarm"], "MaxRecords": _PAGE}
    for _ in range(MOST_PAGES if pages is None else pages):
        page = ask("cloudwatch", "DescribeAlarms", request)
        metric += [_alarm(each) for each in page.get("MetricAlarms") or ()]
        composite += [_composite(each) for each in page.get("CompositeAlarms") or ()]
        token = page.get("NextToken")
        if not token:
            return Alarms(metric=tuple(metric), composite=tuple(composite))
        request = {**request, "NextToken": token}
    return Alarms(metric=tuple(metric), composite=tuple(composite), complete=False)


def _alarm(raw: Mapping[str, Any]) -> Alarm:
    queries = raw.get("Metrics") or ()
    stat: Mapping[str, Any] = next((each["MetricStat"] for each in queries if each.get("MetricStat")), {})
    watched = [(each.get("MetricStat") or {}).get("Metric") for each in queries]
    return Alarm(
        name=str(raw["AlarmName"]),
        arn=str(raw.get("AlarmArn", "")),
        metrics=tuple(_metric(each) for each in (raw, *watched) if each and each.get("MetricName")),
        expressions=tuple(str(each["Expression"]) for each in queries if each.get("Expression")),
        actions=tuple(raw.get("AlarmActions") or ()),
        actions_enabled=bool(raw.get("ActionsEnabled", True)),
        missing_data=str(raw.get("TreatMissingData") or "missing"),
        threshold=float(raw["Threshold"]) if raw.get("Threshold") is not None else None,
        comparison=str(raw.get("ComparisonOperator", "")),
        statistic=str(raw.get("Statistic") or stat.get("Stat") or ""),
        period_s=int(raw.get("Period") or stat.get("Period") or 60),
        datapoints=int(raw.get("DatapointsToAlarm") or raw.get("EvaluationPeriods") or 1),
    )


def _metric(raw: Mapping[str, Any]) -> Metric:
    dimensions = {str(each["Name"]): str(each["Value"]) for each in raw.get("Dimensions") or ()}
    return Metric(namespace=str(raw.get("Namespace", "")), name=str(raw["MetricName"]), dimensions=dimensions)


def _composite(raw: Mapping[str, Any]) -> CompositeAlarm:
    return CompositeAlarm(
        name=str(raw["AlarmName"]),
        rule=str(raw.get("AlarmRule", "")),
        actions=tuple(raw.get("AlarmActions") or ()),
        actions_enabled=bool(raw.get("ActionsEnabled", True)),
    )
