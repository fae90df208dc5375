"""Hold the one logger of the function, so that every line has the same shape."""

from __future__ import annotations

import json
import os
from typing import Any

from aws_lambda_powertools import Logger

SERVICE = os.environ.get("POWERTOOLS_SERVICE_NAME") or "sqs-consumer"


def _to_json(line: Any) -> str:
    """Return a log line as JSON that can always be written.

    A body may hold half of a surrogate pair, written as an escape. No output stream can encode it, so the line would be
    lost. Python's backslash form of it is JSON's own escape, so with that the line stays the same JSON.
    """
    text = json.dumps(line, default=str, separators=(",", ":"), ensure_ascii=False)
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


# RFC 3339 in UTC: Lambda reads level and time of a JSON line only when the time is written so.
logger = Logger(service=SERVICE, json_serializer=_to_json, utc=True, use_rfc3339=True)
