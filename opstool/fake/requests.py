"""The shape of the requests the fake takes: which operations there are, and the members of each.

A misspelt member is the caller's bug, which a real SDK finds before anything is sent; so it is a ValueError here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from opstool.fake.refusal import RefusalError

# Required members are marked with an asterisk.
_MEMBERS = {
    "CancelMessageMoveTask": "TaskHandle*",
    "ChangeMessageVisibility": "QueueUrl* ReceiptHandle* VisibilityTimeout*",
    "ChangeMessageVisibilityBatch": "QueueUrl* Entries*",
    "CreateQueue": "QueueName* Attributes tags",
    "DeleteMessage": "QueueUrl* ReceiptHandle*",
    "DeleteMessageBatch": "QueueUrl* Entries*",
    "DeleteQueue": "QueueUrl*",
    "GetQueueAttributes": "QueueUrl* AttributeNames",
    "GetQueueUrl": "QueueName* QueueOwnerAWSAccountId",
    "ListDeadLetterSourceQueues": "QueueUrl* NextToken MaxResults",
    "ListMessageMoveTasks": "SourceArn* MaxResults",
    "ListQueues": "QueueNamePrefix NextToken MaxResults",
    "PurgeQueue": "QueueUrl*",
    "ReceiveMessage": "QueueUrl* AttributeNames MessageSystemAttributeNames MessageAttributeNames "
    "MaxNumberOfMessages VisibilityTimeout WaitTimeSeconds ReceiveRequestAttemptId",
    "SendMessage": "QueueUrl* MessageBody* DelaySeconds MessageAttributes MessageSystemAttributes "
    "MessageDeduplicationId MessageGroupId",
    "SendMessageBatch": "QueueUrl* Entries*",
    "SetQueueAttributes": "QueueUrl* Attributes*",
    "StartMessageMoveTask": "SourceArn* DestinationArn MaxNumberOfMessagesPerSecond",
}
_ENTRY_MEMBERS = {
    "ChangeMessageVisibilityBatch": "Id* ReceiptHandle* VisibilityTimeout",
    "DeleteMessageBatch": "Id* ReceiptHandle*",
    "SendMessageBatch": "Id* MessageBody* DelaySeconds MessageAttributes MessageSystemAttributes "
    "MessageDeduplicationId MessageGroupId",
}


def check_request(operation: str, request: Mapping[str, Any]) -> None:
    """Raise ValueError for members that the operation does not have or that are missing."""
    if operation not in _MEMBERS:
        raise RefusalError("UnsupportedOperation", f"the in-memory SQS does not know `{operation}`")
    _check(operation, _MEMBERS[operation], request)
    for entry in request.get("Entries", ()):
        _check(operation, _ENTRY_MEMBERS[operation], entry)


def _check(operation: str, members: str, given: Mapping[str, Any]) -> None:
    known, required = _PARSED[members]
    if not known >= given.keys():
        raise ValueError(f"`{operation}` has no parameter {', '.join(sorted(given.keys() - known))}")
    if not required <= given.keys():
        raise ValueError(f"`{operation}` needs the parameter {', '.join(sorted(required - given.keys()))}")


def _parsed(members: str) -> tuple[frozenset[str], frozenset[str]]:
    names = members.split()
    return frozenset(name.rstrip("*") for name in names), frozenset(name[:-1] for name in names if name[-1] == "*")


_PARSED = {members: _parsed(members) for members in (*_MEMBERS.values(), *_ENTRY_MEMBERS.values())}
