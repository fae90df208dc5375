"""Which messages are meant: every filter that was given, all of which must hold; times already absolute."""

from __future__ import annotations

import json
import shlex
from dataclasses import asdict, dataclass, fields
from typing import Any

from opstool.words.errors import StorageError
from opstool.words.expressions.where import compile_where
from opstool.words.matching import Matcher, Search
from opstool.words.times import iso

# A line that people read names a few ids; more are counted.
_IDS_SHOWN = 10


@dataclass(frozen=True, kw_only=True, slots=True)
class Selection:
    """The filters of one command; times in epoch milliseconds, None and empty mean "not asked for".

    `ids` that are empty are a filter too, one that nothing passes. `reason` is an error type or the beginning of a
    fingerprint, `source` a queue's name, URL or ARN.
    """

    ids: frozenset[str] | None = None
    reason: str | None = None
    sent_before_ms: int | None = None
    sent_after_ms: int | None = None
    expires_before_ms: int | None = None
    source: str | None = None
    group_id: str | None = None
    attributes: tuple[tuple[str, str], ...] = ()
    body_contains: str | None = None
    body_matches: str | None = None
    where: str | None = None

    @property
    def is_everything(self) -> bool:
        """Tell whether no filter was given."""
        return self == Selection()

    @property
    def needs_reason(self) -> bool:
        """Tell whether the reasons have to be looked up before this selection can decide."""
        return self.reason is not None or (self.where is not None and compile_where(self.where).mentions_reason)

    @property
    def needs_source(self) -> bool:
        """Tell whether the queue in which a message died may decide."""
        return self.source is not None or self.where is not None

    @property
    def text(self) -> str:
        """Return the options that give this selection, on one line, quoted for a shell; empty for everything."""
        pairs = [("--reason", self.reason), ("--source", self.source), ("--group-id", self.group_id)]
        pairs += [("--older-than", _time(self.sent_before_ms)), ("--newer-than", _time(self.sent_after_ms))]
        pairs += [("--expires-within", _time(self.expires_before_ms))]
        pairs += [("--attr", f"{name}={value}") for name, value in self.attributes]
        pairs += [("--body-contains", self.body_contains), ("--body-matches", self.body_matches)]
        pairs += [("--where", self.where)]
        words = [f"{option} {_quoted(value)}" for option, value in pairs if value is not None]
        return " ".join([*self._id_words(), *words])

    def _id_words(self) -> list[str]:
        if self.ids is None:
            return []
        if 0 < len(self.ids) <= _IDS_SHOWN:
            return [f"--id {_quoted(each)}" for each in sorted(self.ids)]
        return [f"--ids-from - ({len(self.ids)} ids)"]

    def compile(self, *, retention_s: int, search: Search | None = None) -> Matcher:
        """Return the function that decides; `retention_s` is the retention of the queue that is read.

        `search` stands in for the regular expression, which is not bounded in time without it.

        Raises UsageError that points at the character where the regular expression or JMESPath is wrong.
        """
        return Matcher(self, retention_s=retention_s, search=search)

    def to_json(self) -> str:
        """Return the selection as one line of JSON for the journal."""
        given = {name: value for name, value in asdict(self).items() if value not in (None, ())}
        if self.ids is not None:
            given["ids"] = sorted(self.ids)
        return json.dumps(given, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Selection:
        """Return the selection of `to_json`; a key that is not known is refused, since ignoring it would widen it."""
        try:
            given: dict[str, Any] = json.loads(text)
            unknown = set(given) - {each.name for each in fields(cls)}
            ids, attributes = given.pop("ids", None), given.pop("attributes", ())
            pairs = tuple((str(name), str(value)) for name, value in attributes)
            selection = cls(**given, ids=None if ids is None else frozenset(ids), attributes=pairs)
        except (ValueError, TypeError, AttributeError):
            unknown, selection = {"(not a selection)"}, cls()
        if unknown:
            raise StorageError(
                f"the journal's selection cannot be read: {', '.join(sorted(unknown))}",
                code="journal_unreadable",
                hint="a newer opstool may have written it",
            )
        return selection


def _time(ms: int | None) -> str | None:
    return None if ms is None else iso(ms)


def _quoted(value: str) -> str:
    """Quote for a POSIX shell; what a terminal might act on is escaped in the shell's $'...' form."""
    if value.isprintable():
        return shlex.quote(value)
    return "$'" + "".join(_escaped(char) for char in value) + "'"


def _escaped(char: str) -> str:
    if char in "\\'":
        return "\\" + char
    if char.isprintable():
        return char
    return f"\\x{ord(char):02x}" if ord(char) < 0x80 else f"\\U{ord(char):08x}"  # noqa: PLR2004 - the end of ASCII
