"""What the logs tell of one message: every failed attempt, and the lines around the failure."""

from __future__ import annotations

from dataclasses import dataclass

from opstool.words.logevent import Attempt, LogEvent


@dataclass(frozen=True, kw_only=True, slots=True)
class Story:
    """The failed attempts at one message, oldest first, and the log lines around the last of them, in their order.

    `functions` are the names of those who consume its source queue, as far as they are known: whose metrics to look
    at where no line tells. `notes` are sentences for people: what kept a log from being read.
    """

    attempts: tuple[Attempt, ...] = ()
    lines: tuple[LogEvent, ...] = ()
    functions: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
