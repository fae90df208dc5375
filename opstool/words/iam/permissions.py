"""Which actions on which kind of resource each verb needs: the one table behind iam-policy, the doctor and the docs.

An action is named as IAM names it, and on what it can be granted is told by the Service Authorization Reference, whose
page for each service is in REFERENCES. `docs/permissions.md` shows these tables; a test compares them with what every
verb really asks.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

_REFERENCE = "https://docs.aws.amazon.com/service-authorization/latest/reference/"
REFERENCES: Mapping[str, str] = {
    "sqs": f"{_REFERENCE}list_amazonsqs.html",
    "lambda": f"{_REFERENCE}list_awslambda.html",
    "logs": f"{_REFERENCE}list_amazoncloudwatchlogs.html",
    "cloudwatch": f"{_REFERENCE}list_amazoncloudwatch.html",
    "cloudformation": f"{_REFERENCE}list_awscloudformation.html",
    "kms": f"{_REFERENCE}list_awskeymanagementservice.html",
    "iam": f"{_REFERENCE}list_awsidentityandaccessmanagementiam.html",
}
"""The page of each service that we ask, by the prefix of its actions."""


class Kind(StrEnum):
    """A kind of resource, by its part in the life of a dead message."""

    DLQ = "the dead-letter queue"
    SOURCE = "its source queues"
    TARGET = "where a redrive sends: the source queues, or `--to`"
    ORIGIN = "where an import sends: the dead-letter queue, or `--to`"
    FUNCTION = "the functions that consume the source queues"
    BARE_FUNCTION = "those functions, without alias or version"
    MAPPING = "their event source mappings"
    LOG_GROUP = "the functions' log groups"
    STACK = "the stack"
    DLQ_KEY = "the dead-letter queue's KMS key"
    SOURCE_KEY = "the source queues' KMS keys"
    TARGET_KEY = "the KMS keys of where a redrive sends"
    ORIGIN_KEY = "the KMS key of where an import sends"
    IDENTITY = "the users and roles of the account"
    ANYTHING = "anything"


@dataclass(frozen=True, kw_only=True, slots=True, order=True)
class Need:
    """One action, such as sqs:SendMessage, on one kind of resource."""

    action: str
    on: Kind


def _on(kind: Kind, *actions: str) -> tuple[Need, ...]:
    return tuple(Need(action=action, on=kind) for action in actions)


# The batch operations have no action of their own:
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-batch-api.html
_ACTION_OF_BATCH = {
    "SendMessageBatch": "SendMessage",
    "DeleteMessageBatch": "DeleteMessage",
    "ChangeMessageVisibilityBatch": "ChangeMessageVisibility",
}
# "No permissions are required": https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html
_FREE = {("sts", "GetCallerIdentity")}


def action_of(service: str, operation: str) -> str | None:
    """Return the IAM action that lets one call an operation of a service; None when it needs none."""
    if (service, operation) in _FREE:
        return None
    return f"{service}:{_ACTION_OF_BATCH.get(operation, operation)}"


NOT_NARROWED: Mapping[str, str] = {
    "sqs:ListQueues": "has no resource type",
    "lambda:ListEventSourceMappings": "has no resource type",
    "logs:DescribeLogGroups": "has no resource type",
    "logs:StopQuery": "has no resource type",
    "logs:GetQueryResults": "names a query and no log group; whether it can be narrowed is told in two ways",
    "cloudwatch:GetMetricStatistics": "has no resource type",
    "cloudwatch:DescribeAlarms": "a narrower grant hides composite alarms",
}
"""The actions that are granted on `*`, and why; on which resources every other one is granted, its Kind says."""

_SETTINGS = ("sqs:GetQueueUrl", "sqs:GetQueueAttributes", "sqs:ListDeadLetterSourceQueues")
# Of the queue that was named and of the queues that feed it; a source queue may be named as well.
_ADDRESS = _on(Kind.DLQ, *_SETTINGS) + _on(Kind.SOURCE, *_SETTINGS)
# Looking is receiving and giving back.
_LOOK = _on(Kind.DLQ, "sqs:ReceiveMessage", "sqs:ChangeMessageVisibility") + _on(Kind.DLQ_KEY, "kms:Decrypt")
_DELETE = _on(Kind.DLQ, "sqs:DeleteMessage")
_CONSUMERS = _on(Kind.ANYTHING, "lambda:ListEventSourceMappings")
# A sender needs both:
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html
_TO_ENCRYPT = ("kms:GenerateDataKey", "kms:Decrypt")
_SENDING = ("sqs:GetQueueUrl", "sqs:GetQueueAttributes", "sqs:SendMessage")
_REASONS = (
    *_CONSUMERS,
    *_on(Kind.FUNCTION, "lambda:GetFunctionConfiguration"),
    *_on(Kind.LOG_GROUP, "logs:StartQuery", "logs:FilterLogEvents", "logs:GetLogEvents"),
    *_on(Kind.ANYTHING, "logs:DescribeLogGroups", "logs:GetQueryResults", "logs:StopQuery"),
)


MOVE_TASK = (
    *_on(Kind.DLQ, "sqs:StartMessageMoveTask", "sqs:CancelMessageMoveTask", "sqs:ListMessageMoveTasks"),
    *_on(Kind.DLQ, "sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"),
    *_on(Kind.DLQ_KEY, "kms:Decrypt"),
    *_on(Kind.TARGET, "sqs:SendMessage"),
    *_on(Kind.TARGET_KEY, *_TO_ENCRYPT),
)
"""What SQS wants of whoever starts one of its own move tasks, to cancel and to list it too:
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/troubleshooting-dlq-redrive.html"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Verb:
    """Something that one can do with opstool: the commands it stands for, and the needs of all of them."""

    name: str
    commands: str
    needs: tuple[Need, ...]


