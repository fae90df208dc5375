"""What a line of text has before its message: time, level and request id, as runtimes and log libraries write them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from opstool.words.lines.level import Level, level_of

_ID = r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}"
_REQUEST_ID = re.compile(rf"{_ID}$")
_NAMED_REQUEST = re.compile(rf"(?i:request[_ -]?id)[\"']?\s?[:=]?\s?[\"']?({_ID})(?![\w-])")
_HEAD_CHARACTERS = 240
_HEAD_WORDS = 9
_WORD = re.compile(r"[^\s|\[\]()<>,]+")
_FIELDS = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class Envelope:
    """A line's message and what stood before it; None for what did not."""

    message: str
    level: Level | None = None
    request_id: str | None = None


def open_envelope(text: str) -> Envelope:
    """Return the message of a line without what its logger put before it.

    Python's runtime writes `[LEVEL] time id message` with tabs between, those of Node and .NET `time id LEVEL message`:
    https://docs.aws.amazon.com/lambda/latest/dg/python-logging.html and nodejs-logging.html.
    """
    if text.startswith("[ERROR] "):  # Python's runtime reports what escaped; that is a message of its own form
        return Envelope(message=text, level=Level.FAILED)
    fields = text.split("\t", _FIELDS - 1)
    if len(fields) == _FIELDS:
        if level := level_of(fields[0].strip("[]")):
            return Envelope(message=fields[3], level=level, request_id=_id(fields[2]))
        if level := level_of(fields[2]):
            return Envelope(message=fields[3], level=level, request_id=_id(fields[1]))
    return _loose(text)


def _loose(text: str) -> Envelope:
    """Return the message after the first word that is a level, when one stands near the start of the line."""
    head = text[:_HEAD_CHARACTERS].partition("\n")[0]
    named = _NAMED_REQUEST.search(head)
    request_id = named[1] if named else None
    for number, word in enumerate(_WORD.finditer(head)):
        if number >= _HEAD_WORDS:
            break
        request_id = request_id or _id(word[0])
        bracketed = word.start() > 0 and head[word.start() - 1] == "["
        if level := _level_word(word[0], bracketed=bracketed):
            message = _after(text, word)
            following = _id(message.partition(" ")[0])  # Ruby's runtime has the id after the level
            return Envelope(message=message, level=level, request_id=request_id or following)
    return Envelope(message=text, request_id=named[1] if named else None)


def _after(text: str, word: re.Match[str]) -> str:
    rest = text[word.end() :]
    if word[0].count(":") > 1:  # ERROR:logger:text, as Python's basicConfig has it
        return word[0].split(":", 2)[2] + rest
    return rest.lstrip(" \t|]:-")


def _level_word(word: str, *, bracketed: bool) -> Level | None:
    name = word.partition(":")[0]
    if name.startswith(("level=", "lvl=")):
        return level_of(name.partition("=")[2].strip('"'))
    if name.isupper() or (name.islower() and (bracketed or ":" in word)):
        return level_of(name)
    return None


def _id(text: str) -> str | None:
    text = text.strip()
    return text if _REQUEST_ID.match(text) else None
