"""Help in plain text, its options grouped by their panels: no rich, so that help is on the screen at once."""

from __future__ import annotations

import re
from typing import Any

import typer.core

from opstool.cli.globals import PANEL as GLOBAL_PANEL

# The program's help says once how the environment variables are named; an error still names the one it is about.
_VARIABLE = re.compile(r"  \[env var: \w+\]|env var: \w+; ")
ARGUMENTS, OPTIONS = "Arguments", "Options"
# Context settings of every command; 100 columns are as much as an eye likes to follow.
SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


class GroupedCommand(typer.core.TyperCommand):
    """A command whose help has a section for each group of options, the global ones last."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write arguments and options by section."""
        write_sections(self, ctx, formatter)

    def format_epilog(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002 - the interface
        """Write the examples as they are."""
        write_examples(self, formatter)


def write_sections(command: Any, ctx: Any, formatter: Any) -> None:
    """Write arguments and options by section, the global options last."""
    sections: dict[str, list[tuple[str, str]]] = {ARGUMENTS: [], OPTIONS: []}
    for parameter in command.get_params(ctx):
        record = parameter.get_help_record(ctx)
        if record is None:
            continue
        default = ARGUMENTS if parameter.param_type_name == "argument" else OPTIONS
        panel = getattr(parameter, "rich_help_panel", None) or default
        panel = GLOBAL_PANEL if parameter.name == "help" else panel
        name = parameter.metavar if panel == ARGUMENTS else record[0]
        sections.setdefault(panel, []).append((name, _VARIABLE.sub("", record[1])))
    for panel in sorted(filter(sections.get, sections), key=lambda each: each == GLOBAL_PANEL):
        with formatter.section(panel):
            formatter.write_dl(sections[panel])


def write_examples(command: Any, formatter: Any) -> None:
    """Write the examples as they are."""
    if command.epilog:
        with formatter.section("Examples"):
            for line in command.epilog.splitlines():
                formatter.write(f"  {line}\n")
