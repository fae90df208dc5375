"""The door to CloudWatch's metrics: how long the invocations of a function took."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from opstool.doors.ask import Ask
from opstool.doors.wire import reading
from opstool.words.consumer import Measured

DAYS = 3
"""So far back an average is asked for: enough for a weekend, and little enough to be of the code that runs now."""
_PERIOD_S = 86_400


def duration(ask: Ask, function: str, *, now_s: float) -> Measured | None:
    """Return the average and the longest duration of a function's invocations of the past days, None without any.

    One request; failed invocations count as well, and a cold start's initialization does not:
    https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
    Raises OpstoolError.
    """
    now = datetime.fromtimestamp(now_s, tz=UTC)
    request: dict[str, Any] = {
        "Namespace": "AWS/Lambda",
        "MetricName": "Duration",
        "Dimensions": [{"Name": "FunctionName", "Value": function}],
        "StartTime": now - timedelta(days=DAYS),
        "EndTime": now,
        "Period": _PERIOD_S,
        "Statistics": ["Average", "Maximum", "SampleCount"],
    }
    answer = ask("cloudwatch", "GetMetricStatistics", request)
    with reading("GetMetricStatistics"):
        days = [
            (float(each["Average"]), float(each["Maximum"]), float(each["SampleCount"]))
            for each in answer.get("Datapoints") or ()
        ]
    samples = sum(count for _, _, count in days)
    if samples <= 0:
        return None
    average_ms = sum(average * count for average, _, count in days) / samples
    return Measured(average_s=average_ms / 1000, longest_s=max(longest for _, longest, _ in days) / 1000)
