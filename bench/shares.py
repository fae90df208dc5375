"""Tell where the processor time of a command goes: `python -m bench.shares FILE dlq redrive ...` writes it as JSON.

Every crossing from one part into another reads the processor clock of the thread, so waiting costs nothing and the
parts exclude each other. Reading the clock is itself a cost of about a microsecond a crossing: shares are close, not
exact, and the run is slower than one without. Nothing of the product knows of it.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import json
import ssl
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

JOURNAL, TLS, JSON, LANE, DOOR, FILTER = "journal", "TLS and sockets", "JSON", "lane", "door", "filter"
START, REST = "start", "engine and threads"
_JOURNAL_MODULES = ("opstool.doors.journal", "opstool.doors.runs")
_HOT = ("receive", "send_batch", "delete_batch", "change_visibility_batch")


class Shares:
    """Processor seconds by part, of all threads."""

    def __init__(self) -> None:
        self.spent_s: Counter[str] = Counter()
        self.started_s: float | None = None
        self._before: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._local = threading.local()

    def enter(self, part: str) -> None:
        """Count what follows in this thread for `part`."""
        stack = self._stack()
        self._charge(stack)
        stack.append(part)

    def leave(self) -> None:
        """Count what follows for the part around it again."""
        stack = self._stack()
        self._charge(stack)
        stack.pop()

    def timed(self, part: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function with its time counted for `part`."""

        @functools.wraps(function)
        def wrapper(*given: Any, **named: Any) -> Any:
            stack = self._stack()
            if stack and stack[-1] == part:  # no crossing: to read the clock would count for the part, and cost it
                return function(*given, **named)
            self.enter(part)
            try:
                return function(*given, **named)
            finally:
                self.leave()

        return wrapper

    def wrap(self, owner: Any, names: tuple[str, ...], part: str) -> None:
        """Count these functions of a class or a module."""
        for name in names:
            if name in vars(owner):
                setattr(owner, name, self.timed(part, vars(owner)[name]))

    def _stack(self) -> list[str]:
        if not hasattr(self._local, "stack"):
            self._local.stack, self._local.since_s = [], time.thread_time()
        stack: list[str] = self._local.stack
        return stack

    def _charge(self, stack: list[str]) -> None:
        now_s = time.thread_time()
        if stack:
            with self._lock:
                self.spent_s[stack[-1]] += now_s - self._local.since_s
        self._local.since_s = now_s

    def start_of_work(self) -> None:
        """Remember the processor time of the process when the first receive is asked for."""
        if self.started_s is None:
            self.started_s, self._before = time.process_time(), self.spent_s.copy()

    def result(self) -> dict[str, float]:
        """Return seconds by part; what no part has is the engine's and the threads' own."""
        whole_s = time.process_time()
        started_s = self.started_s or 0.0
        parts = {part: spent_s - self._before[part] for part, spent_s in self.spent_s.items()}
        return {START: started_s, **parts, REST: max(0.0, whole_s - started_s - sum(parts.values()))}


def install(shares: Shares) -> None:
    """Put the clock around the parts of opstool."""
    shares.wrap(json.JSONEncoder, ("encode", "iterencode"), JSON)
    shares.wrap(json.JSONDecoder, ("decode", "raw_decode"), JSON)
    for tls in (ssl.SSLSocket, ssl.SSLObject):
        shares.wrap(tls, ("send", "sendall", "recv", "recv_into", "read", "write", "do_handshake"), TLS)
    for name in _JOURNAL_MODULES:
        module = importlib.import_module(name)
        for _, kind in inspect.getmembers(module, inspect.isclass):
            if kind.__module__ == name:
                shares.wrap(kind, tuple(_plain_methods(kind)), JOURNAL)
    matching = importlib.import_module("opstool.words.matching")
    shares.wrap(matching.Matcher, ("__call__",), FILTER)
    _install_door(shares)


def _install_door(shares: Shares) -> None:
    door = importlib.import_module("opstool.doors.sqs").Sqs
    make = door.__init__

    def made(self: Any, call: Callable[..., Any], *given: Any, **named: Any) -> None:
        counted = shares.timed(LANE, call)

        def ask(operation: str, request: dict[str, Any]) -> Any:
            if operation == "ReceiveMessage":
                shares.start_of_work()
            return counted(operation, request)

        make(self, ask, *given, **named)

    door.__init__ = made
    shares.wrap(door, _HOT, DOOR)


def _plain_methods(kind: type) -> list[str]:
    return [
        name
        for name, value in vars(kind).items()
        if inspect.isfunction(value) and not inspect.isgeneratorfunction(value) and not name.startswith("__")
    ]


def main(arguments: list[str]) -> int:
    """Run opstool with the rest of the arguments and write its shares."""
    path, *rest = arguments
    shares = Shares()
    install(shares)
    run = importlib.import_module("opstool.cli.main").main
    status = run(rest)
    Path(path).write_text(json.dumps(shares.result()))
    return int(status)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
