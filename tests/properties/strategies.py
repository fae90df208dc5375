"""Messages as Hypothesis makes them: every body and attribute that SQS admits, and some that only an emulator gives."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from hypothesis import strategies as st

from opstool.words.errors import UsageError
from opstool.words.message import Attribute, Message
from opstool.words.reason import Reason

QUEUE_ARN = "arn:aws:sqs:eu-west-1:123456789012:orders-dlq"
SOURCE_ARN = "arn:aws:sqs:eu-west-1:123456789012:orders"

# 2001 to 2286: SentTimestamp has always had thirteen digits.
times_ms = st.integers(min_value=10**12, max_value=10**13)

# SendMessage: #x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF
admitted_characters = st.characters(
    exclude_categories=("Cc", "Cs"), include_characters="\t\n\r\x7f\x85", exclude_characters="\ufffe\uffff"
)
texts = st.text(admitted_characters, min_size=1, max_size=60)
json_bodies = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)

_PAIR = re.compile("[\ud800-\udbff][\udc00-\udfff]")
# A high surrogate before a low one is no text that any JSON parser would give back as two characters.
hostile_bodies = st.text(st.characters(), min_size=1, max_size=60).filter(lambda text: not _PAIR.search(text))

message_ids = st.uuids().map(str)
labels = st.just("") | st.from_regex(r"\.[A-Za-z0-9_.-]{1,12}", fullmatch=True)
attribute_names = st.from_regex(r"[A-Za-z0-9_-]{1,12}(\.[A-Za-z0-9_-]{1,4})?", fullmatch=True).filter(
    lambda name: not name.lower().startswith(("aws.", "amazon."))
)


@st.composite
def _attributes(draw: st.DrawFn) -> Attribute:
    kind = draw(st.sampled_from(["String", "Number", "Binary"]))
    values = {
        "String": texts,
        "Number": st.integers().map(str) | st.decimals(allow_nan=False, allow_infinity=False).map(str),
        "Binary": st.binary(min_size=1, max_size=40),
    }
    return Attribute(type=kind + draw(labels), value=draw(values[kind]))


attributes = _attributes()
attribute_sets: st.SearchStrategy[Mapping[str, Attribute]] = st.dictionaries(attribute_names, attributes, max_size=10)
reasons = st.builds(
    Reason,
    type=st.sampled_from(["ValueError", "json.JSONDecodeError", "PermanentError", "TimeoutError"]),
    message=st.text(max_size=20),
    fingerprint=st.text("0123456789abcdef", min_size=12, max_size=12),
    at_ms=times_ms,
    attempts=st.integers(min_value=1, max_value=9),
)


def refusal(act: Callable[[], object]) -> str:
    """Return the words of the usage error that an act ends with, nothing when it does not; any other error is a bug."""
    try:
        act()
    except UsageError as error:
        return error.message
    return ""


def messages(
    bodies: st.SearchStrategy[str] = texts,
    sets: st.SearchStrategy[Mapping[str, Attribute]] = attribute_sets,
) -> st.SearchStrategy[Message]:
    """Return messages as a receive gives them, without the MD5s, which are of the receive and not of the message."""
    return st.builds(
        Message,
        message_id=message_ids,
        body=bodies,
        attributes=sets,
        sent_at_ms=times_ms,
        first_received_at_ms=st.none() | times_ms,
        receive_count=st.integers(min_value=0, max_value=100_000),
        source_arn=st.none() | st.just(SOURCE_ARN) | st.just(f"{SOURCE_ARN}.fifo"),
        group_id=st.none() | st.sampled_from(["a", "b"]),
        deduplication_id=st.none() | st.text("abc123", min_size=1, max_size=8),
        trace_header=st.none() | st.just("Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1"),
    )
