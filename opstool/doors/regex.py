"""The door to regular expressions: searched in a process of their own, because Python's engine cannot be stopped.

A search that backtracks without end holds the interpreter's lock: no lease would be kept alive, and no Ctrl-C heard.
So one child process searches for a matcher; a body that takes it too long ends it, and the next body gets a new one.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, cast

from opstool.words.closing import Closing
from opstool.words.errors import StorageError
from opstool.words.expressions.where import EvaluationError
from opstool.words.matching import Matcher
from opstool.words.message import ENCODING_ERRORS
from opstool.words.selection import Selection

SEARCH_S = 2.0
"""How long one body may take; a sound expression takes milliseconds for the largest body that SQS admits."""
SEARCH_BYTES = 1024**3
"""How much memory the searching process may have in all, where the system can bound it."""
_PROGRAM = Path(__file__).with_name("regex_process.py")
_ENDING_S = 1.0


@contextmanager
def matching(selection: Selection, *, retention_s: int) -> Iterator[Matcher]:
    """Give the function that decides for a selection, its regular expression bounded in time and memory."""
    if selection.body_matches is None:
        yield selection.compile(retention_s=retention_s)
        return
    with BoundedRegex(selection.body_matches) as search:
        yield selection.compile(retention_s=retention_s, search=search)


class BoundedRegex(Closing):
    """Call it with a body: whether the expression is found in it. Safe to call from many threads, one after another.

    Raises EvaluationError when the search takes more than `limit_s` or too much memory, StorageError when no process
    can be started. The process starts with the first body and ends with `close`, or with its parent.
    """

    def __init__(self, pattern: str, *, limit_s: float = SEARCH_S, most_bytes: int = SEARCH_BYTES) -> None:
        self._pattern = pattern
        self._limit_s = limit_s
        self._most_bytes = most_bytes
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    def __call__(self, body: str) -> bool:
        """Tell whether the expression is found in the body."""
        with self._lock:
            process = self._process or self._started()
            answer = _asked(process, body)
            if answer not in {b"0", b"1"}:
                self._end()
                raise EvaluationError(f"`--body-matches`: more than {self._limit_s:g} s, or too much memory")
            return answer == b"1"

    def close(self) -> None:
        """End the process."""
        with self._lock:
            self._end()

    def _started(self) -> subprocess.Popen[bytes]:
        """Start the process and tell it the expression."""
        program = [sys.executable, "-I", "-S", str(_PROGRAM), str(self._limit_s), str(self._most_bytes)]
        try:
            process = subprocess.Popen(  # noqa: S603 - this interpreter, on our own file
                program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
            )
        except OSError as error:
            raise StorageError(f"the process that searches bodies cannot be started: {error.strerror}") from error
        self._process = process
        with suppress(OSError):  # a process that is gone is noticed by the first body
            _send(process, self._pattern)
        return process

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            with suppress(OSError):
                process.communicate(timeout=_ENDING_S)


def _asked(process: subprocess.Popen[bytes], body: str) -> bytes:
    """Return the answer of the process, nothing when it has ended."""
    try:
        _send(process, body)
        return cast("BinaryIO", process.stdout).read(1)
    except OSError:
        return b""


def _send(process: subprocess.Popen[bytes], text: str) -> None:
    data, stdin = text.encode(errors=ENCODING_ERRORS), cast("BinaryIO", process.stdin)
    stdin.write(len(data).to_bytes(8, "big") + data)
    stdin.flush()
