"""The condition of a Logs Insights `filter`: comparisons, `like`, `in`, and, or, not and parentheses.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_QuerySyntax-Filter.html. A field that an event does not
have fulfils no comparison, so `not` of one is true.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Sequence
from typing import Protocol

from opstool.words.logqueries.insightslexer import Kind, MalformedQueryError, Token
from opstool.words.logqueries.needles import Needles


class Fields(Protocol):
    """An event as a condition sees it."""

    def get(self, name: str) -> str | None:
        """Return the value of a field as text, None when the event has none of that name."""


Condition = Callable[[Fields], bool]

_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_LITERALS = re.compile(r"[\w :=@,-]+(?:\|[\w :=@,-]+)+")
"""A regular expression that is nothing but literal strings to choose from."""
_DEEPEST = 100
"""Parentheses and `not` within each other; the service's own bound is not documented."""


def parse_condition(tokens: Sequence[Token]) -> Condition:
    """Return the condition that these tokens say; raise MalformedQueryError when they say none."""
    parser = _Parser(tokens)
    condition = parser.either(0)
    parser.end()
    return condition


class _Parser:
    """Reads one condition, from the loosest operator to the tightest: or, and, not, comparison."""

    def __init__(self, tokens: Sequence[Token]) -> None:
        self._tokens = tokens
        self._at = 0

    def end(self) -> None:
        """Refuse what is left over."""
        if self._at < len(self._tokens):
            raise MalformedQueryError(f"unexpected `{self._tokens[self._at].text}` in a filter")

    def either(self, depth: int) -> Condition:
        """Read `A or B or ...`."""
        if depth > _DEEPEST:
            raise MalformedQueryError("the filter is nested too deeply")
        parts = [self._both(depth)]
        while self._take_word("or"):
            parts.append(self._both(depth))
        return parts[0] if len(parts) == 1 else lambda fields: any(part(fields) for part in parts)

    def _both(self, depth: int) -> Condition:
        parts = [self._single(depth)]
        while self._take_word("and"):
            parts.append(self._single(depth))
        return parts[0] if len(parts) == 1 else lambda fields: all(part(fields) for part in parts)

    def _single(self, depth: int) -> Condition:
        if depth > _DEEPEST:
            raise MalformedQueryError("the filter is nested too deeply")
        if self._take_word("not"):
            inner = self._single(depth + 1)
            return lambda fields: not inner(fields)
        if self._take_sign("("):
            inside = self.either(depth + 1)
            self._expect_sign(")")
            return inside
        return self._comparison()

    def _comparison(self) -> Condition:
        name = self._next()
        if name.kind not in {Kind.NAME, Kind.QUOTED_NAME}:
            raise MalformedQueryError(f"a field was expected, not `{name.text}`")
        negated = self._take_word("not")
        if self._take_word("like"):
            return _negated(_like(name.text, self._next()), negated)
        if self._take_word("in"):
            return _negated(_one_of(name.text, self._list()), negated)
        sign = self._next()
        if negated or sign.kind is not Kind.SIGN:
            raise MalformedQueryError(f"an operator was expected, not `{sign.text}`")
        if sign.text == "=~":
            return _like(name.text, self._next())
        return _compared(name.text, sign.text, self._literal())

    def _list(self) -> list[str]:
        self._expect_sign("[")
        values: list[str] = []
        while not self._take_sign("]"):
            if values:
                self._expect_sign(",")
            values.append(self._literal())
        return values

    def _literal(self) -> str:
        token = self._next()
        if token.kind not in {Kind.STRING, Kind.NUMBER}:
            raise MalformedQueryError(f"a value was expected, not `{token.text}`")
        return token.text

    def _next(self) -> Token:
        if self._at >= len(self._tokens):
            raise MalformedQueryError("the filter ends too early")
        self._at += 1
        return self._tokens[self._at - 1]

    def _take_word(self, word: str) -> bool:
        return self._take(lambda token: token.is_word(word))

    def _take_sign(self, sign: str) -> bool:
        return self._take(lambda token: token.is_sign(sign))

    def _take(self, fits: Callable[[Token], bool]) -> bool:
        found = self._at < len(self._tokens) and fits(self._tokens[self._at])
        self._at += found
        return found

    def _expect_sign(self, sign: str) -> None:
        if not self._take_sign(sign):
            raise MalformedQueryError(f"`{sign}` was expected")


def _negated(condition: Condition, negated: bool) -> Condition:
    return (lambda fields: not condition(fields)) if negated else condition


def _like(name: str, what: Token) -> Condition:
    """Return the test for a text or a regular expression anywhere in a field; both heed case."""
    if what.kind is Kind.STRING:
        return lambda fields: what.text in (fields.get(name) or "")
    if what.kind is not Kind.REGEX:
        raise MalformedQueryError("`like` wants a text or a regular expression")
    if _LITERALS.fullmatch(what.text):  # hundreds of message ids: Python's alternation would take minutes
        needles = Needles(what.text.split("|"))
        return lambda fields: needles.are_in(fields.get(name) or "")
    try:
        regex = re.compile(what.text)
    except (re.error, RecursionError, OverflowError) as error:
        raise MalformedQueryError(f"not a regular expression: {error}") from error

    def holds(fields: Fields) -> bool:
        value = fields.get(name)
        return value is not None and regex.search(value) is not None

    return holds


def _one_of(name: str, values: Sequence[str]) -> Condition:
    wanted = frozenset(values)
    return lambda fields: fields.get(name) in wanted


def _compared(name: str, sign: str, literal: str) -> Condition:
    if sign in {"=", "!="}:
        return _negated(lambda fields: _equal(fields.get(name), literal), sign == "!=")
    if sign not in _COMPARISONS:
        raise MalformedQueryError(f"`{sign}` is no operator")
    compare, right = _COMPARISONS[sign], _number(literal)

    def holds(fields: Fields) -> bool:
        left = _number(fields.get(name))
        return left is not None and right is not None and compare(left, right)

    return holds


def _equal(value: str | None, literal: str) -> bool:
    if value is None or value == literal:
        return value is not None
    left, right = _number(value), _number(literal)
    return left is not None and left == right


def _number(text: str | None) -> float | None:
    try:
        return float(text) if text is not None else None
    except ValueError:
        return None