VERBS: Mapping[str, Verb] = {
    each.name: each
    for each in (
        Verb(
            name="stack",
            commands="every command that names no queue",
            needs=_on(Kind.STACK, "cloudformation:DescribeStacks"),
        ),
        Verb(
            name="queues",
            commands="`dlq queues`, `dlq watch`",
            # Queues whose attributes may not be read are left out of the overview, and counted.
            needs=(
                *_on(Kind.ANYTHING, "sqs:ListQueues"),
                *_ADDRESS,
                *_on(Kind.DLQ, "sqs:ListMessageMoveTasks"),
            ),
        ),
        Verb(
            name="list",
            commands="`dlq list`, `dlq show`, `dlq groups`, `dlq export`",
            needs=_ADDRESS + _LOOK,
        ),
        Verb(
            name="reasons", commands="why messages died, in `list`, `show`, `groups` and for `--reason`", needs=_REASONS
        ),
        Verb(
            name="redrive",
            commands="`dlq redrive`",
            needs=(
                *_ADDRESS,
                *_LOOK,
                *_DELETE,
                *_on(Kind.TARGET, *_SENDING),
                *_on(Kind.TARGET_KEY, *_TO_ENCRYPT),
            ),
        ),
        # A redrive goes on without: its plan then does not say how long the consumer will need.
        Verb(
            name="forecast",
            commands="how long the consumer will need, in the plan of `dlq redrive`",
            needs=(
                *_CONSUMERS,
                *_on(Kind.FUNCTION, "lambda:GetFunctionConfiguration"),
                *_on(Kind.BARE_FUNCTION, "lambda:GetFunctionConcurrency"),
                *_on(Kind.ANYTHING, "cloudwatch:GetMetricStatistics", "cloudwatch:DescribeAlarms"),
            ),
        ),
        Verb(
            name="native",
            commands="`dlq redrive --engine native`, `dlq move-tasks`",
            needs=tuple(
                dict.fromkeys(
                    (
                        *_ADDRESS,
                        *_LOOK,
                        *MOVE_TASK,
                        *_on(Kind.TARGET, "sqs:GetQueueUrl", "sqs:GetQueueAttributes"),
                        # To tell before it starts what it may not do; it goes on without.
                        *_on(Kind.DLQ_KEY, "kms:DescribeKey", "kms:GetKeyPolicy"),
                        *_on(Kind.TARGET_KEY, "kms:DescribeKey", "kms:GetKeyPolicy"),
                        *_on(Kind.IDENTITY, "iam:SimulatePrincipalPolicy", "iam:GetRole"),
                    )
                )
            ),
        ),
        Verb(name="purge", commands="`dlq purge`", needs=_ADDRESS + _LOOK + _DELETE),
        Verb(
            name="import",
            commands="`dlq import`",
            needs=_on(Kind.ORIGIN, *_SENDING) + _on(Kind.ORIGIN_KEY, *_TO_ENCRYPT),
        ),
        Verb(
            name="extend",
            commands="`dlq extend`",
            needs=(
                *_ADDRESS,
                *_on(Kind.DLQ, "sqs:SetQueueAttributes"),
                *_on(Kind.STACK, "cloudformation:DescribeStackResources"),
            ),
        ),
        Verb(
            name="pause",
            commands="`consumer pause`, `consumer resume`",
            needs=(
                *_ADDRESS,
                *_CONSUMERS,
                *_on(Kind.MAPPING, "lambda:UpdateEventSourceMapping", "lambda:GetEventSourceMapping"),
            ),
        ),
        Verb(
            name="test",
            commands="`send-test-batch`",
            needs=(
                *_on(Kind.SOURCE, *_SETTINGS, "sqs:SendMessage"),
                *_on(Kind.SOURCE_KEY, *_TO_ENCRYPT),
                *_on(Kind.DLQ, "sqs:GetQueueUrl", "sqs:GetQueueAttributes"),
                *_LOOK,
            ),
        ),
        Verb(
            name="doctor",
            commands="`doctor`",
            needs=(
                *_ADDRESS,
                *_CONSUMERS,
                *_on(Kind.FUNCTION, "lambda:GetFunctionConfiguration"),
                *_on(Kind.ANYTHING, "logs:DescribeLogGroups", "cloudwatch:DescribeAlarms"),
                *_on(Kind.DLQ_KEY, "kms:DescribeKey", "kms:GetKeyPolicy"),
                *_on(Kind.SOURCE_KEY, "kms:DescribeKey", "kms:GetKeyPolicy"),
                *_on(Kind.IDENTITY, "iam:SimulatePrincipalPolicy", "iam:GetRole"),
            ),
        ),
    )
}
"""Every verb by its name, in the order of the documentation."""


class Purpose(StrEnum):
    """What a policy is for: looking, or looking and one thing more, or everything."""

    INSPECT = "inspect"
    REDRIVE = "redrive"
    NATIVE = "native"
    PURGE = "purge"
    IMPORT = "import"
    EXTEND = "extend"
    PAUSE = "pause"
    TEST = "test"
    DOCTOR = "doctor"
    ALL = "all"


_LOOKING = ("stack", "queues", "list", "reasons")


def verbs_for(purpose: Purpose) -> tuple[Verb, ...]:
    """Return what a policy of this purpose lets one do; whoever changes something has to look at it as well."""
    if purpose is Purpose.ALL:
        return tuple(VERBS.values())
    own = () if purpose is Purpose.INSPECT else (purpose.value,)
    besides = ("forecast",) if purpose is Purpose.REDRIVE else ()
    return tuple(VERBS[name] for name in (*_LOOKING, *own, *besides))


def needs_for(purposes: Iterable[Purpose]) -> Collection[Need]:
    """Return what policies of these purposes need, each once, in the order of the table."""
    return dict.fromkeys(need for purpose in purposes for verb in verbs_for(purpose) for need in verb.needs).keys()
