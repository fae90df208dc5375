"""The options that say how the logs are read for reasons: the same on every command that shows or selects by one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import typer

from opstool.cli.globals import OptionGroup
from opstool.words.errors import UsageError
from opstool.words.logreading import LogReading
from opstool.words.sizes import parse_size

PANEL = "Reasons"


@dataclass(frozen=True, kw_only=True)
class LogOptions(OptionGroup):
    """The options as they were typed."""

    log_group: Annotated[
        list[str] | None,
        typer.Option(
            "--log-group",
            metavar="NAME",
            help="Read this log group, not the consumer's own; may be given again.",
            rich_help_panel=PANEL,
        ),
    ] = None
    no_reasons: Annotated[
        bool, typer.Option("--no-reasons", help="Do not look for reasons at all.", rich_help_panel=PANEL)
    ] = False
    scan_limit: Annotated[
        str | None,
        typer.Option(
            "--scan-limit",
            metavar="SIZE",
            help="Let Logs Insights scan at most so much (10GB).",
            rich_help_panel=PANEL,
        ),
    ] = None

    def reading(self) -> LogReading:
        """Return how the logs are to be read; raise UsageError."""
        if self.no_reasons and self.log_group:
            raise UsageError("`--no-reasons` and `--log-group` exclude each other")
        limit = (
            {} if self.scan_limit is None else {"scan_limit_bytes": parse_size(self.scan_limit, option="--scan-limit")}
        )
        return LogReading(wanted=not self.no_reasons, log_groups=tuple(self.log_group or ()), **limit)
