"""Who is measured, with which command, and with how many messages so that a run takes about ten seconds."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass

from bench.measure import Load, Run, as_installed, program, run

CONTAINS = '"type":"match"'
WHERE = "body.type == 'match'"
MATCHES = (1.0, 0.3, 0.01)
LEAN, BOTO, LOOP, LOOP_16, BARE = "opstool", "opstool, boto3 lane", "boto3 loop", "boto3 loop, threads", "bare client"
MOVER, LETTER = "sqs-mover", "phoenix-letter"

Command = Callable[[int, bool], list[str]]
"""Takes the workers and whether to filter; empty where the program is not installed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contestant:
    """One program; `messages` a match rate, None where it cannot filter."""

    name: str
    command: Command
    messages: dict[float, int]
    workers: int
    environment: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the table: a contestant, its load, and its run, None with a reason where there was none."""

    name: str
    workers: int
    match: float
    run: Run | None
    reason: str = ""


def contestants(workers: int) -> list[Contestant]:
    """Return all of them, the quick ones with so many workers."""
    quick = {1.0: 100_000, 0.3: 100_000, 0.01: 100_000}
    return [
        Contestant(name=BARE, command=_bare, messages=quick, workers=workers, environment={}),
        Contestant(name=LEAN, command=_opstool, messages=quick, workers=workers, environment={}),
        Contestant(
            name=BOTO,
            command=_opstool,
            messages={1.0: 15_000, 0.3: 30_000, 0.01: 50_000},
            workers=16,
            environment={"OPSTOOL_SDK": "boto3"},
        ),
        Contestant(
            name=LOOP_16, command=_loop, messages={1.0: 25_000, 0.3: 30_000, 0.01: 50_000}, workers=16, environment={}
        ),
        Contestant(name=LOOP, command=_loop, messages={1.0: 2_500}, workers=1, environment={}),
        Contestant(name=MOVER, command=_mover, messages={1.0: 2_500}, workers=1, environment={}),
        Contestant(name=LETTER, command=_letter, messages={1.0: 500}, workers=1, environment={}),
    ]


def measure(contestant: Contestant, match: float, *, share: float = 1.0) -> Row:
    """Run a contestant at a match rate, with a share of its messages; never raise because it could not."""
    row = Row(name=contestant.name, workers=contestant.workers, match=match, run=None)
    messages = contestant.messages.get(match)
    command = contestant.command(contestant.workers, match < 1)
    if not messages:
        return _without(row, "not with a filter" if contestant.name == LOOP else "cannot filter")
    if not command:
        return _without(row, "not installed")
    found = run(
        command, Load(messages=max(100, int(messages * share)), match=match), environment=contestant.environment
    )
    if found.status and (found.faults or not found.moved):  # phoenix-letter ends with 1 when all went well
        return _without(row, f"ended with status {found.status}: {found.complaint[:120]}")
    return Row(name=row.name, workers=row.workers, match=match, run=found)


def _without(row: Row, reason: str) -> Row:
    return Row(name=row.name, workers=row.workers, match=row.match, run=None, reason=reason)


def _bare(workers: int, is_filtered: bool) -> list[str]:
    return [
        *(sys.executable, "-m", "bench.bare", "--connections", str(workers)),
        *(("--contains", CONTAINS) if is_filtered else ()),
    ]


def _opstool(workers: int, is_filtered: bool) -> list[str]:
    return [
        *(as_installed(), "-m", "opstool", "dlq", "redrive", "orders-dlq", "--yes", "--quiet"),
        *("--workers", str(workers), "--state-dir", "STATE"),
        *(("--where", WHERE) if is_filtered else ()),
    ]


def _loop(workers: int, is_filtered: bool) -> list[str]:
    return [
        *(sys.executable, "-m", "bench.loop", "--threads", str(workers)),
        *(("--contains", CONTAINS) if is_filtered else ()),
    ]


def _mover(_workers: int, _is_filtered: bool) -> list[str]:
    path = program("sqsmover")
    return [path, "--source", "orders-dlq", "--dest", "orders"] if path else []


def _letter(_workers: int, _is_filtered: bool) -> list[str]:
    path = program("phoenix_letter")
    options = ["--src", "orders-dlq", "--dst", "orders", "--region", "eu-west-1", "--empty-receive", "1"]
    return [path, *options] if path else []
