from __future__ import annotations

from typing import Any

import pytest

from opstool.doors.stack import Stack
from opstool.words.errors import NotFoundError, ServiceError, UsageError


def answering(*outputs: tuple[str, str]) -> tuple[Stack, list[str]]:
    """Return a stack with these outputs, and what is asked of AWS."""
    asked: list[str] = []

    def ask(service: str, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        asked.append(f"{service}.{operation} {request['StackName']}")
        return {"Stacks": [{"Outputs": [{"OutputKey": key, "OutputValue": value} for key, value in outputs]}]}

    return Stack(ask, "processor"), asked


def test_a_stack_is_asked_once() -> None:
    """However many outputs are wanted."""
    stack, asked = answering(("A", "1"), ("B", "2"))
    assert (stack.output("A"), stack.output("B"), dict(stack.outputs())) == ("1", "2", {"A": "1", "B": "2"})
    assert asked == ["cloudformation.DescribeStacks processor"]


def test_an_output_that_is_not_there_is_named() -> None:
    """Another stack than ours, perhaps."""
    with pytest.raises(NotFoundError, match="no output `C`") as caught:
        answering(("A", "1"))[0].output("C")
    assert str(caught.value.hint).startswith("opstool dlq queues ")


def test_a_stack_that_does_not_exist_is_named() -> None:
    """CloudFormation says so by a ValidationError; any other error is what it is."""

    def refuse(text: str) -> Stack:
        def ask(*_: Any) -> dict[str, Any]:
            raise ServiceError(text)

        return Stack(ask, "processor")

    with pytest.raises(NotFoundError, match='stack "processor" does not exist'):
        refuse("Stack with id processor does not exist").outputs()
    with pytest.raises(ServiceError, match="throttled"):
        refuse("throttled").outputs()


def test_without_a_name_there_is_no_queue() -> None:
    """And nothing is asked."""
    with pytest.raises(UsageError) as caught:
        Stack(lambda *_: {}, None).output("A")
    assert caught.value.code == "no_queue"
