"""The PATH of `--set PATH=VALUE`: a place in a body, `body.customer.id` or `body.items[0].sku`."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from opstool.words import exactjson
from opstool.words.caret import point_at
from opstool.words.document import MESSAGE_KEYS

OPTION = "--set"
_BODY = "body"
# It is JSONPath, and would make a field of that name; a key that is meant is quoted.
_JSONPATH_ROOTS = ("$.", "$[")
_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*", re.ASCII)
_BARE = re.compile(r'[^\s."\[\]=]+')
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')
# A body of a mebibyte has fewer elements than this has numbers.
_INDEX = re.compile(r"\[([0-9]{1,7})\]", re.ASCII)
_SURROGATE = re.compile("[\ud800-\udfff]")

Step = str | int
"""A key of an object, or the index of an element of an array."""


class PathError(Exception):
    """The path does not lead anywhere in one body; the text names the path, and nothing of the body."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One `--set`: the steps from the body to a place in it, and the text of the value to put there."""

    steps: tuple[Step, ...]
    value: str

    def apply(self, body: Any) -> None:
        """Put the value into the body, an object or array of `exactjson.read`.

        An object that is missing on the way is made; an element may be appended, and not beyond that. Raises
        PathError, with the body perhaps changed in part.
        """
        place = body
        for number, step in enumerate(self.steps):
            self._check(place, number)
            if number + 1 == len(self.steps):
                _put(place, step, value_of(self.value))
            else:
                if step not in place if isinstance(step, str) else step == len(place):
                    _put(place, step, {})
                place = place[step]

    def _check(self, place: Any, number: int) -> None:
        """Raise PathError when a step cannot be taken from where the ones before it have led."""
        step, name = self.steps[number], path_text(self.steps[:number])
        if not isinstance(place, dict if isinstance(step, str) else list):
            raise PathError(f"`{name}` is not an {'object' if isinstance(step, str) else 'array'} in it")
        if isinstance(step, int) and step > len(place):
            raise PathError(f"`{name}` has no element {step} and is too short to append it")


def _put(place: Any, step: Step, value: Any) -> None:
    if isinstance(step, int) and step == len(place):
        place.append(value)
    else:
        place[step] = value


def value_of(text: str) -> Any:
    """Return the VALUE: JSON when it is JSON, else the text itself. Raises DuplicateKeyError and RecursionError."""
    try:
        return exactjson.read(text)
    except exactjson.DuplicateKeyError:
        raise
    except ValueError:
        return text


def path_text(steps: Sequence[Step]) -> str:
    """Return steps as they are typed; keys that are not plain words are quoted, in ASCII."""
    return _BODY + "".join(
        f"[{step}]" if isinstance(step, int) else f".{step if _PLAIN_KEY.fullmatch(step) else json.dumps(step)}"
        for step in steps
    )


def parse_setting(text: str) -> Setting:
    """Return the setting of PATH=VALUE; raise UsageError that points at the character."""
    foreign = _SURROGATE.search(text)
    if foreign:
        raise point_at(OPTION, text, foreign.start(), "this is not UTF-8 text")
    steps, end = _steps(text)
    if text.startswith(_JSONPATH_ROOTS):
        raise point_at(OPTION, text, 0, "$ is not the body here", hint=f"{OPTION} body.status=new")
    if steps[0] == _BODY:
        steps = steps[1:]
        if not steps:
            raise point_at(
                OPTION, text, end, "the name of a field is missing", hint="--transform builds a whole new body"
            )
    elif steps[0] in MESSAGE_KEYS:
        hint = f"{path_text(steps)}=... is the body's own field; what is beside the body stays as it is"
        raise point_at(OPTION, text, 0, f"{steps[0]} is a key of the message and no part of its body", hint=hint)
    value = text[end + 1 :]
    try:
        value_of(value)
    except exactjson.DuplicateKeyError:
        raise point_at(OPTION, text, end + 1, "an object has the same key twice") from None
    except RecursionError:
        raise point_at(OPTION, text, end + 1, "the value is nested too deeply") from None
    return Setting(tuple(steps), value)


def _steps(text: str) -> tuple[list[Step], int]:
    """Return the steps, of which the first is a key, and the place of the equals sign after them."""
    first, place = _key(text, 0)
    steps: list[Step] = [first]
    while (char := text[place : place + 1]) != "=":
        if char == ".":
            key, place = _key(text, place + 1)
            steps.append(key)
        elif index := _INDEX.match(text, place):
            steps.append(int(index[1]))
            place = index.end()
        elif char == "[":
            problem = "an index is a whole number, and counts from 0"
            raise point_at(OPTION, text, place + 1, problem, hint='a key is written body."a b"')
        else:
            raise point_at(OPTION, text, place, "a change is given as PATH=VALUE", hint=f"{OPTION} body.status=new")
    return steps, place


def _key(text: str, place: int) -> tuple[str, int]:
    """Return the key that begins here, and where it ends."""
    if bare := _BARE.match(text, place):
        return bare.group(), bare.end()
    quoted = _QUOTED.match(text, place)
    try:
        return str(json.loads(quoted.group() if quoted else "")), quoted.end() if quoted else place
    except ValueError:
        problem = (
            "the quoted key does not end here" if text[place : place + 1] == '"' else "the name of a key is missing"
        )
        raise point_at(OPTION, text, place, problem, hint=f"{OPTION} body.status=new") from None
