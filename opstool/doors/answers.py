"""What an answer of AWS has to look like: one that is cut, garbled or somebody else's is an error, never an empty one.

botocore's parsers do not look first. boto3 is loaded by the time an answer is there.
"""

from __future__ import annotations

import binascii
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any

from opstool.words.awserrors import error_for
from opstool.words.errors import OpstoolError, ServiceError

_NOT_IMPLEMENTED = 501
LONGEST_PAUSE_S = 20.0
"""Between two attempts; botocore's own bound: https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html"""
_LONGEST_MESSAGE = 1_000
"""Characters of a service's message: what a server that is not AWS says may be a page."""


def refuse_garbled(http_response: Any, model: Any, parsed: Any = None, **_: Any) -> None:
    """Raise when an answer that says yes is no JSON object: botocore takes a cut or foreign one for an empty answer.

    Of another service that is what a server with SQS alone may say, and asking again does not help.

    An empty answer to a receive means an empty queue, and that is not what a proxy's page means. Some servers say it
    without a byte; then length and type have to say that nothing is missing, and that it is SQS who speaks.
    """
    from botocore.exceptions import HTTPClientError  # noqa: PLC0415 - boto3 is loaded by now

    content, headers = http_response.content.strip(), http_response.headers
    whole = content.startswith(b"{") and content.endswith(b"}") and (_says(parsed) or _is_json(content))
    is_sqs = model.service_model.service_name == "sqs"
    told_empty = is_sqs and tells_empty(headers.get("Content-Length"), headers.get("Content-Type", ""))
    nothing_to_say = not content and (model.output_shape is None or told_empty)
    if http_response.status_code == 200 and not whole and not nothing_to_say:  # noqa: PLR2004 - HTTP's own number
        raise HTTPClientError(error="the answer is not JSON") if is_sqs else _foreign(model.name)


def _says(parsed: Any) -> bool:
    """Tell whether botocore found something: what it cannot read is nothing to it, as an empty answer is."""
    return bool(parsed) and set(parsed) != {"ResponseMetadata"}


def _is_json(content: bytes) -> bool:
    try:
        json.loads(content)
    except ValueError:
        return False
    return True


def tells_empty(content_length: str | None, content_type: str) -> bool:
    """Tell whether headers say that an answer of SQS without a byte is a whole one."""
    return content_length == "0" and "amz-json" in content_type


def refused(operation: str, code: str, message: str, status: int, wait_s: float = 0.0) -> OpstoolError:
    """Return the error for an answer that says no, by its code as modelled; any server may have said it.

    `wait_s` is what it asks for before it is asked again (`pause_wanted_s`).
    """
    if status == _NOT_IMPLEMENTED:  # a server that is not AWS, and no failure that passes
        code, message = "UnknownOperation", "this server does not have it"
    error = error_for(operation, code, one_line(message), status)
    if isinstance(error, ServiceError):
        error.wait_s = wait_s
    return error


def pause_wanted_s(headers: Mapping[str, str], now_s: float) -> float:
    """Return how long a service asks to wait, 20 seconds at most; the names of `headers` are lower-case.

    HTTP's header counts seconds or names a date, AWS's milliseconds.
    """
    for name, unit_s in (("x-amz-retry-after", 0.001), ("retry-after", 1.0)):
        said = headers.get(name, "")
        if said.isdecimal():
            return min(LONGEST_PAUSE_S, int(said[:9]) * unit_s)
    try:
        return max(0.0, min(LONGEST_PAUSE_S, time_of(headers["retry-after"]) - now_s))
    except (LookupError, ValueError):
        return 0.0


def time_of(date: str) -> float:
    """Return HTTP's date, which is in UTC whatever it says, in seconds since the epoch; raise ValueError."""
    try:
        return parsedate_to_datetime(date).replace(tzinfo=UTC).timestamp()
    except (LookupError, OverflowError, TypeError) as error:
        raise ValueError from error


@contextmanager
def understood(service: str, operation: str) -> Iterator[None]:
    """Raise our error for an answer of another shape than AWS's: botocore's parsers do not look first."""
    try:
        yield
    except (AttributeError, LookupError, TypeError, UnicodeDecodeError, binascii.Error) as error:
        raise (no_answer(operation, error) if service == "sqs" else _foreign(operation)) from error


def _foreign(operation: str) -> ServiceError:
    """Return the error for an answer that is none of the service's."""
    return ServiceError(f"`{operation}`: what answers is not AWS", code="foreign_answer", outcome_unknown=True)


def one_line(message: str) -> str:
    """Return what a service says without the page that a server without this service may answer."""
    text = " ".join(message.split())
    return "what answers is not AWS" if text.startswith("<") else text[:_LONGEST_MESSAGE]


def no_answer(operation: str, error: Exception) -> ServiceError:
    """Return the error for a request whose answer is not known; the cause's own text may quote the answer."""
    return ServiceError(
        f"`{operation}`: no answer ({type(error).__name__})", code="no_answer", outcome_unknown=True, retryable=True
    )
