"""Ask IAM's policy simulator about what cannot be tried, and tell how far its answer holds.

It knows the policies of a user or role, their permissions boundary and the organization's service control policies. It
does not know session policies, and of a role it does not take the queue's policy into account:
https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from opstool.doors.access import Access
from opstool.engine.access.queuepolicy import may_allow, may_deny
from opstool.words.errors import AccessError, OpstoolError
from opstool.words.iam.access import Caller, CallerKind, Decision, Finding, Permission, Verdict

_AT_ONCE = 50
"""Resources of one request; with at most ten actions it has 500 results, five pages."""
_ALLOWED, _EXPLICIT = "allowed", "explicitDeny"
_NOT_ALLOWED = "no policy allows it"

Questions = dict[tuple[frozenset[str], str | None], list[str]]


def simulate(
    access: Access,
    caller: Caller,
    permissions: Collection[Permission],
    *,
    queue_policies: Mapping[str, str],
    unread_policies: Collection[str] = (),
    region: str,
) -> dict[Permission, Finding]:
    """Return what is decided of each permission; every one has a finding, be it that nothing is known."""
    if caller.kind is CallerKind.ROOT:
        return dict.fromkeys(permissions, Finding(verdict=Verdict.ALLOWED, reason="the account's root user"))
    if caller.kind in {CallerKind.FEDERATED, CallerKind.OTHER}:
        return _nothing_known(permissions, "IAM simulates users and roles only, and this caller is neither")
    try:
        return _Simulation(access, caller, queue_policies, unread_policies, region).of(permissions)
    except AccessError:
        return _nothing_known(permissions, "it cannot be tried, and iam:SimulatePrincipalPolicy is not allowed")
    except OpstoolError as error:
        return _nothing_known(permissions, f"it cannot be tried, and was not simulated: {error.message}")


def _nothing_known(permissions: Iterable[Permission], why: str) -> dict[Permission, Finding]:
    return dict.fromkeys(permissions, Finding(verdict=Verdict.UNKNOWN, reason=why))


class _Simulation:
    """The simulation of one caller."""

    def __init__(
        self,
        access: Access,
        caller: Caller,
        queue_policies: Mapping[str, str],
        unread_policies: Collection[str],
        region: str,
    ) -> None:
        self._access = access
        self._unread_policies = unread_policies
        self._caller = caller
        self._queue_policies = queue_policies
        # What we know of our own requests, and policies often ask for.
        self._context = {"aws:SecureTransport": "true", "aws:RequestedRegion": region}

    def of(self, permissions: Collection[Permission]) -> dict[Permission, Finding]:
        identity_arn = self._identity_arn()
        meant = {_as_requested(each.resource): each.resource for each in permissions}
        found: dict[Permission, Finding] = {}
        for (actions, policy), resources in self._questions(permissions).items():
            for start in range(0, len(resources), _AT_ONCE):
                asked = resources[start : start + _AT_ONCE]
                decisions = self._access.simulate(
                    identity_arn, actions, asked, context=self._context, queue_policy=policy
                )
                for each in decisions:
                    resource = meant.get(each.resource, each.resource)
                    found[Permission(action=each.action, resource=resource)] = self._judge(each)
        return {**_nothing_known(permissions, "the simulator said nothing of it"), **found}

    def _identity_arn(self) -> str:
        """Return the ARN to simulate; a role's path has to be asked for, and one that may not be asked has none."""
        if self._caller.kind is CallerKind.USER or not self._caller.role_name:
            return self._caller.arn
        try:
            return self._access.role_arn(self._caller.role_name)
        except OpstoolError:
            return self._caller.role_arn_without_path

    def _questions(self, permissions: Iterable[Permission]) -> Questions:
        """Return the resources by the actions to ask of them and the queue policy that counts for a user."""
        actions: dict[str, set[str]] = {}
        for permission in permissions:
            actions.setdefault(permission.resource, set()).add(permission.action)
        questions: Questions = {}
        for resource, asked in actions.items():
            question = questions.setdefault((frozenset(asked), self._simulated_policy(resource)), [])
            question.append(_as_requested(resource))
        return questions

    def _simulated_policy(self, resource: str) -> str | None:
        """Return the policy of a queue where the simulator takes it: for a user of the queue's own account."""
        ours = self._caller.kind is CallerKind.USER and not self._is_foreign(resource)
        return self._queue_policies.get(resource) if ours else None

    def _is_foreign(self, resource: str) -> bool:
        return resource != "*" and resource.split(":")[4] != self._caller.account

    def _judge(self, decision: Decision) -> Finding:
        """Return what follows from a decision, with what the simulator did not know."""
        doubt = self._doubt(decision)
        if doubt:
            return Finding(verdict=Verdict.UNKNOWN, reason=doubt)
        if decision.decision == _ALLOWED:
            return Finding(verdict=Verdict.ALLOWED, reason="simulated")
        reason = _why_denied(decision)
        return Finding(verdict=Verdict.DENIED, reason=reason, is_final=reason != _NOT_ALLOWED)

    def _doubt(self, decision: Decision) -> str | None:
        """Return why real life may differ from a decision, None when nothing is known that could make it differ."""
        if decision.by_organization is False:
            return None  # whatever else allows it, it stays denied
        if decision.missing:
            return f"it depends on {', '.join(decision.missing)}, which is not known here"
        return None if decision.decision == _EXPLICIT else self._doubt_of_resource(decision)

    def _doubt_of_resource(self, decision: Decision) -> str | None:
        """Return what the resource's own policy, which was not simulated, may change."""
        allowed = decision.decision == _ALLOWED
        if decision.action.startswith("kms:"):
            return None if allowed else "no policy of the caller allows it, and the key's own policy or a grant may"
        if decision.action.startswith("sqs:") and self._is_foreign(decision.resource):
            return "the queue is in another account, whose queue policy decides too"
        if decision.action.startswith("sqs:") and decision.resource in self._unread_policies:
            return "the queue's own policy, which may decide otherwise, could not be read"
        policy = self._queue_policies.get(decision.resource)
        if policy and not self._simulated_policy(decision.resource):
            return _doubt_of_queue_policy(policy, decision.action, allowed=allowed)
        return None


def _as_requested(resource: str) -> str:
    """Return a resource as AWS names it in a request: of a log group that is the beginning of its streams.

    So it stands in CloudWatch Logs' own refusals; a policy names the group with `:*`, which covers it.
    """
    return f"{resource.removesuffix('*')}log-stream:" if ":log-group:" in resource else resource


def _doubt_of_queue_policy(policy: str, action: str, *, allowed: bool) -> str | None:
    """Return whether a queue's policy, which is not simulated for a role, may turn a decision."""
    if allowed and may_deny(policy, action):
        return "the caller's policies allow it, and the queue's policy has a Deny that may hold for the caller"
    if not allowed and may_allow(policy, action):
        return "no policy of the caller allows it, and the queue's policy may"
    return None


def _why_denied(decision: Decision) -> str:
    if decision.by_organization is False:
        return "a service control policy of the organization does not allow it"
    if decision.by_boundary is False:
        return "the permissions boundary does not allow it"
    return "a policy denies it" if decision.decision == _EXPLICIT else _NOT_ALLOWED
