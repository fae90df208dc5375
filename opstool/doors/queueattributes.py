"""The attributes of a queue as GetQueueAttributes spells them, turned into our words.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_GetQueueAttributes.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from opstool.doors.wire import redrive_policy_of
from opstool.words.queue import QueueAttributes, RedriveAllowPolicy


def attributes_of(values: Mapping[str, str]) -> QueueAttributes:
    """Return the attributes; what is absent has SQS's default."""
    reuse = values.get("KmsDataKeyReusePeriodSeconds")
    return QueueAttributes(
        depth=int(values.get("ApproximateNumberOfMessages", 0)),
        in_flight=int(values.get("ApproximateNumberOfMessagesNotVisible", 0)),
        delayed=int(values.get("ApproximateNumberOfMessagesDelayed", 0)),
        retention_s=int(values.get("MessageRetentionPeriod", 345_600)),
        visibility_timeout_s=int(values.get("VisibilityTimeout", 30)),
        redrive_policy=redrive_policy_of(values.get("RedrivePolicy")),
        redrive_allow_policy=_redrive_allow_policy_of(values.get("RedriveAllowPolicy")),
        policy=values.get("Policy") or None,
        kms_key_id=values.get("KmsMasterKeyId") or None,
        kms_data_key_reuse_s=int(reuse) if reuse else None,
        delay_s=int(values.get("DelaySeconds", 0)),
        sse_managed=values.get("SqsManagedSseEnabled", "false").lower() == "true",
    )


def _redrive_allow_policy_of(text: str | None) -> RedriveAllowPolicy | None:
    """Return the redrive allow policy; None when there is none, or one that SQS would not take."""
    try:
        policy = json.loads(text or "null")
        if not policy:
            return None
        arns = policy.get("sourceQueueArns") or ()
        return RedriveAllowPolicy(permission=str(policy["redrivePermission"]), source_arns=tuple(map(str, arns)))
    except (KeyError, TypeError, ValueError, AttributeError):
        return None
