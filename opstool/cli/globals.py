"""The options that every command takes, before it or after it: which AWS, how to say it, how to work."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self

import typer

from opstool import __version__
from opstool.cli.output import OutputFormat

PANEL = "Global options"
_MOST_WORKERS = 128
_SHORTEST_LEASE_S, _LONGEST_LEASE_S = 2, 43_200


@dataclass(frozen=True, kw_only=True)
class OptionGroup:
    """A dataclass of options; `from_environment` tells whether OPSTOOL_<OPTION> may set them."""

    from_environment: ClassVar[bool] = True


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"opstool {__version__}")
        raise typer.Exit


@dataclass(frozen=True, kw_only=True)
class Globals(OptionGroup):
    """The global options; None (and 0 for `verbose`) means that the option was not given there."""

    profile: Annotated[
        str | None, typer.Option("--profile", metavar="NAME", help="AWS profile.", rich_help_panel=PANEL)
    ] = None
    region: Annotated[
        str | None, typer.Option("--region", metavar="REGION", help="AWS region.", rich_help_panel=PANEL)
    ] = None
    endpoint_url: Annotated[
        str | None,
        typer.Option("--endpoint-url", metavar="URL", help="Speak to this endpoint.", rich_help_panel=PANEL),
    ] = None
    stack_name: Annotated[
        str | None,
        typer.Option(
            "--stack-name",
            metavar="NAME",
            help="Stack whose queues are meant (default: stack_name of samconfig.toml in this folder).",
            rich_help_panel=PANEL,
        ),
    ] = None
    local: Annotated[
        bool | None,
        typer.Option("--local", help="Use the embedded AWS of `opstool local start`.", rich_help_panel=PANEL),
    ] = None
    output: Annotated[
        OutputFormat | None,
        typer.Option("--output", metavar="text|json|jsonl", help="Form of the output.", rich_help_panel=PANEL),
    ] = None
    no_color: Annotated[bool | None, typer.Option("--no-color", help="No colours.", rich_help_panel=PANEL)] = None
    verbose: Annotated[
        int,
        typer.Option(
            "--verbose",
            "-v",
            count=True,
            show_default=False,
            help="Say more; -vv adds tracebacks of bugs.",
            rich_help_panel=PANEL,
        ),
    ] = 0
    quiet: Annotated[
        bool | None,
        typer.Option("--quiet", "-q", help="Only data, questions and errors.", rich_help_panel=PANEL),
    ] = None
    state_dir: Annotated[
        Path | None,
        typer.Option(
            "--state-dir", metavar="FOLDER", help="Where journal and archives are kept.", rich_help_panel=PANEL
        ),
    ] = None
    timeout: Annotated[
        float | None,
        typer.Option("--timeout", metavar="SECONDS", min=1, help="Of one AWS call (30).", rich_help_panel=PANEL),
    ] = None
    lease: Annotated[
        int | None,
        typer.Option(
            "--lease",
            metavar="SECONDS",
            min=_SHORTEST_LEASE_S,
            max=_LONGEST_LEASE_S,
            help="How long messages stay hidden if opstool dies (30).",
            rich_help_panel=PANEL,
        ),
    ] = None
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers",
            metavar="N",
            min=1,
            max=_MOST_WORKERS,
            help="Threads that work (8 to 32).",
            rich_help_panel=PANEL,
        ),
    ] = None
    version: Annotated[
        bool | None,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version.", rich_help_panel=PANEL
        ),
    ] = None

    def overridden_by(self, other: Globals) -> Self:
        """Return these options with those that were given nearer to the command in their place."""
        values = {each.name: getattr(other, each.name) or getattr(self, each.name) for each in fields(self)}
        return type(self)(**values)

    @property
    def words(self) -> list[str]:
        """Return the options that say which AWS is meant, as they are typed: for commands that can be pasted."""
        given: dict[str, Any] = {
            "--profile": self.profile,
            "--region": self.region,
            "--endpoint-url": self.endpoint_url,
            "--stack-name": self.stack_name,
            "--state-dir": self.state_dir,
        }
        pairs = [word for option, value in given.items() if value for word in (option, str(value))]
        return [*pairs, *(["--local"] if self.local else [])]
