"""The data's side of the screen: stdout, as text for people or as JSON for programs, and nothing else on it.

A reader that goes away (`| head`) has seen enough: the command goes on to its end and keeps its own exit status.
Only `dlq export`, whose output is its result, calls that an error. A full disk is one too.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from enum import StrEnum
from itertools import chain
from typing import Any

from opstool.cli.notices import Notices, is_terminal, painter
from opstool.words.document import dump
from opstool.words.errors import StorageError

OUTPUT_UNWRITABLE = "output_unwritable"
_PIECE_CHARACTERS = 65_536
"""What a pipe holds on Linux (pipe(7)); of a short list all comes at once, or nothing if an error comes first."""


class OutputFormat(StrEnum):
    """How stdout is written."""

    TEXT = "text"
    JSON = "json"
    JSONL = "jsonl"


class Output:
    """What a command says on stdout."""

    def __init__(self, form: OutputFormat, notices: Notices, *, no_color: bool = False) -> None:
        self.form = form
        self.is_terminal = is_terminal(sys.stdout)
        self.paint: Callable[[str, str], str] = painter(sys.stdout, no_color=no_color)
        self._notices = notices

    @property
    def is_text(self) -> bool:
        """Tell whether a person is to read it."""
        return self.form is OutputFormat.TEXT

    @property
    def columns(self) -> int | None:
        """Return the width of the terminal, None where there is none and nothing needs to be cut."""
        return shutil.get_terminal_size().columns if self.is_terminal else None

    def line(self, text: str = "") -> None:
        """Write one line of text."""
        self._notices.clear()
        write(f"{text}\n")

    def document(self, document: Mapping[str, Any]) -> None:
        """Write one JSON document on one line of ASCII."""
        self._notices.clear()
        write(dump(document) + "\n")

    def listing(
        self, whole: Mapping[str, Any], key: str, lines: Iterable[Mapping[str, Any]], last: Mapping[str, Any]
    ) -> None:
        """Write a list: with `json` nested under `key` of `whole`, with `jsonl` a line each and then `last`.

        The lines are taken one by one and written in pieces: a long list is never in memory as a whole.
        """
        self._notices.clear()
        if self.form is OutputFormat.JSON:
            head = dump({**whole, key: []}).removesuffix("]}")
            members = (("," if number else "") + dump(each) for number, each in enumerate(lines))
            texts: Iterable[str] = chain((head,), members, ("]}\n",))
        else:
            texts = (dump(each) + "\n" for each in chain(lines, (last,)))
        write_all(texts)


def write_all(texts: Iterable[str]) -> None:
    """Write texts in pieces that are worth a call of the system, until nobody reads them; raise as `write` does."""
    piece: list[str] = []
    size = 0
    for text in texts:
        piece.append(text)
        size += len(text)
        if size >= _PIECE_CHARACTERS:
            if not write("".join(piece)):
                return
            piece, size = [], 0
    write("".join(piece))


def write(text: str) -> bool:
    """Write to stdout and flush, so that what was written is known to have been taken; False when nobody reads it.

    Raises StorageError when the disk is full.
    """
    if sys.stdout is None:  # started with its stdout closed (`>&-`): as with a reader that went away
        return False
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        let_go_of_stdout()
        return False
    except OSError as error:
        let_go_of_stdout()
        raise StorageError(f"the output cannot be written: {error.strerror}", code=OUTPUT_UNWRITABLE) from error
    return True


def let_go_of_stdout() -> None:
    """Point stdout to nowhere: what is left in its buffer must not fail again when the interpreter ends."""
    with suppress(OSError, ValueError, AttributeError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
