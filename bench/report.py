"""The page of the results: the tables, the ratios, the goals, and what the benchmark does not model."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from bench.chart import Bar, amount, chart
from bench.contestants import BOTO, LEAN, LOOP_16, MATCHES, Row
from bench.goals import best, goals, pair
from bench.measure import Run

_OURS = (LEAN, BOTO)
_UNITS = (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6))
INTRODUCTION = (
    "Written by `make bench`; do not edit. It moves messages out of a dead-letter queue on a loopback endpoint that"
    " answers over TLS after 10 ms, with endpoint and client on a core each, each program against a fresh endpoint, one"
    " after the other. The endpoint keeps book: a program that loses a message or sends one twice fails the benchmark."
)
COLUMNS = (
    "Workers are threads with a connection each. CPU is user and system time of the whole process, its start included;"
    " calls are all that was asked of SQS, releases too; the rate is taken from the first receive to the last delete,"
    " the wall from start to end of the process; endpoint is how much of its core it needed; the user agent tells"
    " whether boto3 spoke. Slow programs get fewer messages, so that a run takes about ten seconds. opstool, the bare"
    " client and the boto3 loop have taken turns, three each; the run in the middle counts. With a filter, the"
    " bare client and the boto3 loop leave what does not match to its visibility timeout: they release nothing."
)
PARTS = (
    "A run of its own with every message matching, whose parts read the processor clock of their thread where one"
    " calls another; that costs some itself. *Lane* is signing and HTTP, *door* turns answers into messages and back,"
    " *start* is all before the first receive."
)
NOT_MODELLED = """## What it does not model

- **The service.** The endpoint never throttles, never fails and keeps no quota. A real queue has all three.
- **Latency.** Each call waits the same 10 ms. Real calls have tails, and a tail holds a connection.
- **Distance.** TLS is real, its handshake is over loopback: no round trips to a region, no lost packets.
- **FIFO queues**, message groups, and queues that are encrypted with KMS.
- **Signatures.** They are made, as that is the client's cost; the endpoint verifies none.
- **Other message sizes.** Bodies are JSON of 200 bytes, without attributes.
- **Your machine.** Trust the ratios of one run, not its absolute numbers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """All that one run of the benchmark found."""

    rows: Sequence[Row]
    listings: dict[int, Run] = field(default_factory=dict)
    shares: dict[str, float] = field(default_factory=dict)
    startup: Sequence[dict[str, object]] = ()
    consumer: Sequence[dict[str, object]] = ()


def page(results: Results, setting: Sequence[str]) -> str:
    """Return docs/benchmarks.md."""
    parts = [
        "# Benchmarks",
        INTRODUCTION,
        "![Messages moved a second, and processor time a message, by program](benchmarks.svg)",
        "## In short",
        *ratios(results),
        "## Moving messages",
        COLUMNS,
        *(f"### {rate:.0%} of the messages match\n\n{moving(results.rows, rate)}" for rate in MATCHES),
        "## Listing messages",
        listing(results.listings),
        "## Where the processor time goes",
        shares(results.shares),
        "## Start",
        records(results.startup),
        "## The consumer",
        records(results.consumer),
        "## What we set out to reach",
        verdicts(results),
        NOT_MODELLED,
        "## The machine",
        "\n".join(f"- {line}" for line in setting),
    ]
    return "\n\n".join(parts) + "\n"


def ratios(results: Results) -> list[str]:
    """Return what the text claims: ratios of this run, and nothing absolute."""
    lean, said = best(results.rows, LEAN, 1.0), []
    loop, boto, floor = best(results.rows, LOOP_16, 1.0), best(results.rows, BOTO, 1.0), pair(results.rows)
    for ours, words, theirs in (
        (lean, "a boto3 loop with 16 threads moves", loop),
        (lean, "opstool over boto3 moves", boto),
        (floor[1], f"the bare client moves with the same {floor[0]} connections", floor[2]) if floor else (None,) * 3,
    ):
        if ours and theirs:
            said.append(
                f"- opstool moves **{amount(ours.per_s / theirs.per_s)} times** what {words}, for"
                f" **{amount(ours.cpu_us / theirs.cpu_us)} times** its processor time a message."
            )
    return ["\n".join(said)] if said else []


