"""Which messages a line names: ids as whole words, and the form in which lines of its kind name them."""

from __future__ import annotations

import re
import sys
from collections.abc import Container

from opstool.words.lines.fingerprint import stable

# A word is what an id may be made of; an escape before it, of JSON (\n, \u0022) or of a terminal, is no part of it.
_WORD = re.compile(r"(?:\\(?:[nrtbf]|u[0-9a-fA-F]{4})|\x1b\[[0-9;]{0,20}m)?([0-9A-Za-z_-]+)")
# The ids that SQS gives are UUIDs: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_Message.html
_UUID = re.compile(r"(?<![0-9A-Za-z_-])[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}(?![0-9A-Za-z_-])")
_SEARCHED_CHARACTERS = 4_000
_FORM_CHARACTERS = 120
_TEMPLATE_CHARACTERS = 40


def named_in(text: str, sought: frozenset[str]) -> tuple[str, ...]:
    """Return those of the sought ids that are words of a text, in the order of the ids."""
    return tuple(sorted(sought.intersection(_WORD.findall(text))))


def names_others(text: str, but: Container[str | None]) -> bool:
    """Tell whether a text holds an id such as SQS gives that is none of `but`."""
    return any(found[0] not in but for found in _UUID.finditer(text))


def is_uuid(text: str) -> bool:
    """Tell whether a text is an id such as SQS gives."""
    return _UUID.fullmatch(text) is not None


def template_of(text: str, but: Container[str | None], *, message_id: str | None = None) -> str | None:
    """Return what stands before the id that a line names, without what varies; None when it names none.

    The id is `message_id`, or the first that is not one of `but`.
    """
    head = text[:_SEARCHED_CHARACTERS]
    if message_id is not None:
        at = head.find(message_id)
    else:
        at = next((found.start() for found in _UUID.finditer(head) if found[0] not in but), -1)
    if at < 0:
        return None
    return sys.intern(stable(head[max(0, at - _FORM_CHARACTERS) : at])[-_TEMPLATE_CHARACTERS:])
