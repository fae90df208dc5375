"""How strings are put to CloudWatch Logs: in queries of Logs Insights, and in patterns of FilterLogEvents.

What is asked for may always match more than was meant, never less: whoever asks looks at every answer again.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

from opstool.words.logqueries.filterpattern import LONGEST_PATTERN

MOST_ROWS = 10_000
"""Rows of one answer; API_GetQueryResults.html in the API reference of CloudWatch Logs."""
LONGEST_QUERY = 10_000
"""Characters of a query; API_StartQuery.html."""
_QUERY = "fields @timestamp, @message, @logStream, @log | filter @message like /{}/ | limit " + str(MOST_ROWS)
_LONGEST_REGEX = LONGEST_QUERY - len(_QUERY)

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
_SHORT_UUID = 9
"""The first group of a UUID and its dash. Of a thousand of them one is met by chance in a UUID in four million."""
_LONGEST_STEM = 200
_NOT_PLAIN = re.compile(r"[^A-Za-z0-9 _:=@,-]")
_QUOTABLE = re.compile(r"[ !#-\[\]-~]+", re.ASCII)
"""What may stand in quotes in a pattern: ASCII that prints, but neither a quote nor a backslash."""

Asked = tuple[str, tuple[str, ...]]
"""A query or a pattern, and the strings that it asks for."""


def queries(needles: Collection[str]) -> list[Asked]:
    """Return as few queries as find every event that holds one of these strings.

    Each query scans the whole time range again, so message ids are shortened where that saves one.
    """
    stems = {needle: _stem(needle) for needle in needles}
    if _length(stems.values()) > _LONGEST_REGEX:
        stems = {each: each[:_SHORT_UUID] if _UUID.fullmatch(each) else stem for each, stem in stems.items()}
    by_stem: dict[str, list[str]] = {}
    for needle, stem in stems.items():
        by_stem.setdefault(stem, []).append(needle)
    lots = _lots(by_stem, _LONGEST_REGEX, extra=1)
    return [(_QUERY.format("|".join(lot)), tuple(each for stem in lot for each in by_stem[stem])) for lot in lots]


def patterns(needles: Collection[str]) -> list[Asked]:
    """Return as few filter patterns as find every event that holds one of these strings; "" matches all events.

    Nothing is shortened: a term may have to be a whole word, which is not documented.
    """
    if not all(_QUOTABLE.fullmatch(each) and len(each) + len('?""') <= LONGEST_PATTERN for each in needles):
        return [("", tuple(needles))]
    lots = _lots(needles, LONGEST_PATTERN, extra=len('?"" '))
    return [(_any_of(lot), tuple(lot)) for lot in lots]


def _any_of(lot: list[str]) -> str:
    return f'"{lot[0]}"' if len(lot) == 1 else " ".join(f'?"{each}"' for each in lot)


def _stem(needle: str) -> str:
    """Return a regular expression that is found wherever the string is: its longest line, a dot for what is not plain.

    So nothing has to be escaped, for an engine whose dialect is not documented.
    """
    longest = max(needle.splitlines() or [""], key=len)[:_LONGEST_STEM]
    return _NOT_PLAIN.sub(".", longest) or "."


def _length(stems: Iterable[str]) -> int:
    return len("|".join(dict.fromkeys(stems)))


def _lots(texts: Iterable[str], longest: int, *, extra: int) -> list[list[str]]:
    """Return the texts in lots, none of which is longer; each text costs `extra` more."""
    lots: list[list[str]] = []
    room = 0
    for text in texts:
        if not lots or room < len(text) + extra:
            lots.append([])
            room = longest + 1  # the last of a lot needs no separator
        lots[-1].append(text)
        room -= len(text) + extra
    return lots
