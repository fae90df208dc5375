"""A KMS key, as far as a queue depends on it."""

from __future__ import annotations

from dataclasses import dataclass

DEFAULT_ALIAS = "alias/aws/sqs"
"""The key that KMS manages for SQS; its policy cannot be changed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Key:
    """A key: `state` is KMS's (Enabled, Disabled, PendingDeletion, ...), `policy` is None when it may not be read."""

    arn: str
    state: str
    is_aws_managed: bool = False
    policy: str | None = None

    @property
    def is_usable(self) -> bool:
        """Tell whether it encrypts and decrypts."""
        return self.state in {"Enabled", "Updating"}
