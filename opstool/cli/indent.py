"""A body laid out for reading: JSON indented piece by piece, so that every number and key stays as it was sent."""

from __future__ import annotations

import re
from collections.abc import Iterator

from opstool.words.document import parse_json

_PIECE = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+', re.DOTALL)
# Deeper levels keep this indentation: a hostile body of a thousand levels would otherwise be a gigabyte of blanks.
_DEEPEST_INDENT = 20


def indented(body: str) -> Iterator[str]:
    """Yield the lines of a body: indented when it is a JSON object or array, else as they are."""
    if body.lstrip()[:1] not in {"{", "["} or not _is_json(body):
        yield from body.split("\n")
        return
    line, depth, opened = "", 0, False
    for match in _PIECE.finditer(body):
        piece = match.group()
        if piece in "]}":
            depth -= 1
            if not opened:
                yield line
                line = _blank(depth)
            line += piece
        elif opened:
            yield line
            line = _blank(depth) + piece
        else:
            line += piece
        opened = piece in "[{"
        if opened:
            depth += 1
        elif piece == ",":
            yield line
            line = _blank(depth)
        elif piece == ":":
            line += " "
    yield line


def _is_json(body: str) -> bool:
    try:
        parse_json(body)
    except (ValueError, RecursionError):
        return False
    return True


def _blank(depth: int) -> str:
    return "  " * min(depth, _DEEPEST_INDENT)
