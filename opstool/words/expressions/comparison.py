"""What JMESPath calls false, equal and less: not quite what Python does."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any

_Compare = Callable[[Any, Any], Any]

_CAN_BE_EMPTY = (str, list, dict)  # not str | list | dict where it is used, which would be made anew each time
_HAVE_ORDER = (int, float, str)


def is_false(value: Any) -> bool:
    """Tell whether a value is false: null, false, "", [] or {}; the number 0 is true."""
    return not value and (value is None or value is False or isinstance(value, _CAN_BE_EMPTY))


def is_equal(left: Any, right: Any) -> bool:
    """Tell whether two values are equal; 0 is not false and 1 is not true, unless they stand in a list or an object."""
    return bool(left == right) and isinstance(left, bool) is isinstance(right, bool)


def _ordered(compare: _Compare) -> _Compare:
    """Return the comparison of numbers or texts, null of anything else; a TypeError of a number with a text."""

    def ordered(left: Any, right: Any) -> bool | None:
        return compare(left, right) if _has_order(left) and _has_order(right) else None

    return ordered


def _has_order(value: Any) -> bool:
    return isinstance(value, _HAVE_ORDER) and not isinstance(value, bool)


COMPARISONS: Mapping[str, _Compare] = {
    "eq": is_equal,
    "ne": lambda left, right: not is_equal(left, right),
    "lt": _ordered(operator.lt),
    "gt": _ordered(operator.gt),
    "lte": _ordered(operator.le),
    "gte": _ordered(operator.ge),
}
"""By the names that jmespath gives them."""
