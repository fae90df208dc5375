"""The selection options of a command line made into a Selection: texts parsed, relative times made absolute."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from opstool.words.caret import point_at
from opstool.words.document import parse_json
from opstool.words.durations import parse_duration
from opstool.words.errors import UsageError
from opstool.words.expressions.where import compile_where
from opstool.words.matching import Matcher, compile_regex
from opstool.words.selection import Selection
from opstool.words.times import parse_iso

__all__ = ["Matcher", "Selection", "parse_ids", "select"]

# SQS promises ids of at most 100 characters.
_LONGEST_ID = 100


def select(  # noqa: PLR0913 - one parameter for each selection option, all by name
    *,
    now_ms: int,
    ids: Sequence[str] = (),
    ids_from: Iterable[str] | None = None,
    reason: str | None = None,
    older_than: str | None = None,
    newer_than: str | None = None,
    expires_within: str | None = None,
    source: str | None = None,
    group_id: str | None = None,
    attr: Sequence[str] = (),
    body_contains: str | None = None,
    body_matches: str | None = None,
    where: str | None = None,
) -> Selection:
    """Return the selection of the options as they were typed; `ids_from` is the lines of a file.

    A duration counts from `now_ms`, back for the ages and forward for the expiry; an ISO 8601 time is taken as it is.
    Raises UsageError that points at the character.
    """
    named = set(_checked_ids(ids))
    if ids_from is not None:
        named |= set(parse_ids(ids_from))
    selection = Selection(
        ids=frozenset(named) if ids or ids_from is not None else None,
        reason=_given("--reason", reason),
        sent_before_ms=_moment("--older-than", older_than, now_ms, -1),
        sent_after_ms=_moment("--newer-than", newer_than, now_ms, -1),
        expires_before_ms=_moment("--expires-within", expires_within, now_ms, +1),
        source=_given("--source", source),
        group_id=_given("--group-id", group_id),
        attributes=tuple(_attribute(each) for each in attr),
        body_contains=_given("--body-contains", body_contains),
        body_matches=_given("--body-matches", body_matches),
        where=where,
    )
    if selection.body_matches is not None:
        compile_regex(selection.body_matches)
    if where is not None:
        compile_where(where)
    return selection


def parse_ids(lines: Iterable[str]) -> list[str]:
    """Return the ids of lines that each hold an id, a JSON text of one, or a document that opstool printed.

    So a file of ids, the output of `dlq list --output json` and `jsonl`, and an archive can all say which messages
    are meant. Blank lines, duplicates and the report at the end are left out; UsageError names a line that is wrong.
    """
    found: dict[str, None] = {}
    for number, line in enumerate(_joined(lines), start=1):
        text = line.strip().removeprefix("\N{ZERO WIDTH NO-BREAK SPACE}")
        try:
            found.update(dict.fromkeys(_ids_of_line(text)))
        except (ValueError, RecursionError, UsageError):
            raise UsageError(
                f"`--ids-from`: line {number} is neither a message id nor a message document",
                hint="one id a line, or the lines of: opstool dlq list --output jsonl",
            ) from None
    return list(found)


def _joined(lines: Iterable[str]) -> list[str]:
    """Return the lines, those of a document that is spread over many as one."""
    found = list(lines)
    return ["\n".join(found)] if found and found[0].strip() in {"{", "["} else found


def _ids_of_line(text: str) -> list[str]:
    """Return the ids of one line."""
    if not text:
        return []
    return _checked_ids(_ids_in(parse_json(text)) if text[0] in '{["' else [text])


def _ids_in(value: Any) -> list[str]:
    """Return the ids in a JSON value: a text, an array of them, a message, or a document with messages."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, list):
        return [each for item in value for each in _ids_in(item)]
    if not isinstance(value, Mapping):
        raise UsageError("neither an id nor a document")
    if value.get("type", "message") == "message":
        return _ids_in(value.get("message_id"))
    return [] if value["type"] == "report" else _ids_in(value.get("messages"))


def _checked_ids(ids: Iterable[str]) -> list[str]:
    """Return the ids trimmed; an empty one, or one with characters no id has, is a usage error."""
    trimmed = [each.strip() for each in ids]
    for each in trimmed:
        wrong = next((place for place, char in enumerate(each) if char.isspace() or not char.isprintable()), None)
        if not each or wrong is not None or len(each) > _LONGEST_ID:
            raise point_at("--id", each, wrong or 0, "this is not a message id")
    return trimmed


def _given(option: str, value: str | None) -> str | None:
    """Return the value; an empty one is refused, since a filter that everything passes is a slip in a script."""
    if value == "":
        raise UsageError(f"`{option}` is empty", hint=f"leave {option} out to select without it")
    return value


def _moment(option: str, text: str | None, now_ms: int, direction: int) -> int | None:
    """Return the time that a duration (from now) or an ISO 8601 time means."""
    if _given(option, text) is None or text is None:
        return None
    if text[4:5] == "-":  # 2025-01-31T..., which no duration looks like
        try:
            return parse_iso(text)
        except UsageError as error:
            raise point_at(option, text, 0, error.message) from None
    return now_ms + direction * parse_duration(text, option=option) * 1000


def _attribute(text: str) -> tuple[str, str]:
    """Return name and value of NAME=VALUE; the value may hold further equals signs."""
    name, equals, value = text.partition("=")
    if not equals:
        raise point_at("--attr", text, len(text), "an attribute is given as NAME=VALUE")
    if not name:
        raise point_at("--attr", text, 0, "the name of the attribute is missing")
    return name, value
