"""Take out of an error's text whatever came from the message, because bodies are private and logs are not.

The text is divided into words. A word stays when it stands in a phrase of the program itself (a literal of the code
that raised the error, or a sentence of Python's), or when the message does not have it. Every other word becomes `***`.
A text that is one literal of that code as a whole stays too: the key of a KeyError, most often.

Looking the phrases up where the error was raised, rather than guessing, keeps the text readable and, as important, the
same for every message that fails in the same way.

Outside the program's phrases, no word of the result is a word of the message, and no word has five characters in a row
that the message has, or two, one of them a digit or a letter outside ASCII. What the code derived from a body before it
quoted it (decoded base64, a date in another format) cannot be recognised.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator
from types import CodeType, TracebackType

MASK = "***"
LETTERS_RUN = 5
OTHER_RUN = 2
MAX_FRAMES = 50
# Beyond this a comparison costs more than the text is worth: all words but the program's are masked.
MAX_COMPARED_CHARACTERS = 256 * 1024

# What Python writes in C, where no literal can be looked up: `{}` stands for anything, `{#}` for a number.
INTERPRETER_SENTENCES = (
    "invalid literal for int() with base {#}: {}", "could not convert string to float: {}", "{}division by zero",
    "{} index out of range", "list indices must be integers or slices, not {}",
    "string indices must be integers, not {}", "{} object is not callable", "{} object is not iterable",
    "{} object is not subscriptable", "{} object has no attribute {}", "{} object does not support item assignment",
    "{} object cannot be interpreted as an integer", "module {} has no attribute {}", "name {} is not defined",
    "cannot access local variable {} where it is not associated with a value", "unhashable type: {}",
    "unsupported operand type(s) for {}: {} and {}", "{} not supported between instances of {} and {}",
    "can only concatenate {} (not {}) to {}", "not enough values to unpack (expected {}, got {#})",
    "too many values to unpack (expected {#}{})", "{} missing {#} required positional argument{}: {}",
    "{} got an unexpected keyword argument {}", "maximum recursion depth exceeded{}",
    "{} codec can't decode byte {} in position {}: {}", "{} codec can't encode character {} in position {}: {}",
    "Expecting value: line {#} column {#} (char {#})", "Expecting {} delimiter: line {#} column {#} (char {#})",
    "Expecting property name enclosed in double quotes: line {#} column {#} (char {#})",
    "Extra data: line {#} column {#} (char {#})", "Invalid control character at: line {#} column {#} (char {#})",
    "Invalid \\escape: line {#} column {#} (char {#})",
    "Unterminated string starting at: line {#} column {#} (char {#})",
)  # fmt: skip

# A word may hold escapes of letters, as `ascii` writes them. An escape of a line break or the like ends it.
_WORD = re.compile(
    r"(?:[\w\u0080-\U0010ffff]|\\x[0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\U00[01][0-9a-fA-F]{5})+"
    r"|\\[bfnrt]|[!-/:-@\[-^`{-~]{3,}"
)
_WRITTEN_WORD = re.compile(r"[\w\u0080-\U0010ffff]+|[!-/:-@\[-^`{-~]{3,}")
_PLAIN_LETTERS = re.compile(r"[a-z_]+")
_PLACEHOLDER = re.compile(r"%[-#0 +]*\d*(?:\.\d+)?[sdrafxgeic]|%\(\w+\)[sdrf]|\{[^{}]*\}")
_ESCAPE = re.compile(
    r"\\(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|U(000[0-9a-fA-F]{5}|0010[0-9a-fA-F]{4})|([\"'\\/bfnrt]))"
)
_MASKS = re.compile(r"\*\*\*[\W_]*\*\*\*")
_CONTROL = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}


def mask(text: str, message: Iterable[str], error: BaseException) -> str:
    """Return `text` with `***` for each word that it shares with the strings of `message`."""
    literals = frozenset(_literals(error))
    if text in literals or text in map(repr, literals):
        return text
    phrases = _phrases(text, literals)
    private = _Words(message)
    masked = _WORD.sub(lambda word: word[0] if _within(word, phrases) or not private.have(word[0]) else MASK, text)
    return _MASKS.sub(MASK, masked)


class _Words:
    """The words of a message, as they were written and with their escapes resolved."""

    def __init__(self, message: Iterable[str]) -> None:
        joined = "\n".join(message)
        self._too_long = len(joined) > MAX_COMPARED_CHARACTERS
        self._text = "" if self._too_long else "\n".join(_forms(joined)).casefold()
        self._words = frozenset(_WRITTEN_WORD.findall(self._text))

    def have(self, word: str) -> bool:
        """Tell whether the message holds the word, or enough of it to be recognised."""
        return self._too_long or self._hold(word.casefold()) or self._hold(_resolved(word).casefold())

    def _hold(self, folded: str) -> bool:
        if folded in self._words:
            return True
        return any(run in self._text for run in _runs(folded))


def _runs(folded: str) -> Iterator[str]:
    """Yield the parts of a word by which it is recognised."""
    for start in range(len(folded)):
        letters, other = folded[start : start + LETTERS_RUN], folded[start : start + OTHER_RUN]
        if len(letters) == LETTERS_RUN:
            yield letters
        if len(other) == OTHER_RUN and not _PLAIN_LETTERS.fullmatch(other):
            yield other


def _forms(text: str) -> Iterator[str]:
    """Yield a text and what it is with its escapes resolved; three times, because JSON is often wrapped in JSON."""
    for _ in range(4):
        yield text
        resolved = _resolved(text)
        if resolved == text:
            return
        text = resolved


def _resolved(text: str) -> str:
    """Return a text with its escapes resolved, and the halves of a surrogate pair made one character."""
    if "\\" not in text:
        return text
    return _ESCAPE.sub(_character, text).encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _character(escape: re.Match[str]) -> str:
    code = escape[1] or escape[2] or escape[3]
    return chr(int(code, 16)) if code else _CONTROL.get(escape[4], escape[4])


def _phrases(text: str, literals: Iterable[str]) -> list[tuple[int, int]]:
    """Return where the program's own phrases stand in the text."""
    places = _sentence(text)
    for phrase in {phrase for literal in literals for phrase in _PLACEHOLDER.split(literal)}:
        # One word alone may be a value (a status, a key) that a body has too; words with a space are a phrase.
        if " " in phrase and any(character.isalpha() for character in phrase):
            places += [(found.start(), found.end()) for found in re.finditer(re.escape(phrase), text)]
    return places


