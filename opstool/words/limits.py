"""What SQS admits in a message, checked before one is sent that was not just received.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
"""

from __future__ import annotations

import json
import re

from opstool.words.message import Attribute, Message

LARGEST_MESSAGE_BYTES = 1_048_576
MOST_ATTRIBUTES = 10
_LONGEST_NAME = 256
_NAME = re.compile(r"(?!\.)(?!.*\.\.)[A-Za-z0-9_.-]{1,256}(?<!\.)", re.ASCII)
_RESERVED_NAME = re.compile(r"(aws|amazon)\.", re.ASCII | re.IGNORECASE)
_TYPE = re.compile(r"(String|Number|Binary)(\.[\x20-\x7e]+)?", re.ASCII)
# The complement of #x9, #xA, #xD, #x20 to #xD7FF, #xE000 to #xFFFD and #x10000 to #x10FFFF (SendMessage).
_REFUSED = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def sendable_problem(message: Message) -> str | None:
    """Return why SQS would refuse the message for its shape or size, None when it would not."""
    if not message.body:
        return "the body is empty"
    if message.size_bytes > LARGEST_MESSAGE_BYTES:
        return f"body and attributes are {message.size_bytes} bytes, more than {LARGEST_MESSAGE_BYTES}"
    if len(message.attributes) > MOST_ATTRIBUTES:
        return f"{len(message.attributes)} attributes, more than {MOST_ATTRIBUTES}"
    problems = (_attribute_problem(name, attribute) for name, attribute in message.attributes.items())
    return next((problem for problem in problems if problem), None)


def unsendable_character(message: Message) -> str | None:
    """Return why SQS would refuse a character of the body or of a String attribute, None when it would not."""
    texts = {"the body": message.body}
    texts |= {
        f"attribute {_shown(name)}": each.value
        for name, each in message.attributes.items()
        if isinstance(each.value, str)
    }
    for label, text in texts.items():
        if found := _REFUSED.search(text):
            return f"{label} holds U+{ord(found.group()):04X} (character {found.start() + 1}), which SQS does not admit"
    return None


def _attribute_problem(name: str, attribute: Attribute) -> str | None:
    """Return what is wrong with one attribute."""
    if not _NAME.fullmatch(name) or _RESERVED_NAME.match(name):
        return f"{_shown(name)} is not a name SQS admits for an attribute"
    if len(attribute.type) > _LONGEST_NAME or not _TYPE.fullmatch(attribute.type):
        return f"attribute {_shown(name)}: {_shown(attribute.type)} is not a type SQS admits"
    if not attribute.value:
        return f"attribute {_shown(name)} is empty"
    return None


def _shown(text: str) -> str:
    """Return a hostile name so that it can stand in an error message."""
    return json.dumps(text[:_LONGEST_NAME])
