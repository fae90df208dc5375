"""Memory is bounded by a formula (docs/decisions/0018), whatever is held: a process of its own is measured."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HELD = 20_000
ROOM_BYTES = 4 * 1024 * 1024
"""The formula's bound of what is packed in memory."""
LISTED_BYTES, PLANNED_BYTES = 900, 700
"""The formula's, and what an allocator may leave unused; with handles 400 more, with bodies 2,000 more."""
PACKED_BYTES = 500
"""Body and handle of each message alone are more."""

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no peak to be asked for")


@pytest.mark.parametrize(
    ("command", "bytes_each"),
    [
        ("dlq list orders-dlq --limit 20000 --output json", LISTED_BYTES),
        ("dlq list orders-dlq --limit 20000 --output jsonl", LISTED_BYTES),
        ("dlq list orders-dlq --limit 20000", LISTED_BYTES),
        ("dlq redrive orders-dlq --to orders --body-contains order --dry-run", PLANNED_BYTES),
    ],
    ids=["json", "json lines", "table", "filtered redrive"],
)
def test_the_bodies_of_what_is_held_are_not_in_memory(command: str, bytes_each: int) -> None:
    """Twenty thousand messages are held, and what stays of each is small."""
    ended = subprocess.run(
        [sys.executable, "-m", "tests.functional.many", str(HELD), *command.split()],
        capture_output=True,
        check=True,
        text=True,
        timeout=120,
    )
    found = json.loads(ended.stdout)
    assert found["status"] == 0, ended.stderr
    assert found["on_disk_bytes"] + found["in_memory_bytes"] > HELD * PACKED_BYTES
    assert found["in_memory_bytes"] <= ROOM_BYTES
    assert found["grown_bytes"] < ROOM_BYTES + HELD * bytes_each
