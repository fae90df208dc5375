"""The environments of what cannot share ours: tools and servers that pin versions which we do not use."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
OVERRIDE = "RUNTIME_PYTHON"
INSTALL_TIMEOUT_S = 900
OLDEST_NODE = 20
_STAMP = "made-from.txt"


class NoInterpreterError(Exception):
    """No interpreter of the wanted version is installed on this machine."""


class MissingServerError(Exception):
    """A server's environment is not installed, or not from the versions that are pinned now."""


@dataclass(frozen=True, kw_only=True)
class Environment:
    """The folder `name` of this checkout, which holds exactly what the file `pins` names."""

    name: str
    pins: Path

    @property
    def folder(self) -> Path:
        """Return where it is."""
        return ROOT / self.name

    def require(self) -> Path:
        """Return its folder; raise MissingServerError when it is not there as pinned."""
        if self._made_from().partition("\n")[2] != self._pinned():
            raise MissingServerError(f"{self.name} is not installed, or not in the versions of {self.pins.name}")
        return self.folder

    def make_python(self, interpreter: str) -> Path:
        """Return the folder of its programs, after making it when it is missing or out of date."""
        if not self._is_made_with(interpreter):
            run([interpreter, "-m", "venv", "--clear", str(self.folder)], timeout_s=120)
            python = str(self.folder / "bin" / "python")
            install = [python, "-m", "pip", "install", "-qq", "--disable-pip-version-check", "--requirement"]
            run([*install, str(self.pins)], timeout_s=INSTALL_TIMEOUT_S)
            self._stamp(interpreter)
        return self.folder / "bin"

    def make_node(self) -> None:
        """Install the packages that `pins`, a package.json, names, when they are missing or out of date."""
        npm = _find_npm()
        if self._is_made_with(npm):
            return
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir()
        shutil.copy(self.pins, self.folder / "package.json")
        quiet = ["--silent", "--no-audit", "--no-fund", "--no-update-notifier", "--no-package-lock", "--ignore-scripts"]
        run([npm, "install", *quiet, "--prefix", str(self.folder)], timeout_s=INSTALL_TIMEOUT_S)
        self._stamp(npm)

    def _pinned(self) -> str:
        return self.pins.read_text(encoding="utf-8")

    def _made_from(self) -> str:
        stamp = self.folder / _STAMP
        return stamp.read_text(encoding="utf-8") if stamp.is_file() else ""

    def _is_made_with(self, program: str) -> bool:
        return self._made_from() == f"{program}\n{self._pinned()}"

    def _stamp(self, program: str) -> None:
        """Say what it was made from; written last, so that an interrupted installation is made anew."""
        (self.folder / _STAMP).write_text(f"{program}\n{self._pinned()}", encoding="utf-8")


def runtime() -> str:
    """Read the function's runtime from the template, for example python3.13."""
    found = re.search(
        r"^ +Runtime: (python3\.\d+)$", (ROOT / "template.yaml").read_text(encoding="utf-8"), re.MULTILINE
    )
    if found is None:
        raise NoInterpreterError("template.yaml names no Python runtime")
    return found[1]


def find_interpreter(name: str) -> str:
    """Find an interpreter by a name such as python3.13: some tools run with that one only.

    Raises NoInterpreterError with the ways to get one.
    """
    for candidate in _candidates(name):
        if _runs_as(candidate, name):
            return candidate
    version = name.removeprefix("python")
    raise NoInterpreterError(
        f"{name} with its venv module is needed, and there is none here\n"
        f"\nhint: `uv python install {version}`, `pyenv install {version}` or `apt install {name} {name}-venv`; "
        f"one in an unusual place can be named by {OVERRIDE}=/path/to/{name}"
    )


def _candidates(name: str) -> Iterator[str]:
    """List the places where an interpreter may be, the likeliest first."""
    if OVERRIDE in os.environ:
        yield os.environ[OVERRIDE]
        return
    yield sys.executable
    yield name
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    # A pyenv shim of the right name fails when that version is not the chosen one, so the versions are looked into.
    yield from (str(path) for path in sorted(pyenv.glob(f"{name.removeprefix('python')}*/bin/{name}"), reverse=True))
    uv = shutil.which("uv")
    if uv:
        found = subprocess.run([uv, "python", "find", name], capture_output=True, text=True, timeout=30, check=False)
        yield found.stdout.strip()


def _runs_as(candidate: str, name: str) -> bool:
    """Tell whether a candidate starts, is of that version and can make virtual environments."""
    program = "import ensurepip, sys, venv; print('python%d.%d' % sys.version_info[:2])"
    return _output_of([candidate, "-c", program]) == name


def _find_npm() -> str:
    """Return npm, beside a node that is new enough; raise NoInterpreterError when there is none."""
    npm, node = shutil.which("npm"), shutil.which("node")
    version = _output_of([node, "--version"]) if node else ""
    if not npm or not version.startswith("v") or int(version[1:].split(".")[0]) < OLDEST_NODE:
        raise NoInterpreterError(f"Node.js {OLDEST_NODE} or newer with npm is needed, and here is {version or 'none'}")
    return npm


def _output_of(command: list[str]) -> str:
    """Return what a program says, nothing when it does not run."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired, ValueError):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def run(command: list[str], *, timeout_s: float) -> None:
    """Run a command of an installation; its output goes where ours goes."""
    subprocess.run(command, check=True, timeout=timeout_s)
