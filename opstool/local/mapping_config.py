"""The settings of an event source mapping that do not change while it runs, checked as Lambda checks them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from opstool.local.pattern import Patterns
from opstool.words.errors import UsageError

POLLERS = 5
"""Lambda begins with five concurrent batches; here it also stays there."""
MAXIMUM_BATCH_WITHOUT_WINDOW = 10
MAXIMUM_BATCH_STANDARD = 10_000


@dataclass(frozen=True, kw_only=True)
class MappingConfig:
    """How one queue feeds one function."""

    uuid: str
    queue_arn: str
    queue_url: str
    region: str
    batch_size: int
    window_s: float
    reports_item_failures: bool
    patterns: Patterns
    pollers: int

    @property
    def is_fifo(self) -> bool:
        """Tell whether the queue keeps the order of its groups."""
        return self.queue_arn.endswith(".fifo")


def mapping_config(
    properties: Mapping[str, Any], *, uuid: str, queue_arn: str, queue_url: str, reserved_concurrency: int | None
) -> MappingConfig:
    """Read the resolved properties of an AWS::Lambda::EventSourceMapping."""
    batch_size = int(properties.get("BatchSize", 10))
    window_s = float(properties.get("MaximumBatchingWindowInSeconds", 0))
    is_fifo = queue_arn.endswith(".fifo")
    _check_batch(batch_size, window_s, is_fifo=is_fifo)
    most = (properties.get("ScalingConfig") or {}).get("MaximumConcurrency", POLLERS)
    bounds = [POLLERS, int(most), *([] if reserved_concurrency is None else [reserved_concurrency])]
    return MappingConfig(
        uuid=uuid,
        queue_arn=queue_arn,
        queue_url=queue_url,
        region=queue_arn.split(":")[3],
        batch_size=batch_size,
        window_s=window_s,
        reports_item_failures="ReportBatchItemFailures" in (properties.get("FunctionResponseTypes") or []),
        patterns=Patterns(properties.get("FilterCriteria")),
        pollers=max(1, min(bounds)),
    )


def _check_batch(batch_size: int, window_s: float, *, is_fifo: bool) -> None:
    if is_fifo and window_s:
        raise UsageError("Lambda refuses a batching window on a FIFO queue", code="invalid_mapping")
    most = MAXIMUM_BATCH_WITHOUT_WINDOW if is_fifo else MAXIMUM_BATCH_STANDARD
    if not 1 <= batch_size <= most:
        raise UsageError(f"Lambda refuses a batch size of {batch_size}: 1 to {most}", code="invalid_mapping")
    if batch_size > MAXIMUM_BATCH_WITHOUT_WINDOW and window_s < 1:
        raise UsageError(
            f"Lambda refuses a batch size of {batch_size} without a batching window",
            code="invalid_mapping",
            hint="set MaximumBatchingWindowInSeconds to at least 1",
        )
