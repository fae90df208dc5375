"""Whether the queues are closed to those who listen: encrypted at rest, and spoken to over TLS alone.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-security-best-practices.html
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from opstool.engine.checks.fixes import queue_fix
from opstool.engine.checks.scene import Scene
from opstool.words.check import Check, Fix, Rule
from opstool.words.iam.policy import statements
from opstool.words.queue import Queue, QueueAttributes

ENCRYPTED = Rule(
    code="queue_unencrypted",
    title="the queue is encrypted at rest",
    why="message bodies are customers' data, and a dead-letter queue keeps them for days",
)
TLS = Rule(
    code="tls_not_required",
    title="the queue refuses whoever does not come over TLS",
    why="SQS answers plain HTTP as well, and a client that is set to it sends bodies for anybody between to read",
)


def encrypted(scene: Scene) -> Iterator[Check]:
    """Check that each queue has a key, SQS's or a KMS one."""
    for queue, attributes in scene.queues:
        if attributes.kms_key_id:
            yield ENCRYPTED.passed(queue.name, f"with the KMS key {attributes.kms_key_id}")
        elif attributes.sse_managed:
            yield ENCRYPTED.passed(queue.name, "with a key of SQS's own (SSE-SQS)")
        else:
            fix = queue_fix(queue, "SqsManagedSseEnabled: true", SqsManagedSseEnabled="true")
            yield ENCRYPTED.failed(queue.name, "neither SSE-SQS nor a KMS key", wanted="either", fix=fix)


def over_tls(scene: Scene) -> Iterator[Check]:
    """Check that each queue's policy denies everything to everybody who comes without TLS."""
    for queue, attributes in scene.queues:
        if any(each.denies_without_tls for each in statements(attributes.policy)):
            yield TLS.passed(queue.name, "its policy denies it")
        else:
            found = "its policy does not deny it" if attributes.policy else "it has no policy"
            wanted = "a statement that denies sqs:* when aws:SecureTransport is false"
            yield TLS.failed(queue.name, found, wanted=wanted, fix=_deny(queue, attributes))


def _deny(queue: Queue, attributes: QueueAttributes) -> Fix:
    """Add the statement to the policy that is there; one that cannot be read is left to a person."""
    statement = {
        "Sid": "OnlyOverTLS",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "sqs:*",
        "Resource": queue.arn,
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    template = (
        "Type: AWS::SQS::QueuePolicy # with this among the statements of its PolicyDocument:",
        "- Sid: OnlyOverTLS",
        "  Effect: Deny",
        '  Principal: "*"',
        "  Action: sqs:*",
        f"  Resource: {queue.arn}",
        '  Condition: {Bool: {"aws:SecureTransport": "false"}}',
    )
    policy = _document(attributes.policy)
    if policy is None:
        return Fix(template=template)
    present = policy.get("Statement", [])
    others = present if isinstance(present, list) else [present]
    policy["Statement"] = [*(each for each in others if each.get("Sid") != "OnlyOverTLS"), statement]
    return queue_fix(queue, *template, Policy=policy)


def _document(policy: str | None) -> dict[str, Any] | None:
    if not policy:
        return {"Version": "2012-10-17"}
    try:
        document = json.loads(policy)
    except ValueError:
        return None
    return document if isinstance(document, dict) else None
