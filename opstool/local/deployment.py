"""The stack: created through the emulator's CloudFormation, then read back as what runs.

Values that the template computes (names, ARNs, timeouts, environment) are CloudFormation's to know, so they are asked
of the stack's own resource map. That is in this process and moto's; nothing is guessed from the template's text.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from opstool.local.beside import Beside
from opstool.local.client import ACCOUNT_ID, ClientSettings
from opstool.local.function_backend import is_enabled
from opstool.local.function_config import FunctionConfig, function_config
from opstool.local.mapping_config import MappingConfig, mapping_config
from opstool.local.template import Code, Translated
from opstool.words.errors import OpstoolError, UsageError


@dataclass(frozen=True, kw_only=True)
class Feed:
    """A mapping that can be served: its settings, its function, and whether it is enabled right now."""

    config: MappingConfig
    function: FunctionConfig
    is_enabled: Callable[[], bool]


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """A created stack."""

    outputs: dict[str, str]
    functions: tuple[FunctionConfig, ...]
    feeds: tuple[Feed, ...]
    notes: tuple[str, ...]


def deploy(translated: Translated, *, stack_name: str, settings: ClientSettings, inline_folder: Path) -> Deployment:
    """Create the stack and return what of it runs here; `inline_folder` takes the code that stands in the template."""
    outputs = _create(translated, stack_name, settings)
    return _Reading(translated, stack_name, settings, inline_folder).read(outputs)


def _create(translated: Translated, stack_name: str, settings: ClientSettings) -> dict[str, str]:
    cloudformation = settings.client("cloudformation")
    try:
        cloudformation.create_stack(
            StackName=stack_name,
            TemplateBody=json.dumps(translated.template),
            Parameters=[
                {"ParameterKey": name, "ParameterValue": value} for name, value in translated.parameters.items()
            ],
            Capabilities=["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"],
        )
        stack = cloudformation.describe_stacks(StackName=stack_name)["Stacks"][0]
    except ClientError as error:
        text = error.response["Error"]["Message"]
        # A page of HTML is moto's own fault: the template has what it does not expect.
        shown = "the emulator cannot create this template" if "<html" in text.lower() else text
        raise OpstoolError(f"the stack `{stack_name}` was not created: {shown}", code="deploy_failed") from error
    if stack["StackStatus"] != "CREATE_COMPLETE":
        raise OpstoolError(f"the stack `{stack_name}` is {stack['StackStatus']}", code="deploy_failed")
    return {output["OutputKey"]: str(output["OutputValue"]) for output in stack.get("Outputs", [])}


class _Reading:
    """What the created stack says about its functions and mappings."""

    def __init__(self, translated: Translated, stack_name: str, settings: ClientSettings, inline_folder: Path) -> None:
        from moto.awslambda.models import lambda_backends  # noqa: PLC0415 loaded with CloudFormation
        from moto.cloudformation.models import cloudformation_backends  # noqa: PLC0415

        self._translated = translated
        self._stack_name = stack_name
        self._settings = settings
        self._inline_folder = inline_folder
        self._resources: Any = cloudformation_backends[ACCOUNT_ID][settings.region].get_stack(stack_name).resource_map
        self._lambda: Any = lambda_backends[ACCOUNT_ID][settings.region]
        self._notes: list[str] = list(translated.notes)

    def read(self, outputs: dict[str, str]) -> Deployment:
        self._create_beside()
        functions = {}
        for logical_id, resource in self._translated.functions.items():
            if found := self._function(logical_id, resource):
                functions[found.name] = found
        feeds = [self._feed(logical_id, functions) for logical_id in self._translated.mappings]
        return Deployment(
            outputs=outputs,
            functions=tuple(functions.values()),
            feeds=tuple(feed for feed in feeds if feed),
            notes=tuple(self._notes),
        )

    def _create_beside(self) -> None:
        beside = Beside(self._settings, self._stack_name, resources=self._resources, resolve=self._resolve)
        beside.create(self._translated.beside)
        self._notes += beside.notes
        for logical_id, alias in self._translated.aliases.items():
            if mapping := self._resources[logical_id]:
                name = self._resolve(self._translated.beside[alias]["Properties"]["Name"])
                mapping.function_arn = f"{mapping.function_arn}:{name}"

    def _resolve(self, node: Any) -> Any:
        from moto.cloudformation.parsing import clean_json  # noqa: PLC0415

        return clean_json(node, self._resources)

    def _function(self, logical_id: str, resource: dict[str, Any]) -> FunctionConfig | None:
        created: Any = self._resources[logical_id]
        if created is None:  # its condition is false
            return None
        properties = self._resolve(resource["Properties"])
        runtime = str(properties.get("Runtime", ""))
        if properties.get("PackageType") == "Image":
            self._note(f"{logical_id}: container images are not run")
            return None
        if not runtime.startswith("python"):
            self._note(f"{logical_id}: functions of the runtime {runtime} are not run, only Python's")
            return None
        directory = self._directory(logical_id)
        if directory is None:
            self._note(f"{logical_id}: its code is not in a folder of this machine")
            return None
        self._note_interpreter(logical_id, runtime, properties.get("Architectures") or ["x86_64"])
        return function_config(
            logical_id, properties, name=created.function_name, arn=created.function_arn, directory=directory
        )

    def _directory(self, logical_id: str) -> Path | None:
        code = self._translated.code.get(logical_id, Code())
        if code.inline is not None:
            folder = self._inline_folder / logical_id
            folder.mkdir(parents=True)
            (folder / "index.py").write_text(code.inline, encoding="utf-8")
            return folder
        if code.directory and not code.directory.is_dir():
            raise UsageError(f"the code of `{logical_id}` is not a folder: `{code.directory}`")
        return code.directory

    def _note_interpreter(self, logical_id: str, runtime: str, architectures: list[str]) -> None:
        here = f"python{sys.version_info.major}.{sys.version_info.minor}"
        wanted = f"{runtime} on {architectures[0]}"
        if here != runtime:
            self._note(f"{logical_id}: wants {wanted}, is run by {here} of this machine")

    def _feed(self, logical_id: str, functions: dict[str, FunctionConfig]) -> Feed | None:
        created: Any = self._resources[logical_id]
        if created is None:
            return None
        function = functions.get(created.function_arn.split(":")[6])
        if function is None:
            self._note(f"{logical_id}: its function is not run here, so nothing polls its queue")
            return None
        queue_arn = str(created.event_source_arn)
        if ":sqs:" not in queue_arn:
            self._note(f"{logical_id}: only queues are polled, not {queue_arn.split(':')[2]} streams")
            return None
        properties = self._resolve(self._translated.mappings[logical_id])
        if properties.get("ProvisionedPollerConfig"):
            self._note(f"{logical_id}: provisioned pollers are not emulated")
        return Feed(
            config=mapping_config(
                properties,
                uuid=created.uuid,
                queue_arn=queue_arn,
                queue_url=self._queue_url(queue_arn, function),
                reserved_concurrency=function.reserved_concurrency,
            ),
            function=function,
            is_enabled=lambda: self._is_enabled(created.uuid),
        )

    def _queue_url(self, queue_arn: str, function: FunctionConfig) -> str:
        sqs = self._settings.client("sqs")
        url = str(sqs.get_queue_url(QueueName=queue_arn.rsplit(":", 1)[1])["QueueUrl"])
        wanted = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["VisibilityTimeout"])
        visibility_s = int(wanted["Attributes"]["VisibilityTimeout"])
        if visibility_s < function.timeout_s:
            raise UsageError(
                f"Lambda refuses this mapping: the queue's visibility timeout of {visibility_s} s is less than the "
                f"timeout of {function.logical_id}, {function.timeout_s:g} s",
                code="invalid_mapping",
            )
        return url

    def _is_enabled(self, uuid: str) -> bool:
        mapping = self._lambda.get_event_source_mapping(uuid)
        return mapping is not None and is_enabled(mapping)

    def _note(self, note: str) -> None:
        self._notes.append(note)
