"""What moto's CloudFormation leaves out and its APIs have: alarms, queue policies and aliases, made beside the stack.

So whoever describes them finds what a deployment to AWS would have made of the template. None of it does anything here.
"""

from __future__ import annotations

import json
import secrets
import string
from collections.abc import Callable, Mapping
from typing import Any

from botocore.exceptions import ClientError, ParamValidationError

from opstool.local.client import ClientSettings

ALARM = "AWS::CloudWatch::Alarm"
QUEUE_POLICY = "AWS::SQS::QueuePolicy"
ALIAS = "AWS::Lambda::Alias"
KINDS = frozenset({ALARM, QUEUE_POLICY, ALIAS})

_INTEGERS = frozenset({"Period", "EvaluationPeriods", "DatapointsToAlarm"})
_FLAGS = frozenset({"ReturnData", "ActionsEnabled"})


class Beside:
    """The creator of what stands beside one stack."""

    def __init__(
        self, settings: ClientSettings, stack_name: str, *, resources: Any, resolve: Callable[[Any], Any]
    ) -> None:
        """Take the created stack's resource map, and what puts values in the place of references."""
        self._settings = settings
        self._stack_name = stack_name
        self._resources = resources
        self._resolve = resolve
        self.notes: list[str] = []

    def create(self, wanted: Mapping[str, dict[str, Any]]) -> None:
        """Create the resources, by logical id; what is refused is a note, for the stack works without it."""
        makers = {ALARM: self._alarm, QUEUE_POLICY: self._queue_policy, ALIAS: self._alias}
        for logical_id, resource in wanted.items():
            condition = resource.get("Condition")
            if condition and not self._resources.lazy_condition_map[condition]:
                continue
            properties = _without_gaps(self._resolve(resource["Properties"]))
            try:
                makers[resource["Type"]](logical_id, properties)
            except (ClientError, ParamValidationError, KeyError, ValueError) as error:
                self.notes.append(f"{logical_id}: the emulator refused it ({type(error).__name__})")

    def _alarm(self, logical_id: str, properties: dict[str, Any]) -> None:
        """Put an alarm, under a name such as CloudFormation makes up."""
        suffix = "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(12))
        name = properties.pop("AlarmName", f"{self._stack_name}-{logical_id}-{suffix}")
        request = {"ActionsEnabled": True, **_typed(properties)}
        if "Threshold" in request:
            request["Threshold"] = float(request["Threshold"])
        self._settings.client("cloudwatch").put_metric_alarm(AlarmName=name, **request)

    def _queue_policy(self, _: str, properties: dict[str, Any]) -> None:
        document = properties["PolicyDocument"]
        policy = document if isinstance(document, str) else json.dumps(document)
        for url in properties["Queues"]:
            self._settings.client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})

    def _alias(self, _: str, properties: dict[str, Any]) -> None:
        """Publish the function and let the alias name what was published; its mappings then name the alias."""
        client = self._settings.client("lambda")
        function = properties["FunctionName"]
        version = client.publish_version(FunctionName=function)["Version"]
        client.create_alias(FunctionName=function, Name=properties["Name"], FunctionVersion=version)


def _typed(node: Any) -> Any:
    """Return numbers as numbers: a parameter or a mapping of the template may have given them as texts."""
    if isinstance(node, list):
        return [_typed(each) for each in node]
    if not isinstance(node, dict):
        return node
    found = {name: _typed(value) for name, value in node.items()}
    found.update({name: int(found[name]) for name in _INTEGERS & found.keys()})
    found.update({name: str(found[name]).lower() == "true" for name in _FLAGS & found.keys()})
    return found


def _without_gaps(node: Any) -> Any:
    """Return a structure without what AWS::NoValue took out of it."""
    if isinstance(node, list):
        return [_without_gaps(each) for each in node if each is not None]
    if isinstance(node, dict):
        return {name: _without_gaps(value) for name, value in node.items() if value is not None}
    return node
