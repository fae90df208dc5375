from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import jmespath  # type: ignore[import-untyped]
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from opstool.words import exactjson
from opstool.words.document import MESSAGE_KEYS, filter_document
from opstool.words.expressions.budget import MOST_STEPS, Budget, OverBudgetError
from opstool.words.expressions.compiledpath import compiled
from opstool.words.expressions.where import EvaluationError, Expression, compile_where
from opstool.words.message import Message
from opstool.words.reason import Reason
from tests.properties.expressions import documents, expressions
from tests.properties.interpreter import BoundedInterpreter
from tests.properties.strategies import hostile_bodies, messages, reasons, refusal

EXAMPLES = 400
small_budgets = st.integers(min_value=0, max_value=120)
bodies_of_keys = st.dictionaries(st.sampled_from(MESSAGE_KEYS), st.lists(st.integers(), max_size=3)).map(json.dumps)


def ended(act: Callable[[], object]) -> tuple[str, ...]:
    """Return how it ended: the value, to the type of its every number and the order of its keys, or the error."""
    try:
        return ("value", repr(act()))
    except Exception as error:  # noqa: BLE001 - whatever the one raises, the other has to raise
        return (type(error).__name__, str(error))


def interpreted(where: str, document: object, most_steps: int, **named: Any) -> tuple[tuple[str, ...], int]:
    """Return how jmespath's interpreter ends, and the steps that it leaves."""
    interpreter = BoundedInterpreter(most_steps, **named)
    return ended(lambda: interpreter.visit(jmespath.compile(where).parsed, document)), interpreter.left


def run(where: str, document: object, most_steps: int, **named: Any) -> tuple[tuple[str, ...], int]:
    """Return how the compiled expression ends, and the steps that it leaves."""
    budget, function = Budget(most_steps), compiled(jmespath.compile(where).parsed, **named)
    return ended(lambda: function(document, budget)), budget.left


@given(expressions(), documents)
@settings(max_examples=EXAMPLES)
def test_a_compiled_expression_is_the_interpreted_one(where: str, document: object) -> None:
    """The same value for the same steps, or the same error in the same words."""
    expected, left = interpreted(where, document, MOST_STEPS)
    found, still_left = run(where, document, MOST_STEPS)
    assert found == expected
    assert expected[0] != "value" or still_left == left


@given(expressions(), documents, small_budgets)
@settings(max_examples=EXAMPLES)
def test_a_compiled_expression_ends_where_the_interpreted_one_does(
    where: str, document: object, most_steps: int
) -> None:
    """A budget that is too small for the one is too small for the other, and never the only one to admit a value.

    What is paid at the beginning of a part may be missed before an error in it is met, so the bound may be told first.
    """
    expected, _ = interpreted(where, document, most_steps)
    found, _ = run(where, document, most_steps)
    over = (OverBudgetError.__name__, "")
    assert found == expected or (found == over and expected[0] != "value")


@given(expressions(), documents)
def test_own_functions_are_called_in_the_place_of_jmespath_s(where: str, document: dict[str, object]) -> None:
    """A number that was read exactly is written exactly, however the expression comes to it."""
    read = exactjson.read(json.dumps(document))
    own = exactjson.ExactFunctions()
    asked = f"to_string({where})"
    expected, _ = interpreted(asked, read, MOST_STEPS, own_functions=own)
    assert run(asked, read, MOST_STEPS, own_functions=own)[0] == expected


def judged(expression: Expression, document: dict[str, Any]) -> tuple[bool | str, str]:
    """Return the verdict and the value, or why there is none."""
    try:
        return expression.holds(document), repr(expression.value(document))
    except EvaluationError as error:
        return str(error), ""


@given(expressions(MESSAGE_KEYS), messages(bodies_of_keys | hostile_bodies), st.none() | reasons)
@settings(max_examples=EXAMPLES)
def test_what_an_expression_cannot_see_does_not_change_its_verdict(
    where: str, message: Message, reason: Reason | None
) -> None:
    """Of the document as much is made as can be looked at: the value is that on the whole document."""
    assume(not refusal(lambda: compile_where(where)))  # (!a).b, which never holds
    expression = compile_where(where)
    whole = filter_document(message, expires_at_ms=5, reason=reason)
    part = filter_document(message, expires_at_ms=5, reason=reason, keys=expression.keys)
    assert list(part.items()) == [(key, value) for key, value in whole.items() if key in expression.keys]
    assert judged(expression, part) == judged(expression, whole)
