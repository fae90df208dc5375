"""What the translated template lets the people on call do, and what not."""

from collections import defaultdict
from typing import Any

import pytest

from opstool.words.iam.iampolicy import Resources, policy_document
from opstool.words.iam.permissions import Kind, Purpose

SOURCE, DLQ, LOG, ANYTHING = "ProcessingQueue.Arn", "ProcessingDLQ.Arn", "ProcessorLogGroup.Arn", "*"
FUNCTION = "ProcessorFunction.Arn"
STACK = "arn:aws:cloudformation:eu-west-1:123456789012:stack/orders/*"
POLICIES = ["OperatorInspectPolicy", "OperatorRedrivePolicy"]


def listed(value: str | list[str]) -> list[str]:
    """Read IAM's one or many."""
    return value if isinstance(value, list) else [value]


def grants(policy: dict[str, Any]) -> dict[str, set[str]]:
    """Return the actions that a policy allows, by resource."""
    found: dict[str, set[str]] = defaultdict(set)
    for statement in policy["PolicyDocument"]["Statement"]:
        assert statement["Effect"] == "Allow"
        for resource in listed(statement["Resource"]):
            found[resource].update(listed(statement["Action"]))
    return dict(found)


def test_inspect_policy_lets_one_look_and_give_back(resources) -> None:
    """Listing and showing need to receive and release, to read settings, logs and the stack."""
    settings = {
        "sqs:GetQueueAttributes",
        "sqs:GetQueueUrl",
        "sqs:ListDeadLetterSourceQueues",
    }
    assert grants(resources()["OperatorInspectPolicy"]) == {
        SOURCE: settings,
        DLQ: settings | {"sqs:ReceiveMessage", "sqs:ChangeMessageVisibility", "sqs:ListMessageMoveTasks"},
        LOG: {"logs:FilterLogEvents", "logs:GetLogEvents", "logs:StartQuery"},
        STACK: {"cloudformation:DescribeStacks"},
        FUNCTION: {"lambda:GetFunctionConfiguration"},
        ANYTHING: {
            "sqs:ListQueues",
            "lambda:ListEventSourceMappings",
            "logs:DescribeLogGroups",
            "logs:GetQueryResults",
            "logs:StopQuery",
        },
    }


def test_inspect_policy_changes_nothing(resources) -> None:
    """Whoever may only look can neither send, nor delete, nor start a move."""
    actions = set().union(*grants(resources()["OperatorInspectPolicy"]).values())
    assert not [
        one
        for one in actions
        if one.split(":")[1].startswith(("Send", "Delete", "Purge", "Start", "Set")) and one != "logs:StartQuery"
    ]


def test_redrive_policy_adds_sending_and_deleting(resources) -> None:
    """Redrive and purge need to send to the source and delete from the dead-letter queue; import sends to both."""
    assert grants(resources()["OperatorRedrivePolicy"]) == {
        SOURCE: {"sqs:SendMessage"},
        DLQ: {
            "sqs:SendMessage",
            "sqs:DeleteMessage",
            "sqs:StartMessageMoveTask",
            "sqs:CancelMessageMoveTask",
        },
        FUNCTION: {"lambda:GetFunctionConcurrency"},
        ANYTHING: {"cloudwatch:GetMetricStatistics", "cloudwatch:DescribeAlarms"},
    }


RESOURCES = Resources(
    by_kind={
        Kind.DLQ: (DLQ,),
        Kind.SOURCE: (SOURCE,),
        Kind.TARGET: (SOURCE,),
        Kind.ORIGIN: (DLQ,),
        Kind.FUNCTION: (FUNCTION,),
        Kind.BARE_FUNCTION: (FUNCTION,),
        Kind.LOG_GROUP: (LOG,),
        Kind.STACK: (STACK,),
    }
)
"""What `opstool iam-policy` finds around the template's queues; they have no KMS key of their own."""
NATIVE_ENGINE = {(DLQ, "sqs:StartMessageMoveTask"), (DLQ, "sqs:CancelMessageMoveTask")}
"""What only SQS's own move tasks need: `redrive --engine native`, and the console."""


def pairs(*policies: dict[str, Any]) -> set[tuple[str, str]]:
    """Return what policies allow together: resources with actions."""
    return {(where, action) for each in policies for where, actions in grants(each).items() for action in actions}


def printed(*purposes: Purpose) -> set[tuple[str, str]]:
    """Return what `opstool iam-policy` allows for these purposes."""
    return pairs({"PolicyDocument": policy_document(purposes, RESOURCES)})


def test_inspect_policy_is_what_iam_policy_prints(resources) -> None:
    """Whoever is given the policy can run the commands that look, and the policy allows nothing else."""
    deployed = pairs(resources()["OperatorInspectPolicy"])
    assert deployed == printed(Purpose.INSPECT)


def test_both_policies_are_what_iam_policy_prints(resources) -> None:
    """Together they are enough to redrive, to purge and to import."""
    deployed = pairs(*(resources()[name] for name in POLICIES))
    assert deployed == printed(Purpose.REDRIVE, Purpose.PURGE, Purpose.IMPORT) | NATIVE_ENGINE


def test_nobody_may_delete_live_messages_or_whole_queues(resources) -> None:
    """Messages are deleted from the dead-letter queue alone, one by one, after they are archived or sent."""
    for name in POLICIES:
        for resource, actions in grants(resources()[name]).items():
            assert resource == DLQ or "sqs:DeleteMessage" not in actions
            assert not actions & {"sqs:PurgeQueue", "sqs:DeleteQueue"}


@pytest.mark.parametrize("name", POLICIES)
def test_no_action_is_a_wildcard(resources, name) -> None:
    """Every action is named."""
    assert not [one for actions in grants(resources()[name]).values() for one in actions if "*" in one]


def test_no_role_or_policy_has_a_name_of_its_own(translated) -> None:
    """CAPABILITY_IAM is then enough for a deployment, and two stacks never collide."""
    for resource in translated["Resources"].values():
        if resource["Type"].startswith("AWS::IAM::"):
            assert not {"RoleName", "ManagedPolicyName", "PolicyName"} & resource["Properties"].keys()