def moving(rows: Iterable[Row], match: float) -> str:
    """Return the table of one match rate."""
    cells = [_cells(row) for row in rows if row.match == match]
    names = (
        "program",
        "workers",
        "moved",
        "messages/s",
        "CPU a message",
        "calls a message",
        "peak",
        "wall",
        "endpoint",
        "user agent",
    )
    return table(names, cells)


def _cells(row: Row) -> list[str]:
    run = row.run
    if run is None:
        return [row.name, str(row.workers), f"n/a: {row.reason}", *[""] * 7]
    return [
        row.name,
        str(row.workers),
        f"{run.moved:,}",
        f"{run.per_s:,.0f}",
        f"{run.cpu_us:,.0f} µs",
        f"{run.calls_each:.2f}",
        f"{run.peak_mb:.0f} MB",
        f"{run.whole_wall_s:.1f} s",
        f"{run.endpoint_cpu_s / run.whole_wall_s:.0%}",
        run.agent,
    ]


def listing(runs: dict[int, Run]) -> str:
    """Return the table of listings."""
    cells = [
        [f"{size:,}", f"{run.whole_wall_s:.1f} s", f"{run.cpu_s:.1f} s", f"{run.peak_mb:.0f} MB"]
        if not run.status
        else [f"{size:,}", f"n/a: ended with status {run.status}: {run.complaint[:120]}", "", ""]
        for size, run in runs.items()
    ]
    return "`opstool dlq list --output jsonl` into a file:\n\n" + table(("messages", "wall", "CPU", "peak"), cells)


def shares(found: dict[str, float]) -> str:
    """Return the table of the parts of the processor time."""
    whole_s = sum(found.values()) or 1.0
    cells = [[part, f"{spent_s / whole_s:.0%}"] for part, spent_s in sorted(found.items(), key=lambda each: -each[1])]
    return PARTS + "\n\n" + table(("part", "share of the CPU"), cells)


def records(found: Sequence[dict[str, object]]) -> str:
    """Return rows whose keys are their columns."""
    if not found:
        return "Not measured in this run."
    names = list(dict.fromkeys(key for row in found for key in row))
    return table(names, [[_word(name, row.get(name)) for name in names] for row in found])


def _word(name: str, value: object) -> str:
    """Return a value as a cell; seconds in the unit that suits them."""
    if value is None:
        return ""
    if not isinstance(value, float):
        return str(value)
    if name != "seconds":
        return amount(value)
    unit, size = next(((unit, size) for unit, size in _UNITS if value >= size), _UNITS[-1])
    return f"{amount(value / size)} {unit}"


def verdicts(results: Results) -> str:
    """Return the table of the goals, reached or missed."""
    found = goals(results.rows, results.listings, results.shares, results.startup)
    cells = [
        [
            goal.words,
            "" if goal.found is None else amount(goal.found),
            f"{'at least' if goal.at_least else 'at most'} {amount(goal.bound)}",
            goal.verdict,
        ]
        for goal in found
    ]
    return table(("goal", "found", "bound", ""), cells)


def table(names: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [names, ["---"] * len(names), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def picture(rows: Sequence[Row]) -> str:
    """Return docs/benchmarks.svg: rates and processor time where every message matches."""
    runs = [(row, row.run) for row in rows if row.match == 1.0 and row.run]
    rates: list[Bar] = [(_label(row), run.per_s, row.name in _OURS) for row, run in runs]
    costs: list[Bar] = [(_label(row), run.cpu_us, row.name in _OURS) for row, run in runs]
    return chart(
        [("Messages moved a second (more is better)", rates), ("Microseconds of CPU a message (less is better)", costs)]
    )


def _label(row: Row) -> str:
    return f"{row.name} ({row.workers})"
