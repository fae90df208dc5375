"""The difference of two bodies in a few lines: of JSON by paths, of other text by lines, bounded whatever they hold."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from opstool.words import exactjson
from opstool.words.bodypath import Step, path_text

MOST_DIFFERENCES = 8
"""Lines of a plan that a person still reads; what is beyond them is counted."""
LONGEST_VALUE = 200
"""Characters of a value that are shown: enough for two lines of a terminal."""
_BEFORE_DIFFERENCE = 20
_ELLIPSIS = "..."


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """One place at which two bodies differ; None where there is nothing. Values of JSON are JSON, cut when long."""

    path: str
    before: str | None
    after: str | None

    def document(self) -> dict[str, str | None]:
        """Return the difference as it stands in a plan's document."""
        return {"path": self.path, "before": self.before, "after": self.after}


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """What a mending does to one message: the first differences, and how many `more` there are."""

    message_id: str
    differences: tuple[Difference, ...]
    more: int = 0

    def document(self) -> dict[str, Any]:
        """Return the change as it stands in a plan's document."""
        return {
            "message_id": self.message_id,
            "differences": [each.document() for each in self.differences],
            "more": self.more,
        }


def change_of(message_id: str, before: str, after: str) -> Change:
    """Return what has changed between two bodies of a message."""
    shown: list[Difference] = []
    number = 0
    for path, old, new in _differences(before, after):
        number += 1
        if number <= MOST_DIFFERENCES:
            old_text, new_text = _cut(old, new)
            shown.append(Difference(path=_part(path, 0) or "", before=old_text, after=new_text))
    return Change(message_id=message_id, differences=tuple(shown), more=number - len(shown))


def _differences(before: str, after: str) -> Iterator[tuple[str, str | None, str | None]]:
    """Yield path, old text and new text of each difference, in the order of the bodies."""
    values = _container(before), _container(after)
    return _by_lines(before, after) if None in values else _by_paths(*values)


def _container(body: str) -> Any:
    """Return the object or array of a body, None when it is something else."""
    try:
        value = exactjson.read(body)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict | list) else None


def _by_lines(before: str, after: str) -> Iterator[tuple[str, str | None, str | None]]:
    """Yield the lines between the first and the last that differ: linear in time, which a true comparison is not."""
    old, new = before.split("\n"), after.split("\n")
    start = 0
    while start < min(len(old), len(new)) and old[start] == new[start]:
        start += 1
    end = 0
    while end < min(len(old), len(new)) - start and old[-1 - end] == new[-1 - end]:
        end += 1
    pairs = zip_longest(old[start : len(old) - end], new[start : len(new) - end])
    for number, (old_line, new_line) in enumerate(pairs, start=start + 1):
        if old_line != new_line:
            yield f"line {number}", old_line, new_line


class _Nothing:
    """What stands where there is no value; null is one."""


def _by_paths(before: Any, after: Any) -> Iterator[tuple[str, str | None, str | None]]:
    """Yield the leaves that differ; without recursion, which a body could ask too much of."""
    waiting: list[tuple[tuple[Step, ...], Any, Any]] = [((), before, after)]
    while waiting:
        steps, old, new = waiting.pop()
        if isinstance(old, dict) and isinstance(new, dict):
            keys = {**old, **new}
            pairs = [((*steps, key), old.get(key, _Nothing), new.get(key, _Nothing)) for key in keys]
            waiting.extend(reversed(pairs))
        elif isinstance(old, list) and isinstance(new, list):
            elements = enumerate(zip_longest(old, new, fillvalue=_Nothing))
            waiting.extend(reversed([((*steps, index), *pair) for index, pair in elements]))
        else:
            old_text, new_text = _text(old), _text(new)
            if old_text != new_text:
                yield path_text(steps), old_text, new_text


def _text(value: Any) -> str | None:
    if value is _Nothing:
        return None
    try:
        return exactjson.write(value)
    except (ValueError, RecursionError):
        return _ELLIPSIS


def _cut(old: str | None, new: str | None) -> tuple[str | None, str | None]:
    """Return long texts from a little before their first difference on, and no longer than what is shown."""
    start = 0
    if old is not None and new is not None and max(len(old), len(new)) > LONGEST_VALUE:
        start = next(
            (n for n, pair in enumerate(zip(old, new, strict=False)) if pair[0] != pair[1]), min(len(old), len(new))
        )
        start = max(0, start - _BEFORE_DIFFERENCE)
    return _part(old, start), _part(new, start)


def _part(text: str | None, start: int) -> str | None:
    if text is None:
        return None
    end = start + LONGEST_VALUE
    return (_ELLIPSIS if start else "") + text[start:end] + (_ELLIPSIS if end < len(text) else "")
