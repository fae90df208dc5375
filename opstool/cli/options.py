"""Declare commands whose options come in groups: a group is a dataclass, and a command takes it as one parameter.

Typer knows only flat parameters, and its global options only before the command. So `command` flattens the groups,
adds the global options to every command, and gives the function what it asked for.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import typer
import typer.main

from opstool.cli.frame import Frame
from opstool.cli.globals import Globals, OptionGroup
from opstool.cli.helptext import GroupedCommand

# Whether and on what a command acts is said on its command line, or not at all.
_NEVER_FROM_ENVIRONMENT = {"--yes", "--confirm", "--no-archive", "--not-a-dlq", "--limit", "--version"}

Command = Callable[..., int | None]
DECLARED: dict[str, Any] = {}
"""The commands of the files that are loaded, as Typer builds them, by their paths in the catalog."""


@dataclass(frozen=True)
class _Slot:
    """A parameter of a command's function, with the flat options that fill it."""

    name: str
    group: type[OptionGroup] | None
    parameters: tuple[inspect.Parameter, ...]

    def fill(self, values: Mapping[str, Any]) -> Any:
        """Return the argument for the function out of what Typer has parsed."""
        if self.group is None:
            return values[self.name]
        return self.group(**{each.name: values[each.name] for each in self.parameters})


def command(path: str, *, examples: Sequence[str] = ()) -> Callable[[Command], Command]:
    """Declare a command: a function of an Invocation and its options that returns an exit status (None: 0)."""

    def declare(function: Command) -> Command:
        first, *slots = _slots(function)
        globals_ = _slot("global_options", Globals, inspect.Parameter.empty)

        def run(ctx: typer.Context, **values: Any) -> None:
            from opstool.cli.invocation import Invocation  # noqa: PLC0415 - brings the doors; help needs none of them

            frame: Frame = ctx.obj
            frame.options = frame.options.overridden_by(globals_.fill(values))
            with Invocation(frame) as invocation:
                status = function(**{first.name: invocation}, **{slot.name: slot.fill(values) for slot in slots})
            raise typer.Exit(status or 0)

        _pretend(run, [each for slot in (*slots, globals_) for each in slot.parameters])
        alone = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
        name, epilog = path.rpartition(" ")[2], "\n".join(examples) or None
        alone.command(name, cls=GroupedCommand, help=function.__doc__, epilog=epilog)(run)
        DECLARED[path] = typer.main.get_command(alone)
        return function

    return declare


def take_global_options(branch: typer.Typer, *, from_environment: bool = False) -> None:
    """Let a branch take the global options too; on a command line that ends with it, it says what it holds."""
    globals_ = _slot("global_options", Globals, inspect.Parameter.empty, from_environment=from_environment)

    def run(ctx: typer.Context, **values: Any) -> None:
        frame: Frame = ctx.obj
        frame.options = frame.options.overridden_by(globals_.fill(values))
        if ctx.invoked_subcommand is None:
            frame.no_command(ctx.get_help(), ctx.command_path)

    _pretend(run, globals_.parameters)
    branch.callback(invoke_without_command=True)(run)


def _pretend(run: Callable[..., None], parameters: Sequence[inspect.Parameter]) -> None:
    """Give the wrapper the signature that Typer is to read."""
    context = inspect.Parameter("ctx", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)
    flat = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in parameters]
    vars(run)["__signature__"] = inspect.Signature([context, *flat])
    run.__annotations__ = {each.name: each.annotation for each in (context, *flat)}


def _slots(function: Command) -> Iterator[_Slot]:
    hints = get_type_hints(function, include_extras=True)
    for name, parameter in inspect.signature(function).parameters.items():
        yield _slot(name, hints[name], parameter.default, from_environment=True)


def _slot(name: str, hint: Any, default: Any, *, from_environment: bool = False) -> _Slot:
    if isinstance(hint, type) and issubclass(hint, OptionGroup):
        from_environment = from_environment and hint.from_environment
        hints = get_type_hints(hint, include_extras=True)
        flat = [
            _parameter(each.name, hints[each.name], each.default, from_environment=from_environment)
            for each in fields(hint)
        ]
        return _Slot(name, hint, tuple(flat))
    return _Slot(name, None, (_parameter(name, hint, default, from_environment=from_environment),))


def _parameter(name: str, hint: Any, default: Any, *, from_environment: bool) -> inspect.Parameter:
    if from_environment and get_origin(hint) is Annotated:
        hint = _with_environment(hint)
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=hint, default=default)


def _with_environment(hint: Any) -> Any:
    """Return the annotation with the environment variable of its option: OPSTOOL_ and the option's name."""
    kind, *extras = get_args(hint)
    declared = []
    for each in extras:
        info = copy.copy(each)
        words = [getattr(info, "default", None), *(getattr(info, "param_decls", None) or ())]
        long = next((word for word in words if isinstance(word, str) and word.startswith("--")), None)
        if long and long not in _NEVER_FROM_ENVIRONMENT:
            info.envvar = "OPSTOOL_" + long.removeprefix("--").replace("-", "_").upper()
        declared.append(info)
    return Annotated[(kind, *declared)]
