"""The decision whether one message is meant, with everything compiled once: cheap tests first, JMESPath last."""

from __future__ import annotations

import base64
import re
import threading
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING

from opstool.words.caret import point_at
from opstool.words.document import expires_at_ms, filter_document
from opstool.words.expressions.where import EvaluationError, Expression, compile_where
from opstool.words.message import Message
from opstool.words.reason import Reason

if TYPE_CHECKING:
    from opstool.words.selection import Selection

Test = Callable[[Message, Reason | None], bool]
Search = Callable[[str], bool]
"""Tells whether the regular expression of a selection is found in a body; EvaluationError when it cannot."""

# A fingerprint is twelve hex digits; a shorter beginning than this would meet other fingerprints by chance.
_SHORTEST_FINGERPRINT = 4


class Matcher:
    """Call it with a message and its reason; safe to call from many threads.

    A message on which an expression cannot be evaluated (a function is given a value of another type, a bound of time
    or memory is met) does not match: what cannot be decided is left alone. `errors` counts those messages and
    `first_error` tells why, without their bodies. Without a `search` the regular expression is not bounded: see
    `opstool.doors.regex.matching`.
    """

    def __init__(self, selection: Selection, *, retention_s: int, search: Search | None = None) -> None:
        self.errors = 0
        self.first_error: str | None = None
        self._lock = threading.Lock()
        self._retention_s = retention_s
        self._where: Expression | None = None if selection.where is None else compile_where(selection.where)
        self._tests = [
            *_identity_tests(selection),
            *_time_tests(selection, retention_s),
            *_body_tests(selection, search),
        ]

    def __call__(self, message: Message, reason: Reason | None = None) -> bool:
        """Tell whether the message passes every filter."""
        try:
            for test in self._tests:  # not all(...): a generator costs as much as two tests
                if not test(message, reason):
                    return False
            return self._where is None or self._holds(self._where, message, reason)
        except EvaluationError as error:
            with self._lock:
                self.errors += 1
                self.first_error = self.first_error or str(error)
            return False

    @property
    def note(self) -> str | None:
        """Return the sentence about the messages that could not be judged; None when there are none."""
        return f"{self.errors} messages could not be judged: {self.first_error}" if self.errors else None

    def _holds(self, where: Expression, message: Message, reason: Reason | None) -> bool:
        expires = expires_at_ms(message, self._retention_s)
        return where.holds(filter_document(message, expires_at_ms=expires, reason=reason, keys=where.keys))


def compile_regex(text: str, *, option: str = "--body-matches") -> re.Pattern[str]:
    """Return the compiled regular expression; raises UsageError that points at the character.

    Python's engine backtracks: a pattern such as (a+)+$ can take for ever on a hostile body, and cannot be stopped but
    by ending its process.
    """
    try:
        with warnings.catch_warnings():  # Python warns of brackets that a later version may read otherwise
            warnings.simplefilter("ignore")
            return re.compile(text)
    except re.error as error:
        raise point_at(option, text, error.pos or 0, error.msg) from None
    except (OverflowError, RecursionError):
        raise point_at(option, text, 0, "the regular expression is too large") from None


def _identity_tests(selection: Selection) -> list[Test]:
    """Return the tests over id, group, source, attributes and reason."""
    tests: list[Test] = []
    ids, group, source, reason = selection.ids, selection.group_id, selection.source, selection.reason
    if ids is not None:
        tests.append(lambda message, _: message.message_id in ids)
    if group is not None:
        tests.append(lambda message, _: message.group_id == group)
    if source is not None:
        tests.append(lambda message, _: _is_source(source, message.source_arn))
    tests += [_attribute_test(name, value) for name, value in selection.attributes]
    if reason is not None:
        tests.append(lambda _, why: why is not None and _is_reason(reason, why))
    return tests


def _time_tests(selection: Selection, retention_s: int) -> list[Test]:
    """Return the tests over age and expiry; older and newer than the same time leave no message to neither."""
    tests: list[Test] = []
    before, after, expires = selection.sent_before_ms, selection.sent_after_ms, selection.expires_before_ms
    if before is not None:
        tests.append(lambda message, _: message.sent_at_ms < before)
    if after is not None:
        tests.append(lambda message, _: message.sent_at_ms >= after)
    if expires is not None:
        tests.append(lambda message, _: expires_at_ms(message, retention_s) < expires)
    return tests


def _body_tests(selection: Selection, search: Search | None) -> list[Test]:
    """Return the tests over the raw body."""
    tests: list[Test] = []
    if (part := selection.body_contains) is not None:
        tests.append(lambda message, _: part in message.body)
    if selection.body_matches is not None:
        pattern = compile_regex(selection.body_matches)
        found: Search = search or (lambda body: pattern.search(body) is not None)
        tests.append(lambda message, _: found(message.body))
    return tests


def _is_source(wanted: str, arn: str | None) -> bool:
    """Tell whether `wanted` (ARN, URL ending in ACCOUNT/NAME, or name) means the queue of `arn`."""
    if arn is None:
        return False
    if wanted.startswith("arn:"):
        return arn == wanted
    if "://" in wanted:
        return arn.split(":")[-2:] == wanted.rstrip("/").split("/")[-2:]
    return arn.rsplit(":", 1)[-1] == wanted


def _attribute_test(name: str, value: str) -> Test:
    return lambda message, _: _has_attribute(message, name, value)


def _has_attribute(message: Message, name: str, value: str) -> bool:
    """Tell whether the attribute is there with exactly this text; a Binary one is compared as base64."""
    attribute = message.attributes.get(name)
    if attribute is None:
        return False
    own = attribute.value
    return (own if isinstance(own, str) else base64.b64encode(own).decode()) == value


def _is_reason(wanted: str, reason: Reason) -> bool:
    """Tell whether `wanted` is the error type, with or without its module, or begins the fingerprint."""
    if wanted in (reason.type, reason.type.rsplit(".", 1)[-1]):
        return True
    return len(wanted) >= _SHORTEST_FINGERPRINT and reason.fingerprint.startswith(wanted.lower())
