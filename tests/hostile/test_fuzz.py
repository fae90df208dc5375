from __future__ import annotations

import gzip
import io
import json
import time
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from opstool.doors.archive import StreamWriter, read_archive
from opstool.words.errors import UsageError
from opstool.words.filters import select
from opstool.words.message import Message
from tests.faults.scale import FULL
from tests.hostile import reference
from tests.hostile.corpus import SYNTAX, TEXTS
from tests.hostile.harmless import assert_visible
from tests.properties.strategies import QUEUE_ARN, hostile_bodies, messages, refusal

EXAMPLES = 10_000 if FULL else 300
"""Inputs of each test: a few seconds in CI, some minutes with FAULTS=full."""
fuzzed = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
INPUT_S = 10.0
"""Processor time of one input."""

Mutation = Callable[[bytes], bytes]
places = st.floats(min_value=0, max_value=1, exclude_max=True)
_TOKENS = (
    *(b"\n", b"\r", b"\0", b'"', b"\\", b"{", b"}", b"[", b"]", b",", b":", b"null", b"NaN", b"1e999", b"-", b"\xff"),
    *(b"\xef\xbb\xbf", b"\\ud800", b"\\u0000", b"9" * 5_000, b"[" * 2_000, b'"body":', b'"type":'),
    *(b"\x1f\x8b", b"\x1c", b'"version":2,', b'"queue":null,', b'"archive":null,', b'"attributes":null,'),
    b'"sent_at":"0001-01-01T00:00+23:59",',
)  # fmt: skip
tokens = st.sampled_from(_TOKENS)


def _at(content: bytes, place: float) -> int:
    return int(place * (len(content) + 1))


def _flipped(content: bytes, place: float, bit: int) -> bytes:
    at = _at(content, place)
    return content[:at] + bytes(each ^ (1 << bit) for each in content[at : at + 1]) + content[at + 1 :]


def _line_again(content: bytes, place: float) -> bytes:
    lines = content.splitlines(keepends=True)
    at = _at(content[: len(lines)], place)
    return b"".join([*lines[:at], *lines[max(0, at - 1) : at], *lines[at:]])


def _value_changed(content: bytes, place: float, value: Any) -> bytes:
    """Give one key of one line another value."""
    lines = content.split(b"\n")
    at = int(place * len(lines))
    try:
        document = json.loads(lines[at])
        key = sorted(document)[int(place * 1_000) % len(document)]
        lines[at] = json.dumps({**document, key: value}).encode()
    except (ValueError, TypeError, AttributeError, ZeroDivisionError, RecursionError):
        return content
    return b"\n".join(lines)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(list(TEXTS.values())) | hostile_bodies,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=6,
)
mutations = st.one_of(
    st.builds(lambda place, bit: lambda content: _flipped(content, place, bit), places, st.integers(0, 7)),
    st.builds(lambda place: lambda content: content[: _at(content, place)], places),
    st.builds(lambda place: lambda content: content[_at(content, place) :], places),
    st.builds(lambda place: lambda content: _line_again(content, place), places),
    st.builds(
        lambda place, token: lambda content: content[: _at(content, place)] + token + content[_at(content, place) :],
        places,
        tokens | st.binary(max_size=4),
    ),
    st.builds(lambda place, value: lambda content: _value_changed(content, place, value), places, values),
)


@st.composite
def archives(draw: st.DrawFn) -> bytes:
    """Return what opstool writes, and sometimes lines of other makers between."""
    stream = io.BytesIO()
    batch = draw(st.lists(messages() | messages(bodies=hostile_bodies), max_size=3))
    StreamWriter(stream, queue_arn=QUEUE_ARN, archive_id="a").append(batch)
    lines = st.fixed_dictionaries({"body": st.text(max_size=9)}, optional={"queue": values})
    foreign = draw(st.lists(lines, max_size=1))
    return stream.getvalue() + b"".join(json.dumps(each).encode() + b"\n" for each in foreign)


