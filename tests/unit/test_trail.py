"""The way from a dead-letter queue to the logs of those who consume its sources."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from opstool.doors.stack import Stack
from opstool.doors.toolkit import Toolkit
from opstool.engine.dlq import locate
from opstool.engine.reasons.trail import Trail, follow
from opstool.fake import FakeLambda
from opstool.words.awserrors import error_for
from opstool.words.errors import ServiceError
from opstool.words.logreading import LogReading
from tests.world import World

ALIAS = "arn:aws:lambda:us-east-1:123456789012:function:orders-consumer:live"


@pytest.fixture
def lambda_(world: World) -> FakeLambda:
    """Return the functions of the account."""
    return FakeLambda(world.clock)


@pytest.fixture
def kit(world: World, lambda_: FakeLambda) -> Toolkit:
    """Return a toolkit that reaches Lambda."""
    kit = world.kit()
    kit.ask = lambda_
    return kit


def trail(kit: Toolkit, *source_arns: str) -> Trail:
    """Follow the queue that every test here has."""
    return follow(kit, locate(kit, "orders-dlq"), source_arns)


def test_a_function_logs_where_lambda_lets_it_by_default(world: World, lambda_: FakeLambda, kit: Toolkit) -> None:
    """DLQ, source, mapping, function, and the group that bears its name."""
    lambda_.add_mapping(world.source.arn, "orders-consumer")
    found = trail(kit)
    assert found.log_groups == ("/aws/lambda/orders-consumer",)
    assert found.groups_of == {world.source.arn: ("/aws/lambda/orders-consumer",)}
    assert found.function_of == {"/aws/lambda/orders-consumer": "orders-consumer"}
    assert (found.blind, found.notes) == (frozenset(), ())


def test_a_log_group_of_the_functions_own_choice_is_taken(world: World, lambda_: FakeLambda, kit: Toolkit) -> None:
    """As LoggingConfig names it; an alias in the mapping leads to its function."""
    lambda_.add_function("orders-consumer", LoggingConfig={"LogFormat": "JSON", "LogGroup": "team/orders"})
    lambda_.add_mapping(world.source.arn, ALIAS)
    found = trail(kit)
    assert found.log_groups == ("team/orders",)
    assert found.function_of == {"team/orders": "orders-consumer"}


def test_every_function_of_every_source_is_followed(world: World, lambda_: FakeLambda, kit: Toolkit) -> None:
    """Also of a source that only a message remembers; two functions on one log group count once."""
    other = world.add_queue("refunds", dlq=world.dlq)
    gone = world.source.arn.replace("orders", "former")
    for arn, name in ((world.source.arn, "a"), (other.arn, "b"), (gone, "c")):
        lambda_.add_function(name, LoggingConfig={"LogGroup": "shared" if name != "c" else "former"})
        lambda_.add_mapping(arn, name)
    found = trail(kit, gone)
    assert sorted(found.log_groups) == ["former", "shared"]
    assert found.groups_of[gone] == ("former",)


def test_a_source_that_no_function_consumes_is_blind_and_said(world: World, kit: Toolkit) -> None:
    """Something else than Lambda may consume it: its log can be named."""
    found = trail(kit)
    assert found.blind == {world.source.arn}
    assert found.notes == ('no event source mapping takes messages from "orders"; --log-group names the log to read',)


def test_what_may_not_be_asked_is_said_once_for_all_sources(world: World, kit: Toolkit) -> None:
    """A denial is the identity's, so the next source is not asked about."""
    world.add_queue("refunds", dlq=world.dlq)
    asked: list[str] = []

    def deny(service: str, operation: str, _request: dict[str, Any]) -> dict[str, Any]:
        asked.append(f"{service}:{operation}")
        raise error_for(operation, "AccessDeniedException", "no", 403)

    kit.ask = deny
    found = trail(kit)
    assert asked == ["lambda:ListEventSourceMappings"]
    assert len(found.blind) == 2
    [note] = found.notes
    assert note.startswith("who consumes the source queues could not be asked: `ListEventSourceMappings` was denied")


