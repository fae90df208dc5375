"""How long the program takes to begin: the interpreter, Typer, `--version`, `--help`, and the help of one command."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.measure import ROOT, as_installed

_FLOOR = "import typer"
# What `python -m opstool` does but for leaving, so that the same process can count its modules at the end.
_COMMAND = "import sys; sys.argv = ['opstool', *{argv!r}]; from opstool.__main__ import run; run()"
_PROGRAMS = {
    "python -c pass": "pass",
    'python -c "import typer"': _FLOOR,
    "opstool --version": _COMMAND.format(argv=["--version"]),
    "opstool --help": _COMMAND.format(argv=["--help"]),
    "opstool dlq list --help": _COMMAND.format(argv=["dlq", "list", "--help"]),
}
_COUNTED = "import atexit, sys; atexit.register(lambda: sys.stderr.write(f'\\n{{len(sys.modules)}}')); {code}"


def measure(runs: int = 20) -> list[dict[str, Any]]:
    """Return a row for each program: `name`, `seconds` (median of the runs), `ratio` to Typer's import, `modules`.

    The programs take turns, so that what else the machine does falls on all of them alike. The first turn, which
    writes the bytecode and warms the disk's cache, is not counted.
    """
    taken: dict[str, list[float]] = {name: [] for name in _PROGRAMS}
    with tempfile.TemporaryDirectory() as folder:
        for turn in range(runs + 1):
            for name, code in _PROGRAMS.items():
                begun = time.perf_counter()
                _run(code, Path(folder))
                if turn:
                    taken[name].append(time.perf_counter() - begun)
        modules = {name: _modules(code, Path(folder)) for name, code in _PROGRAMS.items()}
    seconds = {name: statistics.median(each) for name, each in taken.items()}
    floor = next(seconds[name] for name, code in _PROGRAMS.items() if code == _FLOOR)
    return [
        {"name": name, "seconds": seconds[name], "ratio": seconds[name] / floor, "modules": modules[name]}
        for name in _PROGRAMS
    ]


def _modules(code: str, folder: Path) -> int:
    """Return how many modules a program has loaded when it ends."""
    return int(_run(_COUNTED.format(code=code), folder).splitlines()[-1])


def _run(code: str, folder: Path) -> str:
    """Run a program in a folder of its own, and return what it said on stderr."""
    environment = {"PATH": os.defpath, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(  # noqa: S603 - our own programs
        [as_installed(), "-c", code],
        cwd=folder,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        check=True,
    )
    return done.stderr


if __name__ == "__main__":
    for row in measure():
        sys.stdout.write(json.dumps(row) + "\n")
