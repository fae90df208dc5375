"""The filter criteria of an event source mapping: event patterns, as far as they are supported, and a clear no beyond.

A message that no filter matches is deleted, as the Lambda guide says. So a pattern that this file does not understand
is refused before anything is received.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from opstool.words.errors import UsageError

_NUMERIC = {
    "=": lambda left, right: left == right,
    "<": lambda left, right: left < right,
    "<=": lambda left, right: left <= right,
    ">": lambda left, right: left > right,
    ">=": lambda left, right: left >= right,
}
_OPERATORS = frozenset({"exists", "prefix", "suffix", "anything-but", "equals-ignore-case", "numeric"})
_ABSENT = object()


class Patterns:
    """The filters of one mapping; a record passes when one of them matches, or when there are none."""

    def __init__(self, criteria: Mapping[str, Any] | None) -> None:
        """Take `FilterCriteria` of the mapping; refuse what is not supported."""
        texts = [one.get("Pattern", "{}") for one in (criteria or {}).get("Filters", [])]
        self._patterns = [_parse(text) for text in texts]

    def match(self, record: Mapping[str, Any]) -> bool:
        """Tell whether the function gets this record."""
        return not self._patterns or any(_matches_record(pattern, record) for pattern in self._patterns)


def _parse(text: str) -> dict[str, Any]:
    try:
        pattern = json.loads(text)
    except (TypeError, ValueError) as error:
        raise UsageError(f"a filter pattern is not JSON: {error}") from error
    if not isinstance(pattern, dict):
        raise UsageError("a filter pattern is not a JSON object")
    _check(pattern)
    return pattern


def _check(pattern: Any) -> None:
    if isinstance(pattern, dict):
        for name, inside in pattern.items():
            if name == "$or":
                if not isinstance(inside, list):
                    raise UsageError("`$or` of a filter pattern wants a list")
                for one in inside:
                    _check(one)
            else:
                _check(inside)
    elif isinstance(pattern, list):
        for rule in pattern:
            if isinstance(rule, dict) and (len(rule) != 1 or not _OPERATORS.issuperset(rule)):
                raise UsageError(
                    f"the embedded AWS does not support the filter rule `{', '.join(rule)}`",
                    hint=f"it supports {', '.join(sorted(_OPERATORS))}, exact values and $or",
                )
    else:
        raise UsageError("a filter pattern wants lists of rules")


def _matches_record(pattern: dict[str, Any], record: Mapping[str, Any]) -> bool:
    seen = dict(record)
    wanted = pattern.get("body")
    try:
        parsed = json.loads(record["body"])
    except ValueError:
        parsed = _ABSENT
    # A JSON pattern never matches a plain body, nor a plain pattern a JSON body.
    if isinstance(wanted, dict):
        if not isinstance(parsed, dict):
            return False
        seen["body"] = parsed
    elif wanted is not None and isinstance(parsed, dict):
        return False
    return _matches(pattern, seen)


def _matches(pattern: dict[str, Any], value: Any) -> bool:
    for name, wanted in pattern.items():
        if name == "$or":
            if not any(_matches(one, value) for one in wanted):
                return False
            continue
        found = value.get(name, _ABSENT) if isinstance(value, Mapping) else _ABSENT
        if isinstance(wanted, dict):
            if not _matches(wanted, {} if found is _ABSENT else found):
                return False
        elif not any(_rule_holds(rule, found) for rule in wanted):
            return False
    return True


def _rule_holds(rule: Any, found: Any) -> bool:
    if isinstance(rule, dict) and "exists" in rule:
        return bool(rule["exists"]) == (found is not _ABSENT)
    if found is _ABSENT:
        return False
    if isinstance(found, list):
        return any(_rule_holds(rule, one) for one in found)
    if not isinstance(rule, dict):
        return _equal(rule, found)
    ((operator, operand),) = rule.items()
    return bool(_OPERATIONS[operator](operand, found))


def _equal(rule: Any, found: Any) -> bool:
    # In Python true equals 1; in JSON it does not.
    return bool(rule == found) and isinstance(rule, bool) == isinstance(found, bool)


def _numeric(operand: list[Any], found: Any) -> bool:
    if isinstance(found, bool) or not isinstance(found, int | float):
        return False
    pairs = zip(operand[::2], operand[1::2], strict=True)
    return all(_NUMERIC[sign](found, bound) for sign, bound in pairs)


def _anything_but(operand: Any, found: Any) -> bool:
    if isinstance(operand, dict):
        return not _rule_holds(operand, found)
    return not any(_rule_holds(one, found) for one in (operand if isinstance(operand, list) else [operand]))


_OPERATIONS: dict[str, Any] = {
    "prefix": lambda operand, found: isinstance(found, str) and found.startswith(operand),
    "suffix": lambda operand, found: isinstance(found, str) and found.endswith(operand),
    "equals-ignore-case": lambda operand, found: isinstance(found, str) and found.lower() == operand.lower(),
    "numeric": _numeric,
    "anything-but": _anything_but,
}
