"""The call of a function of JMESPath: paid for by the size of what it is given, checked, and made."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jmespath import functions  # type: ignore[import-untyped]

from opstool.words.expressions.budget import CHARACTERS_A_STEP, Budget

Call = Callable[[list[Any], Budget], Any]
"""Gives the value of a function for its arguments."""


def call_of(own_functions: functions.Functions, name: str) -> Call:
    """Return the call of a function, which may walk its arguments to their leaves."""
    checked = _checked(own_functions, name)
    joins = name == "join"

    def call(arguments: list[Any], budget: Budget) -> Any:
        for argument in arguments:
            budget.pay_for(argument)
        if joins:
            _pay_to_join(arguments, budget)
        return checked(arguments)

    return call


class ExpressionArgument:
    """An expression that is an argument: `&price`."""

    __slots__ = ("_budget", "expression")

    def __init__(self, expression: Callable[[Any, Budget], Any], budget: Budget) -> None:
        self.expression = expression
        self._budget = budget

    def visit(self, expression: Callable[[Any, Budget], Any], value: Any) -> Any:
        """Return its value for an element, as jmespath's functions ask for it."""
        return expression(value, self._budget)


# jmespath knows the types of arguments by the names of their classes.
ExpressionArgument.__name__ = "_Expression"


def _checked(own_functions: functions.Functions, name: str) -> Callable[[list[Any]], Any]:
    """Return the function with a look at the types of its arguments; jmespath's own check where that is not enough."""
    types = _types_of_arguments(own_functions.FUNCTION_TABLE[name]["signature"])
    if types is None:
        return lambda arguments: own_functions.call_function(name, arguments)
    function = own_functions.FUNCTION_TABLE[name]["function"]

    def call(arguments: list[Any]) -> Any:
        for argument, admitted in zip(arguments, types, strict=True):
            if admitted and type(argument).__name__ not in admitted:
                return own_functions.call_function(name, arguments)  # which says what is wrong with it
        return function(own_functions, *arguments)

    return call


def _types_of_arguments(signature: tuple[dict[str, Any], ...]) -> list[frozenset[str]] | None:
    """Return the classes that each argument may have, none for any; None when there is more to be checked."""
    kinds = [kind for argument in signature for kind in argument["types"]]
    if any("-" in kind for kind in kinds) or signature[-1].get("variadic"):  # array-number: every element
        return None
    return [
        frozenset(name for kind in argument["types"] for name in functions.REVERSE_TYPES_MAP[kind])
        for argument in signature
    ]


def _pay_to_join(arguments: list[Any], budget: Budget) -> None:
    """Pay for the separator as often as it will stand in the text."""
    separator, texts = arguments
    if isinstance(separator, str) and isinstance(texts, list):
        budget.spend(len(separator) * len(texts) // CHARACTERS_A_STEP)
