"""A small account in good health, for tests of the doctor: every setting around a DLQ is data that a test may spoil.

SQS is the in-memory one; Lambda, CloudWatch, Logs and KMS answer from lists in their own APIs' form.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from opstool.doors.ask import refuse
from opstool.doors.sqs import Sqs
from opstool.doors.stack import Stack
from opstool.doors.toolkit import Toolkit
from opstool.fake import FakeClock, FakeSqs, Faults
from opstool.words.awserrors import error_for
from opstool.words.queue import Queue

ACCOUNT, REGION = "123456789012", "us-east-1"
TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:on-call"
KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/11111111-2222-3333-4444-555555555555"
DEFAULT_KEY = "alias/aws/sqs"


def arn_of(name: str) -> str:
    """Return the ARN of a queue of this account."""
    return f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"


def redrive_policy(dlq: str, receives: int) -> str:
    """Return the redrive policy that points to a queue."""
    return json.dumps({"deadLetterTargetArn": arn_of(dlq), "maxReceiveCount": receives})


def only_over_tls(name: str, *more: Mapping[str, Any]) -> str:
    """Return a queue policy that denies whoever does not come over TLS, and says `more`."""
    deny = {
        "Sid": "OnlyOverTLS",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "sqs:*",
        "Resource": arn_of(name),
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [deny, *more]})


def letting_send(*services: str) -> dict[str, Any]:
    """Return a statement that lets services send."""
    return {"Effect": "Allow", "Principal": {"Service": list(services)}, "Action": "sqs:SendMessage", "Resource": "*"}


class Denying(Faults):
    """SQS that refuses some actions."""

    def __init__(self, denied: set[str]) -> None:
        self._denied = denied

    def before(self, operation: str, request: Mapping[str, Any]) -> None:
        """Refuse what is denied to this identity."""
        if f"sqs:{operation}" in self._denied:
            raise error_for(operation, "AccessDenied", "no identity-based policy allows it", 403)


@dataclass
class Patient:
    """The account. `denied` and `broken` hold actions as IAM names them; `asked` is what was asked for."""

    state_dir: Path
    clock: FakeClock = field(default_factory=FakeClock)
    mappings: list[dict[str, Any]] = field(default_factory=list)
    functions: dict[str, dict[str, Any]] = field(default_factory=dict)
    alarms: list[dict[str, Any]] = field(default_factory=list)
    composites: list[dict[str, Any]] = field(default_factory=list)
    log_groups: list[dict[str, Any]] = field(default_factory=list)
    keys: dict[str, dict[str, Any]] = field(default_factory=dict)
    key_policy: dict[str, Any] = field(default_factory=dict)
    denied: set[str] = field(default_factory=set)
    broken: set[str] = field(default_factory=set)
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    outputs: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Make SQS."""
        self.sqs = FakeSqs(self.clock, account=ACCOUNT, region=REGION, faults=Denying(self.denied))

    def kit(self, **_: Any) -> Toolkit:
        """Return the toolkit of one invocation; it may stand for `connect`."""
        return Toolkit(
            sqs=Sqs(self.sqs, self.clock),
            clock=self.clock,
            state_dir=self.state_dir,
            stack=Stack(self.ask, "orders-stack"),
            ask=self.ask,
            where=lambda: f"{REGION} (account {ACCOUNT})",
        )

    def make_queue(self, name: str, **attributes: str) -> Queue:
        """Make a queue."""
        url = str(self.sqs("CreateQueue", {"QueueName": name, "Attributes": attributes})["QueueUrl"])
        return Queue(url=url, arn=arn_of(name))

    def set(self, name: str, **attributes: Any) -> None:
        """Set attributes of a queue; what is no text goes as JSON."""
        url = self.sqs("GetQueueUrl", {"QueueName": name})["QueueUrl"]
        texts = {key: value if isinstance(value, str) else json.dumps(value) for key, value in attributes.items()}
        self.sqs("SetQueueAttributes", {"QueueUrl": url, "Attributes": texts})

    def send(self, name: str, *bodies: str) -> None:
        """Send messages to a queue."""
        url = self.sqs("GetQueueUrl", {"QueueName": name})["QueueUrl"]
        for body in bodies:
            self.sqs("SendMessage", {"QueueUrl": url, "MessageBody": body})

    @property
    def mapping(self) -> dict[str, Any]:
        """Return the one event source mapping."""
        [only] = self.mappings
        return only

    @property
    def function(self) -> dict[str, Any]:
        """Return the one function."""
        [only] = self.functions.values()
        return only

    @property
    def alarm(self) -> dict[str, Any]:
        """Return the first alarm."""
        return self.alarms[0]

    def ask(self, service: str, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        """Answer as the service does, one entry a page where it has pages."""
        self.asked.append((f"{service}:{operation}", request))
        if f"{service}:{operation}" in self.denied:
            raise error_for(operation, "AccessDeniedException", "no identity-based policy allows it", 403)
        if f"{service}:{operation}" in self.broken:
            raise error_for(operation, "InternalFailure", "", 500)
        answers = {
            "ListEventSourceMappings": self._mappings,
            "GetFunctionConfiguration": self._function,
            "DescribeAlarms": self._alarms,
            "DescribeLogGroups": self._log_groups,
            "DescribeKey": self._key,
            "GetKeyPolicy": lambda _: {"Policy": json.dumps(self.key_policy)},
            "DescribeStacks": self._stacks,
        }
        if operation not in answers:
            return refuse(service, operation, request)
        return answers[operation](request)

    def _mappings(self, request: dict[str, Any]) -> dict[str, Any]:
        wanted = request.get("EventSourceArn")
        mine = [each for each in self.mappings if wanted in {None, each["EventSourceArn"]}]
        return _page(mine, "EventSourceMappings", request, "Marker", "NextMarker")

    def _function(self, request: dict[str, Any]) -> dict[str, Any]:
        if request["FunctionName"] not in self.functions:
            raise error_for("GetFunctionConfiguration", "ResourceNotFoundException", "Function not found", 404)
        return self.functions[request["FunctionName"]]

    def _alarms(self, request: dict[str, Any]) -> dict[str, Any]:
        page = _page(self.alarms, "MetricAlarms", request, "NextToken", "NextToken")
        return {**page, "CompositeAlarms": self.composites}

    def _log_groups(self, request: dict[str, Any]) -> dict[str, Any]:
        mine = [
            each for each in self.log_groups if each["logGroupName"].startswith(request.get("logGroupNamePrefix", ""))
        ]
        return _page(mine, "logGroups", request, "nextToken", "nextToken")

    def _key(self, request: dict[str, Any]) -> dict[str, Any]:
        if request["KeyId"] not in self.keys:
            raise error_for("DescribeKey", "NotFoundException", "Alias or key is not found", 400)
        return {"KeyMetadata": self.keys[request["KeyId"]]}

    def _stacks(self, request: dict[str, Any]) -> dict[str, Any]:
        listed = [{"OutputKey": name, "OutputValue": value} for name, value in self.outputs.items()]
        return {"Stacks": [{"StackName": request["StackName"], "Outputs": listed}]}


def _page(found: list[dict[str, Any]], key: str, request: dict[str, Any], token: str, following: str) -> dict[str, Any]:
    """Return one entry, and where the next one begins: whoever forgets to turn the page sees only the first."""
    place = int(request.get(token, 0))
    rest = {following: str(place + 1)} if place + 1 < len(found) else {}
    return {key: found[place : place + 1], **rest}


def healthy(state_dir: Path) -> Patient:
    """Make `orders` with `orders-dlq`, a function that consumes it, its log group and an alarm: all as it should be."""
    patient = Patient(state_dir=state_dir)
    allowed = json.dumps({"redrivePermission": "byQueue", "sourceQueueArns": [arn_of("orders")]})
    patient.make_queue(
        "orders-dlq",
        MessageRetentionPeriod="1209600",
        RedriveAllowPolicy=allowed,
        Policy=only_over_tls("orders-dlq"),
    )
    patient.make_queue(
        "orders",
        VisibilityTimeout="180",
        RedrivePolicy=redrive_policy("orders-dlq", 5),
        Policy=only_over_tls("orders"),
    )
    patient.outputs["ProcessingDLQARN"] = arn_of("orders-dlq")
    map_function(patient, "orders-consumer", "orders")
    patient.alarms.append(alarm("orders-dlq-depth"))
    return patient


def map_function(patient: Patient, name: str, queue: str) -> None:
    """Make a function with a log group, and an event source mapping that feeds it."""
    arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}"
    patient.functions[arn] = {
        "FunctionName": name,
        "FunctionArn": arn,
        "Timeout": 30,
        "MemorySize": 256,
        "Runtime": "python3.13",
        "LoggingConfig": {"LogFormat": "JSON", "ApplicationLogLevel": "INFO", "SystemLogLevel": "INFO"},
    }
    patient.mappings.append(
        {
            "UUID": f"{len(patient.mappings):08d}-aaaa-bbbb-cccc-dddddddddddd",
            "EventSourceArn": arn_of(queue),
            "FunctionArn": arn,
            "State": "Enabled",
            "BatchSize": 10,
            "FunctionResponseTypes": ["ReportBatchItemFailures"],
        }
    )
    # The longer name comes first in a search by prefix.
    patient.log_groups[:0] = [
        {"logGroupName": f"/aws/lambda/{name}", "retentionInDays": 30},
        {"logGroupName": f"/aws/lambda/{name}-of-another", "retentionInDays": 1},
    ]
    patient.log_groups.reverse()


def alarm(name: str, metric: str = "ApproximateNumberOfMessagesVisible", **settings: Any) -> dict[str, Any]:
    """Return a good alarm on the DLQ, but for its `settings`."""
    return {
        "AlarmName": name,
        "AlarmArn": f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:{name}",
        "Namespace": "AWS/SQS",
        "MetricName": metric,
        "Dimensions": [{"Name": "QueueName", "Value": "orders-dlq"}],
        "ActionsEnabled": True,
        "AlarmActions": [TOPIC],
        "TreatMissingData": "notBreaching",
        **settings,
    }
