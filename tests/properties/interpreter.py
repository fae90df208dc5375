"""jmespath's own interpreter within a budget, a step for every node: what compiled expressions are held against.

It shares no code with them: what a step pays for is written down here once more.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jmespath import functions, visitor  # type: ignore[import-untyped]

from opstool.words.expressions.budget import OverBudgetError

_CHARACTERS_A_STEP = 8
_BITS_A_STEP = 128


class BoundedInterpreter(visitor.TreeInterpreter):  # type: ignore[misc] # jmespath has no annotations
    """Evaluates one expression on one value; raises OverBudgetError instead of going beyond the steps `left`."""

    def __init__(self, most_steps: int, *, own_functions: functions.Functions | None = None) -> None:
        super().__init__(visitor.Options(custom_functions=own_functions))
        self.left = most_steps

    def visit(self, node: Mapping[str, Any], *args: Any, **kwargs: Any) -> Any:
        """Return the value of a node, for a step."""
        self._spend(1)
        return super().visit(node, *args, **kwargs)

    def visit_flatten(self, node: Mapping[str, Any], value: Any) -> Any:
        """Return the flat list, paid for before it is made: flattening a list of itself doubles it."""
        base = self.visit(node["children"][0], value)
        if not isinstance(base, list):
            return None
        self._spend(sum(len(each) if isinstance(each, list) else 1 for each in base))
        return [inner for each in base for inner in (each if isinstance(each, list) else [each])]

    def visit_slice(self, node: Mapping[str, Any], value: Any) -> Any:
        """Return the part of a list, paid for by its length."""
        part = super().visit_slice(node, value)
        self._spend(len(part or ()))
        return part

    def visit_comparator(self, node: Mapping[str, Any], value: Any) -> Any:
        """Compare two values, which equality walks to their leaves."""
        sides = [self.visit(child, value) for child in node["children"]]
        self._pay_for(sides)
        return super().visit_comparator({**node, "children": [_literal(side) for side in sides]}, value)

    def visit_function_expression(self, node: Mapping[str, Any], value: Any) -> Any:
        """Call a function, which may walk its arguments to their leaves."""
        arguments = [self.visit(child, value) for child in node["children"]]
        self._pay_for(arguments)
        if node["value"] == "join" and isinstance(arguments[0], str) and isinstance(arguments[1], list):
            self._spend(len(arguments[0]) * len(arguments[1]) // _CHARACTERS_A_STEP)
        return self._functions.call_function(node["value"], arguments)

    def _spend(self, steps: int) -> None:
        self.left -= steps
        if self.left < 0:
            raise OverBudgetError

    def _pay_for(self, values: list[Any]) -> None:
        """Spend what it costs to walk the values, leaf by leaf; a value that stands in two places counts twice."""
        unpaid = list(values)
        self._spend(len(unpaid))
        while unpaid:
            value = unpaid.pop()
            if isinstance(value, str):
                self._spend(len(value) // _CHARACTERS_A_STEP)
            elif isinstance(value, int):
                self._spend(value.bit_length() // _BITS_A_STEP)
            elif isinstance(value, list):
                self._spend(len(value))
                unpaid.extend(value)
            elif isinstance(value, dict):
                self._spend(len(value) + sum(map(len, value)) // _CHARACTERS_A_STEP)
                unpaid.extend(value.values())


def _literal(value: Any) -> dict[str, Any]:
    return {"type": "literal", "value": value, "children": []}
