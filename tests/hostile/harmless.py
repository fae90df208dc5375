"""What both sides of the screen may hold, whatever was put into a message."""

from __future__ import annotations

import json
import re
import unicodedata
from typing import Any, NoReturn

from tests.cli.world import Ended
from tests.hostile.corpus import FORGED

_OURS = re.compile(r"\r\x1b\[K")
"""The one sequence that opstool itself writes with NO_COLOR: a progress line is taken away."""
_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f"
    "\ufeff\uffa0\ufff0-\ufffb\U000e0000-\U000e0fff]"
)
"""Unicode's Default_Ignorable_Code_Point: what a terminal shows as nothing."""
_MOST_MARKS = 8


def assert_harmless(ended: Ended) -> None:
    """Both streams hold characters that a person can see, and line ends; nothing hides, overwrites or forges a line."""
    for stream in (ended.out, _OURS.sub("", ended.err)):
        assert_visible(stream)
        assert not [line for line in stream.splitlines() if line.startswith(FORGED)]


def assert_visible(text: str) -> None:
    """Every character of the text can be seen, but for line ends."""
    assert {char for char in text if not char.isprintable() and char != "\n"} == set()
    assert _INVISIBLE.findall(text) == []
    longest = marks = 0
    for char in text if not text.isascii() else "":
        marks = marks + 1 if unicodedata.category(char) in {"Mn", "Me"} else 0
        longest = max(longest, marks)
    assert longest <= _MOST_MARKS


def strict(line: str) -> dict[str, Any]:
    """Return the document of a line as a parser that takes nothing but JSON reads it."""
    assert line.isascii()
    document: dict[str, Any] = json.loads(line, parse_constant=_refuse, object_pairs_hook=_once)
    assert json.loads(line) == document
    assert document["version"] == 1
    return document


def documents(ended: Ended, form: str) -> list[dict[str, Any]]:
    """Return the documents on stdout: one with `json`, one a line with `jsonl`."""
    lines = ended.out.split("\n")
    assert lines.pop() == ""
    assert form == "jsonl" or len(lines) == 1
    return [strict(line) for line in lines]


def _refuse(name: str) -> NoReturn:
    raise AssertionError(f"{name} is not JSON")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    assert len(dict(pairs)) == len(pairs), "a key stands twice"
    return dict(pairs)