def _sentence(text: str) -> list[tuple[int, int]]:
    """Return the places between what a sentence of Python's quotes, when the whole text is one."""
    for sentence in _sentences():
        if found := sentence.fullmatch(text):
            edges = [0, *(edge for group in range(1, sentence.groups + 1) for edge in found.span(group)), len(text)]
            return list(zip(edges[::2], edges[1::2], strict=True))
    return []


@functools.cache
def _sentences() -> tuple[re.Pattern[str], ...]:
    """Return the sentences as patterns; made at the first failure, because a cold start has no use for them."""
    escaped = (re.escape(sentence) for sentence in INTERPRETER_SENTENCES)
    return tuple(
        re.compile(sentence.replace(r"\{\#\}", r"\d+").replace(r"\{\}", "(.*?)"), re.DOTALL) for sentence in escaped
    )


def _within(word: re.Match[str], places: list[tuple[int, int]]) -> bool:
    return any(start <= word.start() and word.end() <= end for start, end in places)


def _literals(error: BaseException) -> Iterator[str]:
    """Yield the string literals of the functions that the error came through, and of its own class."""
    for code in _codes(error):
        for constant in code.co_consts:
            if isinstance(constant, str):
                yield constant


def _codes(error: BaseException) -> Iterator[CodeType]:
    frames: list[CodeType] = []
    traceback: TracebackType | None = error.__traceback__
    while traceback is not None:
        frames.append(traceback.tb_frame.f_code)
        traceback = traceback.tb_next
    yield from frames[-MAX_FRAMES:]
    for kind in type(error).__mro__:
        for method in ("__init__", "__str__"):
            code = getattr(vars(kind).get(method), "__code__", None)
            if isinstance(code, CodeType):
                yield code
