"""A CloudWatch alarm: which metrics it watches, and whom it tells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

SQS = "AWS/SQS"
DEPTH = "ApproximateNumberOfMessagesVisible"
AGE = "ApproximateAgeOfOldestMessage"
SENT = "NumberOfMessagesSent"


@dataclass(frozen=True, kw_only=True, slots=True)
class Metric:
    """One metric that an alarm watches, by itself or within an expression."""

    namespace: str
    name: str
    dimensions: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Alarm:
    """A metric alarm. `expressions` are its metric math and its Metrics Insights queries.

    `missing_data` is TreatMissingData: breaching, notBreaching, ignore or missing. `datapoints` are how many periods
    of `period_s` have to be beyond `threshold`, which is None where the alarm has a band instead.
    """

    name: str
    arn: str
    metrics: tuple[Metric, ...] = ()
    expressions: tuple[str, ...] = ()
    actions: tuple[str, ...] = ()
    actions_enabled: bool = True
    missing_data: str = "missing"
    threshold: float | None = None
    comparison: str = "GreaterThanThreshold"
    statistic: str = ""
    period_s: int = 60
    datapoints: int = 1

    @property
    def is_math(self) -> bool:
        """Tell whether it compares something else than one metric as it is."""
        return bool(self.expressions) or len(self.metrics) != 1

    @property
    def is_above(self) -> bool:
        """Tell whether it goes off when the metric is too high."""
        return self.comparison in {"GreaterThanThreshold", "GreaterThanOrEqualToThreshold"}

    def watches(self, metric: str, queue_name: str) -> bool:
        """Tell whether it watches this SQS metric of a queue, in metric math and in a query too."""
        wanted = (SQS, metric, queue_name)
        named = any((each.namespace, each.name, each.dimensions.get("QueueName")) == wanted for each in self.metrics)
        return named or any(_queries(each, metric, queue_name) for each in self.expressions)

    def watches_queue(self, queue_name: str) -> bool:
        """Tell whether it watches any SQS metric of a queue by its name."""
        return any(each.namespace == SQS and each.dimensions.get("QueueName") == queue_name for each in self.metrics)


@dataclass(frozen=True, kw_only=True, slots=True)
class CompositeAlarm:
    """An alarm over other alarms: `rule` names them."""

    name: str
    rule: str
    actions: tuple[str, ...] = ()
    actions_enabled: bool = True

    def speaks_for(self, alarm: Alarm) -> bool:
        """Tell whether it has somebody to tell, and its rule names the alarm by name or ARN."""
        names = any(f"{quote}{each}{quote}" in self.rule for each in (alarm.name, alarm.arn) for quote in "\"'")
        bare = any(f"({each})" in self.rule for each in (alarm.name, alarm.arn))
        return self.actions_enabled and bool(self.actions) and (names or bare)


@dataclass(frozen=True, kw_only=True, slots=True)
class Alarms:
    """The alarms of an account and region; `complete` tells whether all of them were read."""

    metric: tuple[Alarm, ...] = ()
    composite: tuple[CompositeAlarm, ...] = ()
    complete: bool = True

    def told_by_another(self, alarm: Alarm) -> bool:
        """Tell whether a composite alarm tells somebody in its place."""
        return any(each.speaks_for(alarm) for each in self.composite)


def _queries(expression: str, metric: str, queue_name: str) -> bool:
    """Tell whether a Metrics Insights query reads the metric of this queue, or of every queue."""
    text = expression.strip()
    if not text.upper().startswith("SELECT") or SQS not in text or metric not in text:
        return False
    return "WHERE" not in text.upper() or f"'{queue_name}'" in text
