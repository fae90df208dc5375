"""How unkind the fake is where CloudWatch Logs leaves room, and where emulators depart from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


def _completes(_request: Mapping[str, Any]) -> str:
    return "Complete"


@dataclass(frozen=True, kw_only=True)
class LogsBehaviour:
    """What a test chooses; each default is the service's own number or the unkindest that is documented."""

    ignores_filters: bool = False
    """Every event of the time range is an answer, whatever was asked: what emulators do."""
    indexing_delay_s: float = 0.0
    """Events that were put less than this ago are not yet found by Insights; FilterLogEvents finds them."""
    scheduled_polls: int = 1
    """So many GetQueryResults answer Scheduled."""
    running_polls: int = 1
    """So many more answer Running, with a part of the rows."""
    query_end: Callable[[Mapping[str, Any]], str] = _completes
    """How the query of a StartQuery request ends: Complete, Failed, Timeout, Cancelled or Unknown."""
    most_queries: int = 100
    """Queries at once; the quota of StartQuery in its API reference."""
    scanned_a_page: int = 50_000
    """Events that one FilterLogEvents looks at before it answers with what it has, perhaps nothing. Not documented."""
    first_page_is_empty: bool = True
    """The first page of FilterLogEvents has a token and no events, as its API reference says may be."""
    page_events: int = 10_000
    page_bytes: int = 1_048_576
    """The most that a page holds; API references of FilterLogEvents and GetLogEvents."""
    end_second_is_whole: bool = False
    """Whether the end of a query's range takes in the whole of its last second; the reference leaves it open."""
    stored_bytes_factor: float = 1.0
    """What DescribeLogGroups says is this part of the truth: it may be compressed, and it lags behind."""
