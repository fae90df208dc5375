"""The process that searches bodies with one regular expression: the standard library, and nothing of opstool.

Run by path by regex.py. The first frame of its stdin is the expression, every further one a body; a frame is its length
in eight bytes and then its text. The answer to a body is one byte: 1 when something was found, 0 when not, ? when the
memory did not suffice. A search that takes too long ends the process: Python's engine cannot be stopped in any other
way, and it stops every other thread meanwhile. That clock is this process's own, so it also ends when nobody waits.
"""

from __future__ import annotations

import contextlib
import faulthandler
import os
import re
import signal
import sys
import warnings
from collections.abc import Iterator
from typing import BinaryIO


def frames(stream: BinaryIO) -> Iterator[str]:
    """Yield what the parent sends, until it closes the pipe."""
    while len(head := stream.read(8)) == 8:  # noqa: PLR2004 - a frame's length
        yield stream.read(int.from_bytes(head, "big")).decode(errors="surrogatepass")


def bound_memory(most_bytes: int) -> None:
    """Let this process have so much memory and no more, where the system can."""
    try:
        import resource  # noqa: PLC0415 - not on Windows
    except ImportError:
        return
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (most_bytes, most_bytes))


def main(limit_s: float, most_bytes: int) -> None:
    """Answer frame after frame."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's business
    bound_memory(most_bytes)
    texts = frames(sys.stdin.buffer)
    warnings.simplefilter("ignore")
    search = re.compile(next(texts)).search
    with open(os.devnull, "w", encoding="utf-8") as nowhere:  # noqa: PTH123 - pathlib costs this start a third
        for text in texts:
            faulthandler.dump_traceback_later(limit_s, exit=True, file=nowhere)
            try:
                answer = b"1" if search(text) else b"0"
            except (MemoryError, RecursionError):
                answer = b"?"
            faulthandler.cancel_dump_traceback_later()
            os.write(1, answer)


if __name__ == "__main__":
    main(float(sys.argv[1]), int(sys.argv[2]))
