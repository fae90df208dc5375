"""The template as CloudFormation would see it: translated from SAM, and resolved for the parameters of a test."""

import functools
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse

ROOT = Path(__file__).parents[2]
PSEUDO_PARAMETERS = {
    "AWS::AccountId": "123456789012",
    "AWS::Partition": "aws",
    "AWS::Region": "eu-west-1",
    "AWS::StackName": "orders",
}
ABSENT = object()  # what AWS::NoValue leaves

Stack = Callable[..., dict[str, Any]]


class NoManagedPolicies:
    """Give the translator no managed policies: the template names none, and looking them up would ask AWS."""

    def load(self) -> dict[str, str]:
        """Return no policies."""
        return {}


@functools.cache
def source_text() -> str:
    """Read the template as it is written."""
    return (ROOT / "template.yaml").read_text(encoding="utf-8")


@functools.cache
def translated_text() -> str:
    """Translate the template once, as JSON so that no test can change another's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_DEFAULT_REGION", PSEUDO_PARAMETERS["AWS::Region"])
        template = yaml_parse(source_text())
        # What `sam package` writes there, after it has uploaded the folder.
        template["Resources"]["ProcessorFunction"]["Properties"]["CodeUri"] = "s3://artifacts/consumer.zip"
        return json.dumps(transform(template, {}, NoManagedPolicies()))


class Deployment:
    """Resolves the intrinsic functions that the template uses, for one set of parameters."""

    def __init__(self, parameters: dict[str, str]) -> None:
        self.template: dict[str, Any] = json.loads(translated_text())
        defaults = {name: str(one["Default"]) for name, one in self.template["Parameters"].items()}
        assert parameters.keys() <= defaults.keys(), "the test names a parameter that the template does not have"
        self.values = PSEUDO_PARAMETERS | defaults | parameters

    def resolved(self) -> dict[str, Any]:
        """Return the resources and outputs with every function answered."""
        return {part: self.answer(self.template[part]) for part in ("Resources", "Outputs")}

    def answer(self, node: Any) -> Any:
        """Answer one node: a function by its method, a container by its members, anything else by itself."""
        if isinstance(node, list):
            return [value for value in map(self.answer, node) if value is not ABSENT]
        if not isinstance(node, dict):
            return node
        name, argument = next(iter(node.items()), ("", None))
        if name == "Ref" or name.startswith("Fn::"):
            return getattr(self, name.removeprefix("Fn::").lower())(argument)
        answered = {key: self.answer(value) for key, value in node.items()}
        return {key: value for key, value in answered.items() if value is not ABSENT}

    def ref(self, name: str) -> Any:
        """Answer a parameter by its value and a resource by a name that can be recognised."""
        return ABSENT if name == "AWS::NoValue" else self.values.get(name, f"ref:{name}")

    def getatt(self, path: list[str]) -> str:
        """Answer an attribute by a name that can be recognised."""
        return f"{path[0]}.{path[1]}"

    def sub(self, text: str) -> str:
        """Fill in the names of a text."""
        return re.sub(r"\$\{([^}]+)\}", lambda found: str(self.ref(found[1])), text)

    def findinmap(self, path: list[Any]) -> Any:
        """Look a value up."""
        name, first, second = map(self.answer, path)
        return self.template["Mappings"][name][first][second]

    def equals(self, sides: list[Any]) -> bool:
        """Compare two values."""
        left, right = map(self.answer, sides)
        return bool(left == right)

    def not_(self, condition: list[Any]) -> bool:
        """Negate a condition."""
        return not self.answer(condition[0])

    def if_(self, branches: list[Any]) -> Any:
        """Choose a branch."""
        condition, true, false = branches
        return self.answer(true if self.answer(self.template["Conditions"][condition]) else false)

    def __getattr__(self, name: str) -> Any:
        """Reach the functions whose names Python keeps for itself."""
        if name in {"if", "not"}:
            return getattr(self, f"{name}_")
        raise AttributeError(name)


@pytest.fixture(scope="session")
def source() -> dict[str, Any]:
    """Return the SAM template as it is written."""
    parsed: dict[str, Any] = yaml_parse(source_text())
    return parsed


@pytest.fixture(scope="session")
def translated() -> dict[str, Any]:
    """Return the CloudFormation template that SAM makes of it."""
    parsed: dict[str, Any] = json.loads(translated_text())
    return parsed


@pytest.fixture(scope="session")
def resources() -> Stack:
    """Return a function that gives the properties of each resource of a stack deployed with the given parameters."""

    def deploy(**parameters: str) -> dict[str, Any]:
        found = Deployment(parameters).resolved()["Resources"]
        return {name: resource.get("Properties", {}) for name, resource in found.items()}

    return deploy