def test_a_function_that_may_not_be_read_is_taken_to_log_where_lambda_lets_it(
    world: World, lambda_: FakeLambda, kit: Toolkit
) -> None:
    """The default is right far more often than not, and whether the group exists is seen next."""
    lambda_.add_mapping(world.source.arn, ALIAS)

    def deny_configuration(service: str, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        if operation == "GetFunctionConfiguration":
            raise error_for(operation, "AccessDeniedException", "no", 403)
        return lambda_(service, operation, request)

    kit.ask = deny_configuration
    assert trail(kit).log_groups == ("/aws/lambda/orders-consumer",)


def test_named_log_groups_are_taken_as_they_are(world: World, lambda_: FakeLambda, kit: Toolkit) -> None:
    """And nobody is asked."""
    kit.log_reading = LogReading(log_groups=("ecs/orders",))
    found = trail(kit)
    assert (found.log_groups, found.named, found.notes) == (("ecs/orders",), True, ())
    assert not lambda_.requests


def stack_of(arn: str) -> Callable[..., dict[str, Any]]:
    """Return a CloudFormation whose one stack has this dead-letter queue."""
    outputs = {"ProcessingDLQARN": arn, "ProcessorLogGroupName": "stack-log"}
    listed = [{"OutputKey": key, "OutputValue": value} for key, value in outputs.items()]
    return lambda *_: {"Stacks": [{"Outputs": listed}]}


def test_our_stack_names_its_log_where_lambda_may_not_be_asked(world: World) -> None:
    """Its outputs are as good; of another queue's stack they are not."""
    kit = world.kit()
    kit.stack = Stack(stack_of(world.dlq.arn), "orders")
    assert trail(kit).groups_of == {world.source.arn: ("stack-log",)}
    kit.stack = Stack(stack_of(world.dlq.arn + "-2"), "orders")
    assert trail(kit).blind == {world.source.arn}


def test_a_queue_of_unknown_sources_leads_nowhere(world: World, kit: Toolkit) -> None:
    """And the note says what can be done."""
    world.add_queue("put-there-by-hand")
    found = follow(kit, locate(kit, "put-there-by-hand"), [])
    assert found.notes == ("nothing says which queue these messages died in; --log-group names the log to read",)


def test_sources_that_are_too_many_are_blind(world: World, lambda_: FakeLambda, kit: Toolkit) -> None:
    """What was not followed was not read; where messages say that they died comes before all others."""
    arns = [f"{world.source.arn}-{number:02}" for number in range(60)]
    for arn in arns:
        lambda_.add_mapping(arn, "orders-consumer")
    found = trail(kit, *arns)
    assert list(found.groups_of) == arns[:50]
    assert found.blind == {world.source.arn, *arns[50:]}
    assert found.notes == ("only 50 source queues are followed; --log-group names the log to read",)


@pytest.mark.parametrize("known", [False, True], ids=["never asked", "known already"])
def test_who_has_waited_for_lambda_in_vain_does_not_wait_again(world: World, kit: Toolkit, known: bool) -> None:
    """The stack is asked behind a denial only, or when its outputs are there and cost no time."""
    asked: list[str] = []

    def hang(_service: str, operation: str, _request: dict[str, Any]) -> dict[str, Any]:
        raise ServiceError(f"`{operation}`: no answer (ReadTimeoutError)", code="no_answer", retryable=True)

    def tell(*request: Any) -> dict[str, Any]:
        asked.append(request[1])
        return stack_of(world.dlq.arn)(*request)

    kit.ask = hang
    kit.stack = Stack(tell, "orders")
    if known:
        kit.stack.outputs()
        asked.clear()
    found = trail(kit)
    assert (asked, found.groups_of) == ([], {world.source.arn: ("stack-log",)} if known else {})
    assert found.blind == (frozenset() if known else {world.source.arn})
