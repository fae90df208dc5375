"""The packages a function asks for in its requirements.txt, in an environment of its own.

When this interpreter already has all of them in the versions asked for, the function is shown those and no others, and
nothing is downloaded. Otherwise pip installs them into a cache folder that is named for what was asked and by whom.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from opstool.words.errors import OpstoolError, StorageError

PIP_TIMEOUT_S = 600


@dataclass(frozen=True, kw_only=True)
class Packages:
    """What a function may import beside the standard library and its own code."""

    target: Path | None = None
    """A folder that pip filled for it."""
    names: tuple[str, ...] = ()
    """Top-level names it may import from this interpreter."""
    distributions: tuple[str, ...] = ()

    @property
    def folders(self) -> tuple[str, ...]:
        """Return where this interpreter has its packages."""
        paths = sysconfig.get_paths()
        return tuple(dict.fromkeys((paths["purelib"], paths["platlib"], *_site_folders())))


def _site_folders() -> list[str]:
    return [entry for entry in sys.path if entry.endswith(("site-packages", "dist-packages"))]


def default_cache() -> Path:
    """Return the folder for installed requirements: the user's cache."""
    if os.name == "nt":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "opstool" / "functions"


def provide(code: Path, *, cache: Path | None = None) -> Packages:
    """Make the requirements of the function in `code` importable; safe to call from several processes at once."""
    wanted = code / "requirements.txt"
    if not wanted.is_file():
        return Packages()
    text = wanted.read_text(encoding="utf-8")
    return already_here(text) or Packages(target=_installed(wanted, text, cache or default_cache()))


def already_here(text: str) -> Packages | None:
    """Return the packages of this interpreter that satisfy `text`, or None when they do not."""
    try:
        from packaging.requirements import InvalidRequirement, Requirement  # noqa: PLC0415 not everybody has it
    except ImportError:
        return None
    try:
        lines = [line.split(" #", 1)[0].strip() for line in text.splitlines()]
        open_ones: list[Any] = [(Requirement(line), "") for line in lines if line and not line.startswith("#")]
    except InvalidRequirement:  # an option, a path or an address: pip's business
        return None
    seen: dict[str, metadata.Distribution] = {}
    done: set[tuple[str, str]] = set()
    while open_ones:
        requirement, extra = open_ones.pop()
        if requirement.marker and not requirement.marker.evaluate({"extra": extra}):
            continue
        try:
            found = metadata.distribution(requirement.name)
        except metadata.PackageNotFoundError:
            return None
        if requirement.url or not requirement.specifier.contains(found.version, prereleases=True):
            return None
        name = requirement.name.lower().replace("_", "-")
        seen[name] = found
        for wanted_extra in {"", *requirement.extras}:
            if (name, wanted_extra) not in done:
                done.add((name, wanted_extra))
                open_ones += [(Requirement(line), wanted_extra) for line in found.requires or ()]
    names = {name for found in seen.values() for name in _top_level(found)}
    return Packages(names=tuple(sorted(names)), distributions=tuple(sorted(seen)))


def _top_level(found: metadata.Distribution) -> set[str]:
    names = set()
    for file in found.files or ():
        first = file.parts[0]
        if first.endswith((".dist-info", ".egg-info")) or first in ("..", "__pycache__"):
            continue
        names.add(first.split(".", 1)[0])
    return names


def _installed(wanted: Path, text: str, cache: Path) -> Path:
    """Return the cache folder for `text`, filled by pip when it is not there yet."""
    digest = hashlib.sha256("\0".join([text, sys.version, sysconfig.get_platform(), _place(wanted, text)]).encode())
    target = cache / digest.hexdigest()[:32]
    if target.is_dir():
        return target
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache, prefix="installing-") as folder:
            fresh = Path(folder) / "packages"
            _run_pip(wanted, fresh)
            _put_in_place(fresh, target)
    except OSError as error:
        raise StorageError(
            f"cannot keep the function's requirements in `{cache}`: {error.strerror or error}"
        ) from error
    return target


def _place(wanted: Path, text: str) -> str:
    """Return what else the meaning of the text hangs on: its folder, when it names files or options."""
    relative = any(line.lstrip().startswith(("-", ".", "/")) or "file:" in line for line in text.splitlines())
    return str(wanted.resolve()) if relative else ""


def _run_pip(wanted: Path, target: Path) -> None:
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
    command += ["--no-warn-conflicts", "--target", str(target), "--requirement", str(wanted.resolve())]
    done = subprocess.run(  # noqa: S603 pip, for the requirements of a function the user asked to run
        command, capture_output=True, text=True, timeout=PIP_TIMEOUT_S, check=False, cwd=wanted.parent
    )
    target.mkdir(exist_ok=True)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["pip gave no reason"])[-1]
        raise OpstoolError(
            f"cannot install the function's requirements: {last}",
            code="requirements_failed",
            hint=f"python -m pip install -r {wanted}",
        )


def _put_in_place(fresh: Path, target: Path) -> None:
    try:
        fresh.rename(target)
    except OSError:
        if not target.is_dir():  # another process was first: its folder is as good
            raise
        shutil.rmtree(fresh)
