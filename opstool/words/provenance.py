"""Which service put a message into a dead-letter queue, where it did not die in an SQS queue: what itself says of it.

Every kind is recognised by all that its service writes, in the types that it writes, and by nothing less:

    lambda_async        a function's `DeadLetterConfig`: the three attributes, and no other
                        https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
    lambda_destination  a function's destination, also of a stream's mapping: a record in the body (same page)
    sns                 a subscription's dead-letter queue, or a subscription to this queue: a notification in the body
                        https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html
    eventbridge         a rule's target
                        https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html
    scheduler           a schedule
                        https://docs.aws.amazon.com/scheduler/latest/UserGuide/configuring-schedule-dlq.html
    pipes               a pipe that reads a stream: a record in the body; its form is not documented, and known from
                        messages that people have published

SNS adds no attributes to what it dead-letters (not documented; recorded from AWS in
https://github.com/localstack/localstack/pull/6640), so a notification that was delivered raw cannot be told from a
message that somebody sent.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from opstool.words.message import Attribute, Message

LONGEST_ERROR = 1_024
"""Characters of an error that are kept: Lambda writes the first kilobyte; of the others it is not documented."""
_LONGEST_WORD = 256
_LONGEST_ARN = 2_048
"""No service names a longest ARN; names and paths in one are at most 1,600 characters (Scheduler's API reference)."""
_ARN_PARTS = 6
_STATUS = re.compile(r"[0-9]{3}", re.ASCII)
_COUNT = re.compile(r"[0-9]{1,9}", re.ASCII)
_MOST_INVOKED = 999_999_999
"""As many digits as _COUNT: JSON admits thousands of them, and no other program reads such a number back."""
# A body is parsed only where one of these stands in it: parsing costs a hundred times as much as looking.
_MARKS = ('"TopicArn"', '"functionArn"', '"partnerResourceArn"')


class Kind(StrEnum):
    """A service that puts messages into dead-letter queues, as it stands in a document."""

    LAMBDA_ASYNC = "lambda_async"
    LAMBDA_DESTINATION = "lambda_destination"
    SNS = "sns"
    EVENTBRIDGE = "eventbridge"
    SCHEDULER = "scheduler"
    PIPES = "pipes"


@dataclass(frozen=True, kw_only=True, slots=True)
class Provenance:
    """What a message tells of the service that put it here; what it does not tell is None. All of it is untrusted.

    `arn` is the function, topic, rule, schedule or pipe, `target` what it could not reach, `condition` what made it
    give up. `error_code` is a status of three digits (`lambda_async`), the type of the error (`lambda_destination`), or
    a code of the service.
    """

    kind: Kind
    arn: str | None = None
    target: str | None = None
    request_id: str | None = None
    error_code: str | None = None
    error_message: str | None = None
    condition: str | None = None
    retry_attempts: int | None = None

    @property
    def document(self) -> dict[str, Any]:
        """Return it as it stands under `origin` in a message's document."""
        return {
            "kind": self.kind,
            "arn": self.arn,
            "target": self.target,
            "request_id": self.request_id,
            "error_code": self.error_code,
            "error_message": self.error_message,
            "condition": self.condition,
            "retry_attempts": self.retry_attempts,
        }


def provenance_of(message: Message) -> Provenance | None:
    """Return who put a message here; None when it died in an SQS queue, and when it does not say.

    What has a DeadLetterQueueSourceArn died in SQS, whatever stands in it: a consumer may write such attributes too,
    and the notifications of a topic are what many queues are made for.
    """
    if message.source_arn is not None:
        return None
    return _of_lambda(message.attributes) or _of_eventbridge(message.attributes) or _of_body(message)


def _of_lambda(attributes: Mapping[str, Attribute]) -> Provenance | None:
    """Return what the attributes of a function's dead-letter queue say; Lambda sends these three and no other."""
    if attributes.keys() != {"RequestID", "ErrorCode", "ErrorMessage"} or attributes["ErrorCode"].type != "Number":
        return None
    texts = _texts(attributes, "RequestID", "ErrorMessage")
    code = str(attributes["ErrorCode"].value)
    if texts is None or not _STATUS.fullmatch(code):
        return None
    return Provenance(
        kind=Kind.LAMBDA_ASYNC,
        request_id=texts["RequestID"][:_LONGEST_WORD],
        error_code=code,
        error_message=texts["ErrorMessage"][:LONGEST_ERROR],
    )


def _of_eventbridge(attributes: Mapping[str, Attribute]) -> Provenance | None:
    """Return what the attributes of a rule's or a schedule's dead-letter queue say.

    EXHAUSTED_RETRY_CONDITION is there only when retries ended it: an error that is not retried has none.
    """
    texts = _texts(attributes, "TARGET_ARN", "ERROR_CODE", "ERROR_MESSAGE")
    retries = attributes.get("RETRY_ATTEMPTS")
    if texts is None or retries is None or not _is_arn(texts["TARGET_ARN"]):
        return None
    if retries.type not in {"String", "Number"} or not _COUNT.fullmatch(str(retries.value)):
        return None
    for kind, name, service in (
        (Kind.EVENTBRIDGE, "RULE_ARN", "events"),
        (Kind.SCHEDULER, "SCHEDULE_ARN", "scheduler"),
    ):
        own = _texts(attributes, name)
        if own is not None and _is_arn(own[name], service):
            condition = _texts(attributes, "EXHAUSTED_RETRY_CONDITION") or {}
            return Provenance(
                kind=kind,
                arn=own[name],
                target=texts["TARGET_ARN"],
                error_code=texts["ERROR_CODE"][:_LONGEST_WORD],
                error_message=texts["ERROR_MESSAGE"][:LONGEST_ERROR],
                condition=_word(condition.get("EXHAUSTED_RETRY_CONDITION")),
                retry_attempts=int(str(retries.value)),
            )
    return None


def _of_body(message: Message) -> Provenance | None:
    """Return what a body says that a service has written; a body that is no JSON object says nothing."""
    if not any(mark in message.body for mark in _MARKS):
        return None
    try:
        body = json.loads(message.body)
    except (ValueError, RecursionError):  # not JSON, a number of thousands of digits, or nested too deeply
        return None
    if not isinstance(body, dict):
        return None
    return _of_notification(body) or _of_destination(body) or _of_pipe(body)


def _of_notification(body: Mapping[str, Any]) -> Provenance | None:
    """Return what SNS's notification says."""
    keys = ("MessageId", "Message", "Timestamp", "SignatureVersion", "Signature")
    if body.get("Type") != "Notification" or not _is_arn(body.get("TopicArn"), "sns"):
        return None
    if not all(isinstance(body.get(key), str) for key in keys):
        return None
    return Provenance(kind=Kind.SNS, arn=body["TopicArn"])


def _of_destination(body: Mapping[str, Any]) -> Provenance | None:
    """Return what Lambda's record of an invocation says, of a success too: a destination takes both."""
    context = body.get("requestContext")
    if not _is_record(body) or not isinstance(context, Mapping):
        return None
    invoked = context.get("approximateInvokeCount")
    if not _is_arn(context.get("functionArn"), "lambda") or isinstance(invoked, bool):
        return None
    if not isinstance(invoked, int) or not 0 <= invoked <= _MOST_INVOKED:
        return None
    if not all(isinstance(context.get(key), str) for key in ("requestId", "condition")):
        return None
    answer = body.get("responsePayload")
    said: Mapping[str, Any] = answer if isinstance(answer, Mapping) and context["condition"] != "Success" else {}
    return Provenance(
        kind=Kind.LAMBDA_DESTINATION,
        arn=context["functionArn"],
        request_id=_word(context["requestId"]),
        error_code=_word(said.get("errorType")),
        error_message=_word(said.get("errorMessage"), LONGEST_ERROR),
        condition=_word(context["condition"]),
        retry_attempts=max(0, invoked - 1),
    )


def _of_pipe(body: Mapping[str, Any]) -> Provenance | None:
    """Return what the record of a pipe says that gave up on a batch of a stream."""
    context = body.get("context")
    if not _is_record(body) or not isinstance(context, Mapping):
        return None
    if not _is_arn(context.get("partnerResourceArn"), "pipes") or not isinstance(context.get("condition"), str):
        return None
    return Provenance(kind=Kind.PIPES, arn=context["partnerResourceArn"], condition=_word(context["condition"]))


def _is_record(body: Mapping[str, Any]) -> bool:
    """Tell whether a body has the frame that the records of destinations and pipes share."""
    return body.get("version") == "1.0" and isinstance(body.get("timestamp"), str)


def _texts(attributes: Mapping[str, Attribute], *names: str) -> dict[str, str] | None:
    """Return the values of these attributes; None unless each is there, is a plain String, and has a value."""
    found = {
        name: attribute.value for name in names if (attribute := attributes.get(name)) and attribute.type == "String"
    }
    texts = {name: value for name, value in found.items() if isinstance(value, str) and value}
    return texts if len(texts) == len(names) else None


def _is_arn(value: Any, service: str | None = None) -> bool:
    """Tell whether a value has the form of an ARN, of one service if it is named."""
    if not isinstance(value, str) or len(value) > _LONGEST_ARN:
        return False
    parts = value.split(":", _ARN_PARTS - 1)
    return len(parts) == _ARN_PARTS and parts[0] == "arn" and bool(parts[5]) and service in {None, parts[2]}


def _word(value: Any, longest: int = _LONGEST_WORD) -> str | None:
    """Return the beginning of a text, None for anything else."""
    return value[:longest] or None if isinstance(value, str) else None
