"""What the parts of one command line share, from the first word on: known before any door is loaded."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import typer

from opstool.cli.errors import USAGE
from opstool.cli.globals import Globals
from opstool.cli.output import OutputFormat
from opstool.cli.screen import safe
from opstool.cli.signals import Interrupts
from opstool.words.errors import UsageError

if TYPE_CHECKING:
    from opstool.doors.session import Connection
    from opstool.doors.toolkit import Toolkit


class Connect(Protocol):
    """What makes the toolkit; toolkit.connect, and in tests one over the in-memory SQS."""

    def __call__(
        self,
        connection: Connection | None = None,
        *,
        stack_name: str | None = None,
        state_dir: Path | None = None,
        lease_s: int = ...,
        workers: int | None = ...,
    ) -> Toolkit:
        """Return the toolkit of these settings."""


@dataclass
class Frame:
    """What the parts of one command line share: the doors, and the global options as far as they are read."""

    connect: Connect | None
    """None: toolkit.connect, which no help needs."""
    interrupts: Interrupts
    main: Callable[[Sequence[str]], int]
    """Carries out another command line, as the story does."""
    options: Globals = field(default_factory=Globals)
    place: Callable[[], str] | None = None

    @property
    def program(self) -> str:
        """Return the program with the options that choose the AWS: the beginning of a command to paste."""
        return safe(shlex.join(["opstool", *self.options.words]))

    def no_command(self, help_text: str, path: str) -> None:
        """End a command line that names no command: with the help for a person, with an error for a program."""
        if self.options.output not in (None, OutputFormat.TEXT):
            raise UsageError("a command is missing", hint=f"{path} --help")
        typer.echo(help_text, err=True)
        raise typer.Exit(USAGE)
