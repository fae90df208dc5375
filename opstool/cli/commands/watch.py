"""The command that watches a dead-letter queue: redrawn in place on a terminal, else a line when something changes."""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Iterable
from typing import Annotated, Any

import typer

from opstool.cli.errors import DONE, INTERRUPTED, PARTIAL
from opstool.cli.invocation import Invocation
from opstool.cli.options import command
from opstool.cli.output import OutputFormat, write
from opstool.cli.redraw import Redraw
from opstool.cli.reports import look_report
from opstool.cli.screen import safe
from opstool.cli.selection import DeadLetterQueueName
from opstool.cli.sparkline import levels_for, sparkline
from opstool.engine.dlq import DeadLetterQueue, locate
from opstool.verbs import watch
from opstool.verbs.watch import DEFAULT_INTERVAL_S, SHORTEST_INTERVAL_S, Reading
from opstool.words.document import dump
from opstool.words.durations import parse_duration
from opstool.words.errors import UsageError
from opstool.words.times import iso

_QUIET_S = 60.0
"""A line at least this often, where lines are written only when something has changed."""
_MOST_BARS = 200
"""Readings of the sparkline: more than a terminal is wide."""


@command(
    "dlq watch",
    examples=(
        "opstool dlq watch orders-dlq",
        "opstool dlq watch orders-dlq --until-empty --for 30m && echo drained",
        "opstool dlq watch orders-dlq --interval 30 --output jsonl",
    ),
)
def watch_queue(
    call: Invocation,
    *,
    queue: DeadLetterQueueName = None,
    interval: Annotated[
        float,
        typer.Option(
            "--interval", metavar="SECONDS", min=SHORTEST_INTERVAL_S, show_default=False, help="Between two looks (5)."
        ),
    ] = DEFAULT_INTERVAL_S,
    until_empty: Annotated[
        bool, typer.Option("--until-empty", help="End when nothing is left, visible or in flight, twice in a row.")
    ] = False,
    for_: Annotated[
        str | None,
        typer.Option("--for", metavar="TIME", help="End after this time, such as 10m; not empty by then: status 3."),
    ] = None,
) -> int:
    """Show depth, arrivals and a running move task until Ctrl-C; nothing is received, so nothing is disturbed."""
    for_s = None if for_ is None else float(parse_duration(for_, option="--for"))
    if call.output.form is OutputFormat.JSON and for_s is None and not until_empty:
        raise UsageError("one document needs an end: `--until-empty` or `--for`, or `--output jsonl` for many")
    call.progress.begin("looking for the queue")
    found = locate(call.kit, queue)
    _say_what_is_watched(call, found)
    screen = _screen(call, found, interval)
    readings = watch.readings(call.kit, found, interval_s=interval, until_empty=until_empty, for_s=for_s)
    interrupted = False
    try:
        _show_all(screen, readings, until_empty=until_empty)
    except KeyboardInterrupt:  # the way to end it
        interrupted = True
    emptied = bool(screen.last and screen.last.emptied)
    left = until_empty and not emptied
    screen.end(emptied=emptied)
    if left and interrupted:
        return INTERRUPTED
    return PARTIAL if left else DONE


def _show_all(screen: Screen, readings: Iterable[Reading], *, until_empty: bool) -> None:
    """Show the readings to their end; a reader who went away ends them, unless the end itself is waited for."""
    for reading in readings:
        screen.last = reading
        screen.count += 1
        if not screen.show(reading) and not until_empty:
            return


def _say_what_is_watched(call: Invocation, found: DeadLetterQueue) -> None:
    if found.followed_from:
        call.notices.note(f'"{found.followed_from.name}" is a source queue; watching "{found.queue.name}"')
    if not found.is_dlq:
        call.notices.note(f'"{found.queue.name}" is not a dead-letter queue: no redrive policy points to it')
    call.notices.clear()


class Screen:
    """Where readings are shown; this one keeps them to itself, for one JSON document at the end."""

    def __init__(self, call: Invocation, found: DeadLetterQueue, interval_s: float) -> None:
        self.call = call
        self.name = found.queue.name
        self.interval_s = interval_s
        self.last: Reading | None = None
        self.count = 0

    def show(self, _reading: Reading) -> bool:
        """Show one reading; False when nobody reads any more."""
        return True

    def end(self, *, emptied: bool) -> None:
        """Say what there is to say at the end."""
        last = depth_document(self.name, self.last) if self.last else None
        whole = {"version": 1, "type": "watch", "queue": self.name, "emptied": emptied, "readings": self.count}
        write(dump({**whole, "last": last}) + "\n")


