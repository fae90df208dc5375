"""A small part of IAM's policy language, evaluated as IAM documents it.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

ALLOWED, IMPLICIT, EXPLICIT = "allowed", "implicitDeny", "explicitDeny"

Document = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """Somebody tries an action on a resource; `names` are what a Principal may call them."""

    action: str
    resource: str
    names: frozenset[str] = frozenset()
    context: Mapping[str, str] = field(default_factory=dict)


def allow(*actions: str, on: str | list[str] = "*", **more: Any) -> Document:
    """Return a policy that allows actions."""
    return {"Version": "2012-10-17", "Statement": [_statement("Allow", actions, on, more)]}


def deny(*actions: str, on: str | list[str] = "*", **more: Any) -> Document:
    """Return a policy that denies actions."""
    return {"Version": "2012-10-17", "Statement": [_statement("Deny", actions, on, more)]}


def everything_but(*actions: str, on: str | list[str] = "*") -> list[Document]:
    """Return the policies that allow all but some actions."""
    return [allow("*"), deny(*actions, on=on)]


def _statement(effect: str, actions: Iterable[str], on: str | list[str], more: Mapping[str, Any]) -> Document:
    return {"Effect": effect, "Action": list(actions), "Resource": on, **more}


def evaluate(documents: Iterable[Document], attempt: Attempt) -> str:
    """Return what policies of one kind decide together: a Deny wins, and what nothing allows is denied."""
    effects = {each["Effect"] for each in speaking(documents, attempt) if _conditions_hold(each, attempt.context)}
    return EXPLICIT if "Deny" in effects else ALLOWED if "Allow" in effects else IMPLICIT


def missing_keys(documents: Iterable[Document], attempt: Attempt) -> list[str]:
    """Return the condition keys of the statements about an attempt that its context does not have."""
    keys = {
        key
        for statement in speaking(documents, attempt)
        for test in statement.get("Condition", {}).values()
        for key in test
    }
    return sorted(keys - attempt.context.keys())


def speaking(documents: Iterable[Document], attempt: Attempt) -> Iterator[Document]:
    """Yield the statements about an attempt, whether or not their conditions hold."""
    for document in documents:
        for each in listed(document["Statement"]):
            if (
                _matches_any(each["Action"], attempt.action, re.IGNORECASE)
                and _matches_any(each["Resource"], attempt.resource)
                and _is_meant(each.get("Principal"), attempt.names)
            ):
                yield each


def listed(value: Any) -> list[Any]:
    """Read IAM's one or many."""
    return value if isinstance(value, list) else [value]


def _is_meant(principal: Any, names: frozenset[str]) -> bool:
    if principal is None or principal == "*":
        return True
    named = set(listed(principal.get("AWS", [])))
    return bool(named & names) or "*" in named


def _matches_any(patterns: str | list[str], text: str, flags: int = 0) -> bool:
    return any(re.fullmatch(_regex(each), text, flags) for each in listed(patterns))


def _regex(pattern: str) -> str:
    return "".join({"*": ".*", "?": "."}.get(character) or re.escape(character) for character in pattern)


def _conditions_hold(statement: Document, context: Mapping[str, str]) -> bool:
    return all(
        _holds(operator, context.get(key), listed(wanted))
        for operator, test in statement.get("Condition", {}).items()
        for key, wanted in test.items()
    )


def _holds(operator: str, value: str | None, wanted: list[str]) -> bool:
    """Tell whether one condition holds; a key that is not there fails it, unless it is negated or IfExists."""
    if value is None:
        return operator.endswith("IfExists") or operator.startswith("StringNot")
    among = value in wanted
    return not among if operator.startswith("StringNot") else among
