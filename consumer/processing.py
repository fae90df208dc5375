"""Decide what is done with one message: the business rule, and the one file you replace with your own.

Keep three names: `process`, a plain function that is called for each message of a batch, and the two errors it may
raise. A message for which `process` returns is deleted from the queue. Whatever it raises leaves the message in the
queue to be tried again, until the queue's redrive policy has had enough and moves it to the dead-letter queue.

Put into an error's text what the code knows, not what the message says: words of the message are masked in the log.

SQS delivers at least once, so the same message may come twice: make the work idempotent. Take the key from the body,
never from `message_id`, which changes when a message is redriven.
"""

from __future__ import annotations

import json
from typing import Any

from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from log import logger

LOGGED_TEXT_MAX_CHARACTERS = 200


class PermanentError(Exception):
    """Say that trying again cannot help: the message itself is wrong, so it may go to the dead-letter queue at once."""


class TransientError(Exception):
    """Say that a later try may succeed: something the message needs is away for the moment."""


def process(message: SQSRecord) -> None:
    """Log the text of a test message, and refuse everything that is not one.

    `message` is Powertools' view of the record that Lambda sent: `body`, `json_body`, `message_id`, `attributes`,
    `message_attributes` and more. The text is logged because this rule's whole work is to show what arrived; once the
    messages are your customers', what of them may be written to a log is yours to decide.

    Raises PermanentError when the body is not a JSON object with a `message` string.
    """
    text = _parse(message.body).get("message")
    if not isinstance(text, str):
        raise PermanentError("the `message` of the body is missing or not a string")
    logger.info(
        "message processed",
        event="message_processed",
        message_id=message.message_id,
        text=text[:LOGGED_TEXT_MAX_CHARACTERS],
    )


def _parse(body: str) -> dict[str, Any]:
    """Return the JSON object in a body, or raise PermanentError."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise PermanentError("the body is not JSON") from error
    if not isinstance(document, dict):
        raise PermanentError("the body is JSON, but not an object")
    return document
