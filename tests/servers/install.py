"""Install the servers that the suites run against: `python -m tests.servers.install [NAME...]`, all without a name."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable

from tests.servers import local_aws_sqs, localstack, ministack
from tests.servers.environments import NoInterpreterError

INSTALLERS: dict[str, Callable[[], None]] = {
    "local-aws-sqs": local_aws_sqs.install,
    "localstack": localstack.install,
    "ministack": ministack.install,
}


def main(names: list[str]) -> int:
    """Install each by its name; 0 when all are there, 1 when one could not be installed, 2 for an unknown name."""
    unknown = [name for name in names if name not in INSTALLERS]
    if unknown:
        _say(f"error: no server `{unknown[0]}`; there are {', '.join(INSTALLERS)}")
        return 2
    missing = [name for name in names or INSTALLERS if not _install(name)]
    if missing:
        _say(f"error: not installed: {', '.join(missing)}")
    return 1 if missing else 0


def _install(name: str) -> bool:
    """Install one and say how it went."""
    _say(f"{name}: installing what is missing")
    started = time.monotonic()
    try:
        INSTALLERS[name]()
    except (NoInterpreterError, OSError, subprocess.SubprocessError) as error:
        _say(f"{name}: {error}")
        return False
    _say(f"{name}: ready after {time.monotonic() - started:.0f} s")
    return True


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
