"""A message given a new body before it is sent again: by an expression over its document, or field by field.

Only the body is new. Attributes, trace header and group stay, and so does every number, key and character of the body
that was not asked to change. What cannot be mended with certainty is not mended.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from opstool.words import exactjson
from opstool.words.bodypath import PathError, Setting, parse_setting
from opstool.words.caret import point_at
from opstool.words.document import message_document
from opstool.words.errors import UsageError
from opstool.words.expressions.where import EvaluationError, Expression, compile_where
from opstool.words.limits import LARGEST_MESSAGE_BYTES, sendable_problem, unsendable_character
from opstool.words.message import Message
from opstool.words.s3pointer import SIZE_ATTRIBUTES

TRANSFORM = "--transform"
_UNSTEADY = ("receive_count", "first_received_at", "expires_at", "reason", "reason_state")
"""What may be another at the next look: the body that was shown in the plan would not be the one that is sent."""
_POINTER = "S3Pointer"
"""How the names of the classes end that the SQS extended client writes into a body: words/s3pointer.py."""


@dataclass(frozen=True, slots=True)
class NotMended:
    """A message that cannot be mended; `why` names the option and never the body."""

    why: str


@dataclass(frozen=True, kw_only=True)
class Mending:
    """What is done to each body: `transform` builds a new one, or `sets` change it one after the other.

    Raises UsageError that points at the character.
    """

    transform: str | None = None
    sets: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check everything before the first message is looked at."""
        if (self.transform is None) == (not self.sets):
            raise UsageError("`--transform` and `--set` exclude each other" if self.sets else "nothing is to be mended")
        _ = self._expression, self._settings

    @cached_property
    def _expression(self) -> Expression | None:
        if self.transform is None:
            return None
        expression = compile_where(self.transform, option=TRANSFORM, own_functions=exactjson.ExactFunctions())
        for key in _UNSTEADY:
            if (place := expression.place_of(key)) is not None:
                problem = f"{key} may be another when the message is sent"
                raise point_at(TRANSFORM, self.transform, place, problem, hint="a new body is made of what stays")
        return expression

    @cached_property
    def _settings(self) -> Sequence[Setting]:
        return [parse_setting(each) for each in self.sets]

    @property
    def text(self) -> str:
        """Return the options that give this mending, on one line."""
        words = [] if self.transform is None else [f"{TRANSFORM} {shlex.quote(self.transform)}"]
        return " ".join([*words, *(f"--set {shlex.quote(each)}" for each in self.sets)])

    def apply(self, message: Message) -> Message | NotMended:
        """Return the message with its new body; the very same message when its body is like that already.

        It depends on nothing but the message as it stays, so that a run that is resumed sends what its plan has shown.
        The MD5 of the new body is not known from a server, and so is None.
        """
        try:
            body = self._new_body(message)
        except _CannotMendError as error:
            return NotMended(str(error))
        except RecursionError:
            return NotMended("its body is nested too deeply")
        except exactjson.TooLargeError:
            return NotMended("the new body is larger than SQS admits")
        except ValueError:
            return NotMended("the new body has a value that JSON does not have")
        if body is None:
            return message
        mended = replace(message, body=body, md5_of_body=None)
        problem = _problem(mended)
        return NotMended(f"SQS would refuse the new message: {problem}") if problem else mended

    def _new_body(self, message: Message) -> str | None:
        """Return the new body, None when nothing changes: JSON that is only laid out otherwise is the same."""
        is_json, value = _read(message.body)
        if _is_elsewhere(message, value):
            raise _CannotMendError("its body points to a payload in S3 (SQS extended client), which is not mended")
        as_it_is = {message.body, exactjson.write(value)} if is_json else {message.body}
        is_container = isinstance(value, dict | list)
        if not is_container and (self._expression is None or self._expression.only_looks_into("body")):
            raise _CannotMendError("its body is not a JSON object or array")  # of which parts would all be null
        if self._expression is not None:
            body = _transformed(self._expression, message, value)
        else:
            _set(self._settings, value)
            body = exactjson.write(value)
        return None if body in as_it_is else body

    def to_json(self) -> dict[str, Any]:
        """Return what the journal keeps of it."""
        return {"transform": self.transform, "sets": list(self.sets)}

    @classmethod
    def from_json(cls, values: Mapping[str, Any] | None) -> Mending | None:
        """Return what `to_json` gave; None where nothing was mended."""
        return None if values is None else cls(transform=values["transform"], sets=tuple(values["sets"]))


class _CannotMendError(Exception):
    """Why one message cannot be mended."""


def _read(body: str) -> tuple[bool, Any]:
    """Return whether a body is JSON, and its value, which is the text when it is not."""
    try:
        return True, exactjson.read(body)
    except exactjson.DuplicateKeyError:
        raise _CannotMendError(
            "an object in its body has the same key twice: which of them counts is not certain"
        ) from None
    except ValueError:
        return False, body


def _problem(mended: Message) -> str | None:
    """Return why SQS would refuse the new body; what the queue has held beside it, it is trusted to hold again."""
    if mended.size_bytes > LARGEST_MESSAGE_BYTES:
        return f"body and attributes are {mended.size_bytes} bytes, more than {LARGEST_MESSAGE_BYTES}"
    bare = replace(mended, attributes={})
    return sendable_problem(bare) or unsendable_character(bare)


def _is_elsewhere(message: Message, body: Any) -> bool:
    """Tell whether the payload may lie in S3: rather once too often, since a pointer that is changed leads nowhere."""
    if any(name in message.attributes for name in SIZE_ATTRIBUTES):
        return True
    return isinstance(body, list) and bool(body) and isinstance(body[0], str) and body[0].endswith(_POINTER)


def _transformed(expression: Expression, message: Message, body: Any) -> str:
    document = message_document(message, keys=[key for key in expression.keys if key not in _UNSTEADY])
    if "body" in document:
        document["body"] = body
    try:
        value = expression.value(document)
    except EvaluationError as error:
        raise _CannotMendError(str(error)) from None
    if value is None:
        raise _CannotMendError(f"`{TRANSFORM}` gives null for it")
    return value if isinstance(value, str) else exactjson.write(value)


def _set(settings: Sequence[Setting], body: Any) -> None:
    for setting in settings:
        try:
            setting.apply(body)
        except PathError as error:
            raise _CannotMendError(f"`--set`: {error}") from None
