"""A JMESPath expression over a message: checked whole before the first message, then evaluated safely."""

from __future__ import annotations

import difflib
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import jmespath  # type: ignore[import-untyped]
from jmespath import exceptions, functions, lexer

from opstool.words.caret import point_at
from opstool.words.document import MESSAGE_KEYS
from opstool.words.errors import UsageError
from opstool.words.expressions.budget import MOST_STEPS, Budget, OverBudgetError
from opstool.words.expressions.comparison import is_false
from opstool.words.expressions.compiledpath import Node, Run, compiled
from opstool.words.expressions.functioncall import ExpressionArgument

OPTION = "--where"
# Python's stack holds 1,000 frames and jmespath spends two a level; what people write has ten levels.
_DEEPEST = 100
# What jmespath raises on the values of a message: its own errors (ValueError), comparisons of a text with a number
# (TypeError), ceil of infinity (ArithmeticError), equality of deeply nested values (RecursionError).
_EVALUATION_ERRORS = (ValueError, TypeError, ArithmeticError, LookupError, AttributeError, RecursionError)

# Nodes of jmespath's tree whose first child looks at the message, and the others at what the first one found.
_STEPS = {"subexpression", "index_expression", "pipe", "projection", "value_projection", "filter_projection"}


class EvaluationError(Exception):
    """The expression cannot be evaluated on one message; the text says why and holds nothing of the message."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Expression:
    """A compiled expression; `tree` is jmespath's, and errors name the `option` at which it was typed.

    `keys` are those of a message's document that it can look at, in the order of the document: all of them where it
    takes the document as a whole. Without the others it has the same value.
    """

    text: str
    option: str = OPTION
    keys: tuple[str, ...]
    tree: Node = field(repr=False, compare=False)
    run: Run = field(repr=False, compare=False)

    @property
    def mentions_reason(self) -> bool:
        """Tell whether the value may depend on `reason`."""
        return "reason" in self.keys

    def place_of(self, key: str) -> int | None:
        """Return where the expression asks the message for this key, None when it does not."""
        if key not in _keys_of_message(self.tree):
            return None
        return next(int(token["start"]) for token in _tokens(self.text) if token["value"] == key)

    def only_looks_into(self, key: str) -> bool:
        """Tell whether the expression asks this key of the message for its parts, and never for itself."""
        ways = [looked_into for name, looked_into in _fields_of_message(self.tree) if name == key]
        return bool(ways) and all(ways)

    def value(self, document: dict[str, Any]) -> Any:
        """Return the value for the document of a message; EvaluationError where it has none."""
        try:
            return self.run(document, Budget())
        except OverBudgetError:
            raise EvaluationError(f"`{self.option}`: more than {MOST_STEPS:,} steps") from None
        except exceptions.JMESPathTypeError as error:
            expected = " or ".join(error.expected_types)
            problem = f"{error.function_name}() got {error.actual_type} and wants {expected}"
            raise EvaluationError(f"`{self.option}`: {problem}") from None
        except _EVALUATION_ERRORS as error:
            raise EvaluationError(f"`{self.option}`: {type(error).__name__}") from None

    def holds(self, document: dict[str, Any]) -> bool:
        """Tell whether the value is true as JMESPath has it; an expression that is not evaluated (`&body`) is not."""
        value = self.value(document)
        return not is_false(value) and not isinstance(value, ExpressionArgument)


def compile_where(text: str, *, option: str = OPTION, own_functions: functions.Functions | None = None) -> Expression:
    """Return the compiled expression of an option; `own_functions` take the place of jmespath's.

    Raises UsageError that points at the character.
    """
    if not text.strip():
        raise point_at(option, text, 0, "the expression is empty")
    try:
        with _no_warnings():
            tree = jmespath.compile(text).parsed
    except exceptions.JMESPathError as error:
        raise _parse_error(option, text, error) from None
    except (ValueError, TypeError, RecursionError):  # a number of thousands of digits, brackets nested too deeply
        raise point_at(option, text, 0, "the expression is too large to be parsed") from None
    if _depth(tree) > _DEEPEST:
        raise point_at(option, text, 0, f"the expression is nested more than {_DEEPEST} levels deep")
    for check in (_check_negations, _check_keys, _check_functions):
        check(option, text, tree)
    return Expression(
        text=text, option=option, keys=_keys_seen(tree), tree=tree, run=compiled(tree, own_functions=own_functions)
    )


def _parse_error(option: str, text: str, error: exceptions.JMESPathError) -> UsageError:
    """Return jmespath's error in our words, at its place."""
    if isinstance(error, exceptions.IncompleteExpressionError):
        return point_at(option, text, len(text), "the expression is incomplete")
    if isinstance(error, exceptions.LexerError):
        return point_at(option, text, error.lexer_position, _lower(error.message), hint=_hint(error))
    if getattr(error, "token_type", None) == "EOF":
        return point_at(option, text, len(text), "the expression is incomplete")
    return point_at(option, text, getattr(error, "lex_position", 0), _lower(getattr(error, "msg", str(error))))


