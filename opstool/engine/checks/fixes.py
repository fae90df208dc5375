"""The commands that mend a queue, as the words of the AWS CLI."""

from __future__ import annotations

import json
from typing import Any

from opstool.words.check import Command, Fix, Variable
from opstool.words.queue import Queue

ALARM_TOPIC = Variable(name="ALARM_TOPIC_ARN", meaning="the ARN of the SNS topic to notify")


def set_attributes(queue: Queue, **attributes: Any) -> Command:
    """Return the command that sets attributes of a queue; what is no text is sent as the JSON that SQS expects.

    As JSON, because the CLI's shorthand takes commas and quotes of a policy apart.
    """
    texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in attributes.items()}
    return ("aws", "sqs", "set-queue-attributes", "--queue-url", queue.url, "--attributes", json.dumps(texts))


def queue_fix(queue: Queue, *template: str, **attributes: Any) -> Fix:
    """Return the fix that sets attributes of a queue, here and in the template."""
    return Fix(commands=(set_attributes(queue, **attributes),), template=template)


def update_mapping(uuid: str, *words: str) -> Command:
    """Return the command that changes an event source mapping."""
    return ("aws", "lambda", "update-event-source-mapping", "--uuid", uuid, *words)
