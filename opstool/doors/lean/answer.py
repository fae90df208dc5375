"""What an answer means: a dictionary in boto3's types, or the error that boto3's way would have raised.

What botocore's JSON parser makes of a refusal stands in botocore/parsers.py (BaseJSONParser, ResponseParser).
"""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable
from typing import Any

from opstool.doors.answers import no_answer, pause_wanted_s, refused, tells_empty
from opstool.doors.lean import body
from opstool.doors.lean.connection import Answer

_GARBLED = (AttributeError, LookupError, TypeError, ValueError, RecursionError)
_OK = 200
_REFUSED = 300


def result_of(operation: str, answer: Answer, now_s: Callable[[], float] = time.time) -> dict[str, Any]:
    """Return what the answer says; raise OpstoolError when it says no, or nothing that can be understood.

    `now_s` is the service's time, by which it may name when it wants to be asked again.
    """
    try:
        if answer.status < _REFUSED:
            return _said(answer)
        code, message = code_of(answer), _message_of(answer)
    except _GARBLED as error:
        raise no_answer(operation, error) from error
    raise refused(operation, code, message, answer.status, pause_wanted_s(answer.headers, now_s()))


def _said(answer: Answer) -> dict[str, Any]:
    content = answer.content.strip()
    if not content and tells_empty(answer.headers.get("content-length"), answer.headers.get("content-type", "")):
        return {}
    return body.read(content)


def code_of(answer: Answer) -> str:
    """Return the code of a refusal, as modelled; raise what a garbled one raises."""
    told = _told(answer)
    code = told.get("__type", str(answer.status))
    if code is None:
        return ""
    code = code.split(":", 1)[0].rsplit("#", 1)[-1]
    legacy = answer.headers.get("x-amzn-query-error", "").split(";")
    return str(code or (legacy[0] if len(legacy) == 2 else ""))  # noqa: PLR2004 - code and whose fault


def _message_of(answer: Answer) -> str:
    told = _told(answer)
    return str(told.get("message", told.get("Message", "")))


def _told(answer: Answer) -> dict[str, Any]:
    """Return the refusal's body; a page that a server or proxy answers stands as its message."""
    content = answer.content.strip()
    if answer.status >= 500 and (not content or content.startswith(b"<html>")):  # noqa: PLR2004 - HTTP's own number
        return {"message": http.client.responses.get(answer.status, "")}
    if not answer.content:
        return {}
    text = answer.content.decode()
    try:
        told = json.loads(text)
    except ValueError:
        return {"message": text}
    if not isinstance(told, dict):
        raise TypeError
    return told
