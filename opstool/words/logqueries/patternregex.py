"""The regular expressions that a filter pattern of CloudWatch Logs may hold, and the error for a wrong pattern."""

from __future__ import annotations

import re
from collections.abc import Callable

Matches = Callable[[str], bool]
"""Tell whether a text fits."""

# No parentheses, no multi-byte characters, few symbols:
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/regex-expressions.html
_ALLOWED = re.compile(r"[A-Za-z0-9\s:_#=@/;,\-^$?\[\]{}|\\*+.]*", re.ASCII)


class MalformedPatternError(ValueError):
    """The pattern is wrong, or is not supported here; the service would say InvalidParameterException."""


def compile_regex(text: str) -> Matches:
    """Return the test for a %regex%; raise MalformedPatternError for what a pattern may not hold."""
    if not _ALLOWED.fullmatch(text):
        raise MalformedPatternError("the regular expression holds a character that is not supported")
    try:
        regex = re.compile(text)
    except (re.error, RecursionError, OverflowError) as error:
        raise MalformedPatternError(f"not a regular expression: {error}") from error
    return lambda message: regex.search(message) is not None
