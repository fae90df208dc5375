"""The person's side of the screen: stderr, where progress, notes, questions and errors go, and never data."""

from __future__ import annotations

import os
import shutil
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TextIO

RED, YELLOW, BOLD, DIM = "31", "33", "1", "2"
_ERASE_LINE = "\r\x1b[K"


def is_terminal(stream: TextIO) -> bool:
    """Tell whether a person looks at the stream."""
    with suppress(ValueError, AttributeError):
        return stream.isatty()
    return False


def painter(stream: TextIO, *, no_color: bool) -> Callable[[str, str], str]:
    """Return the function that colours text for a stream: it does nothing where colour is not wanted."""
    plain = no_color or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb" or not is_terminal(stream)
    return (lambda text, _style: text) if plain else (lambda text, style: f"\x1b[{style}m{text}\x1b[0m")


class Notices:
    """Lines on stderr, with at most one line below them that changes; thread-safe.

    A reader of stderr that went away is no reason to stop working: what cannot be said is left unsaid.
    """

    def __init__(self, *, quiet: bool = False, no_color: bool = False) -> None:
        self.quiet = quiet
        self.is_terminal = is_terminal(sys.stderr)
        self.paint = painter(sys.stderr, no_color=no_color)
        self._lock = threading.RLock()
        self._transient = False
        self._is_asking = False

    def note(self, text: str) -> None:
        """Say a line that a person may want to know; not with --quiet."""
        if not self.quiet:
            self.line(text)

    def line(self, text: str = "") -> None:
        """Say a line, whatever the settings."""
        self._write(f"{text}\n")

    def transient(self, text: str) -> None:
        """Show a line that the next one replaces; only on a terminal, and not with --quiet."""
        if self.is_terminal and not self.quiet:
            # One that wraps would leave its first row behind at each redraw.
            self._write(text[: shutil.get_terminal_size().columns - 1], transient=True)

    def prompt(self, text: str) -> None:
        """Say a question and leave the cursor behind it; what is said next begins a new line."""
        self._write(text)
        self._is_asking = True

    def answered(self) -> None:
        """Note that the person's own line end has moved the cursor on."""
        self._is_asking = False

    def clear(self) -> None:
        """Take the changing line away: before anything else writes to the same terminal."""
        self._write("")

    def end(self) -> None:
        """Leave the cursor at the beginning of a line, whatever was under way."""
        self._write("\n" if self._is_asking else "")

    def _write(self, text: str, *, transient: bool = False) -> None:
        with self._lock, suppress(OSError, ValueError):
            erase = _ERASE_LINE if self._transient else "\n" if self._is_asking and text.strip() else ""
            self._is_asking = self._is_asking and not text
            self._transient = transient
            if erase or text:
                sys.stderr.write(erase + text)
                sys.stderr.flush()
