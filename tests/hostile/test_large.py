from __future__ import annotations

import json
import time
import tracemalloc
from pathlib import Path

import pytest

from tests.cli.world import World
from tests.hostile.corpus import LARGE, MEBIBYTE
from tests.hostile.harmless import assert_harmless, documents
from tests.hostile.planted import Planted

DEADLINE_S = 20.0
"""Processor time of one command over seven messages of a mebibyte."""
MEMORY_BYTES = 500 * MEBIBYTE
"""Python's memory for it: the answers, the messages, and what JSON makes of one of them."""
COMMANDS = (
    ["dlq", "list"],
    ["dlq", "list", "--where", "length(body) > `1`"],
    ["dlq", "list", "--output", "json"],
    ["dlq", "redrive", "--dry-run"],
    ["dlq", "export", "--to-file", "large.jsonl.gz"],
    ["dlq", "import", "large.jsonl.gz", "--dry-run"],
    ["dlq", "import", "large.jsonl.gz", "--yes"],
)


@pytest.fixture
def planted(world: World) -> Planted:
    """Put seven hostile messages of a mebibyte into the DLQ."""
    planted = Planted(list(LARGE.values()), dressed=False)
    world.kill(*planted.placeholders)
    world.sqs.faults = planted
    return planted


def test_every_command_takes_large_messages(world: World, planted: Planted) -> None:
    """In bounded time, and what is sent is what was there."""
    for argv in COMMANDS:
        began = time.process_time()
        ended = world.run(*argv)
        assert time.process_time() - began < DEADLINE_S
        assert ended.status == 0, ended.err
        assert_harmless(ended)
    assert {entry["MessageBody"] for entry in planted.sent} == set(LARGE.values())


def test_large_messages_are_shown_whole(world: World, planted: Planted) -> None:
    """Indented where they are JSON, every line of them harmless; JSON gives them back."""
    [listed] = documents(world.run("dlq", "list", "--output", "json"), "json")
    for each in listed["messages"]:
        assert each["body"] in LARGE.values()
        began = time.process_time()
        ended = world.run("dlq", "show", each["message_id"], terminal=True)
        assert time.process_time() - began < DEADLINE_S
        assert ended.status == 0
        assert len(ended.out) < 12 * MEBIBYTE
        assert_harmless(ended)


@pytest.mark.parametrize("argv", [COMMANDS[2], COMMANDS[4]], ids=" ".join)
def test_large_messages_fit_the_memory(world: World, planted: Planted, argv: list[str], tmp_path: Path) -> None:
    """However they are looked at."""
    tracemalloc.start()
    ended = world.run(*argv)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert ended.status == 0
    assert peak < MEMORY_BYTES
    if argv[1] == "list":
        assert json.loads(ended.out)["seen"] == len(LARGE)
