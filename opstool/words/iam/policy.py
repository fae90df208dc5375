"""An access policy of a queue or a key, as far as it can be judged by reading: who may, and what is denied without TLS.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements.html
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

EVERYBODY = "*"


@dataclass(frozen=True, kw_only=True, slots=True)
class Statement:
    """One statement. `services` and `principals` are the services and the AWS identities it speaks of."""

    allows: bool
    principals: frozenset[str]
    services: frozenset[str]
    actions: frozenset[str]
    conditions: Mapping[str, Any]

    @property
    def denies_without_tls(self) -> bool:
        """Tell whether it keeps everybody who does not come over TLS from doing anything."""
        tests = [self.conditions.get(each) for each in ("Bool", "BoolIfExists")]
        values = [_values(test.get(key)) for test in tests if isinstance(test, Mapping) for key in _secure(test)]
        covers_all = bool(self.actions & {"*", "sqs:*"})
        return not self.allows and EVERYBODY in self.principals and covers_all and ["false"] in values

    def senders_beyond(self, account: str) -> frozenset[str]:
        """Return the services and other accounts that it lets send messages to a queue of `account`."""
        if not self.allows or not self.actions & {"*", "sqs:*", "sqs:sendmessage"}:
            return frozenset()
        others = {each for each in map(account_of, self.principals) if each.isdigit() and each != account}
        return self.services | others


def statements(policy: str | None) -> list[Statement]:
    """Return the statements of a policy document; none when there is no policy, or none that can be read."""
    try:
        document = json.loads(policy or "{}")
    except ValueError:
        return []
    found = document.get("Statement", []) if isinstance(document, dict) else []
    return [_statement(each) for each in (found if isinstance(found, list) else [found]) if isinstance(each, dict)]


def account_of(principal: str) -> str:
    """Return the account of an AWS principal, which is an ARN or the account itself."""
    parts = principal.split(":")
    return parts[4] if len(parts) > 5 else principal  # noqa: PLR2004 - an ARN has six parts


def _statement(raw: Mapping[str, Any]) -> Statement:
    principal = raw.get("Principal")
    named: Mapping[str, Any] = principal if isinstance(principal, dict) else {"AWS": principal}
    conditions = raw.get("Condition")
    return Statement(
        allows=raw.get("Effect") == "Allow",
        principals=frozenset(_values(named.get("AWS"))),
        services=frozenset(_values(named.get("Service"))),
        actions=frozenset(each.lower() for each in _values(raw.get("Action"))),
        conditions=conditions if isinstance(conditions, dict) else {},
    )


def _secure(test: Mapping[str, Any]) -> Iterator[str]:
    return (key for key in test if key.lower() == "aws:securetransport")


def _values(value: Any) -> list[str]:
    """Return one value or a list of them as texts, booleans as JSON spells them."""
    values = value if isinstance(value, list) else [] if value is None else [value]
    return [str(each).lower() if isinstance(each, bool) else str(each) for each in values]
