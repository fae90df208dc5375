"""The door to what an identity may do: who it is, what IAM's simulator says of it, and readings that try it.

A reading changes nothing and costs nothing that counts; there is none for an action that would.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from opstool.doors.ask import Ask
from opstool.words.iam.access import Caller, Decision

_MOST_PAGES = 100
"""Pages of one simulation: each has up to 100 results, and we ask for fewer than 1,000."""

Request = tuple[str, dict[str, Any]]


class Access:
    """The permissions of one identity. Every method raises OpstoolError."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    def caller(self) -> Caller:
        """Return the identity that AWS takes us for; needs no permission."""
        return Caller(arn=str(self._ask("sts", "GetCallerIdentity", {})["Arn"]))

    def role_arn(self, name: str) -> str:
        """Return the ARN of a role, its path included."""
        return str(self._ask("iam", "GetRole", {"RoleName": name})["Role"]["Arn"])

    def simulate(
        self,
        identity_arn: str,
        actions: Iterable[str],
        resources: Sequence[str],
        *,
        context: Mapping[str, str],
        queue_policy: str | None = None,
    ) -> list[Decision]:
        """Return what IAM decides of each action on each resource; `*` alone stands for all of them.

        `context` are the condition keys that are known. A `queue_policy` counts for every resource; it has to be of the
        identity's own account, and is taken for users only:
        https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html
        """
        request: dict[str, Any] = {
            "PolicySourceArn": identity_arn,
            "ActionNames": sorted(actions),
            "ResourceArns": list(resources),
            "ContextEntries": [_context_entry(name, value) for name, value in context.items()],
        }
        if queue_policy:
            request |= {"ResourcePolicy": queue_policy, "CallerArn": identity_arn}
        return [each for page in self._pages(request) for each in _decisions(page, resources)]

    def _pages(self, request: dict[str, Any]) -> Iterator[dict[str, Any]]:
        for _ in range(_MOST_PAGES):
            page = self._ask("iam", "SimulatePrincipalPolicy", request)
            yield page
            if not page.get("IsTruncated") or not page.get("Marker"):
                return
            request = {**request, "Marker": page["Marker"]}

    def try_reading(self, action: str, resource: str, *, url: str = "") -> bool:
        """Do what an action allows, in the smallest way; tell whether there is such a reading.

        `url` is that of a queue. Raises AccessError when it is not allowed.
        """
        reading = _READINGS.get(action)
        if reading is None:
            return False
        operation, request = reading(resource, url)
        self._ask(action.split(":", maxsplit=1)[0], operation, request)
        return True


def _decisions(page: Mapping[str, Any], resources: Sequence[str]) -> Iterator[Decision]:
    """Yield the decisions of one page: those of each resource, or the one that stands for the only resource."""
    for result in page.get("EvaluationResults") or ():
        specific = result.get("ResourceSpecificResults") or ()
        organization = (result.get("OrganizationsDecisionDetail") or {}).get("AllowedByOrganizations")
        for each in specific or ({**result, "EvalResourceDecision": result["EvalDecision"]},):
            boundary = each.get("PermissionsBoundaryDecisionDetail") or {}
            yield Decision(
                action=str(result["EvalActionName"]),
                resource=str(each["EvalResourceName"]) if specific else resources[0],
                decision=str(each["EvalResourceDecision"]),
                missing=tuple(each.get("MissingContextValues") or ()),
                by_organization=organization,
                by_boundary=boundary.get("AllowedByPermissionsBoundary"),
            )


def _context_entry(name: str, value: str) -> dict[str, Any]:
    kind = "boolean" if value in {"true", "false"} else "string"
    return {"ContextKeyName": name, "ContextKeyValues": [value], "ContextKeyType": kind}


def _queue(operation: str, **fields: Any) -> Callable[[str, str], Request]:
    return lambda _arn, url: (operation, {"QueueUrl": url, **fields})


def _last(arn: str) -> str:
    return arn.rsplit(":", 1)[-1]


_READINGS: Mapping[str, Callable[[str, str], Request]] = {
    "sqs:GetQueueUrl": lambda arn, _: (
        "GetQueueUrl",
        {"QueueName": _last(arn), "QueueOwnerAWSAccountId": arn.split(":")[4]},
    ),
    "sqs:GetQueueAttributes": _queue("GetQueueAttributes", AttributeNames=["QueueArn"]),
    "sqs:ListDeadLetterSourceQueues": _queue("ListDeadLetterSourceQueues", MaxResults=1),
    "sqs:ListMessageMoveTasks": lambda arn, _: ("ListMessageMoveTasks", {"SourceArn": arn, "MaxResults": 1}),
    "sqs:ListQueues": lambda _arn, _: ("ListQueues", {"MaxResults": 1}),
    "lambda:ListEventSourceMappings": lambda _arn, _: ("ListEventSourceMappings", {"MaxItems": 1}),
    "lambda:GetFunctionConfiguration": lambda arn, _: ("GetFunctionConfiguration", {"FunctionName": arn}),
    "lambda:GetEventSourceMapping": lambda arn, _: ("GetEventSourceMapping", {"UUID": _last(arn)}),
    "logs:DescribeLogGroups": lambda _arn, _: ("DescribeLogGroups", {"limit": 1}),
    # The first millisecond of 1970, in which nothing was logged.
    "logs:FilterLogEvents": lambda arn, _: (
        "FilterLogEvents",
        {"logGroupName": arn.split(":", 6)[-1].removesuffix(":*"), "startTime": 0, "endTime": 1, "limit": 1},
    ),
    "cloudwatch:DescribeAlarms": lambda _arn, _: ("DescribeAlarms", {"MaxRecords": 1}),
    "cloudformation:DescribeStacks": lambda arn, _: ("DescribeStacks", {"StackName": arn.split("/")[1]}),
    "cloudformation:DescribeStackResources": lambda arn, _: (
        "DescribeStackResources",
        {"StackName": arn.split("/")[1]},
    ),
    "kms:DescribeKey": lambda arn, _: ("DescribeKey", {"KeyId": arn}),
    "kms:GetKeyPolicy": lambda arn, _: ("GetKeyPolicy", {"KeyId": arn, "PolicyName": "default"}),
}
"""For each action that reads, the operation and the smallest request that tries it on a resource."""

READABLE = frozenset(_READINGS)
"""The actions that can be tried without changing anything."""
