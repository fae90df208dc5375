"""One run of one program against an endpoint of its own, each pinned to a core, and what it cost."""

from __future__ import annotations

import json
import os
import shutil
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.pool import FAULTS

ROOT = Path(__file__).parents[1]
GIVE_UP_S = 300
"""A run that takes longer is ended, and counts as one that did not work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What the endpoint holds, and how slowly it answers."""

    messages: int
    match: float = 1.0
    delay_ms: float = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What one run cost. `wall_s` is from the first receive to the last delete, `whole_wall_s` that of the process."""

    status: int
    wall_s: float
    whole_wall_s: float
    cpu_s: float
    peak_mb: float
    calls: dict[str, int] = field(default_factory=dict)
    book: dict[str, int] = field(default_factory=dict)
    agents: dict[str, int] = field(default_factory=dict)
    endpoint_cpu_s: float = 0.0
    complaint: str = ""

    @property
    def moved(self) -> int:
        """Return how many messages were sent and deleted."""
        return self.book.get("deleted", 0)

    @property
    def per_s(self) -> float:
        """Return the messages moved a second."""
        return self.moved / self.wall_s if self.wall_s else 0.0

    @property
    def cpu_us(self) -> float:
        """Return the microseconds of processor time a moved message, start of the program included."""
        return 1e6 * self.cpu_s / self.moved if self.moved else 0.0

    @property
    def calls_each(self) -> float:
        """Return the calls of SQS a moved message, releases included."""
        return sum(self.calls.values()) / self.moved if self.moved else 0.0

    @property
    def agent(self) -> str:
        """Return what most connections of the program called themselves: boto3 says so."""
        return max(self.agents, key=lambda agent: self.agents[agent], default="")

    @property
    def faults(self) -> dict[str, int]:
        """Return what was lost, doubled or wrongly chosen."""
        found = {name: self.book[name] for name in FAULTS if self.book.get(name)}
        missing = self.book.get("matching", 0) - self.moved
        return {**found, **({"not_moved": missing} if missing else {})}


def cores() -> tuple[set[int], set[int]] | None:
    """Return the cores for the client and for the endpoint; None where this machine cannot pin or has one core."""
    if not hasattr(os, "sched_getaffinity"):
        return None
    usable = sorted(os.sched_getaffinity(0))
    return ({usable[0]}, {usable[1]}) if len(usable) > 1 else None


def run(
    command: Sequence[str], load: Load, *, environment: dict[str, str] | None = None, to: Path | None = None
) -> Run:
    """Run a program to its end; STATE in its arguments becomes a fresh folder; stdout goes to `to`, or nowhere."""
    pinned = cores()
    with tempfile.TemporaryDirectory() as folder, endpoint(load, pinned[1] if pinned else None) as served:
        surroundings = {
            "PATH": os.environ["PATH"],
            "HOME": folder,
            "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
            "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
            "AWS_REGION": "eu-west-1",
            "AWS_DEFAULT_REGION": "eu-west-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_ENDPOINT_URL": served["url"],
            "AWS_CA_BUNDLE": served.get("ca_bundle", ""),
            **(environment or {}),
        }
        errors = Path(folder, "stderr")
        started = time.monotonic()
        with (to or Path(os.devnull)).open("wb") as out, errors.open("wb") as err:
            arguments = [folder if each == "STATE" else each for each in command]
            process = spawn(arguments, pinned[0] if pinned else None, env=surroundings, stdout=out, stderr=err)
            usage = _awaited(process)
        whole_s = time.monotonic() - started
        stats = _stats(served)
        last = errors.read_text(errors="replace").strip().splitlines()[-1:]
    first_s, end_s = stats["first_receive_s"], stats["last_delete_s"]
    return Run(
        status=process.returncode,
        wall_s=end_s - first_s if first_s is not None and end_s is not None else 0.0,
        whole_wall_s=whole_s,
        cpu_s=usage.ru_utime + usage.ru_stime,
        peak_mb=usage.ru_maxrss / (1024 if sys.platform != "darwin" else 1024 * 1024),
        calls=stats["calls"],
        book=stats["book"],
        agents=stats["agents"],
        endpoint_cpu_s=stats["endpoint_cpu_s"],
        complaint=last[0] if process.returncode and last else "",
    )


@contextmanager
def endpoint(load: Load, core: set[int] | None) -> Iterator[dict[str, str]]:
    """Run the endpoint in a process of its own for as long as the block; yield where it is."""
    options = ["--messages", str(load.messages), "--match", str(load.match), "--delay-ms", str(load.delay_ms), "--tls"]
    process = spawn([sys.executable, "-m", "bench.endpoint", *options], core, stdout=subprocess.PIPE)
    try:
        assert process.stdout  # noqa: S101 - as asked for
        yield json.loads(process.stdout.readline())
    finally:
        process.terminate()
        process.communicate()


def spawn(command: Sequence[str], core: set[int] | None, **given: Any) -> subprocess.Popen[bytes]:
    """Start a program of the repository's root on that core: a child inherits the cores of its parent."""
    before = os.sched_getaffinity(0) if core else set()
    try:
        if core:
            os.sched_setaffinity(0, core)
        return subprocess.Popen(command, cwd=ROOT, **given)  # noqa: S603 - commands of this benchmark
    finally:
        if core:
            os.sched_setaffinity(0, before)


def _awaited(process: subprocess.Popen[bytes]) -> Any:
    """Wait for the end of a process and return what it used."""
    timer = threading.Timer(GIVE_UP_S, process.kill)
    timer.start()
    _pid, status, usage = os.wait4(process.pid, 0)
    timer.cancel()
    process.returncode = os.waitstatus_to_exitcode(status)
    return usage


def _stats(served: dict[str, str]) -> dict[str, Any]:
    context = ssl.create_default_context(cafile=served["ca_bundle"])
    address = f"{served['url']}/stats"
    with urllib.request.urlopen(address, context=context, timeout=30) as answer:  # noqa: S310 - ours
        found: dict[str, Any] = json.load(answer)
        return found


def program(name: str) -> str | None:
    """Return the path of a program in the environment of the others, or None where it is not installed."""
    return shutil.which(name, path=str(ROOT / ".venv-bench" / "bin"))


def as_installed() -> str:
    """Return a Python that has opstool and what it needs, as a user has it, where there is one; else our own."""
    return program("python") or sys.executable
