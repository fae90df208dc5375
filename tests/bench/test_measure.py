"""What is measured is what happened: real programs against the real endpoint, over TLS, with counts that are known."""

from __future__ import annotations

import sys

import pytest

from bench.contestants import CONTAINS
from bench.measure import Load, Run, run

PROGRAMS = [
    pytest.param(["-m", "bench.bare", "--connections", "1"], id="bare client"),
    pytest.param(["-m", "bench.loop", "--threads", "1"], id="boto3 loop"),
]


def hot(found: Run) -> dict[str, int]:
    """Return the calls that move messages."""
    names = ("ReceiveMessage", "SendMessageBatch", "DeleteMessageBatch")
    return {name: found.calls.get(name, 0) for name in names}


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_program_moves_everything_in_the_fewest_calls(program: list[str]) -> None:
    """Thirty messages: three of each, and the receive that finds nothing."""
    found = run([sys.executable, *program], Load(messages=30, delay_ms=0))
    assert (found.status, found.moved, found.faults) == (0, 30, {})
    assert hot(found) == {"ReceiveMessage": 4, "SendMessageBatch": 3, "DeleteMessageBatch": 3}
    assert found.cpu_s > 0
    assert found.whole_wall_s >= found.wall_s > 0


def test_the_bare_client_fills_its_batches() -> None:
    """At a match in two, twenty matches go in two batches."""
    command = [sys.executable, "-m", "bench.bare", "--connections", "1", "--contains", CONTAINS]
    found = run(command, Load(messages=40, match=0.5, delay_ms=0))
    assert (found.moved, found.faults) == (20, {})
    assert hot(found) == {"ReceiveMessage": 5, "SendMessageBatch": 2, "DeleteMessageBatch": 2}


def test_the_delay_is_kept() -> None:
    """Three calls of 50 ms after the first receive was asked for cannot take less."""
    found = run([sys.executable, "-m", "bench.bare", "--connections", "1"], Load(messages=20, delay_ms=50))
    assert found.wall_s >= 5 * 0.05 * 0.95


def test_a_program_that_dies_is_told_from_one_that_is_done() -> None:
    """Its status and the last line of what it said are kept, and nothing counts as moved."""
    found = run([sys.executable, "-c", "raise SystemExit('no such queue')"], Load(messages=1, delay_ms=0))
    assert (found.status, found.complaint, found.moved) == (1, "no such queue", 0)
    assert found.faults == {"not_moved": 1}
    assert found.per_s == found.cpu_us == found.calls_each == 0


def test_who_opened_the_connections_is_known() -> None:
    """So that a run over boto3 cannot pass for one without."""
    found = run([sys.executable, "-m", "bench.loop", "--threads", "2"], Load(messages=20, delay_ms=0))
    assert any(agent.startswith("boto3/") for agent in found.agents)
