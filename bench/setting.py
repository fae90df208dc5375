"""What the numbers depend on: the machine, the versions, the day."""

from __future__ import annotations

import datetime
import platform
from importlib.metadata import version
from pathlib import Path

from bench.measure import cores


def setting(command: str) -> list[str]:
    """Return what the numbers depend on: machine, versions, date and command."""
    names = ("boto3", "botocore", "opstool")
    return [
        f"date: {datetime.datetime.now(datetime.UTC):%Y-%m-%d}",
        f"command: `{command}`",
        f"machine: {_processor()}, {'client and endpoint pinned to a core each' if cores() else 'nothing pinned'}",
        f"system: {platform.system()} {platform.release()}",
        f"Python: {platform.python_implementation()} {platform.python_version()}",
        "versions: " + ", ".join(f"{name} {version(name)}" for name in names),
        "others: " + ", ".join(_others()),
    ]


def _others() -> list[str]:
    lines = Path(__file__).with_name("requirements.txt").read_text().splitlines()
    return [line.replace("==", " ") for line in lines if line and not line.startswith("#")]


def _processor() -> str:
    """Return the name of the processor as the system gives it."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [line.partition(":")[2].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line]
        if names:
            return f"{len(names)} x {names[0]}"
    return platform.processor() or platform.machine() or "unknown"
