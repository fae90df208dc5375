"""JMESPath made into Python functions, once, so that a message costs their calls and no walk over a tree.

The answers are those of jmespath's own interpreter, and so is the order in which they are worked out. Every node that
is visited costs a step (words/budget.py). The steps that a part cannot do without are added up when it is compiled, and
paid at once when it begins; what may never run (the right side of `||`), or may run often (of `[*]`), is a part of its
own. So a part pays no later than node by node, and in the end the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from jmespath import functions, visitor  # type: ignore[import-untyped]

from opstool.words.expressions.budget import Budget
from opstool.words.expressions.comparison import COMPARISONS, is_false
from opstool.words.expressions.functioncall import ExpressionArgument, call_of

Node = Mapping[str, Any]
"""A node of jmespath's tree: `type`, `value` and `children`."""
Run = Callable[[Any, Budget], Any]
"""Gives the value of an expression for a value."""

# A comparison is a node, walks over two sides, and hands them over as two nodes more.
_STEPS_TO_COMPARE = 5


class _Part(NamedTuple):
    """A part of an expression; `steps` are still to be paid by whoever runs it, before."""

    run: Run
    steps: int

    def paid(self) -> Run:
        """Return the function that pays for itself."""
        run, steps = self

        def pay_and_run(value: Any, budget: Budget) -> Any:
            budget.spend(steps)
            return run(value, budget)

        return pay_and_run


def compiled(tree: Node, *, own_functions: functions.Functions | None = None) -> Run:
    """Return the function of an expression; `own_functions` take the place of jmespath's.

    It raises OverBudgetError instead of going beyond the budget, and what jmespath raises.
    """
    part: _Part = _Compiler(own_functions or functions.Functions()).visit(tree)
    return part.paid()


class _Compiler(visitor.Visitor):  # type: ignore[misc] # jmespath has no annotations
    """Makes a part of every node, the inner ones first."""

    def __init__(self, own_functions: functions.Functions) -> None:
        super().__init__()
        self._functions = own_functions

    def visit_identity(self, _node: Node) -> _Part:
        return _Part(lambda value, _: value, 1)

    visit_current = visit_identity

    def visit_literal(self, node: Node) -> _Part:
        literal = node["value"]
        return _Part(lambda _, __: literal, 1)

    def visit_field(self, node: Node) -> _Part:
        name = node["value"]
        return _Part(lambda value, _: value.get(name) if isinstance(value, dict) else None, 1)

    def visit_index(self, node: Node) -> _Part:
        place = node["value"]

        def index(value: Any, _: Budget) -> Any:
            try:
                return value[place] if isinstance(value, list) else None
            except IndexError:
                return None

        return _Part(index, 1)

    def visit_slice(self, node: Node) -> _Part:
        places = slice(*node["children"])

        def part_of_list(value: Any, budget: Budget) -> Any:
            if not isinstance(value, list):
                return None
            part = value[places]
            budget.spend(len(part))
            return part

        return _Part(part_of_list, 1)

    def visit_subexpression(self, node: Node) -> _Part:
        if all(child["type"] == "field" for child in node["children"]):
            return _fields([child["value"] for child in node["children"]])
        runs, steps = self._runs(node)

        def one_after_the_other(value: Any, budget: Budget) -> Any:
            for run in runs:
                value = run(value, budget)
            return value

        return _Part(one_after_the_other, 1 + steps)

    visit_index_expression = visit_subexpression
    visit_pipe = visit_subexpression

    def visit_or_expression(self, node: Node) -> _Part:
        left, right = self._parts(node)
        first, second = left.run, right.paid()

        def either(value: Any, budget: Budget) -> Any:
            found = first(value, budget)
            return second(value, budget) if is_false(found) else found

        return _Part(either, 1 + left.steps)

    def visit_and_expression(self, node: Node) -> _Part:
        left, right = self._parts(node)
        first, second = left.run, right.paid()

        def both(value: Any, budget: Budget) -> Any:
            found = first(value, budget)
            return found if is_false(found) else second(value, budget)

        return _Part(both, 1 + left.steps)

    def visit_not_expression(self, node: Node) -> _Part:
        [(run, steps)] = self._parts(node)
        return _Part(lambda value, budget: is_false(run(value, budget)), 1 + steps)

    def visit_comparator(self, node: Node) -> _Part:
        (left, left_steps), (right, right_steps) = self._parts(node)
        compare = COMPARISONS[node["value"]]

        def comparison(value: Any, budget: Budget) -> Any:
            one, other = left(value, budget), right(value, budget)
            budget.pay_for(one)
            budget.pay_for(other)
            return compare(one, other)

        return _Part(comparison, _STEPS_TO_COMPARE + left_steps + right_steps)

    def visit_multi_select_list(self, node: Node) -> _Part:
        runs, steps = self._runs(node)
        return _unless_null(steps, lambda value, budget: [run(value, budget) for run in runs])

    def visit_multi_select_dict(self, node: Node) -> _Part:
        runs, steps = self._runs(node)
        named = [(child["value"], run) for child, run in zip(node["children"], runs, strict=True)]
        return _unless_null(steps, lambda value, budget: {name: run(value, budget) for name, run in named})

    def visit_key_val_pair(self, node: Node) -> _Part:
        [(run, steps)] = self._parts(node)
        return _Part(run, 1 + steps)

    def visit_flatten(self, node: Node) -> _Part:
        return _over(list, self._parts(node)[0], _flat)

    def visit_projection(self, node: Node) -> _Part:
        base, right = self._parts(node)
        return _over(list, base, _each(right.paid()))

    def visit_value_projection(self, node: Node) -> _Part:
        base, right = self._parts(node)
        each = _each(right.paid())
        return _over(dict, base, lambda found, budget: each(found.values(), budget))

    def visit_filter_projection(self, node: Node) -> _Part:
        base, right, condition = self._parts(node)
        return _over(list, base, _each(right.paid(), condition.paid()))

    def visit_expref(self, node: Node) -> _Part:
        [part] = self._parts(node)
        expression = part.paid()
        return _Part(lambda _, budget: ExpressionArgument(expression, budget), 1)

    def visit_function_expression(self, node: Node) -> _Part:
        (runs, steps), call = self._runs(node), call_of(self._functions, node["value"])
        return _Part(lambda value, budget: call([run(value, budget) for run in runs], budget), 1 + len(runs) + steps)

    def _parts(self, node: Node) -> list[_Part]:
        return [self.visit(child) for child in node["children"]]

    def _runs(self, node: Node) -> tuple[list[Run], int]:
        """Return the functions of all children, and what they cost together."""
        parts = self._parts(node)
        return [part.run for part in parts], sum(part.steps for part in parts)


