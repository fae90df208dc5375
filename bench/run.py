"""Measure everybody side by side: `python -m bench.run` is `make bench`; `--short` is a smoke check without files.

The exit status says nothing of speed: 0 whatever the numbers, 1 when a program lost, doubled or wrongly chose messages,
or when opstool itself did not run.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench import report
from bench.contestants import BARE, BOTO, LEAN, LOOP_16, MATCHES, Row, contestants, measure
from bench.measure import ROOT, Load, Run, as_installed, run
from bench.setting import setting

LISTED = (10_000, 100_000)
WORKERS = (32, 64, 96, 128)
"""The sizes that opstool and the bare client are tried with."""
ROUNDS = 3
"""How often those two, and the boto3 loop beside them, take turns; the run in the middle counts."""

SHORT_CALLS = {1.0: 0.36, 0.3: 0.92}
"""Calls a moved message at most, by match rate: what the long run may need, and a tenth for its small queues."""


def main(arguments: list[str]) -> int:
    """Measure, print, and unless it is short write docs/benchmarks.md and docs/benchmarks.svg."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="few messages, no files: does the benchmark still work?")
    options = parser.parse_args(arguments)
    results = short() if options.short else full()
    text = report.page(results, setting("make bench-short" if options.short else "make bench"))
    sys.stdout.write(text)
    if not options.short:
        (ROOT / "docs" / "benchmarks.md").write_text(text, encoding="utf-8")
        (ROOT / "docs" / "benchmarks.svg").write_text(report.picture(results.rows), encoding="utf-8")
    return max(complaints(results), too_many_calls(results.rows) if options.short else 0)


def full() -> report.Results:
    """Measure everything, some minutes."""
    first = [(name, workers) for workers in WORKERS for name in (BARE, LEAN)] + [(LOOP_16, 16)]
    rows = _in_turns(first)
    tried = [row for row in rows if row.name == LEAN]
    workers = max(tried, key=lambda row: row.run.per_s if row.run else 0.0).workers
    for match in MATCHES:
        for each in contestants(workers):
            if match < 1.0 or each.name not in {BARE, LEAN, LOOP_16}:
                rows.append(_row(each.name, workers, match))
    return report.Results(
        rows=rows,
        listings={size: _listing(size) for size in LISTED},
        shares=_shares(workers, 50_000),
        startup=_beside("startup"),
        consumer=_beside("consumer_cost"),
    )


def short() -> report.Results:
    """Measure a little of each part that is ours, under a minute and a half."""
    names, rates = (BARE, LEAN, BOTO, LOOP_16), (1.0, 0.3)
    rows = [_row(name, 16, match, share=0.02) for match in rates for name in names]
    return report.Results(rows=rows, listings={500: _listing(500)}, shares=_shares(16, 500))


def complaints(results: report.Results) -> int:
    """Say on stderr what must not be; return the exit status."""
    status = 0
    for row in results.rows:
        if row.run and row.run.faults:
            status = 1
            _say(f"error: {row.name} at {row.match:.0%}: {row.run.faults}")
        if row.run is None and row.name in {BARE, LEAN, BOTO}:
            status = 1
            _say(f"error: {row.name} at {row.match:.0%}: {row.reason}")
    for size, listed in results.listings.items():
        if listed.status:
            status = 1
            _say(f"error: listing {size:,} ended with status {listed.status}: {listed.complaint}")
    return status


def too_many_calls(rows: Sequence[Row]) -> int:
    """Say on stderr where opstool asks more of SQS than it should; return the exit status. Unlike times, this holds."""
    status = 0
    for row in rows:
        bound = SHORT_CALLS.get(row.match)
        if row.run and bound and row.name == LEAN and row.run.calls_each > bound:
            status = 1
            _say(f"error: {row.name} at {row.match:.0%}: {row.run.calls_each:.2f} calls a message, more than {bound}")
    return status


def _row(name: str, workers: int, match: float, *, share: float = 1.0) -> Row:
    contestant = next(each for each in contestants(workers) if each.name == name)
    row = measure(contestant, match, share=share)
    found = f"{row.run.per_s:,.0f} messages/s, {row.run.cpu_us:,.0f} µs" if row.run else row.reason
    _say(f"{row.name} ({row.workers}), {match:.0%}: {found}")
    return row


def _in_turns(programs: Sequence[tuple[str, int]]) -> list[Row]:
    """Return a row for each program and size: so that what else the machine does falls on all of them alike."""
    taken: dict[tuple[str, int], list[Row]] = {each: [] for each in programs}
    for _ in range(ROUNDS):
        for name, workers in programs:
            taken[name, workers].append(_row(name, workers, 1.0))
    return [sorted(rows, key=lambda row: row.run.per_s if row.run else 0.0)[len(rows) // 2] for rows in taken.values()]


def _listing(size: int) -> Run:
    """List the whole queue into a file; a listing with the wrong number of lines did not work."""
    command = [as_installed(), "-m", "opstool", "dlq", "list", "orders-dlq", "--limit", str(size), "--output", "jsonl"]
    options = ["--no-reasons", "--quiet", "--workers", "64", "--state-dir", "STATE"]
    with tempfile.TemporaryDirectory() as folder:
        to = Path(folder, "listing")
        found = run([*command, *options], Load(messages=size), to=to)
        with to.open("rb") as lines:
            listed = sum(b'"type":"message"' in line for line in lines)
    _say(f"listing {size:,}: {found.whole_wall_s:.1f} s, {found.peak_mb:.0f} MB, {listed:,} messages")
    return found if listed == size else replace(found, status=found.status or 1, complaint=f"{listed:,} listed")


def _shares(workers: int, messages: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "shares")
        command = [as_installed(), "-m", "bench.shares", str(path), "dlq", "redrive", "orders-dlq", "--yes", "--quiet"]
        run([*command, "--workers", str(workers), "--state-dir", "STATE"], Load(messages=messages))
        found: dict[str, float] = json.loads(path.read_text()) if path.exists() else {}
    return found


def _beside(name: str) -> list[dict[str, Any]]:
    """Return the rows of a measurement that stands in a module of its own."""
    import importlib  # noqa: PLC0415 - what is measured there may need more than the rest

    try:
        module = importlib.import_module(f"bench.{name}")
    except ModuleNotFoundError as error:
        _say(f"{name}: not measured: {error}")
        return []
    rows: list[dict[str, Any]] = module.measure()
    return rows


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
