"""Why a message is here, in the words of the service that put it here: told by the message, so no log is asked."""

from __future__ import annotations

from opstool.words.lines.fingerprint import fingerprint
from opstool.words.lines.said import UNKNOWN_TYPE
from opstool.words.message import Message
from opstool.words.provenance import Kind, Provenance, provenance_of
from opstool.words.reason import Evidence, Reason

_NAME_IN_ARN = 6
"""arn:aws:lambda:REGION:ACCOUNT:function:NAME, and perhaps a version."""


def told_reason(message: Message) -> Reason | None:
    """Return the reason that a message tells itself; None when it died in SQS, and when it tells no error.

    `at_ms` is when it was put here: the services do not tell when they gave up. `attempts` is 1 where they do not tell
    how often they tried. What is no name of an error (a status of Lambda's) is not taken for its type.
    """
    provenance = provenance_of(message)
    if provenance is None or (provenance.error_code is None and provenance.error_message is None):
        return None
    name, text = _type(provenance), provenance.error_message or ""
    return Reason(
        type=name,
        message=text,
        fingerprint=fingerprint(name, "", text),
        at_ms=message.sent_at_ms,
        attempts=1 + (provenance.retry_attempts or 0),
        function=_function(provenance),
        request_id=provenance.request_id,
        evidence=Evidence.ATTRIBUTE,
    )


def _type(provenance: Provenance) -> str:
    code = provenance.error_code
    return UNKNOWN_TYPE if code is None or code.isdigit() else code


def _function(provenance: Provenance) -> str | None:
    """Return the name of the function that failed; a dead-letter queue's attributes do not tell it."""
    if provenance.kind is not Kind.LAMBDA_DESTINATION or provenance.arn is None:
        return None
    parts = provenance.arn.split(":")
    return parts[_NAME_IN_ARN] if len(parts) > _NAME_IN_ARN else None
