"""What tells groups of messages apart: the reason, the source queue, an attribute, or a JMESPath expression."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from opstool.words.caret import point_at
from opstool.words.document import expires_at_ms, filter_document
from opstool.words.expressions.where import EvaluationError, Expression, compile_where
from opstool.words.message import ENCODING_ERRORS, Message
from opstool.words.reason import Reason
from opstool.words.selection import Selection

OPTION = "--by"
_ATTRIBUTE = "attr:"
_LONGEST_KEY = 1_000
"""Characters of a value that a key keeps: every message may have a value of its own, of up to a mebibyte."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Key:
    """The value that the messages of a group share. `text` is shown: a text as it is, anything else as JSON.

    `literal` is the value as JSON and tells the text "5" from the number; of a value longer than a key keeps, it is the
    SHA-256 and `is_whole` is false: such a value cannot be typed again.
    """

    text: str
    literal: str
    is_whole: bool = True

    @classmethod
    def of(cls, value: Any) -> Key:
        """Return the key of a JSON value; ValueError or RecursionError where it cannot be written as JSON."""
        literal = json.dumps(value, sort_keys=True)
        text = value if isinstance(value, str) else json.dumps(value, sort_keys=True, ensure_ascii=False)
        if max(len(text), len(literal)) <= _LONGEST_KEY:
            return cls(text=text, literal=literal)
        digest = hashlib.sha256(literal.encode(errors=ENCODING_ERRORS)).hexdigest()
        return cls(text=text[:_LONGEST_KEY] + "...", literal=digest, is_whole=False)


class Grouping(Protocol):
    """One way to group messages; `text` is it as it is typed."""

    @property
    def text(self) -> str:
        """Return the value of the option."""

    @property
    def needs_reason(self) -> bool:
        """Tell whether a key can only be told once the reason is known."""

    def key(self, message: Message, *, retention_s: int, reason: Reason | None = None) -> Key | None:
        """Return what the message is grouped by, None when it has no such thing; may raise EvaluationError."""

    def narrowed(self, selection: Selection, key: Key | None) -> Selection | None:
        """Return the selection of the one group with this key; None when no options can name it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ByReason:
    """By the fingerprint of why they died. The reason is no key: it is looked up for every message anyway."""

    text: str = "reason"
    needs_reason: bool = False

    def key(self, _message: Message, *, retention_s: int, reason: Reason | None = None) -> Key | None:  # noqa: ARG002 - the protocol
        """Return nothing: see above."""
        return None

    def narrowed(self, _selection: Selection, _key: Key | None) -> Selection | None:
        """Return nothing: whoever knows the group knows its fingerprint."""
        return None


@dataclass(frozen=True, kw_only=True, slots=True)
class BySource:
    """By the ARN of the queue that they died in, as far as SQS tells, or the journal."""

    text: str = "source"
    needs_reason: bool = False

    def key(self, message: Message, *, retention_s: int, reason: Reason | None = None) -> Key | None:  # noqa: ARG002 - the protocol
        """Return the ARN of the source queue."""
        return None if message.source_arn is None else Key.of(message.source_arn)

    def narrowed(self, selection: Selection, key: Key | None) -> Selection | None:
        """Return the selection of one source queue."""
        if key is None:
            return _and_where(selection, "source_queue == `null`")
        name = key.text.rsplit(":", 1)[-1]  # enough: the sources of a DLQ are of one account and region
        return replace(selection, source=name) if key.is_whole else None


@dataclass(frozen=True, kw_only=True, slots=True)
class ByAttribute:
    """By the text of an attribute; Binary is base64, as `--attr` takes it."""

    name: str
    needs_reason: bool = False

    @property
    def text(self) -> str:
        """Return the value of the option."""
        return _ATTRIBUTE + self.name

    def key(self, message: Message, *, retention_s: int, reason: Reason | None = None) -> Key | None:  # noqa: ARG002 - the protocol
        """Return the text of the attribute."""
        attribute = message.attributes.get(self.name)
        if attribute is None:
            return None
        value = attribute.value
        return Key.of(value if isinstance(value, str) else base64.b64encode(value).decode())

    def narrowed(self, selection: Selection, key: Key | None) -> Selection | None:
        """Return the selection of one value; a name with an equals sign cannot be told from its value."""
        if key is None:
            return _and_where(selection, f"attributes.{json.dumps(self.name)} == `null`")
        if not key.is_whole or "=" in self.name:
            return None
        return replace(selection, attributes=(*selection.attributes, (self.name, key.text)))


@dataclass(frozen=True, kw_only=True, slots=True)
class ByExpression:
    """By the value of a JMESPath expression over the document of a message, within the bounds of `--where`."""

    text: str
    expression: Expression = field(repr=False, compare=False)

    @property
    def needs_reason(self) -> bool:
        """Tell whether the expression may look at the reason."""
        return self.expression.mentions_reason

    def key(self, message: Message, *, retention_s: int, reason: Reason | None = None) -> Key | None:
        """Return the value of the expression; EvaluationError, without a word of the message, where it has none."""
        expires = expires_at_ms(message, retention_s)
        value = self.expression.value(
            filter_document(message, expires_at_ms=expires, reason=reason, keys=self.expression.keys)
        )
        try:
            return None if value is None else Key.of(value)
        except (ValueError, RecursionError):
            raise EvaluationError(f"`{OPTION}`: the value cannot be written as JSON") from None

    def narrowed(self, selection: Selection, key: Key | None) -> Selection | None:
        """Return the selection of one value. A backquote would end the literal, so it is written as an escape."""
        if key is not None and not key.is_whole:
            return None
        literal = "null" if key is None else key.literal.replace("`", "\\u0060")
        return _and_where(selection, f"({self.text}) == `{literal}`")


def grouping_of(text: str) -> Grouping:
    """Return the grouping of `reason`, `source`, `attr:NAME` or a JMESPath expression.

    Raises UsageError that points at the character where the expression is wrong.
    """
    if text in {"reason", "source"}:
        return ByReason() if text == "reason" else BySource()
    if text.startswith(_ATTRIBUTE):
        if text == _ATTRIBUTE:
            raise point_at(OPTION, text, len(text), "the name of the attribute is missing")
        return ByAttribute(name=text.removeprefix(_ATTRIBUTE))
    return ByExpression(text=text, expression=compile_where(text, option=OPTION))


def _and_where(selection: Selection, expression: str) -> Selection:
    where = expression if selection.where is None else f"({selection.where}) && ({expression})"
    return replace(selection, where=where)
