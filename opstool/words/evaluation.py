"""JMESPath evaluated within a budget: no expression and no body can take more time or memory than it allows.

jmespath itself has no bound, and short expressions can ask for very much: `[@, @]` piped into itself thirty times
names a thousand million values without holding them, until a function or a comparison walks over all of them. So every
node that is visited costs a step, and whatever walks over a value is paid for by the size of that value before it runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jmespath import functions, visitor  # type: ignore[import-untyped]

MOST_STEPS = 2_000_000
"""About two seconds, and some 300 MB at the very worst; what people write costs tens of steps a message."""
# How much of a value a step pays for: what is written out may be twelve times as long as it was, and the digits of a
# number cost time by their square.
_CHARACTERS_A_STEP = 8
_BITS_A_STEP = 128


class OverBudgetError(Exception):
    """The evaluation would take more than its steps."""


class BoundedInterpreter(visitor.TreeInterpreter):  # type: ignore[misc] # jmespath has no annotations
    """Evaluates one expression on one message; raises OverBudgetError instead of going beyond its budget.

    `own_functions` take the place of jmespath's.
    """

    def __init__(self, *, most_steps: int = MOST_STEPS, own_functions: functions.Functions | None = None) -> None:
        super().__init__(visitor.Options(custom_functions=own_functions))
        self._left = most_steps

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
        self._left -= steps
        if self._left < 0:
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
