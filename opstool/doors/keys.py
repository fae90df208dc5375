"""The door to KMS: what is known of a key, without using it."""

from __future__ import annotations

from opstool.doors.ask import Ask
from opstool.words.errors import OpstoolError
from opstool.words.key import Key


def describe_key(ask: Ask, key_id: str) -> Key:
    """Return the key with this id, ARN or alias; raise OpstoolError.

    Its policy needs a permission of its own (kms:GetKeyPolicy), and is None without.
    """
    answer = ask("kms", "DescribeKey", {"KeyId": key_id})["KeyMetadata"]
    key_arn = str(answer["Arn"])
    return Key(
        arn=key_arn,
        state=str(answer.get("KeyState", "Enabled")),
        is_aws_managed=answer.get("KeyManager") == "AWS",
        policy=_policy(ask, key_arn),
    )


def _policy(ask: Ask, key_arn: str) -> str | None:
    try:
        return str(ask("kms", "GetKeyPolicy", {"KeyId": key_arn, "PolicyName": "default"})["Policy"])
    except (OpstoolError, KeyError):
        return None
