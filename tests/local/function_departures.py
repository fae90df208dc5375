"""Where moto 5.2.5 departs from Lambda: how it describes functions and event source mappings."""

from __future__ import annotations

from typing import Any
from unittest import mock

from tests.local.scenarios import Emulator, numbers, scenario

LOGGING = {"LogFormat": "JSON", "LogGroup": "somewhere"}


def _role(emulator: Emulator) -> str:
    name = f"role-{next(numbers)}"
    made = emulator.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument="{}", Path="/")
    return str(made["Role"]["Arn"])


def _function(emulator: Emulator, **more: Any) -> str:
    """Make a function and return its ARN."""
    name = f"fn-{next(numbers)}"
    request = {"Runtime": "python3.13", "Role": _role(emulator), "Handler": "a.b", "Code": {"ZipFile": _empty_zip()}}
    return str(emulator.client("lambda").create_function(FunctionName=name, **request, **more)["FunctionArn"])


def _empty_zip() -> bytes:
    return b"PK\x05\x06" + b"\0" * 18


def _stack(emulator: Emulator, *, function: dict[str, Any] | None = None, **mapping: Any) -> dict[str, str]:
    """Make a stack of a queue, a function and a mapping; return their names."""
    code = {"Runtime": "python3.13", "Role": _role(emulator), "Handler": "a.b", "Code": {"ZipFile": "#\n"}}
    named = {"EventSourceArn": {"Fn::GetAtt": ["Q", "Arn"]}, "FunctionName": {"Ref": "F"}}
    resources = {
        "Q": {"Type": "AWS::SQS::Queue", "Properties": {}},
        "F": {"Type": "AWS::Lambda::Function", "Properties": {**code, **(function or {})}},
        "M": {"Type": "AWS::Lambda::EventSourceMapping", "Properties": {**named, **mapping}},
    }
    return emulator.stack(resources, Queue={"Fn::GetAtt": ["Q", "Arn"]}, Function={"Ref": "F"}, Mapping={"Ref": "M"})


@scenario
def a_function_says_where_it_logs(emulator: Emulator) -> bool:
    """Expect: LoggingConfig, with the default when none was given."""
    functions = emulator.client("lambda")
    plain, told = (_function(emulator, **more) for more in ({}, {"LoggingConfig": LOGGING}))
    found = [functions.get_function_configuration(FunctionName=arn).get("LoggingConfig") for arn in (plain, told)]
    default = {"LogFormat": "Text", "LogGroup": f"/aws/lambda/{plain.rsplit(':', 1)[1]}"}
    return found == [default, {**LOGGING, "ApplicationLogLevel": "INFO", "SystemLogLevel": "INFO"}]


@scenario
def a_function_of_a_stack_keeps_what_the_template_says(emulator: Emulator) -> bool:
    """Expect: the log group, the architecture and the key of the template."""
    wanted = {"LoggingConfig": LOGGING, "Architectures": ["arm64"], "KmsKeyArn": "arn:aws:kms:us-east-1:1:key/k"}
    name = _stack(emulator, function=wanted)["Function"]
    found = emulator.client("lambda").get_function_configuration(FunctionName=name)
    group = found.get("LoggingConfig", {}).get("LogGroup")
    return (group, found["Architectures"], found.get("KMSKeyArn")) == (
        "somewhere",
        ["arm64"],
        "arn:aws:kms:us-east-1:1:key/k",
    )


@scenario
def mappings_are_found_by_the_functions_arn(emulator: Emulator) -> bool:
    """Expect: by ARN as by name, whatever the mapping was made with."""
    made = _stack(emulator)
    functions = emulator.client("lambda")
    arn = functions.get_function_configuration(FunctionName=made["Function"])["FunctionArn"]
    found = functions.list_event_source_mappings(FunctionName=arn)["EventSourceMappings"]
    return [each["UUID"] for each in found] == [made["Mapping"]]


@scenario
def a_mapping_of_a_stack_can_be_disabled_from_the_start(emulator: Emulator) -> bool:
    """Expect: Disabled, also when a parameter gives the text `false`."""
    made = _stack(emulator, Enabled="false")
    return bool(emulator.client("lambda").get_event_source_mapping(UUID=made["Mapping"])["State"] == "Disabled")


@scenario
def a_mapping_answers_numbers_and_defaults(emulator: Emulator) -> bool:
    """Expect: numbers for what a parameter gave as a text, and the defaults of what was not given."""
    made = _stack(emulator, ScalingConfig={"MaximumConcurrency": "5"})
    found = emulator.client("lambda").get_event_source_mapping(UUID=made["Mapping"])
    names = ("BatchSize", "MaximumBatchingWindowInSeconds", "ScalingConfig", "FunctionResponseTypes")
    return [found.get(name) for name in names] == [10, 0, {"MaximumConcurrency": 5}, []]


@scenario
def a_sent_message_does_not_start_docker(emulator: Emulator) -> bool:
    """Expect: event source mappings are served by opstool's pollers, not by moto's Lambda in Docker."""
    from moto.awslambda.models import LambdaBackend  # noqa: PLC0415

    url = emulator.queue()
    request = {"FunctionName": _function(emulator), "EventSourceArn": emulator.arn(url)}
    emulator.client("lambda").create_event_source_mapping(**request)
    with mock.patch.object(LambdaBackend, "send_sqs_batch", return_value=True) as invoked:
        emulator.sqs.send_message(QueueUrl=url, MessageBody="b")
    return not invoked.called
