"""A SAM template on its way to the emulator: read, translated to CloudFormation in this process, and fitted to moto.

Nothing is fetched: managed policies come from the list that samtranslator brings, code stays where it is. What the
emulator cannot do is taken out, and said in `notes`; what the template refers to by it gets a text in its place.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from opstool.local.client import ClientSettings, isolated_session
from opstool.local.fitting import Fitting
from opstool.words.errors import NotFoundError, UsageError

SAM_TRANSFORM = "AWS::Serverless-2016-10-31"
_LOCAL_CODE = {
    "AWS::Serverless::Function": ("CodeUri",),
    "AWS::Serverless::LayerVersion": ("ContentUri",),
    "AWS::Serverless::Api": ("DefinitionUri",),
    "AWS::Serverless::HttpApi": ("DefinitionUri",),
    "AWS::Serverless::StateMachine": ("DefinitionUri",),
}


@dataclass(frozen=True, kw_only=True)
class Code:
    """Where a function's code is: a directory of this machine, or text in the template, or neither."""

    directory: Path | None = None
    inline: str | None = None


@dataclass(frozen=True, kw_only=True)
class Translated:
    """A template that moto's CloudFormation can create, and what it takes to run its functions."""

    template: dict[str, Any]
    functions: dict[str, dict[str, Any]]
    """The properties of each AWS::Lambda::Function before they were fitted, by logical id."""
    mappings: dict[str, dict[str, Any]]
    """The properties of each AWS::Lambda::EventSourceMapping, by logical id."""
    beside: dict[str, dict[str, Any]]
    """The alarms, queue policies and aliases, by logical id: they are created beside the stack."""
    aliases: dict[str, str]
    """The logical id of the alias that a mapping names, by that of the mapping."""
    code: dict[str, Code]
    parameters: dict[str, str]
    notes: tuple[str, ...]


def translate(path: Path, *, parameters: Mapping[str, str], settings: ClientSettings) -> Translated:
    """Read the template at `path` and make it ready for `settings`' emulator."""
    source = _read(path)
    _check_parameters(source, parameters)
    code = _take_code_away(source, path.parent)
    transforms = source.get("Transform", [])
    transforms = [transforms] if isinstance(transforms, str) else transforms
    cloudformation = _run_sam(source, parameters, settings) if SAM_TRANSFORM in transforms else source
    fitting = Fitting(cloudformation)
    for other in transforms:
        if other != SAM_TRANSFORM:
            fitting.note(f"the transform {other} is not run")
    cloudformation.pop("Transform", None)
    fitted = fitting.fit()
    return Translated(
        template=fitted,
        functions=fitting.functions,
        mappings=fitting.mappings,
        beside=fitting.beside,
        aliases=fitting.aliases,
        code=code,
        parameters=dict(parameters),
        notes=tuple(fitting.notes),
    )


def _read(path: Path) -> dict[str, Any]:
    import yaml  # noqa: PLC0415 comes with samtranslator
    from samtranslator.yaml_helper import yaml_parse  # type: ignore[import-untyped] # noqa: PLC0415

    try:
        source = yaml_parse(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise NotFoundError(f"cannot read the template `{path}`: {error.strerror}", hint="give --template") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UsageError(f"the template `{path}` is not YAML: {error}") from error
    if not isinstance(source, dict) or not isinstance(source.get("Resources"), dict):
        raise UsageError(f"the template `{path}` has no Resources")
    return source


def _check_parameters(source: dict[str, Any], given: Mapping[str, str]) -> None:
    """Refuse what CloudFormation would refuse and moto would not."""
    declared = source.get("Parameters") or {}
    for name, value in given.items():
        if name not in declared:
            raise UsageError(
                f"the template has no parameter `{name}`", hint="it has " + (", ".join(declared) or "none")
            )
        allowed = declared[name].get("AllowedValues")
        if allowed and value not in [str(one) for one in allowed]:
            raise UsageError(
                f"the parameter `{name}` cannot be `{value}`",
                hint="it can be " + ", ".join(str(one) for one in allowed),
            )
    missing = [name for name, spec in declared.items() if "Default" not in spec and name not in given]
    if missing:
        raise UsageError(f"the template wants a value for {', '.join(missing)}")


def _take_code_away(source: dict[str, Any], folder: Path) -> dict[str, Code]:
    """Put a made-up S3 address where a local path stands, as `sam package` would, and remember the path."""
    everywhere = ((source.get("Globals") or {}).get("Function") or {}).pop("CodeUri", None)
    found: dict[str, Code] = {}
    for logical_id, resource in source["Resources"].items():
        kind, properties = resource.get("Type"), resource.setdefault("Properties", {})
        if kind == "AWS::Serverless::Function" and "InlineCode" not in properties:
            properties.setdefault("CodeUri", everywhere or ".")
        for name in _LOCAL_CODE.get(kind, ()):
            if name in properties:
                found[logical_id] = _code(properties[name], folder)
                properties[name] = f"s3://local/{logical_id}"
        if kind == "AWS::Lambda::Function":
            found[logical_id] = _code(properties.get("Code"), folder)
            properties["Code"] = {"ZipFile": properties["Code"]["ZipFile"]} if found[logical_id].inline else {}
        elif "InlineCode" in properties:
            found[logical_id] = Code(inline=properties["InlineCode"])
    return found


def _code(value: Any, folder: Path) -> Code:
    if isinstance(value, str) and not value.startswith(("s3://", "https://", "http://")):
        return Code(directory=(folder / value).resolve())
    if isinstance(value, dict) and isinstance(value.get("ZipFile"), str):
        return Code(inline=value["ZipFile"])
    return Code()


def _run_sam(source: dict[str, Any], parameters: Mapping[str, str], settings: ClientSettings) -> dict[str, Any]:
    from samtranslator.internal.managed_policies import get_bundled_managed_policy_map  # type: ignore[import-untyped] # noqa: PLC0415
    from samtranslator.model.exceptions import InvalidDocumentException  # type: ignore[import-untyped] # noqa: PLC0415
    from samtranslator.parser.parser import Parser  # type: ignore[import-untyped] # noqa: PLC0415
    from samtranslator.translator.translator import Translator  # type: ignore[import-untyped] # noqa: PLC0415

    policies = get_bundled_managed_policy_map("aws") or {}
    translator = Translator(policies, Parser(), boto_session=isolated_session(settings))
    try:
        translated: dict[str, Any] = translator.translate(source, dict(parameters))
    except InvalidDocumentException as error:
        causes = "; ".join(str(cause.message) for cause in error.causes) or str(error)
        raise UsageError(f"the template is not valid SAM: {causes}", hint="sam validate --lint") from error
    return translated
