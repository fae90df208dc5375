"""The environments of the tools that cannot share ours: SAM CLI and ministack pin versions that we do not use."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
OVERRIDE = "RUNTIME_PYTHON"
INSTALL_TIMEOUT_S = 900


class NoInterpreterError(Exception):
    """No interpreter of the function's runtime is installed on this machine."""


def runtime() -> str:
    """Read the function's runtime from the template, for example python3.13."""
    found = re.search(
        r"^ +Runtime: (python3\.\d+)$", (ROOT / "template.yaml").read_text(encoding="utf-8"), re.MULTILINE
    )
    if found is None:
        raise NoInterpreterError("template.yaml names no Python runtime")
    return found[1]


def find_interpreter(name: str) -> str:
    """Find an interpreter of the runtime: `sam build` resolves the function's requirements with that one only.

    Raises NoInterpreterError with the ways to get one.
    """
    for candidate in _candidates(name):
        if _runs_as(candidate, name):
            return candidate
    version = name.removeprefix("python")
    raise NoInterpreterError(
        f"`sam build` needs {name}, the Runtime in template.yaml, with its venv module, and there is none here\n"
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
    try:
        done = subprocess.run([candidate, "-c", program], capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired, ValueError):
        return False
    return done.returncode == 0 and done.stdout.strip() == name


def environment(tool: str, interpreter: str) -> Path:
    """Return the folder with the programs of a tool, after making its environment when it is missing or out of date.

    The environment is `.venv-TOOL` and holds exactly what `TOOL-requirements.txt` beside this file pins.
    """
    folder, requirements = ROOT / f".venv-{tool}", HERE / f"{tool}-requirements.txt"
    stamp, wanted = folder / "made-from.txt", f"{interpreter}\n{requirements.read_text(encoding='utf-8')}"
    programs = folder / "bin"
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == wanted:
        return programs
    subprocess.run([interpreter, "-m", "venv", "--clear", str(folder)], check=True, timeout=120)
    install = [str(programs / "python"), "-m", "pip", "install", "-qq", "--disable-pip-version-check"]
    subprocess.run([*install, "--requirement", str(requirements)], check=True, timeout=INSTALL_TIMEOUT_S)
    # Written last: an environment whose installation was interrupted is made anew.
    stamp.write_text(wanted, encoding="utf-8")
    return programs
