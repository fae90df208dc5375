"""The tokens of a CloudWatch Logs Insights query, and the error for a query that is not understood."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto


class MalformedQueryError(ValueError):
    """The query is wrong, or uses what is not supported here; the service would say MalformedQueryException."""


class Kind(Enum):
    """What a token is."""

    NAME = auto()
    """A command, an operator in words, or a field: `filter`, `and`, `@message`, `a.b`."""
    QUOTED_NAME = auto()
    """A field in backticks: never a command or an operator."""
    STRING = auto()
    NUMBER = auto()
    REGEX = auto()
    SIGN = auto()
    """An operator or a bracket."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Token:
    """One token; `text` is without its quotes or slashes, and with its escapes undone where it is a string."""

    kind: Kind
    text: str

    def is_word(self, word: str) -> bool:
        """Tell whether it is this word of the language; commands and operators may be written in capitals."""
        return self.kind is Kind.NAME and self.text.lower() == word

    def is_sign(self, sign: str) -> bool:
        """Tell whether it is this operator or bracket."""
        return self.kind is Kind.SIGN and self.text == sign


_TOKEN = re.compile(
    r"""(?P<space>\s+|\#[^\n]*)
      | (?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
      | (?P<backtick>@?`[^`]+`)
      | (?P<number>-?\d+(?:\.\d+)?(?![\w.]))
      | (?P<name>@{0,2}[A-Za-z_][\w.]*)
      | (?P<sign>=~|!=|<=|>=|[=<>(),|]|\[|\])
    """,
    re.VERBOSE | re.DOTALL,
)
_REGEX = re.compile(r"\s*/((?:[^/\\\n]|\\.)+)/")


def tokens(query: str) -> Iterator[Token]:
    """Yield the tokens of a query; a slash begins a regular expression only where one may stand."""
    position = 0
    regex_may_follow = False
    while position < len(query):
        regex = _REGEX.match(query, position) if regex_may_follow else None
        if regex:
            yield Token(kind=Kind.REGEX, text=regex[1].replace("\\/", "/"))
            position, regex_may_follow = regex.end(), False
            continue
        match = _TOKEN.match(query, position)
        if match is None:
            raise MalformedQueryError(f"unexpected symbol found at position {position}")
        position = match.end()
        if match.lastgroup != "space":
            token = _token(match)
            regex_may_follow = token.is_word("like") or token.is_sign("=~")
            yield token


def _token(match: re.Match[str]) -> Token:
    text = match[0]
    if match.lastgroup == "string":
        return Token(kind=Kind.STRING, text=re.sub(r"\\(.)", r"\1", text[1:-1], flags=re.DOTALL))
    if match.lastgroup == "backtick":
        return Token(kind=Kind.QUOTED_NAME, text=text.replace("`", ""))
    kinds = {"number": Kind.NUMBER, "name": Kind.NAME, "sign": Kind.SIGN}
    return Token(kind=kinds[match.lastgroup or ""], text=text)
