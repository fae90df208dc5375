"""Errors in plain words: what somebody printed, with no traceback below it."""

from __future__ import annotations

import re

from opstool.words.lines.level import Level
from opstool.words.lines.named import READ_CHARACTERS, named
from opstool.words.lines.said import UNKNOWN_TYPE, Said, said

_RUNTIME = re.compile(r"\[ERROR\] ([A-Z][\w.$]*)(?:: (.*))?$", re.DOTALL)
_FAILED = re.compile(
    r"\b(?:errors?|errored|failed|failure|fails|exceptions?|could ?n[o']t|could not|cannot|can ?not|can't|unable to"
    r"|fatal|panic|crashed|timed out|aborted)\b",
    re.IGNORECASE,
)
# Words of failure that deny one: "0 errors", "failed: 0", "error=None", "without error".
_DENIED = re.compile(
    r"\b(?:0|no|zero|without|any)[ _](?:\w{1,30} )?(?:errors?|failed|failures?|exceptions?)\b"
    r"|\b(?:errors?|failed|failures?|exceptions?)[\"']? ?[:=] ?[\"']?(?:0|none|null|nil|false|\[\]|\{\})(?![\w.])",
    re.IGNORECASE,
)
# Before it reports an exception, Python's runtime says in general what may be wrong.
_ADVICE = "LAMBDA_WARNING:"
# The keys of a record as SQS hands it to a function, in JSON and in a repr.
_RECORD = ("receiptHandle", "eventSourceARN")


def read_phrase(text: str, level: Level | None) -> Said | None:
    """Return the error of which a text speaks, None when it speaks of none; `level` is what its line says it is."""
    if level is Level.CALM or text.startswith(_ADVICE):
        return None
    text = without_records(text)[:READ_CHARACTERS].strip()
    if (runtime := _RUNTIME.match(text)) is not None:
        return said(runtime[1], runtime[2] or "", unhandled=True)
    first, _, rest = text.partition("\n")
    failed = level is Level.FAILED or speaks_of_failure(first)
    if found := named(first, surely=failed) or named(rest.partition("\n")[0]):
        return said(*found)
    return said(UNKNOWN_TYPE, first) if failed and first else None


def speaks_of_failure(text: str) -> bool:
    """Tell whether a text has a word of failure in it that it does not take back."""
    return _FAILED.search(text) is not None and _FAILED.search(_DENIED.sub(" ", text)) is not None


def without_records(text: str) -> str:
    """Return the text without the records that it dumps: what a body says is not what the consumer says."""
    if not any(key in text for key in _RECORD):
        return text
    start, end = text.find("{"), text.rfind("}")
    return text if start < 0 or end < start else f"{text[:start]}{{}}{text[end + 1 :]}"
