from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opstool.local.function_log import Course, PlatformLines
from opstool.words.lines.platformline import read_platform_line

RECORDED = json.loads((Path(__file__).parents[1] / "recorded" / "platform.json").read_text("utf-8"))
REQUEST = "3c1b2a90-5d6e-5f70-8a91-b2c3d4e5f607"
EXPECTED: dict[str, Any] = dict.fromkeys(
    ("request_id", "error_type", "error", "duration_ms", "memory_used_mb", "memory_size_mb", "trace_id")
)


@pytest.mark.parametrize("shape", [pytest.param(one, id=one["name"]) for one in RECORDED])
def test_a_recorded_line_is_read(shape: dict[str, Any]) -> None:
    """In Lambda's own words, from both of its formats."""
    line = read_platform_line(shape["text"])
    if shape["kind"] is None:
        assert line is None
        return
    assert line is not None
    wanted = EXPECTED | {key: value for key, value in shape.items() if key in EXPECTED}
    assert line.kind == shape["kind"]
    assert {key: getattr(line, key) for key in EXPECTED} == wanted


def test_memory_that_is_used_up_is_seen() -> None:
    """By the report: a process that was killed died of it."""
    text = f"REPORT RequestId: {REQUEST}\tDuration: 1.00 ms\tMemory Size: 128 MB\tMax Memory Used: {{}} MB"
    full, room = read_platform_line(text.format(128)), read_platform_line(text.format(127))
    assert full is not None
    assert room is not None
    assert (full.is_out_of_memory, room.is_out_of_memory) == (True, False)


def test_a_line_longer_than_any_of_lambdas_is_not_its() -> None:
    """Somebody's text that begins like one."""
    assert read_platform_line(f"START RequestId: {REQUEST} " + "x" * 10_000) is None


@pytest.mark.parametrize("value", [None, True, "x", -1, 1e400, [], {}])
def test_a_metric_that_is_none_is_left_out(value: Any) -> None:
    """Whatever stands where a number should."""
    record = {"requestId": REQUEST, "metrics": {"durationMs": value, "maxMemoryUsedMB": value}}
    line = read_platform_line(json.dumps({"type": "platform.report", "record": record}))
    assert line is not None
    assert (line.duration_ms, line.memory_used_mb) == (None, None)


@pytest.mark.parametrize("logs_json", [False, True], ids=["text", "json"])
def test_the_embedded_aws_writes_lines_that_are_read(logs_json: bool) -> None:
    """What the demo shows is what a real log shows."""
    config = SimpleNamespace(logs_json=logs_json, timeout_s=3, memory_mb=128, system_log_level="INFO")
    lines = PlatformLines(cast("Any", config))
    course = Course(request_id=REQUEST, duration_ms=3_000, memory_used_mb=60, status="timeout")
    written = [read_platform_line(line.text) for line in [*lines.before(REQUEST, 0), *lines.after(course, 3_000)]]
    assert all(line is not None and line.request_id == REQUEST for line in written)
    assert {line.error_type for line in written if line is not None} == {None, "Sandbox.Timedout"}


@given(
    st.text(), st.sampled_from(["START RequestId: ", "REPORT RequestId: ", '{"type":"platform.report","record":', ""])
)
def test_no_text_raises(text: str, start: str) -> None:
    """Anybody may print what looks like a platform's line."""
    read_platform_line(start + text)
