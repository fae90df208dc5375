"""Fit a CloudFormation template to what moto can create, and say what was left out."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from typing import Any

from opstool.local.beside import ALIAS, KINDS

PLACEHOLDER_CODE = "# the code runs from its folder\n"

# What an emulator on one machine has no use for; creating it would change nothing that a function or a queue does.
_WITHOUT_EFFECT = {
    "AWS::SQS::QueuePolicy": "queue policies are accepted and not enforced",
    "AWS::CloudWatch::Alarm": "alarms are not evaluated",
    "AWS::CloudWatch::CompositeAlarm": "alarms are not evaluated",
    "AWS::CloudWatch::Dashboard": "dashboards are not kept",
    "AWS::Lambda::Permission": "Lambda permissions are accepted and not enforced",
    "AWS::Lambda::EventInvokeConfig": "asynchronous invocation is not supported",
}
_UNSUPPORTED_PROPERTIES = {
    "Layers": "its layers are not loaded",
    "VpcConfig": "it runs on this machine, outside any VPC",
    "FileSystemConfigs": "its file systems are not mounted",
    "CodeSigningConfigArn": "its code signature is not checked",
    "SnapStart": "SnapStart is not emulated",
}


class Fitting:
    """One pass over a template; `fit` returns the fitted copy, the rest is what was learned on the way."""

    def __init__(self, template: dict[str, Any]) -> None:
        """Take a translated template; it is not changed."""
        self._template = copy.deepcopy(template)
        self._resources: dict[str, dict[str, Any]] = self._template["Resources"]
        for resource in self._resources.values():
            resource.setdefault("Properties", {})
        self.functions: dict[str, dict[str, Any]] = {}
        self.mappings: dict[str, dict[str, Any]] = {}
        self.beside: dict[str, dict[str, Any]] = {}
        """What is created through its own API once the stack is there, by logical id."""
        self.aliases: dict[str, str] = {}
        """Which alias a mapping names: its logical id, by that of the mapping."""
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        """Keep a sentence for the user, once."""
        if text not in self.notes:
            self.notes.append(text)

    def fit(self) -> dict[str, Any]:
        """Return a template that moto creates whole."""
        self._follow_aliases()
        for logical_id, resource in self._resources.items():
            if resource["Type"] == "AWS::Lambda::Function":
                self._fit_function(logical_id, resource)
        self._drop_unsupported()
        self.mappings = {
            logical_id: copy.deepcopy(resource["Properties"])
            for logical_id, resource in self._resources.items()
            if resource["Type"] == "AWS::Lambda::EventSourceMapping"
        }
        return self._template

    def _follow_aliases(self) -> None:
        """Let what refers to an alias or version refer to its function: there is one version here."""
        functions = {}
        for logical_id, resource in list(self._resources.items()):
            if resource["Type"] in (ALIAS, "AWS::Lambda::Version"):
                functions[logical_id] = resource["Properties"]["FunctionName"]
                del self._resources[logical_id]
                self.note("versions and aliases stand for the function itself")
            if resource["Type"] == ALIAS:
                named = {name: resource["Properties"][name] for name in ("FunctionName", "Name")}
                self.beside[logical_id] = {**resource, "Properties": named}
        if functions:
            self.aliases = {mapping: alias for mapping, alias in self._named_functions() if alias in self.beside}
            for section in ("Resources", "Outputs"):
                self._template[section] = _replace_references(self._template.get(section, {}), functions)
            self._resources = self._template["Resources"]

    def _named_functions(self) -> Iterator[tuple[str, str]]:
        """Yield each mapping with what it refers to as its function."""
        for logical_id, resource in self._resources.items():
            if resource["Type"] == "AWS::Lambda::EventSourceMapping":
                named = resource["Properties"].get("FunctionName")
                yield logical_id, str(named.get("Ref", "")) if isinstance(named, dict) else ""

    def _fit_function(self, logical_id: str, resource: dict[str, Any]) -> None:
        properties = resource["Properties"]
        self.functions[logical_id] = copy.deepcopy(resource)
        for name, meaning in _UNSUPPORTED_PROPERTIES.items():
            if properties.pop(name, None):
                self.note(f"{logical_id}: {meaning}")
        if properties.get("PackageType") == "Image":
            for name in ("PackageType", "ImageConfig"):
                properties.pop(name, None)
            properties.update(Handler="image.handler", Runtime="provided.al2023")
        properties["Code"] = {"ZipFile": PLACEHOLDER_CODE}

    def _drop_unsupported(self) -> None:
        from opstool.local.corrections import import_cloudformation  # noqa: PLC0415 one second, when deploying

        import_cloudformation()
        from moto.cloudformation.parsing import NULL_MODELS, get_model_map  # noqa: PLC0415 as above

        known = {*get_model_map(), *NULL_MODELS}
        dropped: dict[str, Any] = {}
        for logical_id, resource in list(self._resources.items()):
            kind = resource["Type"]
            if kind in _WITHOUT_EFFECT:
                self.note(_WITHOUT_EFFECT[kind])
            elif kind not in known or kind == "AWS::CloudFormation::CustomResource":
                self.note(f"{logical_id}: resources of type {kind} are not created")
            else:
                continue
            dropped[logical_id] = f"not-in-the-embedded-aws-{logical_id}"
            if kind in KINDS:
                self.beside[logical_id] = resource
            del self._resources[logical_id]
        self.beside = _replace_references(self.beside, dropped)
        for section in ("Resources", "Outputs"):
            self._template[section] = _replace_references(self._template.get(section) or {}, dropped)
        self._resources = self._template["Resources"]
        for resource in self._resources.values():
            _forget_dependencies(resource, dropped)


def _forget_dependencies(resource: dict[str, Any], dropped: dict[str, Any]) -> None:
    wanted = resource.get("DependsOn", [])
    left = [name for name in ([wanted] if isinstance(wanted, str) else wanted) if name not in dropped]
    if left:
        resource["DependsOn"] = left
    else:
        resource.pop("DependsOn", None)


def _replace_references(node: Any, targets: dict[str, Any]) -> Any:
    """Return `node` with each Ref, GetAtt and Sub of a target replaced by what stands for it."""
    if isinstance(node, list):
        return [_replace_references(one, targets) for one in node]
    if not isinstance(node, dict):
        return node
    if len(node) == 1:
        ((name, value),) = node.items()
        if name == "Ref" and value in targets:
            return copy.deepcopy(targets[value])
        if name == "Fn::GetAtt":
            parts = value.split(".", 1) if isinstance(value, str) else value
            if parts[0] in targets:
                return _attribute_of(targets[parts[0]], parts[1])
        if name == "Fn::Sub":
            return {name: _replace_in_sub(value, targets)}
    return {name: _replace_references(value, targets) for name, value in node.items()}


def _attribute_of(target: Any, attribute: Any) -> Any:
    if isinstance(target, dict) and "Ref" in target:
        return {"Fn::GetAtt": [target["Ref"], attribute]}
    return copy.deepcopy(target)


def _replace_in_sub(value: Any, targets: dict[str, Any]) -> Any:
    text, names = (value, None) if isinstance(value, str) else value

    def put(found: re.Match[str]) -> str:
        target = targets.get(found["id"])
        if target is None:
            return found[0]
        return f"${{{target['Ref']}{found['rest']}}}" if isinstance(target, dict) else str(target)

    text = re.sub(r"\$\{(?P<id>\w+)(?P<rest>\.[\w.]+)?\}", put, text)
    return text if names is None else [text, _replace_references(names, targets)]
