"""How far a command is: a bar on a terminal, elsewhere a line every ten seconds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from opstool.cli import words
from opstool.cli.notices import Notices
from opstool.doors.clock import Clock, SystemClock
from opstool.words.report import Tally

_REDRAW_S = 0.2
_LINE_EVERY_S = 10.0
_BAR_COLUMNS = 24
LOOKING = "looking"


class Progress:
    """What is shown while a command works; nothing with --quiet."""

    def __init__(self, notices: Notices, clock: Clock | None = None) -> None:
        self._notices = notices
        self._clock = clock or SystemClock()

    def begin(self, doing: str) -> None:
        """Show at once that something is under way: connecting takes longer than a person wants to see nothing."""
        self._notices.transient(f"{doing} ...")

    @contextmanager
    def watch(self, doing: str, tally: Tally, expected: int | None) -> Iterator[None]:
        """Show the counts as they grow, until the work is left; this is a Toolkit's `watch`."""
        started = self._clock.monotonic()

        def show() -> None:
            line = progress_line(doing, tally, expected, self._clock.monotonic() - started)
            if self._notices.is_terminal:
                self._notices.transient(line)
            else:
                self._notices.note(line)

        if self._notices.is_terminal:
            show()
        end = self._clock.every(_REDRAW_S if self._notices.is_terminal else _LINE_EVERY_S, show)
        try:
            yield
        finally:
            end()
            self._notices.clear()


def progress_line(doing: str, tally: Tally, expected: int | None, seconds: float) -> str:
    """Return one line: the bar, how many of how many, how fast, how long still."""
    if expected is None:
        return f"{doing}: {words.duration(seconds)}"
    counts = tally.counts()
    done = counts.received if doing == LOOKING else counts.received - counts.released
    rate = done / seconds if seconds > 0 else 0.0
    parts = [f"{done:,} of approximately {expected:,} messages", f"{rate:,.0f}/s"]
    if rate and expected > done:
        parts.append(f"about {words.duration((expected - done) / rate)} left")
    return f"{doing} {_bar(done, expected)} {', '.join(parts)}"


def _bar(done: int, expected: int) -> str:
    full = _BAR_COLUMNS if done >= expected else _BAR_COLUMNS * done // expected
    return f"[{'#' * full}{'.' * (_BAR_COLUMNS - full)}]"
