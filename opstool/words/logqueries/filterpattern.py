"""The filter patterns of CloudWatch Logs, evaluated without the service.

Terms (`a b`: all of them), `?a ?b` (any of them), `-a` (none of them), "quoted phrases", `%regular expressions%`, and
`{ $.field = "value" && ... }` over a JSON message. Space-delimited patterns, `[a, b]`, are refused.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html

A term stands for whole words here: the documentation shows no other match, and does not say that there is one.
"""

from __future__ import annotations

import re

from opstool.words.logqueries.jsonpattern import compile_json_pattern
from opstool.words.logqueries.patternregex import MalformedPatternError, Matches, compile_regex

__all__ = ["LONGEST_PATTERN", "MalformedPatternError", "Matches", "compile_pattern"]

LONGEST_PATTERN = 1_024
"""Characters of a pattern: API_FilterLogEvents.html in the API reference of CloudWatch Logs."""

_TERM = re.compile(
    r"""(?P<mark>[?-]?)(?:
        "(?P<quoted>(?:[^"\\]|\\.)*)"
      | %(?P<regex>[^%]+)%
      | (?P<plain>\w+)
    )(?=\s|$)\s*""",
    re.VERBOSE,
)


def compile_pattern(text: str) -> Matches:
    """Return the test that a pattern stands for; an empty one matches all. Raise MalformedPatternError."""
    text = text.strip()
    if len(text) > LONGEST_PATTERN:
        raise MalformedPatternError(f"a pattern has at most {LONGEST_PATTERN} characters")
    if text.startswith("{"):
        return compile_json_pattern(text)
    if text.startswith("["):
        raise MalformedPatternError("space-delimited patterns are not supported")
    return _terms(text)


def _terms(text: str) -> Matches:
    wanted: dict[str, list[Matches]] = {"": [], "?": [], "-": []}
    position = 0
    while position < len(text):
        match = _TERM.match(text, position)
        if match is None:
            raise MalformedPatternError(f"invalid character in term at position {position}: quote it")
        wanted[match["mark"]].append(_test(match))
        position = match.end()
    every, some, none = wanted[""], wanted["?"], wanted["-"]
    if every or none:
        some = []  # beside other terms `?` is ignored: "Match any term" in the documentation

    def matches(message: str) -> bool:
        return (
            all(test(message) for test in every)
            and (not some or any(test(message) for test in some))
            and not any(test(message) for test in none)
        )

    return matches


def _test(match: re.Match[str]) -> Matches:
    if match["regex"] is not None:
        return compile_regex(match["regex"])
    quoted = match["quoted"]
    phrase = match["plain"] if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
    if not phrase:
        raise MalformedPatternError("a term is empty")
    before = r"(?<!\w)" if re.match(r"\w", phrase) else ""
    after = r"(?!\w)" if re.search(r"\w\Z", phrase) else ""
    whole = re.compile(f"{before}{re.escape(phrase)}{after}")
    return lambda message: phrase in message and whole.search(message) is not None