def _fields(names: list[str]) -> _Part:
    """Return the part of names with dots between, the commonest there is; what is no object has no fields."""

    def fields(value: Any, _: Budget) -> Any:
        for name in names:
            if not isinstance(value, dict):
                return None
            value = value.get(name)
        return value

    return _Part(fields, 1 + len(names))


def _unless_null(steps: int, choose: Run) -> _Part:
    """Return the part of a choice: null has none, and nothing to pay for."""

    def choice(value: Any, budget: Budget) -> Any:
        if value is None:
            return None
        budget.spend(steps)
        return choose(value, budget)

    return _Part(choice, 1)


def _over(kind: type, base: _Part, make: Run) -> _Part:
    """Return the part that makes something of a list, or of an object, and null of anything else."""
    run, steps = base

    def made(value: Any, budget: Budget) -> Any:
        found = run(value, budget)
        return make(found, budget) if isinstance(found, kind) else None

    return _Part(made, 1 + steps)


def _flat(base: list[Any], budget: Budget) -> list[Any]:
    """Return the flat list, paid for before it is made: flattening a list of itself doubles it."""
    budget.spend(sum(len(each) if isinstance(each, list) else 1 for each in base))
    return [inner for each in base for inner in (each if isinstance(each, list) else [each])]


def _each(right: Run, condition: Run | None = None) -> Callable[[Iterable[Any], Budget], list[Any]]:
    """Return the function that takes elements through the right side of a projection, which leaves out the nulls."""

    def each(elements: Iterable[Any], budget: Budget) -> list[Any]:
        kept = []  # in a loop: a comprehension is a frame more on the stack, of which a hundred levels may ask
        for element in elements:
            if condition is None or not is_false(condition(element, budget)):
                found = right(element, budget)
                if found is not None:
                    kept.append(found)
        return kept

    return each
