"""The door to the deployed stack: its outputs, from CloudFormation."""

from __future__ import annotations

from collections.abc import Mapping

from opstool.doors.ask import Ask
from opstool.words.errors import NotFoundError, ServiceError, UsageError

DLQ_OUTPUT = "ProcessingDLQARN"
SOURCE_OUTPUT = "ProcessingQueueARN"
LOG_GROUP_OUTPUT = "ProcessorLogGroupName"


class Stack:
    """A CloudFormation stack, asked once."""

    def __init__(self, ask: Ask, name: str | None) -> None:
        self.name = name
        self._ask = ask
        self._outputs: Mapping[str, str] | None = None

    @property
    def is_known(self) -> bool:
        """Tell whether it has answered, so that `outputs` takes no time."""
        return self._outputs is not None

    def outputs(self) -> Mapping[str, str]:
        """Return the outputs by name; raise NotFoundError when there is no such stack."""
        if self._outputs is None:
            self._outputs = self._describe()
        return self._outputs

    def _describe(self) -> Mapping[str, str]:
        if self.name is None:
            raise UsageError(
                "no queue was named, and there is no stack to take one from",
                code="no_queue",
                hint="name a queue, or set OPSTOOL_QUEUE, or add --stack-name",
            )
        try:
            stacks = self._ask("cloudformation", "DescribeStacks", {"StackName": self.name})["Stacks"]
        except ServiceError as error:
            if "does not exist" not in error.message:
                raise
            raise NotFoundError(
                f'stack "{self.name}" does not exist here',
                code="stack_not_found",
                hint="name a queue, or add --stack-name, --region or --profile",
            ) from error
        return {each["OutputKey"]: each["OutputValue"] for each in stacks[0].get("Outputs", [])}

    def output(self, name: str) -> str:
        """Return one output; raise NotFoundError when the stack has none of that name."""
        value = self.outputs().get(name)
        if value is None:
            raise NotFoundError(
                f'stack "{self.name}" has no output `{name}`',
                code="output_not_found",
                hint="opstool dlq queues lists the queues to name",
            )
        return value
