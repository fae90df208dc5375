"""The door to samconfig.toml: what `sam deploy` would take for granted in a folder, read the same way."""

from __future__ import annotations

import shlex
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from opstool.words.errors import UsageError

LOCAL = "local"
"""The environment of the embedded AWS, as in `sam deploy --config-env local`."""


def stack_name_from(samconfig: Path) -> str | None:
    """Return the stack name of the default environment; None when there is no file, or none in it."""
    name = _parameter(samconfig, "default", "stack_name")
    return None if name is None else str(name)


def local_parameters(samconfig: Path) -> dict[str, str]:
    """Return the parameter overrides of the environment `local`: what makes a stack quick to try on this machine."""
    overrides = _parameter(samconfig, LOCAL, "parameter_overrides") or []
    words = shlex.split(overrides) if isinstance(overrides, str) else [str(each) for each in overrides]
    pairs = [word.partition("=") for word in words]
    if not all(name and equals for name, equals, _ in pairs):
        raise UsageError(
            f"`parameter_overrides` of the environment `{LOCAL}` in `{samconfig.name}` is not a list of KEY=VALUE",
            code="invalid_samconfig",
        )
    return {name: value for name, _, value in pairs}


def _parameter(samconfig: Path, environment: str, name: str) -> Any:
    """Return a parameter of `sam deploy` in an environment: its own, else the global one; None when it has neither."""
    settings = _read(samconfig).get(environment, {})
    for command in ("deploy", "global"):
        parameters = settings.get(command, {}).get("parameters", {})
        if name in parameters:
            return parameters[name]
    return None


def _read(samconfig: Path) -> Mapping[str, Any]:
    if not samconfig.is_file():
        return {}
    try:
        return tomllib.loads(samconfig.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"`{samconfig.name}` cannot be read: {error}", code="invalid_samconfig") from error
