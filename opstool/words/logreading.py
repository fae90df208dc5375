"""How the logs are to be read for reasons: whether at all, which of them, and how much of them at most."""

from __future__ import annotations

from dataclasses import dataclass

DEFAULT_SCAN_LIMIT_BYTES = 10 * 10**9
"""What one command has Logs Insights scan unless told otherwise: 10 GB, which cost about five cents."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LogReading:
    """The settings of one invocation. `log_groups` that are named stand for those that would be discovered."""

    wanted: bool = True
    log_groups: tuple[str, ...] = ()
    scan_limit_bytes: int = DEFAULT_SCAN_LIMIT_BYTES
