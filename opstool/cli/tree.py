"""The tree of commands, built as far as a command line reaches into it: a file is loaded when its command is called."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module
from typing import Any

import typer
import typer.core
import typer.main

from opstool.cli.catalog import CATALOG, paths_under
from opstool.cli.helptext import SETTINGS, write_examples, write_sections
from opstool.cli.options import DECLARED, take_global_options

_HELP = """See why messages died in an SQS dead-letter queue, and redrive, purge or export exactly those you mean.

Every option but selection and consent can be set in the environment too, as OPSTOOL_<OPTION>; a flag wins.
"""


@cache
def program() -> Any:
    """Return the root of the tree, with the options of shell completion."""
    return _branch("", _HELP)


@cache
def load(path: str) -> Any:
    """Return the command or the branch of a path in the catalog, loading its file."""
    entry = CATALOG[path]
    if entry.file is None:
        return _branch(path, entry.line)
    import_module(f"opstool.cli.commands.{entry.file}")
    return DECLARED[path]


def _branch(path: str, text: str) -> Any:
    # No rich: help must be on the screen at once. No pretty exceptions: their local variables are message bodies.
    branch = typer.Typer(
        name=path,
        cls=Branch,
        help=text,
        context_settings=SETTINGS,
        add_completion=not path,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        subcommand_metavar="COMMAND [ARGS]...",
    )
    take_global_options(branch, from_environment=not path)
    return typer.main.get_command(branch)


class _Commands(Mapping[str, Any]):
    """What a branch holds, by name: to know the names loads nothing, to ask for one of them loads its file."""

    def __init__(self, branch: str) -> None:
        self._paths = paths_under(branch)

    def __getitem__(self, name: str) -> Any:
        return load(self._paths[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self._paths)

    def __len__(self) -> int:
        return len(self._paths)


class Branch(typer.core.TyperGroup):
    """A group of commands: in its help the commands come first, for that is what one looks for."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands: Any = _Commands(self.name or "")  # what Typer asks for names, and for one command by its name

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - the interface
        """Return the names of the commands in the order of the catalog."""
        return list(self.commands)

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the commands, then the options by section."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, CATALOG[path].line) for name, path in paths_under(self.name or "").items()])
        write_sections(self, ctx, formatter)

    def format_epilog(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002 - the interface
        """Write the examples as they are."""
        write_examples(self, formatter)
