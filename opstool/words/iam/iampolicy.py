"""A policy document for an identity: the actions that purposes need, on the resources that were found, and no more.

It has no condition, and nothing is denied: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies.html
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from opstool.words.iam.permissions import Kind, Need, Purpose, needs_for
from opstool.words.queue import Queue

MOST_CHARACTERS = 6_144
"""What one managed policy may hold, white space not counted:
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html"""

_LABELS = {
    Kind.DLQ: "DeadLetterQueue",
    Kind.SOURCE: "SourceQueues",
    Kind.TARGET: "Target",
    Kind.ORIGIN: "ImportTarget",
    Kind.FUNCTION: "Functions",
    Kind.BARE_FUNCTION: "WholeFunctions",
    Kind.MAPPING: "EventSourceMappings",
    Kind.LOG_GROUP: "LogGroups",
    Kind.STACK: "Stack",
    Kind.DLQ_KEY: "DeadLetterQueueKey",
    Kind.SOURCE_KEY: "SourceQueueKeys",
    Kind.TARGET_KEY: "TargetKeys",
    Kind.ORIGIN_KEY: "ImportTargetKey",
    Kind.IDENTITY: "Identities",
    Kind.ANYTHING: "CannotBeNarrowed",
}


@dataclass(frozen=True, kw_only=True)
class Resources:
    """The ARNs of each kind; a kind without any is not there, and nothing is granted on it.

    `patterns` are those that stand for what could not be read.
    """

    by_kind: Mapping[Kind, tuple[str, ...]] = field(default_factory=dict)
    patterns: frozenset[str] = frozenset()

    def of(self, kind: Kind) -> tuple[str, ...]:
        """Return the ARNs of a kind."""
        return ("*",) if kind is Kind.ANYTHING else self.by_kind.get(kind, ())

    def label(self, arn: str) -> str:
        """Return how a statement calls an ARN: by the first kind that has it."""
        return next(label for kind, label in _LABELS.items() if arn in self.of(kind))


def wildcard(kind: Kind, queue: Queue) -> str:
    """Return the ARN pattern that covers every resource of a kind in the account and region of a queue.

    The forms are those of the resource types in the Service Authorization Reference; a log group's ends in `:*`, as
    https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_LogGroup.html says of policies.
    """
    resource = {
        Kind.FUNCTION: "lambda:{}:function:*",
        Kind.BARE_FUNCTION: "lambda:{}:function:*",
        Kind.MAPPING: "lambda:{}:event-source-mapping:*",
        Kind.LOG_GROUP: "logs:{}:log-group:*",
    }.get(kind, "kms:{}:key/*" if kind.name.endswith("_KEY") else "sqs:{}:*")
    return f"arn:{partition(queue)}:" + resource.format(f"{queue.region}:{queue.account}")


def log_group_arn(function_arn: str, log_group: str) -> str:
    """Return the ARN of a function's log group: it is in the function's own account and region."""
    _, part, _, region, account, *_ = function_arn.split(":")
    return f"arn:{part}:logs:{region}:{account}:log-group:{log_group}:*"


def partition(queue: Queue) -> str:
    """Return the partition of a queue: aws, aws-cn, aws-us-gov."""
    return queue.arn.split(":")[1]


def policy_document(purposes: Iterable[Purpose], resources: Resources) -> dict[str, Any]:
    """Return the least policy for these purposes: a bare document, one statement for what has the same resources."""
    return {"Version": "2012-10-17", "Statement": statements(needs_for(purposes), resources)}


def statements(needs: Collection[Need], resources: Resources) -> list[dict[str, Any]]:
    """Return the statements that allow what is needed, in the order of the needs, actions sorted."""
    arns: dict[str, dict[str, None]] = {}
    for need in needs:
        arns.setdefault(need.action, {}).update(dict.fromkeys(resources.of(need.on)))
    actions: dict[frozenset[str], list[str]] = {}
    for action, found in arns.items():
        if found:
            actions.setdefault(frozenset(found), []).append(action)
    taken: set[str] = set()
    return [
        {
            "Sid": _sid(resources, where, taken),
            "Effect": "Allow",
            "Action": sorted(what),
            "Resource": sorted(where),
        }
        for where, what in actions.items()
    ]


def length(document: Mapping[str, Any]) -> int:
    """Return how many characters of a policy count against IAM's quota."""
    return len(json.dumps(document, separators=(",", ":")))


def _sid(resources: Resources, where: Iterable[str], taken: set[str]) -> str:
    """Return a name of the statement that no other one has: letters and digits, as IAM wants it."""
    labels = {resources.label(arn) for arn in where}
    name = "And".join(label for label in _LABELS.values() if label in labels)
    number = 2
    sid = name
    while sid in taken:
        sid, number = f"{name}{number}", number + 1
    taken.add(sid)
    return sid
