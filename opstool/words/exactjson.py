"""JSON read and written again so that nothing of it changes: numbers keep their text, and keys their order.

Python's own reader rounds 0.12345678901234567891 and makes 1e400 infinite; what is sent again must be what was meant.
"""

from __future__ import annotations

import json
import re
from typing import Any, NoReturn

from jmespath import functions  # type: ignore[import-untyped]

from opstool.words.limits import LARGEST_MESSAGE_BYTES

# Python converts no longer ones: sys.set_int_max_str_digits has 4,300 for its default, and less may be set.
_MOST_DIGITS = 600
# Admitted in JSON as they are, and refused by SQS: SendMessage lists what it takes (words/limits.py).
_TO_ESCAPE = re.compile("[\ud800-\udfff\ufffe\uffff]")


class WrittenNumber(float):
    """A number that is written as it was read; it calculates as a float, which may be less exact."""

    __slots__ = ("text",)
    text: str

    def __new__(cls, text: str) -> WrittenNumber:
        """Make the number of a JSON text."""
        number = super().__new__(cls, text)
        number.text = text
        return number


# jmespath knows the types of values by the names of their classes, and takes only a `float` for a number.
WrittenNumber.__name__ = "float"


class DuplicateKeyError(ValueError):
    """An object has a key twice: readers differ on which of the two they take."""


class TooLargeError(ValueError):
    """What is to be written is longer than any message."""


def read(text: str) -> Any:
    """Return the value of a JSON text, from which `write` makes a text that means the same to every reader.

    Raises ValueError when it is not JSON, DuplicateKeyError, and RecursionError when it is nested too deeply.
    """
    return _JSON.decode(text)


def write(value: Any) -> str:
    """Return the value as compact JSON, not escaped but where SQS or JSON asks for it.

    Raises TooLargeError beyond the size of any message, which a value that stands in itself many times can reach
    without taking memory; ValueError for what JSON does not have, and RecursionError.
    """
    writer = _Writer()
    writer.add(value)
    return "".join(writer.parts)


class ExactFunctions(functions.Functions):  # type: ignore[misc] # jmespath has no annotations
    """The functions of JMESPath, of which the one that writes values writes them exactly."""

    @functions.signature({"types": []})  # type: ignore[untyped-decorator]
    def _func_to_string(self, value: Any) -> str:
        return value if isinstance(value, str) else write(value)


class _Writer:
    """Writes one value, piece by piece, and no further than to the size of the largest message."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self._left = LARGEST_MESSAGE_BYTES

    def add(self, value: Any) -> None:
        """Write a value."""
        if isinstance(value, dict):
            self._members("{}", [(f"{_string(key)}:", each) for key, each in value.items()])
        elif isinstance(value, list):
            self._members("[]", [("", each) for each in value])
        else:
            self._piece(_leaf(value))

    def _members(self, brackets: str, members: list[tuple[str, Any]]) -> None:
        self._piece(brackets[0])
        for position, (name, value) in enumerate(members):
            self._piece(f",{name}" if position else name)
            self.add(value)
        self._piece(brackets[1])

    def _piece(self, text: str) -> None:
        self._left -= len(text)
        if self._left < 0:
            raise TooLargeError
        self.parts.append(text)


def _leaf(value: Any) -> str:
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, WrittenNumber):
        return value.text
    if value is None or isinstance(value, bool | int | float):
        return json.dumps(value, allow_nan=False)
    raise ValueError(type(value).__name__)


def _string(text: str) -> str:
    return _TO_ESCAPE.sub(lambda found: f"\\u{ord(found.group()):04x}", json.dumps(text, ensure_ascii=False))


def _whole(text: str) -> int | WrittenNumber:
    """Return a whole number; one that Python would not give back as it was keeps its text."""
    return WrittenNumber(text) if text == "-0" or len(text) > _MOST_DIGITS else int(text)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise DuplicateKeyError
    return found


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)


_JSON = json.JSONDecoder(  # json.loads would make one for every text
    parse_constant=_refuse_constant, parse_float=WrittenNumber, parse_int=_whole, object_pairs_hook=_object
)