@st.composite
def spoiled(draw: st.DrawFn) -> bytes:
    """Return an archive that something has happened to: plain or compressed, spliced with another one or not."""
    content = draw(archives())
    if draw(st.booleans()):
        other = draw(archives())
        content = content[: _at(content, draw(places))] + other[_at(other, draw(places)) :]
    for each in draw(st.lists(mutations, max_size=3)):
        content = each(content)
    if draw(st.integers(0, 3)) == 0:
        content = gzip.compress(content, mtime=0)
        for each in draw(st.lists(mutations, max_size=1)):
            content = each(content)
    return content


@fuzzed
@given(spoiled())
def test_the_reader_takes_exactly_what_the_plainest_reading_takes(content: bytes) -> None:
    """The same records in the same order, or a usage error that names a line: nothing else, and soon."""
    try:
        wanted: list[tuple[str, str | None]] | None = reference.bodies(content)
    except reference.NoArchiveError:
        wanted = None
    began = time.process_time()
    problem = refusal(lambda: list(read_archive(io.BytesIO(content))))
    assert time.process_time() - began < INPUT_S
    assert (wanted is None) is bool(problem), problem
    if wanted is None:
        assert "\n  line " in problem
        assert_visible(problem)
    else:
        assert [(each.message.body, each.queue_arn) for each in read_archive(io.BytesIO(content))] == wanted


_PIECES = (
    "body receive_count group_id reason attributes message_id sent_at @ * [*] [] [0] [-1] [::-1] [?@] . , : | || && ! "
    "& == != < > <= >= ( ) [ ] { } ` ' \" `1` `[1,2]` 'x' \"c\" 1 -1 99999999999999999999 a b items "
    "length( map(& sort_by( to_string( join('', merge( not_null( contains( max_by( no_such("
)
pieces = st.sampled_from(_PIECES.split(" "))
expressions = st.lists(pieces, min_size=1, max_size=14).map("".join) | st.lists(pieces, max_size=9).map(" ".join)
BODIES = [
    Message(message_id="m", body=body)
    for body in (*TEXTS.values(), '{"items": [{"a": 1}, {"a": [1, [2]]}], "a": {"b": "c"}, "b": [3, "x", null, true]}')
]


@fuzzed
@given(expressions, st.sampled_from(BODIES))
def test_an_expression_decides_or_is_refused_with_a_caret(where: str, message: Message) -> None:
    """Whatever is put together from the language's own pieces: a caret, or a decision about any body, and soon."""
    began = time.process_time()
    problem = refusal(lambda: select(now_ms=0, where=where))
    if problem:
        assert_visible(problem)
        assert problem.split("\n")[-1].strip() == "^"
    else:
        matcher = select(now_ms=0, where=where).compile(retention_s=1)
        assert matcher(message) in {True, False}
        assert matcher.note is None or "\n" not in matcher.note
    assert time.process_time() - began < INPUT_S


OPTIONS = [
    "reason",
    "older_than",
    "newer_than",
    "expires_within",
    "source",
    "group_id",
    "body_contains",
    "body_matches",
]
typed = (
    st.text(max_size=12) | st.sampled_from(list(SYNTAX.values())) | st.text("0123456789dhms-:TZ.+ ()[]*?|", max_size=12)
)


@fuzzed
@given(st.dictionaries(st.sampled_from(OPTIONS), typed), st.lists(typed, max_size=2), st.lists(typed, max_size=2))
def test_every_option_is_taken_or_refused(options: dict[str, str], ids: list[str], attr: list[str]) -> None:
    """The other filters, whatever is typed: a selection that the journal gives back, or one kind of error."""
    began = time.process_time()
    try:
        selection = select(now_ms=10**12, ids=ids, attr=attr, ids_from=[*ids, *attr] if ids else None, **options)
    except UsageError as error:
        assert_visible(error.message)
    else:
        assert type(selection).from_json(selection.to_json()) == selection
        assert_visible(selection.text)
    assert time.process_time() - began < INPUT_S
