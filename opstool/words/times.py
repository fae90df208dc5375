"""Times as they are written in documents: UTC ISO 8601 with milliseconds, beside SQS's epoch milliseconds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from opstool.words.errors import UsageError

CLOCKS_AGREE_MS = 2_000
"""How far our idea of SQS's time may be wrong: the Date header tells whole seconds, and an answer takes a while."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_EARLIEST_MS = (datetime.min.replace(tzinfo=UTC) - _EPOCH) // _MILLISECOND
_LATEST_MS = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // _MILLISECOND
_EPOCH_WITHOUT_ZONE = _EPOCH.replace(tzinfo=None)  # half the work for each time that is written


def iso(ms: int) -> str:
    """Return the time as `2025-01-31T09:30:00.000Z`; a time beyond the years 1 to 9999 becomes the nearest one."""
    moment = _EPOCH_WITHOUT_ZONE + min(max(ms, _EARLIEST_MS), _LATEST_MS) * _MILLISECOND
    return moment.isoformat(timespec="milliseconds") + "Z"


def parse_iso(text: str) -> int:
    """Return the epoch milliseconds of an ISO 8601 time; without an offset it is UTC, finer digits are cut."""
    try:
        moment = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        raise UsageError("not an ISO 8601 time such as 2025-01-31T09:30:00Z", code="invalid_time") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - _EPOCH) // _MILLISECOND
