"""One account in memory: SQS, Lambda, logs, a stack and IAM; each request is authorized before it is carried out."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from opstool.doors.sqs import Sqs
from opstool.doors.stack import Stack
from opstool.doors.toolkit import Toolkit
from opstool.fake import FakeClock, FakeSqs
from opstool.fake.logs import FakeLogs
from opstool.fake.mappings import FakeLambda
from opstool.words.awserrors import error_for
from opstool.words.who import Who
from tests.cli.world import LOG_GROUP, World
from tests.permissions.language import ALLOWED, EXPLICIT, IMPLICIT, Attempt, Document, allow, evaluate, missing_keys
from tests.permissions.requests import ACCOUNT, REGION, ROLE_PATH, STACK_NAME, arn, authorized_as

USER = f"arn:aws:iam::{ACCOUNT}:user/oncall/somebody"
ROLE = f"arn:aws:iam::{ACCOUNT}:role{ROLE_PATH}OnCall"
SESSION = f"arn:aws:sts::{ACCOUNT}:assumed-role/OnCall/somebody"
EVERYTHING: Document = allow("*")
FUNCTION = arn("lambda", "function:orders-consumer")
MAPPING = arn("lambda", "event-source-mapping:00000000-0000-4000-8000-000000000000")
SIMULATE = allow("iam:SimulatePrincipalPolicy", "iam:GetRole")


@dataclass(kw_only=True)
class Policies:
    """All that decides: what the simulator knows of (identity, boundary, organization), and what it does not."""

    identity: list[Document] = field(default_factory=lambda: [EVERYTHING])
    boundary: list[Document] = field(default_factory=lambda: [EVERYTHING])
    organization: list[Document] = field(default_factory=lambda: [EVERYTHING])
    session: list[Document] = field(default_factory=lambda: [EVERYTHING])
    queues: dict[str, Document] = field(default_factory=dict)


class Account:
    """`ask(service, operation, request)` of one account, as `caller` with `policies`.

    `asked` has every action on a resource that was asked for, allowed or not, and `operations` what was called.
    """

    def __init__(self, sqs: FakeSqs, clock: FakeClock, *, caller: str = SESSION) -> None:
        self.sqs = sqs
        self.clock = clock
        self.caller = caller
        self.policies = Policies()
        self.context = {"aws:SecureTransport": "true", "aws:RequestedRegion": REGION}
        self.functions = FakeLambda(clock, account=ACCOUNT, region=REGION)
        self.logs = FakeLogs(clock, account=ACCOUNT, region=REGION)
        self.aliases: dict[str, str] = {}
        self.outputs: dict[str, str] = {}
        self.asked: dict[tuple[str, str], None] = {}
        self.operations: dict[str, None] = {}
        self.simulated: list[str] = []
        self.page_size = 100
        self._services: dict[str, Callable[[str, dict[str, Any]], dict[str, Any]]] = {
            "sqs": sqs,
            "lambda": lambda operation, request: self.functions("lambda", operation, request),
            "logs": lambda operation, request: self.logs("logs", operation, request),
            "cloudwatch": lambda _operation, _request: {"MetricAlarms": [], "CompositeAlarms": []},
            "cloudformation": self._stack,
            "kms": self._key,
            "sts": lambda _operation, _request: {"Arn": self.caller, "Account": ACCOUNT},
            "iam": self._iam,
        }

    def ask(self, service: str, operation: str, request: dict[str, Any], /) -> dict[str, Any]:
        """Carry out one request, if the caller may."""
        self.operations[f"{service}:{operation}"] = None
        for action, resource in self._needed(service, operation, request):
            self.asked[action, resource] = None
            decision = self.decide(action, resource)
            if decision != ALLOWED:
                raise error_for(operation, "AccessDenied", self._refusal(action, resource, decision), 403)
        return self._services[service](operation, request)

    def refit(self, kit: Toolkit) -> None:
        """Let a toolkit ask this account, for SQS too."""
        kit.ask = self.ask
        kit.sqs = Sqs(lambda operation, request: self.ask("sqs", operation, request), self.clock)
        kit.stack = Stack(self.ask, kit.stack.name)
        kit.who = lambda: Who(arn=self.caller, account=ACCOUNT)

    def decide(self, action: str, resource: str) -> str:
        """Return what AWS decides, the policies included that nobody can simulate."""
        attempt = Attempt(action=action, resource=resource, names=self._names, context=self.context)
        queue = self.policies.queues.get(resource)
        theirs = [queue] if queue else []
        return together(self.policies, attempt, theirs=theirs, session=self.policies.session)

    @property
    def identity_arn(self) -> str:
        """Return the ARN of the user or role behind the caller."""
        return ROLE if self.caller == SESSION else self.caller

    @property
    def _names(self) -> frozenset[str]:
        return frozenset({self.caller, self.identity_arn, ACCOUNT, f"arn:aws:iam::{ACCOUNT}:root"})

    def _refusal(self, action: str, resource: str, decision: str) -> str:
        why = "because no identity-based policy allows the" if decision == IMPLICIT else "with an explicit deny to the"
        return (
            f"User: {self.caller} is not authorized to perform: {action} on resource: {resource} {why} {action} action"
        )

    def _needed(self, service: str, operation: str, request: dict[str, Any]) -> Iterator[tuple[str, str]]:
        """Yield what a request needs, and what SQS needs of KMS in the caller's name for an encrypted queue."""
        for action, resource in authorized_as(service, operation, request):
            yield action, self.aliases.get(resource, resource)
            key = self._key_of(resource) if action in {"sqs:ReceiveMessage", "sqs:SendMessage"} else None
            if key:
                yield "kms:Decrypt", key
                if action == "sqs:SendMessage":
                    yield "kms:GenerateDataKey", key

    def _key_of(self, queue_arn: str) -> str | None:
        url = self.sqs("GetQueueUrl", {"QueueName": queue_arn.rsplit(":", 1)[-1]})["QueueUrl"]
        values = self.sqs("GetQueueAttributes", {"QueueUrl": url, "AttributeNames": ["All"]})["Attributes"]
        key = values.get("KmsMasterKeyId")
        return self.aliases.get(key, key) if key else None

    def _stack(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        if operation == "DescribeStackResources":
            return {"StackResources": []}
        if request["StackName"] != STACK_NAME:
            raise error_for("DescribeStacks", "ValidationError", f"Stack with id {request['StackName']} does not exist")
        return {
            "Stacks": [{"Outputs": [{"OutputKey": name, "OutputValue": text} for name, text in self.outputs.items()]}]
        }

    def _key(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        if operation == "GetKeyPolicy":
            return {"Policy": json.dumps(EVERYTHING)}
        key = self.aliases.get(request["KeyId"], request["KeyId"])
        return {"KeyMetadata": {"Arn": key, "KeyState": "Enabled", "KeyManager": "CUSTOMER"}}

    def _iam(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        if operation == "GetRole":
            return {"Role": {"Arn": ROLE}}
        if request["PolicySourceArn"] != self.identity_arn:
            raise error_for(operation, "NoSuchEntity", f"{request['PolicySourceArn']} cannot be found.", 404)
        self.simulated += request["ResourceArns"]
        return self._page(simulated(request, self.policies, self._names)["EvaluationResults"], request)

    def _page(self, results: list[dict[str, Any]], request: dict[str, Any]) -> dict[str, Any]:
        start = int(request.get("Marker", 0))
        end = start + self.page_size
        more = {"IsTruncated": True, "Marker": str(end)} if end < len(results) else {"IsTruncated": False}
        return {"EvaluationResults": results[start:end], **more}


def together(policies: Policies, attempt: Attempt, *, theirs: list[Document], session: list[Document]) -> str:
    """Return what all kinds of policies decide together; `theirs` is the resource's own.

    In one account either side may allow, whatever the boundary leaves out; the organization has to allow as well.
    """
    organization = evaluate(policies.organization, attempt)
    mine = {evaluate(each, attempt) for each in (policies.identity, policies.boundary, session)}
    resource = evaluate(theirs, attempt)
    if EXPLICIT in {*mine, resource, organization}:
        return EXPLICIT
    either = resource == ALLOWED or mine == {ALLOWED}
    return ALLOWED if either and organization == ALLOWED else IMPLICIT


def simulated(request: Mapping[str, Any], policies: Policies, names: frozenset[str]) -> dict[str, Any]:
    """Answer SimulatePrincipalPolicy: by the policies that IAM knows, and only the context that it is given."""
    context = {each["ContextKeyName"]: each["ContextKeyValues"][0] for each in request.get("ContextEntries", ())}
    is_user = ":user/" in request["PolicySourceArn"]
    given = [json.loads(request["ResourcePolicy"])] if "ResourcePolicy" in request and is_user else []
    results = []
    for action in request["ActionNames"]:
        specific = []
        for resource in request["ResourceArns"]:
            attempt = Attempt(action=action, resource=resource, names=names, context=context)
            decision = together(policies, attempt, theirs=given, session=[EVERYTHING])
            specific.append(
                {
                    "EvalResourceName": resource,
                    "EvalResourceDecision": decision,
                    "MissingContextValues": missing_keys([*policies.identity, *policies.boundary, *given], attempt),
                    "PermissionsBoundaryDecisionDetail": {
                        "AllowedByPermissionsBoundary": evaluate(policies.boundary, attempt) == ALLOWED
                    },
                }
            )
            organization = {"AllowedByOrganizations": evaluate(policies.organization, attempt) == ALLOWED}
        whole = {
            "EvalActionName": action,
            "EvalDecision": specific[0]["EvalResourceDecision"],
            "EvalResourceName": "*",
            "MissingContextValues": specific[0]["MissingContextValues"],
            "OrganizationsDecisionDetail": organization,
        }
        if request["ResourceArns"] == ["*"]:
            whole["PermissionsBoundaryDecisionDetail"] = specific[0]["PermissionsBoundaryDecisionDetail"]
        else:
            whole["ResourceSpecificResults"] = specific
        results.append(whole)
    return {"EvaluationResults": results, "IsTruncated": False}


def furnish(world: World, *, caller: str = SESSION) -> Account:
    """Put a world's queues into an account: `orders` has a consumer with a log group, and a stack names them all."""
    account = Account(world.sqs, world.clock, caller=caller)
    uuid = account.functions.add_mapping(queue_arn("orders"), f"{FUNCTION}:live")
    assert arn("lambda", f"event-source-mapping:{uuid}") == MAPPING
    account.logs.put(LOG_GROUP, "stream", 0, "hello")
    account.outputs = {
        "ProcessingDLQARN": queue_arn("orders-dlq"),
        "ProcessingQueueARN": queue_arn("orders"),
        "ProcessorLogGroupName": LOG_GROUP,
    }
    world.on_connect = account.refit
    return account


def queue_arn(name: str) -> str:
    """Return the ARN of a queue of the account."""
    return arn("sqs", name)
