"""The options that give messages a new body before they are sent again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import typer

from opstool.cli.globals import OptionGroup
from opstool.words.mending import Mending

PANEL = "Mending"


@dataclass(frozen=True, kw_only=True)
class MendOptions(OptionGroup):
    """The options as they were typed; a body is not changed because of something that stands in the environment."""

    from_environment: ClassVar[bool] = False

    transform: Annotated[
        str | None,
        typer.Option(
            "--transform",
            metavar="JMESPATH",
            help="Send what this makes of the message as its body.",
            rich_help_panel=PANEL,
        ),
    ] = None
    sets: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="PATH=VALUE",
            help="Set a field of the body, such as body.customer.id=17; may be given again.",
            rich_help_panel=PANEL,
        ),
    ] = None

    def mending(self) -> Mending | None:
        """Return what is to be done to each body, None for nothing; raise UsageError that points at the character."""
        if self.transform is None and not self.sets:
            return None
        return Mending(transform=self.transform, sets=tuple(self.sets or ()))
