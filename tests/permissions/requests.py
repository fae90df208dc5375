"""Which action on which resource a request to AWS is: the rules of the services, written down a second time.

The table of opstool is compared with it, so nothing of that table is used here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

ACCOUNT, REGION = "123456789012", "us-east-1"
STACK_NAME = "orders-stack"
ROLE_PATH = "/aws-reserved/sso.amazonaws.com/"


def arn(service: str, rest: str) -> str:
    """Return the ARN of something in the account and region of the tests."""
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{rest}"


def _of_queue(request: Mapping[str, Any]) -> str:
    if "SourceArn" in request:
        return str(request["SourceArn"])
    return arn("sqs", request.get("QueueName") or str(request["QueueUrl"]).rsplit("/", 1)[-1])


def _of_log_group(request: Mapping[str, Any]) -> list[str]:
    names = request.get("logGroupNames") or request.get("logGroupIdentifiers") or [request.get("logGroupName")]
    names = [name or request["logGroupIdentifier"] for name in names]
    return [arn("logs", f"log-group:{name.split(':log-group:')[-1]}:log-stream:") for name in names]


def _anything(_request: Mapping[str, Any]) -> str:
    return "*"


_RESOURCES: Mapping[str, Callable[[Mapping[str, Any]], str | list[str]]] = {
    "sqs:ListQueues": _anything,
    "lambda:ListEventSourceMappings": _anything,
    "lambda:GetFunctionConfiguration": lambda request: str(request["FunctionName"]),
    "lambda:GetFunctionConcurrency": lambda request: str(request["FunctionName"]),
    "lambda:GetEventSourceMapping": lambda request: arn("lambda", f"event-source-mapping:{request['UUID']}"),
    "lambda:UpdateEventSourceMapping": lambda request: arn("lambda", f"event-source-mapping:{request['UUID']}"),
    "logs:StartQuery": _of_log_group,
    "logs:FilterLogEvents": _of_log_group,
    "logs:GetLogEvents": _of_log_group,
    "logs:DescribeLogGroups": _anything,
    "logs:GetQueryResults": _anything,
    "logs:StopQuery": _anything,
    "cloudwatch:DescribeAlarms": _anything,
    "cloudwatch:GetMetricStatistics": _anything,
    "cloudformation:DescribeStacks": lambda request: arn("cloudformation", f"stack/{request['StackName']}/0123-4567"),
    # By the physical id of a resource: on which stack that is authorized is not documented, so on the one that has it.
    "cloudformation:DescribeStackResources": lambda _: arn("cloudformation", f"stack/{STACK_NAME}/0123-4567"),
    "kms:DescribeKey": lambda request: str(request["KeyId"]),
    "kms:GetKeyPolicy": lambda request: str(request["KeyId"]),
    "iam:GetRole": lambda request: f"arn:aws:iam::{ACCOUNT}:role{ROLE_PATH}{request['RoleName']}",
    "iam:SimulatePrincipalPolicy": lambda request: str(request["PolicySourceArn"]),
}


def authorized_as(service: str, operation: str, request: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the actions on resources that a request needs; none for what everybody may."""
    if (service, operation) == ("sts", "GetCallerIdentity"):
        return []
    if operation == "CancelMessageMoveTask":  # which names no queue but by the handle
        return [("sqs:CancelMessageMoveTask", arn("sqs", "orders-dlq"))]
    if operation == "StartMessageMoveTask":  # SQS checks the rest once the task has started; here at once
        source, target = request["SourceArn"], request.get("DestinationArn") or arn("sqs", "orders")
        taken = [(f"sqs:{each}", source) for each in (operation, "ReceiveMessage", "DeleteMessage")]
        return [*taken, ("sqs:GetQueueAttributes", source), ("sqs:SendMessage", target)]
    action = f"{service}:{operation.removesuffix('Batch')}"
    resource = _RESOURCES[action](request) if service != "sqs" or action in _RESOURCES else _of_queue(request)
    return [(action, each) for each in ([resource] if isinstance(resource, str) else resource)]
