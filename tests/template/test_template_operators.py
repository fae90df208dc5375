"""What the translated template lets the people on call do, and what not."""

from collections import defaultdict
from typing import Any

import pytest

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
        "sqs:ListMessageMoveTasks",
    }
    assert grants(resources()["OperatorInspectPolicy"]) == {
        SOURCE: settings,
        DLQ: settings | {"sqs:ReceiveMessage", "sqs:ChangeMessageVisibility"},
        LOG: {"logs:FilterLogEvents", "logs:StartQuery"},
        STACK: {"cloudformation:DescribeStacks"},
        FUNCTION: {"lambda:GetFunctionConfiguration"},
        ANYTHING: {"sqs:ListQueues", "lambda:ListEventSourceMappings", "logs:GetQueryResults", "logs:StopQuery"},
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
            "sqs:ListMessageMoveTasks",
        },
    }


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
