"""What two failures have in common when they are the same: the consumer's own algorithm, for the lines of all others.

It is written twice because consumer and opstool know each other by the log line only; a test compares the two.
"""

from __future__ import annotations

import hashlib
import re

FINGERPRINT_CHARACTERS = 12
FINGERPRINTED_CHARACTERS = 120

_VARIES = "***"
# A UUID, then every word with a digit in it: numbers, times, and ids of other kinds.
_VARIABLE = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|\w*[0-9]\w*(?:[.,:-]\w*[0-9]\w*)*")
_VARIABLE_AND_AROUND = re.compile(r"[\W_]*\*\*\*[\W_]*")


def fingerprint(error_type: str, place: str, text: str) -> str:
    """Return 12 hexadecimal digits of type, place ("file.function", or empty) and text without numbers and ids.

    The text must be short: words of a million letters would cost a million squared (docs/failure-line.md, "The
    fingerprint").
    """
    digest = hashlib.sha256("\n".join((error_type, place, stable(text))).encode("utf-8", "backslashreplace"))
    return digest.hexdigest()[:FINGERPRINT_CHARACTERS]


def stable(text: str) -> str:
    """Return the start of a text with `***` for all that varies from one failure to the next."""
    return _VARIABLE_AND_AROUND.sub(_VARIES, _VARIABLE.sub(_VARIES, text))[:FINGERPRINTED_CHARACTERS]
