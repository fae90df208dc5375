"""Lambda's functions and event source mappings as its API describes them, where moto 5.2.5 describes them otherwise.

A mapping's state is that of the pollers that serve it: Disabled only when all of them rest.
https://docs.aws.amazon.com/lambda/latest/api/API_EventSourceMappingConfiguration.html
"""

from __future__ import annotations

from typing import Any, Protocol
from weakref import WeakValueDictionary

from moto.awslambda.models import EventSourceMapping, LambdaBackend, LambdaFunction

_NUMBERS = ("BatchSize", "MaximumBatchingWindowInSeconds")


class Pollers(Protocol):
    """What serves a mapping."""

    def all_rest(self) -> bool:
        """Tell whether none of them has a batch, or would take one."""


_serving: WeakValueDictionary[str, Pollers] = WeakValueDictionary()
"""Who serves a mapping, by its UUID; one that nobody serves has no batch to wait for."""


def serve(uuid: str, pollers: Pollers) -> None:
    """Let the state of a mapping follow its pollers."""
    _serving[uuid] = pollers


def is_enabled(mapping: Any) -> bool:
    """Tell whether a mapping is to hand messages out; CloudFormation may have given a text."""
    return str(mapping.enabled).lower() == "true"


def install() -> None:
    """Put these descriptions in moto's place."""
    _keep_logging_config()
    _describe_mappings()


def _keep_logging_config() -> None:
    make, describe = LambdaFunction.__init__, LambdaFunction.get_configuration
    create = LambdaFunction.create_from_cloudformation_json

    def make_with_logging(self: Any, account_id: str, spec: dict[str, Any], *args: Any, **kwargs: Any) -> None:
        make(self, account_id, spec, *args, **kwargs)
        self.logging_config = spec.get("LoggingConfig")

    def create_whole(_: Any, name: str, description: Any, *args: Any, **kwargs: Any) -> Any:
        function: Any = create(name, description, *args, **kwargs)
        properties = description["Properties"]
        function.logging_config = properties.get("LoggingConfig")
        function.kms_key_arn = properties.get("KmsKeyArn")
        function.architectures = properties.get("Architectures") or ["x86_64"]
        return function

    def describe_logging(self: Any, *args: Any, **kwargs: Any) -> dict[str, Any]:
        return {**describe(self, *args, **kwargs), "LoggingConfig": _logging(self)}

    LambdaFunction.__init__ = make_with_logging  # type: ignore[method-assign]
    LambdaFunction.create_from_cloudformation_json = classmethod(create_whole)  # type: ignore[assignment]
    LambdaFunction.get_configuration = describe_logging  # type: ignore[method-assign]


def _logging(function: Any) -> dict[str, Any]:
    """Return a function's logging with Lambda's defaults; levels are there with the JSON format only."""
    wanted = function.logging_config or {}
    levels = {"ApplicationLogLevel": "INFO", "SystemLogLevel": "INFO"} if wanted.get("LogFormat") == "JSON" else {}
    return {"LogFormat": "Text", **levels, "LogGroup": f"/aws/lambda/{function.function_name}", **wanted}


def _describe_mappings() -> None:
    describe, every = EventSourceMapping.get_configuration, LambdaBackend.list_event_source_mappings

    def describe_served(self: Any) -> dict[str, Any]:
        found = {"MaximumBatchingWindowInSeconds": 0, "FunctionResponseTypes": [], **describe(self)}
        for name in _NUMBERS:
            found[name] = int(found[name])
        if scaling := found.get("ScalingConfig"):
            found["ScalingConfig"] = {name: int(number) for name, number in scaling.items()}
        return {**found, "State": _state(self), "StateTransitionReason": "USER_INITIATED"}

    def list_by_name(self: Any, event_source_arn: str, function_name: str) -> Any:
        mappings = every(self, event_source_arn, "")
        return [each for each in mappings if not function_name or _name(function_name) == _name(each.function_arn)]

    EventSourceMapping.get_configuration = describe_served  # type: ignore[method-assign]
    LambdaBackend.list_event_source_mappings = list_by_name  # type: ignore[method-assign]


def _name(function: str) -> str:
    """Return the name in a name, a partial ARN or an ARN, with an alias or without."""
    parts = function.split(":")
    if "function" in parts:
        return parts[parts.index("function") + 1]
    return parts[0]


def _state(mapping: Any) -> str:
    pollers = _serving.get(mapping.uuid)
    rests = pollers.all_rest() if pollers else not is_enabled(mapping)
    if is_enabled(mapping):
        return "Enabling" if rests else "Enabled"
    return "Disabled" if rests else "Disabling"
