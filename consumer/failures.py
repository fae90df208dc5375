"""Describe a failed attempt at a message in one log line: the only way its reason can leave Lambda.

SQS moves a message to the dead-letter queue without a word about why. Whoever finds it there has its id, and looks that
up in the function's log; so the line is a contract, written down in `docs/failure-line.md`, and its keys only grow.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import FrameType
from typing import Any

SCHEMA = 1
ERROR_MAX_CHARACTERS = 400
# What a text quotes is masked before it is cut, so that what the program says after it is kept; up to here.
READ_MAX_CHARACTERS = 4_000
NAME_MAX_CHARACTERS = 200
FINGERPRINT_CHARACTERS = 12
# Far below the length of a cut text, so that where the cut fell does not matter.
FINGERPRINTED_CHARACTERS = 120

_CODE_FOLDER = os.path.dirname(os.path.abspath(__file__)) + os.sep  # noqa: PTH100, PTH120 - matched with file names as str
_VARIES = "***"  # the same as masking's, so that what is masked and what varies count alike
# A UUID, then every word with a digit in it: numbers, times, and ids of other kinds.
_VARIABLE = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|\w*[0-9]\w*(?:[.,:-]\w*[0-9]\w*)*")
_VARIABLE_AND_AROUND = re.compile(r"[\W_]*\*\*\*[\W_]*")


class PredecessorFailed(Exception):  # noqa: N818 - it names what happened to the message
    """Say that a FIFO message was not attempted, because one before it in its group failed."""

    def __init__(self, message_id: str) -> None:
        super().__init__(f"not attempted: message {message_id} of its group failed before it")


@dataclass(frozen=True, kw_only=True)
class Failure:
    """One failed attempt. Every value is present in every line; what is not known is empty, or zero."""

    message_id: str
    receive_count: int
    error_type: str
    error: str
    fingerprint: str
    failed_in: str
    body_sha256: str
    request_id: str
    queue_arn: str
    permanent: bool
    traceback: str

    def line(self) -> dict[str, Any]:
        """Return the keys of the log line."""
        return {"event": "record_failed", "schema": SCHEMA, **asdict(self)}


def describe(record: Mapping[str, Any], error: BaseException, *, request_id: str, permanent: bool) -> Failure:
    """Return the description of a failed attempt; whatever the record or the error are like, this does not raise."""
    error_type = type(error).__name__[:NAME_MAX_CHARACTERS]
    failed_in = _innermost_of_ours(error)[:NAME_MAX_CHARACTERS]
    text = _text(record, error)
    return Failure(
        message_id=str(record.get("messageId") or ""),
        receive_count=receive_count(record),
        error_type=error_type,
        error=text,
        fingerprint=fingerprint(error_type, failed_in, text),
        failed_in=failed_in,
        body_sha256=_body_sha256(record.get("body")),
        request_id=request_id,
        queue_arn=str(record.get("eventSourceARN") or ""),
        permanent=permanent,
        traceback=_traceback(error),
    )


def fingerprint(error_type: str, failed_in: str, text: str) -> str:
    """Return what two failures have in common when they are the same: type, place, and text without numbers and ids.

    No line number is part of it, so it survives an edit of the file.
    """
    stable = _VARIABLE_AND_AROUND.sub(_VARIES, _VARIABLE.sub(_VARIES, text))[:FINGERPRINTED_CHARACTERS]
    digest = hashlib.sha256("\n".join((error_type, failed_in, stable)).encode("utf-8", "backslashreplace"))
    return digest.hexdigest()[:FINGERPRINT_CHARACTERS]


def receive_count(record: Mapping[str, Any]) -> int:
    """Return how often SQS has handed the message out, this time included; 0 when the record does not say."""
    try:
        return int(record["attributes"]["ApproximateReceiveCount"])
    except (KeyError, TypeError, ValueError, OverflowError):
        return 0


def _text(record: Mapping[str, Any], error: BaseException) -> str:
    """Return the error's text, masked and cut."""
    if isinstance(error, PredecessorFailed):
        return str(error)  # ours but for an id of SQS's, which a likeness in the body must not mask
    try:
        from masking import mask  # noqa: PLC0415 - its patterns are a tenth of the cold start, and most need none

        text = _cut(str(error), READ_MAX_CHARACTERS)
        return _cut(mask(text, _private_strings(record), error), ERROR_MAX_CHARACTERS)
    except Exception:  # noqa: BLE001 - an error that cannot say what it is must not cost the batch
        return "the text of the error could not be read"


def _traceback(error: BaseException) -> str:
    """Return the code that the error came through; empty when there is none or it cannot be told."""
    if isinstance(error, PredecessorFailed):
        return ""  # nothing was attempted
    try:
        from frames import traceback_of  # noqa: PLC0415 - a cold start has no use for it

        return traceback_of(error)
    except Exception:  # noqa: BLE001 - a line without frames is better than none
        return ""


def _cut(text: str, characters: int) -> str:
    return text if len(text) <= characters else text[: characters - 1] + "\N{HORIZONTAL ELLIPSIS}"


def _private_strings(record: Mapping[str, Any]) -> Iterator[str]:
    body = record.get("body")
    if body is not None:
        yield str(body)
    attributes = record.get("messageAttributes")
    for attribute in attributes.values() if isinstance(attributes, Mapping) else ():
        value = attribute.get("stringValue") if isinstance(attribute, Mapping) else None
        if isinstance(value, str):
            yield value


def _body_sha256(body: object) -> str:
    if not isinstance(body, str):
        return ""
    return hashlib.sha256(body.encode("utf-8", "surrogatepass")).hexdigest()


def _innermost_of_ours(error: BaseException) -> str:
    """Return the last function of this code that the error came through, as "module.qualified_name"."""
    found = ""
    traceback = error.__traceback__
    while traceback is not None:
        if _is_ours(traceback.tb_frame):
            module = traceback.tb_frame.f_globals.get("__name__", "")
            found = f"{module}.{traceback.tb_frame.f_code.co_qualname}"
        traceback = traceback.tb_next
    return found


def _is_ours(frame: FrameType) -> bool:
    """Tell the function's own code from the packages that are installed beside it in the same folder."""
    file = frame.f_code.co_filename
    if not file.startswith(_CODE_FOLDER):
        return False
    return file[len(_CODE_FOLDER) :].partition(os.sep)[0] not in _installed_names()


@functools.cache
def _installed_names() -> frozenset[str]:
    """Return the files and folders that packages put into the code folder, as their RECORD files list them."""
    names: set[str] = set()
    with contextlib.suppress(OSError):  # then a package's function may be named instead of ours, no more
        for listing in Path(_CODE_FOLDER).glob("*.dist-info/RECORD"):
            lines = listing.read_text("utf-8", "replace").splitlines()
            names.update(re.split(r"[/,]", line, maxsplit=1)[0] for line in lines)
    return frozenset(names)