class _Stream(Screen):
    """JSON Lines: a document for each reading, and a report."""

    def show(self, reading: Reading) -> bool:
        return write(dump(depth_document(self.name, reading)) + "\n")

    def end(self, *, emptied: bool) -> None:
        del emptied  # each document says it
        write(dump(look_report("watch", requests=self.call.kit.sqs.requests, queue=self.name)) + "\n")


class _Lines(Screen):
    """Text for a file or a pipe: a line when something has changed, and now and then one that says it has not."""

    def __init__(self, call: Invocation, found: DeadLetterQueue, interval_s: float) -> None:
        super().__init__(call, found, interval_s)
        self._said: tuple[Any, ...] | None = None
        self._said_at_ms = 0

    def show(self, reading: Reading) -> bool:
        facts = (reading.depth, reading.in_flight, reading.delayed, reading.move_task, _error_text(reading))
        if facts == self._said and reading.at_ms - self._said_at_ms < _QUIET_S * 1000:
            return True
        self._said, self._said_at_ms = facts, reading.at_ms
        return write(f"{iso(reading.at_ms)[:19]}Z  {'  '.join(_facts(reading))}\n")

    def end(self, *, emptied: bool) -> None:
        if emptied:
            self.call.notices.note(f'"{self.name}" is empty, as far as SQS tells')


class _Live(_Lines):
    """A terminal: the same few lines, redrawn, with the depth over time."""

    def __init__(self, call: Invocation, found: DeadLetterQueue, interval_s: float) -> None:
        super().__init__(call, found, interval_s)
        self._redraw = Redraw()
        self._levels = levels_for(getattr(sys.stdout, "encoding", None))
        self._totals: deque[int] = deque(maxlen=_MOST_BARS)

    def show(self, reading: Reading) -> bool:
        if reading.error is None:
            self._totals.append(reading.total)
        head = f"{self.name}  {iso(reading.at_ms)[11:19]} UTC  every {self.interval_s:g} s, Ctrl-C ends"
        room = max(1, (self.call.output.columns or 80) - 1)
        return self._redraw.draw([head, *_facts(reading), sparkline(list(self._totals)[-room:], self._levels)])


def _screen(call: Invocation, found: DeadLetterQueue, interval_s: float) -> Screen:
    """Return the way to show readings that suits whoever reads them."""
    if not call.output.is_text:
        return (_Stream if call.output.form is OutputFormat.JSONL else Screen)(call, found, interval_s)
    moves_cursor = call.output.is_terminal and os.environ.get("TERM") != "dumb"
    return (_Live if moves_cursor else _Lines)(call, found, interval_s)


def _facts(reading: Reading) -> list[str]:
    """Return what is known, the counts first; all of it printable."""
    counts = f"depth ~{reading.depth:,}  in flight ~{reading.in_flight:,}"
    if reading.delayed:
        counts += f"  delayed ~{reading.delayed:,}"
    if reading.change is not None:
        counts += f"  change {reading.change:+,}"
    if reading.rate_per_min is not None:
        counts += f"  {reading.rate_per_min:+,.1f}/min"
    facts = [counts]
    task = reading.move_task
    if task:
        of = "" if task.to_move is None else f" of ~{task.to_move:,}"
        facts.append(f"move task {safe(task.status)}, moved ~{task.moved:,}{of}")
    if reading.error:
        facts.append(_error_text(reading))
    return facts


def _error_text(reading: Reading) -> str:
    return f"no new counts: {safe(reading.error.message)}" if reading.error else ""


def depth_document(name: str, reading: Reading) -> dict[str, Any]:
    """Return the JSON document of type `depth`."""
    task, rate = reading.move_task, reading.rate_per_min
    return {
        "version": 1,
        "type": "depth",
        "queue": name,
        "at": iso(reading.at_ms),
        "depth": reading.depth,
        "in_flight": reading.in_flight,
        "delayed": reading.delayed,
        "change": reading.change,
        "rate_per_minute": None if rate is None else round(rate, 3),
        "move_task": task.status if task else None,
        "moved": task.moved if task else None,
        "to_move": task.to_move if task else None,
        "emptied": reading.emptied,
        "error": reading.error.code if reading.error else None,
    }
