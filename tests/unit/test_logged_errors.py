from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opstool.words.lines.loggederror import read_error, read_line

RECORDED = json.loads((Path(__file__).parents[1] / "recorded" / "errors.json").read_text("utf-8"))
MESSAGE = "8f14e45f-ceea-467f-9d6b-3d0a7b9c1e21"
LONGEST_EVENT = 1 << 20
EXPECTED = {"traceback": False, "unhandled": False, "request_id": None, "trace_id": None, "message_id": None}

HOSTILE = {
    "letters": "a" * LONGEST_EVENT,
    "capitals": "A" * LONGEST_EVENT,
    "dots": "Aa." * (LONGEST_EVENT // 3),
    "colons": "A:" * (LONGEST_EVENT // 2),
    "spaces": " " * LONGEST_EVENT + "x",
    "line breaks": "\n" * LONGEST_EVENT,
    "carriage returns": "\r" * LONGEST_EVENT,
    "frames": "Error: x\n" + "    at f (a:1:1)\n" * (LONGEST_EVENT // 17),
    "frames that are none": "x\n" + "    at (((((\n" * (LONGEST_EVENT // 13),
    "one line of frames": "x\n" + "    at " * (LONGEST_EVENT // 7),
    "tracebacks": "Traceback (most recent call last):\n" * (LONGEST_EVENT // 35),
    "groups": "Exception Group Traceback (most recent call last):\n" + "  | " * (LONGEST_EVENT // 4),
    "quotes": '  File "' * (LONGEST_EVENT // 8),
    "braces": "{" * LONGEST_EVENT,
    "nested objects": '{"a":' * (LONGEST_EVENT // 5),
    "nested lists": '{"a":' + "[" * LONGEST_EVENT,
    "a long number": '{"level":' + "9" * LONGEST_EVENT + "}",
    "nested reasons": '{"reason":' * 900 + '{"name":"x","message":"y"}' + "}" * 900,
    "many keys": "{" + ",".join(f'"k{i}":1' for i in range(LONGEST_EVENT // 10)) + "}",
    "escapes": "\x1b[" + "1;" * (LONGEST_EVENT // 2),
    "tails": "ERROR " + '{"errorType":' * (LONGEST_EVENT // 13),
    "calls": "ValueError(" * (LONGEST_EVENT // 11) + ")",
    "denials": "no error " * (LONGEST_EVENT // 9),
    "panics": "panic: " * (LONGEST_EVENT // 7),
    "records": "receiptHandle" + "{" * LONGEST_EVENT,
}


@pytest.mark.parametrize("shape", [pytest.param(one, id=one["name"]) for one in RECORDED])
def test_a_recorded_line_is_read(shape: dict[str, Any]) -> None:
    """Type, text, place, invocation and trace, as tests/recorded has them; and no error where there is none."""
    line = read_line(shape["text"])
    if shape["type"] is None:
        assert line.error is None
        return
    wanted = EXPECTED | {key: value for key, value in shape.items() if key not in {"name", "from", "text"}}
    assert line.error is not None
    found = {
        "type": line.error.type,
        "message": line.error.message,
        "place": line.error.place,
        "traceback": line.error.traceback is not None,
        "unhandled": line.error.unhandled,
        "request_id": line.error.request_id,
        "trace_id": line.error.trace_id,
        "message_id": next(iter(line.message_ids), None),
    }
    assert {key: found[key] for key in wanted} == wanted


def test_one_failure_is_one_however_it_is_logged() -> None:
    """Text, JSON, and five libraries: the same class, text and place have the same fingerprint."""
    of_python = [one for one in RECORDED if one["type"] == "BadTotal" and one.get("place") == "app.process"]
    assert len(of_python) >= 10
    assert len({error.fingerprint for one in of_python if (error := read_error(one["text"]))}) == 1


def test_the_exception_that_escaped_counts_and_not_its_cause() -> None:
    """Python prints it last, Java first."""
    names = {one["name"]: one for one in RECORDED}
    causes = {"python traceback.print_exc": "KeyError", "java stack trace": "NumberFormatException"}
    for name, cause in causes.items():
        error = read_error(names[name]["text"])
        assert error is not None
        assert "BadTotal" in error.type
        assert error.traceback is not None
        assert cause in error.traceback  # it is part of the story


@pytest.mark.parametrize(
    ("frame", "place"),
    [
        ('  File "/var/task/orders.py", line 3, in total', "orders.total"),
        ('  File "/opt/python/layer.py", line 3, in total', ""),
        ('  File "/var/task/site-packages/lib.py", line 3, in total', ""),
        ('  File "/var/runtime/bootstrap.py", line 3, in total', ""),
        ('  File "/var/lang/lib/python3.12/json/decoder.py", line 3, in total', ""),
    ],
)
def test_a_place_is_in_the_consumers_own_code(frame: str, place: str) -> None:
    """Neither layers nor packages nor the runtime; and no line number, which an edit would change."""
    error = read_error(f"Traceback (most recent call last):\n{frame}\n    x\nValueError: no")
    assert error is not None
    assert error.place == place


def test_what_is_kept_of_a_line_is_short() -> None:
    """1,024 characters of text, 8,000 of traceback, 256 of a type."""
    frames = '  File "/var/task/app.py", line 1, in f\n    g()\n' * 1_000
    error = read_error(f"Traceback (most recent call last):\n{frames}ValueError: {'x' * 5_000}")
    assert error is not None
    assert error.traceback is not None
    assert (len(error.message), len(error.traceback)) == (1_024, 8_000)
    named = read_error(json.dumps({"errorType": "T" * 5_000, "errorMessage": "m"}))
    assert named is not None
    assert len(named.type) == 256


@pytest.mark.parametrize("text", [pytest.param(text, id=name) for name, text in HOSTILE.items()])
def test_a_line_of_a_mebibyte_is_read_in_time(text: str) -> None:
    """Linear in its length: ten times what it takes on a busy machine is still below a second or two."""
    began = time.process_time()
    read_line(text)
    assert time.process_time() - began < 2


@given(st.one_of(st.text(), st.text(alphabet='{}[]":,\\nrt ErrorException()atFile.:1\n\t')))
def test_no_text_raises(text: str) -> None:
    """A line is whatever somebody printed."""
    read_line(text)


KEYS = [
    "error", "err", "exception", "message", "level", "stack", "stackTrace", "errorType", "errorMessage", "reason",
    "record", "name", "type", "frames", "thrown", "requestId", "xray_trace_id", "message_id", "text", "file", "line",
]  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=6),
    max_leaves=20,
)


@given(st.dictionaries(st.sampled_from(KEYS), JSON, max_size=8))
def test_no_json_raises(line: dict[str, Any]) -> None:
    """The keys are those that are looked at; their values are of every kind."""
    read_line(json.dumps(line))
