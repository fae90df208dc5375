"""What docs/documents.md says an archive is, read in the plainest way: whole in memory, one rule after the other.

The reader is held to this one by the fuzz tests. It shares no code with it.
"""

from __future__ import annotations

import base64
import gzip
import json
import re
import zlib
from datetime import datetime
from typing import Any, NoReturn

LONGEST_LINE = 8 * 1024 * 1024
LARGEST = 1_048_576
_REFUSED = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_ARN = re.compile(r"arn:[a-z0-9-]+:sqs:[a-z0-9-]*:[0-9]*:[A-Za-z0-9_-]{1,80}(\.fifo)?", re.ASCII)


class NoArchiveError(Exception):
    """The content cannot be imported whole."""


def bodies(content: bytes) -> list[tuple[str, str | None]]:
    """Return body and queue of every record; raise NoArchiveError."""
    if content[:2] == b"\x1f\x8b":
        try:
            content = gzip.decompress(content)
        except (EOFError, OSError, zlib.error):
            raise NoArchiveError from None
    found = [_record(line) for line in content.split(b"\n")]
    return [each for each in found if each is not None]


def _record(line: bytes) -> tuple[str, str | None] | None:
    _need(len(line) < LONGEST_LINE)
    try:
        text = line.removeprefix(b"\xef\xbb\xbf").decode("utf-8").strip()
        value = json.loads(text, parse_constant=_refuse) if text else None
    except (ValueError, RecursionError):
        raise NoArchiveError from None
    if not text:
        return None
    _need(isinstance(value, dict))
    if value.get("type") == "report":
        return None
    _need(value.get("version", 1) == 1)
    _need(value.get("type", "message") == "message")
    body, own = value.get("body"), value.get("archive") is not None
    _need(isinstance(body, str) and body != "")
    for key in ("message_id", "source_queue", "group_id", "deduplication_id", "trace_header", "queue", "archive"):
        _need(value.get(key) is None or isinstance(value[key], str))
    for key in ("sent_at", "first_received_at"):
        _need(value.get(key) is None or _is_time(value[key]))
    for key in ("message_id", "archive"):
        _need(value.get(key) is None or (0 < len(value[key]) <= 100 and value[key].isprintable()))
    count = value.get("receive_count")
    _need(count is None or (isinstance(count, int) and not isinstance(count, bool) and count >= 0))
    _need(value.get("queue") is None or _ARN.fullmatch(value["queue"]) is not None)
    size = len(body.encode("utf-8", "surrogatepass")) + _attributes(value.get("attributes"), own=own)
    _need(size <= LARGEST)
    _need(own or not _REFUSED.search(body))
    return body, value.get("queue")


def _attributes(value: Any, *, own: bool) -> int:
    """Return the bytes that attributes count for."""
    if value is None:
        return 0
    _need(isinstance(value, dict) and len(value) <= 10)
    size = 0
    for name, each in value.items():
        _need(re.fullmatch(r"[A-Za-z0-9_.-]{1,256}", name, re.ASCII) is not None)
        _need(".." not in name and name[0] != "." and name[-1] != ".")
        _need(not name.lower().startswith(("aws.", "amazon.")))
        _need(isinstance(each, dict) and isinstance(each.get("type"), str) and len(each["type"]) <= 256)
        _need(re.fullmatch(r"(String|Number|Binary)(\.[ -~]+)?", each["type"]) is not None)
        key = "value_base64" if each["type"].startswith("Binary") else "value"
        _need(isinstance(each.get(key), str))
        data = each[key].encode("utf-8", "surrogatepass")
        if key == "value_base64":
            try:
                data = base64.b64decode(data, validate=True)
            except ValueError:
                raise NoArchiveError from None
        else:
            _need(own or not _REFUSED.search(each[key]))
        _need(data != b"")
        size += len(name) + len(each["type"]) + len(data)
    return size


def _is_time(value: Any) -> bool:
    try:
        return isinstance(value, str) and datetime.fromisoformat(value) is not None
    except ValueError:
        return False


def _need(holds: bool) -> None:
    if not holds:
        raise NoArchiveError


def _refuse(name: str) -> NoReturn:
    raise ValueError(name)
