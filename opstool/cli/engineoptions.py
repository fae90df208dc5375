"""The options that choose who moves the messages of a redrive: this program, or a move task of SQS."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Annotated, Any, ClassVar, get_args, get_type_hints

import typer

from opstool.cli.globals import OptionGroup
from opstool.engine.native.preflight import NEEDS_CLIENT_ENGINE
from opstool.verbs import native
from opstool.words.errors import RefusedError, UsageError

PANEL = "Engine"
_NO_FILTER = "SQS's own move task takes everything, and has no filter"
_REASONS: Mapping[str, str] = {
    "--limit": "SQS's own move task takes everything, and cannot be told how many",
    "--canary": "SQS's own move task cannot send a few first, and does not know what comes back",
    "--canary-wait": "SQS's own move task cannot send a few first, and does not know what comes back",
    "--stop-on-returned": "what comes back during SQS's own move task is not recognised",
    "--wait": "the new ids of what SQS's own move task sends are not known, so nothing can be followed",
    "--transform": "SQS's own move task changes no body",
    "--set": "SQS's own move task changes no body",
    "--uncertain": "SQS's own move task knows nothing of earlier sends",
    "--include-poison": "SQS's own move task does not know what has come back before",
    "--only-poison": "SQS's own move task does not know what has come back before",
    "--poison-after": "SQS's own move task does not know what has come back before",
    "--to-profile": "SQS's own move task stays in one account and region",
    "--to-region": "SQS's own move task stays in one account and region",
    "--to-endpoint-url": "SQS's own move task stays in one account and region",
    "--confirm": "SQS's own move task stays in one account and region",
    "--not-a-dlq": "SQS's own move task takes dead-letter queues of SQS queues only",
}
"""Why an option needs the client engine; of one that is not here, because it selects."""


class Engine(StrEnum):
    """Who moves the messages."""

    CLIENT = "client"
    NATIVE = "native"


@dataclass(frozen=True, kw_only=True)
class EngineOptions(OptionGroup):
    """The options as they were typed: the native engine is never chosen by something in the environment."""

    from_environment: ClassVar[bool] = False

    engine: Annotated[
        Engine,
        typer.Option(
            "--engine",
            metavar="client|native",
            show_default=False,
            help="Who sends: this program (client), or a move task of SQS, which promises less.",
            rich_help_panel=PANEL,
        ),
    ] = Engine.CLIENT
    detach: Annotated[
        bool,
        typer.Option(
            "--detach", help="Leave the move task to SQS; `dlq move-tasks` comes back.", rich_help_panel=PANEL
        ),
    ] = False

    @property
    def is_native(self) -> bool:
        """Tell whether SQS is to move the messages."""
        return self.engine is Engine.NATIVE

    def check(self, queue: str | None, rate: float | None, given: Sequence[str], *, to: str | None = None) -> None:
        """Raise RefusedError where the words in `given` need the client engine; UsageError for a rate or --detach.

        `given` are the options that were given beside this group, as `given_words` returns them.
        """
        if not self.is_native:
            if self.detach:
                raise UsageError("`--detach` needs `--engine native`", hint="--engine native --detach")
            return
        if given:
            option = given[0]
            target = [] if to is None else ["--to", to]
            words = ["opstool", "dlq", "redrive", *([queue] if queue else []), *target, *given]
            raise RefusedError(
                f"`{option}` needs the client engine: {_REASONS.get(option, _NO_FILTER)}",
                code=NEEDS_CLIENT_ENGINE,
                hint=shlex.join(words),
            )
        native.check_rate(rate)


def given_words(*groups: OptionGroup, **flat: Any) -> list[str]:
    """Return the options that differ from their defaults, as they are typed: those of groups, then flat ones by name.

    A flat one is given when it is neither None nor False.
    """
    words = [word for group in groups for word in _of_group(group)]
    for name, value in flat.items():
        words += _typed(f"--{name.replace('_', '-')}", value)
    return words


def _of_group(group: OptionGroup) -> Iterator[str]:
    hints = get_type_hints(type(group), include_extras=True)
    for field in fields(group):
        value = getattr(group, field.name)
        if value != field.default:
            info = next(each for each in get_args(hints[field.name])[1:] if hasattr(each, "param_decls"))
            declared = [info.default, *(info.param_decls or ())]
            yield from _typed(next(str(each) for each in declared if str(each).startswith("--")), value)


def _typed(option: str, value: Any) -> Iterator[str]:
    if value is None or value is False:
        return
    if value is True:
        yield option
        return
    for each in value if isinstance(value, list) else [value]:
        yield from (option, str(each))