def _hint(error: exceptions.LexerError) -> str | None:
    """Return the advice for the commonest slip."""
    return "equality is written ==, and a text is written in single quotes" if error.lexer_value == "=" else None


def _lower(message: str) -> str:
    return message[:1].lower() + message[1:]


def _check_negations(option: str, text: str, tree: Node) -> None:
    """Refuse !a.b, which jmespath reads as (!a).b: it is never true, and never what was meant."""
    for node in _nodes(tree):
        if node["type"] == "subexpression" and node["children"][0]["type"] == "not_expression":
            position = next(token["start"] for token in _tokens(text) if token["type"] == "not")
            raise point_at(option, text, position, "! binds tighter than . here, write !(...)")


def _check_keys(option: str, text: str, tree: Node) -> None:
    """Refuse a key that no message document has: a slip there would match nothing, and look like an empty queue."""
    for name in _keys_of_message(tree):
        if name not in MESSAGE_KEYS:
            close = difflib.get_close_matches(name, MESSAGE_KEYS, n=1) or ["body"]
            hint = f"did you mean {close[0]}? what is inside the body begins with body. (body.{name})"
            tokens = _tokens(text)
            position = next(token["start"] for token in tokens if token["value"] == name)
            raise point_at(option, text, position, f"a message has no key {name}", hint=hint)


def _keys_seen(tree: Node) -> tuple[str, ...]:
    """Return the keys of a message that can be seen, all of them where something takes the message itself."""
    ends = [end for end, _ in _ends_at_message(tree)]
    if any(end["type"] in {"current", "identity"} for end in ends):
        return MESSAGE_KEYS
    names = {end["value"] for end in ends if end["type"] == "field"}
    return tuple(key for key in MESSAGE_KEYS if key in names)


def _keys_of_message(tree: Node) -> Iterator[str]:
    """Yield the keys that are looked up in the message itself, not in something found inside it."""
    yield from (name for name, _ in _fields_of_message(tree))


def _fields_of_message(tree: Node) -> Iterator[tuple[str, bool]]:
    """Yield those keys, and whether of what is found there only parts are taken."""
    yield from ((end["value"], looked_into) for end, looked_into in _ends_at_message(tree) if end["type"] == "field")


def _ends_at_message(node: Node, *, looked_into: bool = False) -> Iterator[tuple[Node, bool]]:
    """Yield the ends of the tree that are given the message itself, and whether only parts of theirs are taken."""
    children, is_step = _children(node), node["type"] in _STEPS
    if not children:
        yield node, looked_into
    elif node["type"] != "expref":  # which is given the elements of something that was found
        for child in children[:1] if is_step else children:
            yield from _ends_at_message(child, looked_into=looked_into or (is_step and node["type"] != "pipe"))


def _check_functions(option: str, text: str, tree: Node) -> None:
    """Refuse unknown functions and wrong numbers of arguments, which jmespath would find only on the first message."""
    calls = [node for node in _nodes(tree) if node["type"] == "function_expression"]
    places = list(_call_places(text))
    for call, (name, position) in zip(sorted(calls, key=_name), sorted(places), strict=True):
        known = functions.Functions.FUNCTION_TABLE.get(name)
        if known is None:
            raise point_at(option, text, position, f"there is no function {name}()")
        problem = _arity_problem(known["signature"], len(call["children"]))
        if problem:
            raise point_at(option, text, position, f"{name}() takes {problem}")


def _arity_problem(signature: tuple[Mapping[str, Any], ...], given: int) -> str | None:
    """Return what the function wants when it was given another number of arguments."""
    wanted = len(signature)
    words = f"{wanted} argument{'' if wanted == 1 else 's'}"
    if signature and signature[-1].get("variadic"):
        return f"at least {words}, not {given}" if given < wanted else None
    return f"{words}, not {given}" if given != wanted else None


def _tokens(text: str) -> list[Mapping[str, Any]]:
    with _no_warnings():
        return list(lexer.Lexer().tokenize(text))


@contextmanager
def _no_warnings() -> Iterator[None]:
    """Keep jmespath from warning of a form of literals that works all the same."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _call_places(text: str) -> Iterator[tuple[str, int]]:
    """Yield name and position of every function call, in the order of the text."""
    before: Mapping[str, Any] | None = None
    for token in _tokens(text):
        if token["type"] == "lparen" and before is not None and before["type"] == "unquoted_identifier":
            yield before["value"], before["start"]
        before = token


def _name(call: Mapping[str, Any]) -> str:
    return str(call["value"])


def _nodes(node: Node) -> Iterator[Node]:
    """Yield every node of jmespath's tree, the outer before the inner, in the order of the text."""
    yield node
    for child in _children(node):
        yield from _nodes(child)


def _depth(node: Node) -> int:
    """Return the levels of jmespath's tree, without recursion."""
    depth, level = 0, [node]
    while level:
        depth, level = depth + 1, [child for parent in level for child in _children(parent)]
    return depth


def _children(node: Node) -> list[Node]:
    return [child for child in node["children"] if isinstance(child, dict)]  # a slice's children are numbers
