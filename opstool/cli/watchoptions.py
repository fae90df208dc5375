"""The options by which a redrive is watched, and by which it keeps from what has come back too often."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import typer

from opstool.cli.globals import OptionGroup
from opstool.words.durations import parse_duration
from opstool.words.errors import UsageError
from opstool.words.poison import DEFAULT_RETURNS, PoisonRule, Treatment
from opstool.words.watching import Watching

PANEL = "What comes back"


@dataclass(frozen=True, kw_only=True)
class WatchOptions(OptionGroup):
    """How many go first, what ends the run, and whether to wait for the outcome."""

    canary: Annotated[
        int | None,
        typer.Option(
            "--canary", metavar="N", min=1, help="Send N first; go on if none comes back.", rich_help_panel=PANEL
        ),
    ] = None
    canary_wait: Annotated[
        str | None,
        typer.Option(
            "--canary-wait",
            metavar="TIME",
            help="Wait so long for them (default: as long as one that fails can need).",
            rich_help_panel=PANEL,
        ),
    ] = None
    stop_on_returned: Annotated[
        float | None,
        typer.Option(
            "--stop-on-returned",
            metavar="PERCENT",
            help="Stop when more of what was sent has come back.",
            rich_help_panel=PANEL,
        ),
    ] = None
    wait: Annotated[bool, typer.Option("--wait", help="Follow everything to its outcome.", rich_help_panel=PANEL)] = (
        False
    )

    def watching(self) -> Watching:
        """Return what they ask for; raise UsageError."""
        wait_s = None if self.canary_wait is None else parse_duration(self.canary_wait, option="--canary-wait")
        if wait_s == 0:
            raise UsageError("`--canary-wait` is 0: nothing would be known", hint="leave it out to wait long enough")
        return Watching(
            canary=self.canary, canary_wait_s=wait_s, stop_on_returned=self.stop_on_returned, wait=self.wait
        )


@dataclass(frozen=True, kw_only=True)
class PoisonOptions(OptionGroup):
    """What to do with messages that came back again and again."""

    from_environment: ClassVar[bool] = False

    include_poison: Annotated[
        bool,
        typer.Option("--include-poison", help="Send also what came back too often.", rich_help_panel=PANEL),
    ] = False
    only_poison: Annotated[
        bool,
        typer.Option("--only-poison", help="Send nothing else: into quarantine, with --to.", rich_help_panel=PANEL),
    ] = False
    poison_after: Annotated[
        int,
        typer.Option(
            "--poison-after", metavar="N", min=1, help="Came back so often: too often.", rich_help_panel=PANEL
        ),
    ] = DEFAULT_RETURNS

    def rule(self) -> PoisonRule:
        """Return what they ask for; raise UsageError."""
        if self.include_poison and self.only_poison:
            raise UsageError("`--include-poison` and `--only-poison` exclude each other")
        treatment: Treatment = "include" if self.include_poison else "only" if self.only_poison else "skip"
        return PoisonRule(returns=self.poison_after, treatment=treatment)
