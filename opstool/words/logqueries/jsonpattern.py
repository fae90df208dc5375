"""The filter patterns over JSON messages: `{ $.field = "value" && ($.count > 3 || $.ok IS TRUE) }`.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html, "match terms in JSON log events".
A message that is no JSON object fits none.
"""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Callable
from typing import Any

from opstool.words.logqueries.patternregex import MalformedPatternError, Matches, compile_regex

_ABSENT = object()
_Test = Callable[[Any], bool]
_DEEPEST = 100
"""Parentheses within each other; the service's own bound is not documented."""

_TOKEN = re.compile(
    r"""\s*(?:(?P<selector>\$(?:\.[\w-]+|\[\d+\])+)
      | (?P<quoted>"(?:[^"\\]|\\.)*")
      | (?P<regex>%[^%]+%)
      | (?P<sign>&&|\|\||!=|<=|>=|[=<>()])
      | (?P<word>[\w.*+-]+))\s*""",
    re.VERBOSE,
)
_STEP = re.compile(r"\.([\w-]+)|\[(\d+)\]")
_ORDER = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}


def compile_json_pattern(text: str) -> Matches:
    """Return the test that a pattern in braces stands for; raise MalformedPatternError."""
    inside = text.strip()
    if len(inside) < 2 or inside[0] != "{" or inside[-1] != "}":  # noqa: PLR2004 - the two braces
        raise MalformedPatternError("a JSON pattern stands in braces")
    parser = _Parser(inside[1:-1])
    test = parser.either(0)
    parser.end()

    def matches(message: str) -> bool:
        try:
            value = json.loads(message)
        except (ValueError, RecursionError):
            return False
        return isinstance(value, dict) and test(value)

    return matches


class _Parser:
    """Reads one pattern, from the loosest operator to the tightest: ||, &&, comparison."""

    def __init__(self, text: str) -> None:
        self._tokens: list[tuple[str, str]] = []
        self._at = 0
        position = 0
        while position < len(text.rstrip()):
            match = _TOKEN.match(text, position)
            if match is None:
                raise MalformedPatternError(f"unexpected symbol at position {position}")
            self._tokens.append((str(match.lastgroup), match[0].strip()))
            position = match.end()

    def end(self) -> None:
        """Refuse what is left over."""
        if self._at < len(self._tokens):
            raise MalformedPatternError("the pattern goes on where it should end")

    def either(self, depth: int) -> _Test:
        """Read `A || B || ...`."""
        if depth > _DEEPEST:
            raise MalformedPatternError("the pattern is nested too deeply")
        parts = [self._both(depth)]
        while self._take("||"):
            parts.append(self._both(depth))
        return lambda value: any(part(value) for part in parts)

    def _both(self, depth: int) -> _Test:
        parts = [self._single(depth)]
        while self._take("&&"):
            parts.append(self._single(depth))
        return lambda value: all(part(value) for part in parts)

    def _single(self, depth: int) -> _Test:
        if self._take("("):
            inside = self.either(depth + 1)
            if not self._take(")"):
                raise MalformedPatternError("`)` was expected")
            return inside
        kind, selector = self._next()
        if kind != "selector":
            raise MalformedPatternError(f"a selector such as $.field was expected, not `{selector}`")
        test = self._about()
        return lambda value: test(_select(value, selector))

    def _about(self) -> _Test:
        """Read what is said of a selected value."""
        kind, sign = self._next()
        if kind == "word":
            return self._worded(sign.upper())
        if sign in {"=", "!="}:
            equal = _equal(*self._next())
            return equal if sign == "=" else lambda value: value is not _ABSENT and not equal(value)
        if sign in _ORDER:
            compare, right = _ORDER[sign], _number(self._next()[1])
            return lambda value: _is_number(value) and compare(value, right)
        raise MalformedPatternError(f"an operator was expected, not `{sign}`")

    def _worded(self, word: str) -> _Test:
        if word == "EXISTS":
            return lambda value: value is not _ABSENT
        second = self._next()[1].upper()
        if (word, second) == ("NOT", "EXISTS"):
            return lambda value: value is _ABSENT
        wanted = {"TRUE": True, "FALSE": False, "NULL": None}
        if word != "IS" or second not in wanted:
            raise MalformedPatternError(f"`{word} {second}` is not supported")
        return lambda value: value is wanted[second]

    def _next(self) -> tuple[str, str]:
        if self._at >= len(self._tokens):
            raise MalformedPatternError("the pattern ends too early")
        self._at += 1
        return self._tokens[self._at - 1]

    def _take(self, sign: str) -> bool:
        found = self._at < len(self._tokens) and self._tokens[self._at] == ("sign", sign)
        self._at += found
        return found


def _select(value: Any, selector: str) -> Any:
    """Return what `$.a.b[0]` names within a value, or that nothing is there."""
    for name, index in _STEP.findall(selector[1:]):
        if index and isinstance(value, list) and int(index) < len(value):
            value = value[int(index)]
        elif name and isinstance(value, dict) and name in value:
            value = value[name]
        else:
            return _ABSENT
    return value


def _equal(kind: str, text: str) -> _Test:
    """Return the test for a value: a number where it is one, a text in which * stands for anything, or a regex."""
    if kind == "regex":
        regex = compile_regex(text[1:-1])
        return lambda value: isinstance(value, str) and regex(value)
    if kind == "word" and re.fullmatch(r"[+-]?\d+(\.\d+)?", text):
        number = float(text)
        return lambda value: value == number if _is_number(value) else value == text
    if kind not in {"word", "quoted"}:
        raise MalformedPatternError(f"a value was expected, not `{text}`")
    plain = re.sub(r"\\(.)", r"\1", text[1:-1]) if kind == "quoted" else text
    whole = re.compile(".*".join(re.escape(part) for part in plain.split("*")), re.DOTALL)
    return lambda value: isinstance(value, str) and whole.fullmatch(value) is not None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise MalformedPatternError(f"a number was expected, not `{text}`") from None
