"""What an identity may do: who the caller is, what IAM decides of one action on one resource, and what follows."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class CallerKind(StrEnum):
    """What kind of identity calls; the first part of the last field of its ARN, but for `root` and `other`."""

    USER = "user"
    ROLE = "assumed-role"
    FEDERATED = "federated-user"
    ROOT = "root"
    OTHER = "other"


@dataclass(frozen=True, kw_only=True, slots=True)
class Caller:
    """The identity that AWS takes us for, by the ARN that STS GetCallerIdentity answers.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html
    """

    arn: str

    @property
    def kind(self) -> CallerKind:
        """Return what kind of identity it is."""
        first = self._name.split("/")[0]
        known = {each.value: each for each in CallerKind if each is not CallerKind.OTHER}
        return known.get(first, CallerKind.OTHER)

    @property
    def account(self) -> str:
        """Return the twelve digits of its account."""
        return self.arn.split(":")[4] if self.arn.count(":") >= 5 else ""  # noqa: PLR2004 - an ARN has six parts

    @property
    def role_name(self) -> str | None:
        """Return the name of the role that was assumed; the session's ARN leaves out the role's path."""
        return self._name.split("/")[1] if self.kind is CallerKind.ROLE else None

    @property
    def role_arn_without_path(self) -> str:
        """Return the ARN of the assumed role if it has no path; role names are unique in an account, paths or not."""
        part, account = self.arn.split(":")[1], self.account
        return f"arn:{part}:iam::{account}:role/{self.role_name}"

    @property
    def _name(self) -> str:
        return self.arn.split(":", 5)[-1]


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """What the policy simulator decides of one action on one resource: `allowed`, `implicitDeny` or `explicitDeny`.

    `missing` are the context keys that a policy asks for and that were not given: then the decision may be another one
    in real life. `by_organization` and `by_boundary` are false where a service control policy or the permissions
    boundary does not allow it, None where there is none.
    """

    action: str
    resource: str
    decision: str
    missing: tuple[str, ...] = ()
    by_organization: bool | None = None
    by_boundary: bool | None = None


class Verdict(StrEnum):
    """Whether the caller may."""

    ALLOWED = "allowed"
    DENIED = "denied"
    UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True, slots=True, order=True)
class Permission:
    """One action on one resource: an ARN, or `*` where IAM cannot narrow it."""

    action: str
    resource: str

    def __str__(self) -> str:
        """Return how it is named to people."""
        return f"{self.action} on {self.resource}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """What was found of a permission, and how it is known or why it is not.

    `is_final`: what is denied stays denied whatever the caller's own policies allow.
    """

    verdict: Verdict
    reason: str
    is_final: bool = False
