"""One line of an archive: a message made into a line, and a line of anyone's checked and made into a record."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from opstool.words.document import dump, expires_at_ms, from_document, message_document, parse_json
from opstool.words.errors import UsageError
from opstool.words.limits import sendable_problem, unsendable_character
from opstool.words.message import Message, md5_of_attributes
from opstool.words.reason import Reason

# 1 MiB of control characters is 6 MiB of ASCII JSON; the rest of a record is far below 2 MiB.
LONGEST_LINE = 8 * 1024 * 1024
# SQS promises ids of at most 100 characters, and with the hash that makes it a record id it fits every SQS field.
_LONGEST_ID = 100
_ARN = re.compile(r"arn:[a-z0-9-]+:sqs:[a-z0-9-]*:[0-9]*:[A-Za-z0-9_-]{1,80}(\.fifo)?", re.ASCII)


@dataclass(frozen=True, kw_only=True, slots=True)
class Record:
    """One message of an archive; `record_id` is the same wherever the line is copied to, `line` counts from 1.

    A line that opstool wrote carries its archive's id. For a line from elsewhere `archive_id` is made from the
    content of the whole file: the same file imported again is the same archive.
    """

    line: int
    archive_id: str
    record_id: str
    queue_arn: str | None
    message: Message


@dataclass(frozen=True, kw_only=True, slots=True)
class LineWriter:
    """Makes messages of one queue into lines of one archive; the retention gives them their `expires_at`."""

    queue_arn: str
    archive_id: str
    retention_s: int | None = None
    reasons: Mapping[str, Reason] | None = field(default=None, repr=False)

    def encode(self, messages: Sequence[Message]) -> bytes:
        """Return one line a message."""
        return b"".join(self._line(message) for message in messages)

    def _line(self, message: Message) -> bytes:
        expires = None if self.retention_s is None else expires_at_ms(message, self.retention_s)
        reason = (self.reasons or {}).get(message.message_id)
        document = message_document(message, expires_at_ms=expires, reason=reason)
        return dump({**document, "queue": self.queue_arn, "archive": self.archive_id}).encode() + b"\n"


def parse_line(data: bytes, *, line: int, foreign_archive_id: str = "") -> Record | None:
    """Return the record of a line, None for a blank line and for the report after a list.

    Raises UsageError that says what is wrong, without quoting the line.
    """
    document = _object(data)
    if document is None or document.get("type") == "report":
        return None
    message = from_document(document)
    archive_id = _identifier(document, "archive")
    problem = sendable_problem(message)
    if problem is None and archive_id is None:  # what a queue has held once, it can hold again
        problem = unsendable_character(message)
    if problem:
        raise UsageError(problem)
    return Record(
        line=line,
        archive_id=archive_id or foreign_archive_id,
        record_id=_record_id(_identifier(document, "message_id"), message, line),
        queue_arn=_queue_arn(document),
        message=message,
    )


def _object(data: bytes) -> dict[str, Any] | None:
    """Return the JSON object of a line, None when it is blank."""
    try:
        text = data.removeprefix(b"\xef\xbb\xbf").decode().strip()
        value = parse_json(text) if text else None
    except UnicodeDecodeError:
        raise UsageError("not UTF-8") from None
    except json.JSONDecodeError as error:
        raise UsageError(f"not JSON (column {error.colno})") from None
    except RecursionError:
        raise UsageError("nested too deeply") from None
    except ValueError:
        raise UsageError("a number that JSON does not have, or one of thousands of digits") from None
    if text and not isinstance(value, dict):
        raise UsageError("not a JSON object")
    return value


def _record_id(message_id: str | None, message: Message, line: int) -> str:
    """Return what names this record in the journal: an edited body or attribute makes it another one."""
    content = hashlib.sha256(message.body_bytes)
    content.update((md5_of_attributes(message.attributes) or "").encode())
    return f"{message_id or f'line-{line}'}:{content.hexdigest()[:16]}"


def _identifier(document: Mapping[str, Any], key: str) -> str | None:
    value = document.get(key)
    if value is None:
        return None
    if not isinstance(value, str) or not value or len(value) > _LONGEST_ID or not value.isprintable():
        raise UsageError(f"`{key}` is not an id")
    return value


def _queue_arn(document: Mapping[str, Any]) -> str | None:
    value = document.get("queue")
    if value is not None and not (isinstance(value, str) and _ARN.fullmatch(value)):
        raise UsageError("`queue` is not the ARN of an SQS queue")
    return value
