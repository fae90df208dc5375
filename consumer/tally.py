"""Count what became of a batch's messages, and publish it as CloudWatch metrics in the embedded metric format.

`MessagesProcessed`, `MessagesFailed` and, on a FIFO queue, `MessagesSkipped` by service; `MessagesFailed` by service
and `ErrorType` too. Each value of a dimension is a metric that is paid for, so error types are counted under the
nearest class of a fixed list; the exact type is in the failure line.
"""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, field

from aws_lambda_powertools.metrics import Metrics, MetricUnit, single_metric

from log import SERVICE, logger

NAMESPACE = os.environ.get("POWERTOOLS_METRICS_NAMESPACE") or "SqsConsumer"
OTHER = "Other"
# 13 values with "Other", whatever the code raises. The two of processing.py come first: they are what its owner meant.
KNOWN_ERROR_TYPES = (
    "PermanentError", "TransientError", "JSONDecodeError", "UnicodeError", "KeyError", "TypeError", "AttributeError",
    "ValueError", "TimeoutError", "ConnectionError", "OSError", "MemoryError",
)  # fmt: skip

metrics = Metrics(namespace=NAMESPACE, service=SERVICE)


@dataclass(kw_only=True)
class Tally:
    """The counts of one batch."""

    processed: int = 0
    skipped: int = 0
    failed_by_type: Counter[str] = field(default_factory=Counter)

    def failed(self, error: BaseException) -> None:
        """Count a failed attempt."""
        self.failed_by_type[metric_type(error)] += 1

    def publish(self) -> None:
        """Print the metrics; trouble with them is logged, since the messages are settled and must not be done again."""
        try:
            self._publish()
        except Exception as error:  # noqa: BLE001 - a metric is never worth a batch
            logger.warning("metrics not published", event="metrics_not_published", error_type=type(error).__name__)

    def _publish(self) -> None:
        metrics.add_metric(name="MessagesProcessed", unit=MetricUnit.Count, value=self.processed)
        metrics.add_metric(name="MessagesFailed", unit=MetricUnit.Count, value=self.failed_by_type.total())
        if self.skipped:
            metrics.add_metric(name="MessagesSkipped", unit=MetricUnit.Count, value=self.skipped)
        metrics.flush_metrics()
        for error_type, count in self.failed_by_type.items():
            with single_metric(
                name="MessagesFailed",
                unit=MetricUnit.Count,
                value=count,
                namespace=NAMESPACE,
                default_dimensions={"service": SERVICE, "ErrorType": error_type},
            ):
                pass


def metric_type(error: BaseException) -> str:
    """Return the nearest known class of an error, by name because processing.py's classes are its owner's."""
    return next((kind.__name__ for kind in type(error).__mro__ if kind.__name__ in KNOWN_ERROR_TYPES), OTHER)
